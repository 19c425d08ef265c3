import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodes, pods } from '../../../apimachinery/gen/resources.js';
import type { Taint } from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import { createTestContext } from '../testing.js';
import { createTaintEvictionController } from './eviction.js';

let t: ReturnType<typeof createTestContext>;
beforeEach(() => {
  t = createTestContext();
});
afterEach(() => t.stop());

/** As `kubectl taint` makes it: without the time it was added. */
const taint = (key: string): Taint => ({ key, value: 'v', effect: 'NoExecute' });
const tolerationOf = (key: string, tolerationSeconds?: number) => ({
  key,
  operator: 'Exists',
  effect: 'NoExecute',
  ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
});

async function setTaints(...taints: Taint[]) {
  await t.client.patch(nodes, { name: 'w1' }, { type: 'merge', body: { spec: { taints } } });
}

const makePod = (name: string, tolerations: object[]) =>
  t.client.create(pods, {
    metadata: {
      name,
      namespace: 'd',
      finalizers: ['test/look'],
      generation: 1,
      creationTimestamp: toTime(t.clock.now()),
    },
    spec: { nodeName: 'w1', containers: [], tolerations: tolerations as never },
  });

const isGoing = async (name: string) =>
  (await t.client.get(pods, { namespace: 'd', name })).metadata?.deletionTimestamp !== undefined;

/** Seconds from now until the pod is asked to go; undefined: not within `limit_s`. */
async function secondsUntilEvicted(name: string, limit_s: number): Promise<number | undefined> {
  for (let s = 0; s <= limit_s; s++) {
    if (await isGoing(name)) return s;
    await t.clock.advance(1000);
  }
  return undefined;
}

describe('NoExecute taints without timeAdded', () => {
  beforeEach(async () => {
    await t.client.create(nodes, { metadata: { name: 'w1' } });
    await t.start(createTaintEvictionController(t.context));
  });

  it('count from when they were seen, however often anything is looked at meanwhile', async () => {
    await makePod('p', [tolerationOf('a', 3), tolerationOf('b')]);
    await setTaints(taint('a'));
    await t.clock.advance(1000);
    await t.client.patch(
      pods,
      { namespace: 'd', name: 'p' },
      { type: 'merge', body: { spec: { tolerations: [tolerationOf('a', 3), tolerationOf('b'), tolerationOf('c')] } } },
    );
    await t.clock.advance(1000);
    await setTaints(taint('a'), taint('b'));
    await t.clock.advance(500);
    expect(await isGoing('p')).toBe(false);
    t.clock.jump(-3_600_000);
    await t.clock.advance(600);
    expect(await isGoing('p')).toBe(true);
  });

  it('each count for themselves: the first that is no longer tolerated decides', async () => {
    await makePod('p', [tolerationOf('a', 300), tolerationOf('b', 5)]);
    await setTaints(taint('a'));
    await t.clock.advance(10_000);
    await setTaints(taint('a'), taint('b'));
    expect(await secondsUntilEvicted('p', 10)).toBe(5);
  });

  it('count anew when they went and came back, and when another pod takes the name', async () => {
    await makePod('p', [tolerationOf('a', 10)]);
    await setTaints(taint('a'));
    await t.clock.advance(8_000);
    await setTaints();
    await t.clock.advance(100);
    await setTaints(taint('a'));
    expect(await secondsUntilEvicted('p', 20)).toBe(10);
    await t.client.patch(
      pods,
      { namespace: 'd', name: 'p' },
      { type: 'merge', body: { metadata: { finalizers: null } } },
    );
    await t.client.delete(pods, { namespace: 'd', name: 'p' }, { gracePeriodSeconds: 0 }).catch(() => undefined);
    await makePod('p', [tolerationOf('a', 10)]);
    expect(await secondsUntilEvicted('p', 20)).toBe(10);
    expect(t.said.filter((line) => line.includes('Cancelling'))).toEqual([
      'p TaintManagerEviction: Cancelling deletion of Pod d/p',
    ]);
  });

  it('give a pod that came to the tainted node the whole of its time', async () => {
    await setTaints({ ...taint('a'), timeAdded: toTime(t.clock.now()) });
    await t.clock.advance(3_600_000);
    await makePod('late', [tolerationOf('a', 7)]);
    expect(await secondsUntilEvicted('late', 20)).toBe(7);
  });

  it('say why in the condition DisruptionTarget (KEP-3329)', async () => {
    await makePod('p', []);
    await setTaints(taint('a'));
    await t.clock.advance(100);
    expect((await t.client.get(pods, { namespace: 'd', name: 'p' })).status?.conditions).toMatchObject([
      { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByTaintManager', observedGeneration: 1 },
    ]);
  });
});

it('a taint with a time goes on counting when the controllers have moved to another member', async () => {
  await t.client.create(nodes, { metadata: { name: 'w1' } });
  await makePod('p', [tolerationOf('a', 60)]);
  await setTaints({ ...taint('a'), timeAdded: toTime(t.clock.now()) });
  await t.clock.advance(50_000);
  await t.start(createTaintEvictionController(t.context));
  expect(await secondsUntilEvicted('p', 60)).toBe(10);
});
