/** Work on a large object is done in steps, on every way into the registry (issue 6, row 1). */
import { expect, it } from 'vitest';
import { admin, configMap, pod, resources, startRegistry } from './testing.js';

const large = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, 'value']));

function recorder() {
  const steps: string[] = [];
  return { steps, pace: { step: (name: string) => (steps.push(name), Promise.resolve()) } };
}

it.each(['create', 'update', 'merge', 'json', 'strategic', 'apply'] as const)('%s', async (verb) => {
  await using test = await startRegistry();
  const { steps, pace } = recorder();
  const service = test.registry.as(admin);
  const target = { resource: resources.configMaps, namespace: 'default' };
  if (verb === 'create') {
    await service.create({ ...target, object: configMap('a', large) }, { pace });
  } else {
    await service.create({ ...target, object: configMap('a', large) });
    const patches = {
      merge: { data: { x: 'y' } },
      json: [{ op: 'add', path: '/data/x', value: 'y' }],
      strategic: { data: { x: 'y' } },
      apply: configMap('a', { x: 'y' }),
    };
    if (verb === 'update')
      await service.update({ ...target, name: 'a', object: configMap('a', { ...large, x: 'y' }) }, { pace });
    else
      await service.patch({ ...target, name: 'a', type: verb, patch: patches[verb], fieldManager: 'test' }, { pace });
  }
  for (const step of [
    'checking fields',
    'setting defaults',
    'validating metadata',
    'validating',
    'validating by schema',
    'encoding',
  ])
    expect(steps).toContain(step);
  if (verb !== 'apply') expect(steps).toContain('finding the owners of fields');
});

it('ten thousand items that are alike are owned as one, in linear time', async () => {
  await using test = await startRegistry();
  const containers = Array.from({ length: 10_000 }, () => ({}));
  const service = test.registry.as(admin);
  // Such a pod is refused, but not before its fields were looked at.
  await expect(
    service.create({
      resource: resources.pods,
      namespace: 'default',
      object: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec: { containers } } as object,
    }),
  ).rejects.toMatchObject({ code: 422 });
}, 60_000);

it('patches do not make an object grow beyond twice what a body may hold', async () => {
  await using test = await startRegistry();
  const service = test.registry.as(admin);
  const target = { resource: resources.configMaps, namespace: 'default', name: 'a' };
  await service.create({ ...target, object: configMap('a') });
  const grow = (part: number) =>
    service.patch({
      ...target,
      type: 'merge',
      patch: { data: Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`k${part}-${i}`, ''])) },
    });
  await grow(1);
  await grow(2);
  await expect(grow(3)).rejects.toMatchObject({ code: 413 });
});

it('nobody owns more items of a list, one by one, than are stored of one owner: that is told before they are judged', async () => {
  await using test = await startRegistry();
  const service = test.registry.as(admin);
  const target = { resource: resources.pods, namespace: 'default' };
  const owned = (count: number) => ({
    ...pod('a'),
    metadata: { name: 'a', finalizers: Array.from({ length: count }, (_, i) => `example.com/f${i}`) },
  });
  const tooMany = { code: 413, message: expect.stringContaining('more than 20000 keys') as string };
  await expect(service.create({ ...target, object: owned(20_001), dryRun: true })).rejects.toMatchObject(tooMany);
  await expect(
    service.patch({ ...target, name: 'a', type: 'apply', patch: owned(20_001), fieldManager: 'test' }),
  ).rejects.toMatchObject(tooMany);
  const { steps, pace } = recorder();
  const { object } = await service.create({ ...target, object: owned(19_000), dryRun: true }, { pace });
  expect(object.metadata?.managedFields).toHaveLength(1);
  expect(steps.filter((step) => step === 'finding the owners of fields').length).toBeGreaterThan(20);
}, 60_000);

it('a large pod that is applied again, or judged, waits for its turn many times', async () => {
  await using test = await startRegistry();
  const service = test.registry.as(admin);
  const target = { resource: resources.pods, namespace: 'default', name: 'a' };
  const large = {
    ...pod('a'),
    spec: {
      containers: Array.from({ length: 1000 }, (_, i) => ({
        name: `c${i}`,
        image: 'image:1',
        env: [
          { name: 'A', value: 'x' },
          { name: 'B', value: 'y' },
        ],
      })),
      volumes: Array.from({ length: 1000 }, (_, i) => ({ name: `v${i}`, emptyDir: {} })),
    },
  };
  const { steps, pace } = recorder();
  await service.patch({ ...target, type: 'apply', patch: large, fieldManager: 'test' }, { pace });
  const validating = steps.filter((step) => step === 'validating').length;
  expect(validating).toBeGreaterThan(10);
  await service.patch({ ...target, type: 'apply', patch: large, fieldManager: 'test' }, { pace });
  expect(steps.filter((step) => step === 'changing').length).toBeGreaterThan(30);
}, 60_000);
