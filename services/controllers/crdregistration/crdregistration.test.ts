/** Row 40: APIServices are there for custom groups as upstream shows them. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { apiServices, customResourceDefinitions } from '../../../apimachinery/gen/resources.js';
import type { APIService, CustomResourceDefinition } from '../../../apimachinery/gen/types.js';
import { createTestContext } from '../testing.js';
import { createCrdRegistrationController } from './crdregistration.js';

let t: ReturnType<typeof createTestContext>;
beforeEach(async () => {
  t = createTestContext();
  await t.start(createCrdRegistrationController(t.context));
});
afterEach(() => t.stop());

const definition = (plural: string, served: Readonly<Record<string, boolean>>) =>
  ({
    metadata: { name: `${plural}.rules.example` },
    spec: {
      group: 'rules.example',
      scope: 'Namespaced',
      names: { plural, kind: plural },
      versions: Object.entries(served).map(([name, isServed]) => ({
        name,
        served: isServed,
        storage: name === 'v1',
        schema: { openAPIV3Schema: { type: 'object' } },
      })),
    },
  }) as CustomResourceDefinition;
const shown = async () =>
  (await t.client.list(apiServices)).items.map(({ metadata, spec, status }) => [
    metadata?.name,
    spec?.group,
    spec?.groupPriorityMinimum,
    spec?.versionPriority,
    status?.conditions?.[0]?.reason,
  ]);
const row = (version: string) => [`${version}.rules.example`, 'rules.example', 1000, 100, 'Local'];

it('each version that a definition serves has one, while one does', async () => {
  await t.client.create(customResourceDefinitions, definition('ones', { v1: true, v2: true, v3: false }));
  await t.client.create(customResourceDefinitions, definition('twos', { v1: true }));
  await t.settle();
  expect(await shown()).toEqual([row('v1'), row('v2')]);
  const stored = await t.client.get(customResourceDefinitions, { name: 'ones.rules.example' });
  await t.client.update(customResourceDefinitions, {
    ...stored,
    spec: definition('ones', { v1: true, v3: true }).spec,
  });
  await t.settle();
  expect(await shown()).toEqual([row('v1'), row('v3')]);
  await t.client.delete(customResourceDefinitions, { name: 'ones.rules.example' });
  await t.settle();
  expect(await shown()).toEqual([row('v1')]);
  await t.client.delete(customResourceDefinitions, { name: 'twos.rules.example' });
  await t.settle();
  expect(await shown()).toEqual([]);
});

it('is made again when it was deleted, and leaves alone what others made', async () => {
  const foreign: APIService = {
    metadata: { name: 'v2.rules.example' },
    spec: {
      group: 'rules.example',
      version: 'v2',
      groupPriorityMinimum: 5,
      versionPriority: 5,
      service: { namespace: 'a', name: 'b' },
    },
  };
  await t.client.create(apiServices, foreign);
  await t.client.create(customResourceDefinitions, definition('ones', { v1: true, v2: true }));
  await t.settle();
  await t.client.delete(apiServices, { name: 'v1.rules.example' });
  await t.settle();
  expect(await shown()).toEqual([row('v1'), ['v2.rules.example', 'rules.example', 5, 5, undefined]]);
});
