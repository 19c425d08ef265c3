import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { NodeInfo } from '../framework/node-info.js';
import type { ClusterEvent } from '../framework/plugin.js';
import { defaultPlugins } from '../plugins/defaults.js';
import { infoOf, nodeOf } from '../testing/cluster.js';
import { KeyedHeap } from './heap.js';
import { SchedulingQueue } from './scheduling-queue.js';
import type { QueuedPod } from './scheduling-queue.js';

function setUp() {
  const clock = new VirtualClock();
  const queue = new SchedulingQueue({ clock, plugins: defaultPlugins(() => undefined) });
  const take = async (): Promise<QueuedPod> => {
    const queued = await queue.take();
    if (queued === undefined) throw new Error('the queue is closed');
    return queued;
  };
  return { clock, queue, take };
}

const node = new NodeInfo('n');
node.node = nodeOf('n');
const added: ClusterEvent = { kind: 'node-added', node };
const relabelled: ClusterEvent = { kind: 'node-changed', node, changes: new Set(['labels']) };

describe('SchedulingQueue', () => {
  it('takes by priority, then by age', async () => {
    const { clock, queue, take } = setUp();
    queue.set(infoOf('old'));
    await clock.advance(1);
    queue.set(infoOf('young'));
    queue.set(infoOf('important', { spec: { priority: 10 } }));
    expect([(await take()).pod.key, (await take()).pod.key, (await take()).pod.key]).toEqual([
      'default/important',
      'default/old',
      'default/young',
    ]);
  });

  it('frees a parked pod only by an event that speaks to what rejected it, and not before its pause is over', async () => {
    const { clock, queue, take } = setUp();
    queue.set(infoOf('p'));
    queue.park(await take(), new Set(['NodeResourcesFit']));
    queue.notice(relabelled);
    expect(queue.counts).toMatchObject({ unschedulable: 1, backoff: 0 });
    queue.notice(added);
    expect(queue.counts).toMatchObject({ unschedulable: 0, backoff: 1, active: 0 });
    await clock.advance(999);
    expect(queue.counts.active).toBe(0);
    await clock.advance(1);
    expect(queue.counts).toMatchObject({ backoff: 0, active: 1 });
    expect((await take()).attempts).toBe(2);
  });

  it('pauses longer after each attempt, up to ten seconds', async () => {
    const { clock, queue, take } = setUp();
    queue.set(infoOf('p'));
    const pauses: number[] = [];
    for (let i = 0; i < 6; i++) {
      const queued = await take();
      const from_ms = clock.monotonic();
      queue.retry(queued);
      while (queue.counts.active === 0) await clock.advance(500);
      pauses.push(clock.monotonic() - from_ms);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
  });

  it('looks again after five minutes, whatever happened', async () => {
    const { clock, queue, take } = setUp();
    queue.set(infoOf('p'));
    queue.park(await take(), new Set(['NodeName']));
    await clock.advance(299_000);
    expect(queue.counts.unschedulable).toBe(1);
    await clock.advance(31_000);
    expect(queue.counts).toMatchObject({ unschedulable: 0, active: 1 });
  });

  it('does not wake a parked pod for what the scheduler itself wrote, but for a change of what it asks', async () => {
    const { clock, queue, take } = setUp();
    const pod = infoOf('p', { requests: { cpu: '8' } });
    queue.set(pod);
    queue.park(await take(), new Set(['NodeResourcesFit']));
    await clock.advance(5000);
    queue.set({ ...pod, pod: { ...pod.pod, status: { conditions: [{ type: 'PodScheduled', status: 'False' }] } } });
    expect(queue.counts).toMatchObject({ unschedulable: 1, active: 0 });
    queue.set(infoOf('p', { requests: { cpu: '1' } }));
    expect(queue.counts).toMatchObject({ unschedulable: 0, active: 1 });
  });

  it('forgets deleted pods wherever they wait, and lets the taker go when it is closed', async () => {
    const { queue, take } = setUp();
    for (const name of ['a', 'b', 'c']) queue.set(infoOf(name));
    queue.park(await take(), new Set(['NodeName']));
    queue.retry(await take());
    queue.set(infoOf('gated', { spec: { schedulingGates: [{ name: 'g' }] } }));
    for (const name of ['a', 'b', 'c', 'gated']) queue.delete(`default/${name}`);
    expect(queue.counts).toEqual({ active: 0, backoff: 0, unschedulable: 0, gated: 0 });
    const waiting = queue.take();
    queue.close();
    expect(await waiting).toBeUndefined();
  });
});

describe('KeyedHeap', () => {
  it('gives what a sorted list would, through any sets and deletes', () => {
    const command = fc.record({
      key: fc.integer({ min: 0, max: 12 }),
      rank: fc.integer({ min: 0, max: 50 }),
      gone: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(command), (commands) => {
        const heap = new KeyedHeap<{ key: string; rank: number }>(
          (a, b) => a.rank - b.rank,
          ({ key }) => key,
        );
        const model = new Map<string, number>();
        for (const { key, rank, gone } of commands) {
          if (gone) {
            heap.delete(String(key));
            model.delete(String(key));
          } else {
            heap.set({ key: String(key), rank });
            model.set(String(key), rank);
          }
        }
        const taken: number[] = [];
        for (let next = heap.pop(); next !== undefined; next = heap.pop()) taken.push(next.rank);
        expect(taken).toEqual([...model.values()].sort((a, b) => a - b));
      }),
    );
  });
});
