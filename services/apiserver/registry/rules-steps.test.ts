/** CEL rules take the main thread in steps however small the object is (issue 6, rows 1 and 6). */
import { expect, it } from 'vitest';
import { kindsOfDefinition } from '../../../apimachinery/scheme/custom-kinds.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { admin, startRegistry } from './testing.js';

const DEFINITIONS = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };

const definition = (spec: object): KubeObject =>
  ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'tabs.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'tabs', singular: 'tab', kind: 'Tab', listKind: 'TabList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
        },
      ],
    },
  }) as KubeObject;

function recorder() {
  const steps = new Map<string, number>();
  return {
    steps,
    pace: {
      step: (name: string, bytes = 0) =>
        Promise.resolve(void steps.set(name, (steps.get(name) ?? 0) + (bytes === Infinity ? 1 : 0))),
    },
  };
}

const rule = (text: string) => ({ 'x-kubernetes-validations': [{ rule: text }] });
const numbers = Array.from({ length: 150 }, (_, index) => index);

it('a custom resource of a few hundred bytes, created and changed', async () => {
  await using test = await startRegistry();
  const loops = { type: 'array', items: { type: 'integer' }, ...rule('self.all(a, self.all(b, a + b >= 0))') };
  const [kind] = kindsOfDefinition(definition({ type: 'object', properties: { items: loops } }));
  if (kind === undefined) throw new Error('the definition serves no version');
  test.scheme.add(kind);
  const service = test.registry.as(admin);
  const target = { resource: kind, namespace: 'default' };
  let resourceVersion: string | undefined;
  const tab = (items: readonly number[]) =>
    ({
      apiVersion: 'example.com/v1',
      kind: 'Tab',
      metadata: { name: 'a', ...(resourceVersion === undefined ? {} : { resourceVersion }) },
      spec: { items },
    }) as KubeObject;
  for (const write of [
    (pace: object) => service.create({ ...target, object: tab(numbers) }, pace),
    (pace: object) => service.update({ ...target, name: 'a', object: tab(numbers.slice(1)) }, pace),
  ]) {
    const { steps, pace } = recorder();
    ({ resourceVersion } = await write({ pace }));
    expect(steps.get('checking rules')).toBeGreaterThan(4);
  }
  // A component of the server has no pace, and gets the same answer.
  await expect(service.update({ ...target, name: 'a', object: tab([-1]) })).rejects.toMatchObject({
    code: 422,
    message: expect.stringContaining('failed rule') as string,
  });
});

it('a definition with many rules', async () => {
  await using test = await startRegistry();
  const text = {
    type: 'string',
    maxLength: 10,
    'x-kubernetes-validations': Array.from({ length: 200 }, (_, index) => ({ rule: `self != "${index}"` })),
  };
  const { steps, pace } = recorder();
  await test.registry.as(admin).create({ resource: DEFINITIONS, object: definition(text) }, { pace });
  expect(steps.get('validating')).toBeGreaterThan(4);
});
