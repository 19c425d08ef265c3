/** k8s.io/kubernetes/pkg/controller/history, and getStatefulSetRevisions and truncateHistory of its users. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { controllerRevisions, statefulSets } from '../../../../apimachinery/gen/resources.js';
import type { ControllerRevision, StatefulSet } from '../../../../apimachinery/gen/types.js';
import { INT64_MAX, type Int64 } from '../../../../apimachinery/int64.js';
import { labelSelectorOf } from '../../../../apimachinery/selector/labels.js';
import { createTestContext } from '../../testing.js';
import { controllerRef } from '../owners.js';
import { RevisionHistory } from './revision-history.js';
import { changeFor, revisionDraft, surplusOf, templateData, type RevisionData } from './revisions.js';

const dataOf = (image: string): RevisionData => templateData({ spec: { containers: [{ name: 'c', image }] } });
const revision = (name: string, number: Int64, image = name): ControllerRevision => ({
  metadata: { name, creationTimestamp: '2026-01-01T00:00:00Z' },
  data: dataOf(image),
  revision: number,
});

describe('the newest revision', () => {
  it.each<[string, ControllerRevision[], object]>([
    ['is created when there is none', [], { kind: 'create', number: 1 }],
    ['is created for new data', [revision('a', 3), revision('b', 7)], { kind: 'create', number: 8 }],
    [
      'stays when it has the data',
      [revision('new', 7), revision('a', 3)],
      { kind: 'keep', revision: { metadata: { name: 'new' } } },
    ],
    [
      'is an older one again (undo)',
      [revision('new', 3), revision('b', 7)],
      { kind: 'renew', revision: { metadata: { name: 'new' } }, to: 8 },
    ],
    [
      'is the newer one of two with the same data',
      [revision('x', 2, 'new'), revision('y', 5, 'new'), revision('b', 7)],
      { kind: 'renew', revision: { metadata: { name: 'y' } }, to: 8 },
    ],
    ['has every digit of an int64', [revision('a', 9007199254740993n)], { kind: 'create', number: 9007199254740994n }],
    ['does not leave int64', [revision('a', INT64_MAX)], { kind: 'create', number: INT64_MAX }],
  ])('%s', (_, revisions, change) => {
    expect(changeFor(dataOf('new'), revisions)).toMatchObject(change);
  });

  it('is compared by data, whatever the order of its keys', () => {
    const stored: ControllerRevision = {
      metadata: { name: 'a' },
      revision: 1,
      data: { spec: { template: { $patch: 'replace', spec: { containers: [{ image: 'new', name: 'c' }] } } } },
    };
    expect(changeFor(dataOf('new'), [stored])).toEqual({ kind: 'keep', revision: stored });
  });
});

describe('a history beyond its limit', () => {
  const all = [revision('c', 3), revision('a', 1), revision('d', 4), revision('b', 2)];
  it.each<[string[], number, string[]]>([
    [['d'], 10, []],
    [['d'], 2, ['a']],
    [['d'], 0, ['a', 'b', 'c']],
    [['a', 'd'], 1, ['b']],
    [[], -1, ['a', 'b', 'c', 'd']],
  ])('of which %j are in use and %i may stay loses %j', (live, limit, gone) => {
    expect(surplusOf(all, { live: new Set(live), limit }).map(({ metadata }) => metadata?.name)).toEqual(gone);
  });
});

it('a revision is named by its owner and the hash of its data, and cut to the length of a name', () => {
  const owner = { metadata: { name: 'n'.repeat(250), namespace: 'd', uid: 'u' } };
  const source = { owner, reference: controllerRef(owner, statefulSets), labels: { app: 'web' }, data: dataOf('a') };
  const [first, again, collided] = [
    revisionDraft(source, 1, 0),
    revisionDraft(source, 2, 0),
    revisionDraft(source, 1, 1),
  ];
  expect([first.metadata?.name === again.metadata?.name, first.metadata?.name === collided.metadata?.name]).toEqual([
    true,
    false,
  ]);
  expect((first.metadata?.name ?? '').length).toBeLessThanOrEqual(253);
  expect(first.metadata?.name?.endsWith(`-${first.metadata.labels?.['controller.kubernetes.io/hash'] ?? ''}`)).toBe(
    true,
  );
});

describe('the history of an owner', () => {
  let t: ReturnType<typeof createTestContext>;
  let history: RevisionHistory;
  let owner: StatefulSet;
  beforeEach(async () => {
    t = createTestContext();
    history = new RevisionHistory(t.context, statefulSets);
    await t.start();
    owner = await t.client.create(statefulSets, {
      metadata: { name: 'web', namespace: 'd', finalizers: ['test/look'] },
    } as StatefulSet);
  });
  afterEach(() => t.stop());

  const selector = labelSelectorOf({ matchLabels: { app: 'web' } });
  const { signal } = new AbortController();
  const sync = async (image: string, collisionCount?: number, of = owner) => {
    const found = await history.sync({
      owner: of,
      selector,
      signal,
      labels: { app: 'web' },
      data: dataOf(image),
      collisionCount,
    });
    await t.settle();
    return found;
  };
  const stored = async () =>
    (await t.client.list(controllerRevisions)).items
      .map((one): [number, string] => [Number(one.revision), JSON.stringify(one.data).includes('"b"') ? 'b' : 'a'])
      .toSorted(([a], [b]) => a - b);

  it('grows with each new template and goes back to an old one', async () => {
    await sync('a');
    await sync('a');
    const second = await sync('b');
    const third = await sync('a');
    expect([second.current.revision, third.current.revision, third.all.length]).toEqual([2, 3, 2]);
    expect(await stored()).toEqual([
      [2, 'b'],
      [3, 'a'],
    ]);
    await history.trim(third.all, { live: new Set([third.current.metadata?.name ?? '']), limit: 0 }, signal);
    expect(await stored()).toEqual([[3, 'a']]);
  });

  it('adopts revisions without an owner, and leaves alone those of others and of other labels', async () => {
    const made = (name: string, more: object) =>
      t.client.create(controllerRevisions, { ...revision(name, 1, name), metadata: { name, namespace: 'd', ...more } });
    await made('a', { labels: { app: 'web' } });
    await made('b', { labels: { app: 'db' } });
    await t.settle();
    const { current, all } = await sync('a');
    expect([current.metadata?.name, current.metadata?.ownerReferences?.[0]?.uid, all.length]).toEqual([
      'a',
      owner.metadata?.uid,
      1,
    ]);
  });

  it('counts a collision when the name is taken, and knows its own revision while the cache is behind', async () => {
    const { current } = await sync('a');
    await t.client.delete(controllerRevisions, { namespace: 'd', name: current.metadata?.name ?? '' });
    await t.client.create(controllerRevisions, {
      metadata: { name: current.metadata?.name ?? '', namespace: 'd' },
      revision: 1,
      data: { other: true },
    });
    await t.settle();
    const next = await sync('a');
    expect([next.collisionCount, next.current.metadata?.name === current.metadata?.name]).toEqual([1, false]);
    const blind = new RevisionHistory({ ...t.context, informers: createTestContext().context.informers }, statefulSets);
    const again = await blind.sync({
      owner,
      selector,
      signal,
      labels: { app: 'web' },
      data: dataOf('a'),
      collisionCount: 1,
    });
    expect([again.collisionCount, again.current.metadata?.uid]).toEqual([1, next.current.metadata?.uid]);
  });

  it('writes nothing for an owner that is terminating', async () => {
    await t.client.delete(statefulSets, { namespace: 'd', name: 'web' });
    const { current } = await sync('a', undefined, await t.client.get(statefulSets, { namespace: 'd', name: 'web' }));
    expect([current.revision, await stored()]).toEqual([1, []]);
  });
});
