/**
 * Many objects are looked at in steps, however they are asked for: selected, watched, converted or deleted (issue 6,
 * row 1).
 */
import { expect, it } from 'vitest';
import { admin, configMap, resources, startRegistry } from '../registry/testing.js';

const COUNT = 200;
/** All of them together are 3 MB. */
const filler = { x: 'y'.repeat(15_000) };
const target = { resource: resources.configMaps, namespace: 'default' };

async function startFilled() {
  const test = await startRegistry();
  await Promise.all(
    Array.from({ length: COUNT }, (_, i) =>
      test.service.create({
        ...target,
        object: { ...configMap(`c${i}`, filler), metadata: { name: `c${i}`, labels: { n: String(i) } } },
      }),
    ),
  );
  const steps: string[] = [];
  return {
    test,
    steps,
    service: test.registry.as(admin),
    pace: { step: (name: string) => (steps.push(name), Promise.resolve()) },
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
  };
}

it.each([
  [undefined, COUNT],
  ['n=7', 1],
  ['n=none', 0],
])('a watch of what exists, selected by %s', async (labelSelector, expected) => {
  await using started = await startFilled();
  const { service, pace, steps } = started;
  const end = new AbortController();
  const names: unknown[] = [];
  const request = {
    ...target,
    ...(labelSelector === undefined ? {} : { labelSelector }),
    sendInitialEvents: true,
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: true,
  } as const;
  for await (const { type, handle } of service.watch(request, { pace, signal: end.signal })) {
    if (type === 'BOOKMARK') break;
    names.push(handle.object.metadata?.name);
  }
  end.abort();
  expect(names).toHaveLength(expected);
  expect(new Set(steps)).toEqual(new Set(['what exists']));
  expect(steps.length).toBeGreaterThan(30);
});

it('what is written while a watch sends what exists comes after it', async () => {
  await using started = await startFilled();
  const { service, steps, test } = started;
  const end = new AbortController();
  const pace = {
    async step(name: string) {
      if (steps.push(name) === 1) await test.service.create({ ...target, object: configMap('late') });
    },
  };
  const seen: unknown[] = [];
  for await (const { handle } of service.watch(
    { ...target, sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' },
    { pace, signal: end.signal },
  )) {
    seen.push(handle.object.metadata?.name);
    if (seen.at(-1) === 'late') break;
  }
  end.abort();
  expect(seen).toHaveLength(COUNT + 1);
});

it('deletecollection deletes a few at a time, and parses none of the others', async () => {
  await using started = await startFilled();
  const { service, pace, steps } = started;
  const deleted = await service.deleteCollection({ ...target, options: { dryRun: true } }, { pace });
  expect(deleted.items).toHaveLength(COUNT);
  expect(steps.filter((name) => name === 'deleting')).toHaveLength(Math.ceil(COUNT / 16));
  await service.deleteCollection({ ...target, labelSelector: 'n notin (7)' }, { pace });
  expect((await service.list(target)).items.map(({ object }) => object.metadata?.name)).toEqual(['c7']);
});
