import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deployments, pods, replicaSets } from '../../../apimachinery/gen/resources.js';
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import { createTestContext } from '../testing.js';
import { claim } from './claim.js';
import { controllerRef } from './owners.js';

let t: ReturnType<typeof createTestContext>;
beforeEach(() => {
  t = createTestContext();
});
afterEach(() => t.stop());

const never = new AbortController().signal;

describe.each([
  ['a Deployment claims ReplicaSets', deployments as Resource, replicaSets as Resource],
  ['a ReplicaSet claims Pods', replicaSets as Resource, pods as Resource],
])('%s', (_, ownerResource, resource) => {
  const makeOwner = () =>
    t.client.create(ownerResource, { metadata: { name: 'o', namespace: 'd', finalizers: ['test/look'] } });
  const makeChild = (name: string, labels: Record<string, string>, more: object = {}) =>
    t.client.create(resource, { metadata: { name, namespace: 'd', labels, ...more } });
  const run = async (owner: KubeObject, own: KubeObject[], orphans: KubeObject[]) =>
    (
      await claim({
        client: t.client,
        owner,
        ownerResource,
        resource,
        own,
        orphans,
        matches: ({ metadata }) => metadata?.labels?.['app'] === 'web',
        signal: never,
      })
    ).map(({ metadata }) => metadata?.name);
  const ownersOf = async (name: string) =>
    ((await t.client.get(resource, { namespace: 'd', name })).metadata?.ownerReferences ?? []).map(({ uid }) => uid);

  it('adopts what matches and has no controller, in its namespace, unless it goes', async () => {
    const owner = await makeOwner();
    const orphans = [
      await makeChild('a', { app: 'web' }),
      await makeChild('other', { app: 'db' }),
      await makeChild('far', { app: 'web' }, { namespace: 'e' }),
      {
        ...(await makeChild('going', { app: 'web' })),
        metadata: { name: 'going', namespace: 'd', labels: { app: 'web' }, deletionTimestamp: '2026-01-01T00:00:00Z' },
      },
    ];
    expect(await run(owner, [], orphans)).toEqual(['a']);
    expect([await ownersOf('a'), await ownersOf('other'), await ownersOf('going')]).toEqual([
      [owner.metadata?.uid],
      [],
      [],
    ]);
  });

  it('releases what is its own and matches no longer, and leaves the other owners in the list', async () => {
    const owner = await makeOwner();
    const other = { apiVersion: 'v1', kind: 'ConfigMap', name: 'c', uid: 'c' };
    const own = [
      await makeChild('a', { app: 'web' }, { ownerReferences: [controllerRef(owner, ownerResource)] }),
      await makeChild('left', { app: 'db' }, { ownerReferences: [other, controllerRef(owner, ownerResource)] }),
    ];
    expect(await run(owner, own, [])).toEqual(['a']);
    expect([await ownersOf('a'), await ownersOf('left')]).toEqual([[owner.metadata?.uid], ['c']]);
  });

  it('looks at the owner itself before it adopts: neither one made again nor one asked to go adopts', async () => {
    const owner = await makeOwner();
    const orphan = await makeChild('a', { app: 'web' });
    expect(await run({ ...owner, metadata: { ...owner.metadata, uid: 'of the one before' } }, [], [orphan])).toEqual(
      [],
    );
    await t.client.delete(ownerResource, { namespace: 'd', name: 'o' });
    expect(await run(owner, [], [orphan])).toEqual([]);
    expect(await ownersOf('a')).toEqual([]);
  });

  it('does not overwrite what it has not seen', async () => {
    const owner = await makeOwner();
    const orphan = await makeChild('a', { app: 'web' });
    await t.client.patch(
      resource,
      { namespace: 'd', name: 'a' },
      {
        type: 'merge',
        body: {
          metadata: {
            ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'c', uid: 'c', controller: true }],
          },
        },
      },
    );
    await expect(run(owner, [], [orphan])).rejects.toMatchObject({ status: { reason: 'Conflict' } });
    expect(await ownersOf('a')).toEqual(['c']);
  });
});
