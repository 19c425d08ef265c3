/** The annotation that numbers the templates of a DaemonSet, as kube-apiserver v1.36 keeps it. */
import { expect, it } from 'vitest';
import type { UnknownObject } from '../../../apimachinery/object.js';
import { startRegistry } from './testing.js';

const GENERATION = 'deprecated.daemonset.template.generation';
const daemonSets = { group: 'apps', version: 'v1', resource: 'daemonsets', kind: 'DaemonSet', namespaced: true };

function daemonSet(
  image: string,
  how: { readonly annotations?: Record<string, string>; readonly minReadySeconds?: number } = {},
): UnknownObject {
  const { annotations, ...spec } = how;
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image }] } };
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'd', ...(annotations === undefined ? {} : { annotations }) },
    spec: { selector: { matchLabels: { a: 'b' } }, template, ...spec },
  };
}

it('counts changes of the template alone, whatever clients write', async () => {
  await using registry = await startRegistry();
  const place = { resource: daemonSets, namespace: 'n' };
  const made = await registry.service.create({ ...place, object: daemonSet('i:1') });
  expect(made.object.metadata?.annotations?.[GENERATION]).toBe('1');
  const steps: readonly (readonly [UnknownObject, string, number])[] = [
    [daemonSet('i:1', { minReadySeconds: 3 }), '1', 2],
    [daemonSet('i:2', { minReadySeconds: 3 }), '2', 3],
    [daemonSet('i:2', { minReadySeconds: 3, annotations: { [GENERATION]: '9', other: 'x' } }), '2', 3],
  ];
  for (const [object, templates, generation] of steps) {
    const { metadata } = (await registry.service.update({ ...place, name: 'd', object })).object;
    expect([metadata?.annotations?.[GENERATION], metadata?.generation]).toEqual([templates, generation]);
  }
});
