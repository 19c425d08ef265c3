/** k8s.io/kubernetes/pkg/controller/podgc: gcOrphaned, gcTerminated. */
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../apimachinery/gen/types.js';
import { toTime, VirtualClock } from '../../../platform/clock.js';
import { FINISHED_MAX, garbageOf, MissingNodes, QUARANTINE_MS } from './garbage.js';

const pod = (name: string, node: string, more: Partial<Pod> = {}): Pod => ({
  metadata: { name, ...more.metadata },
  ...(node === '' ? {} : { spec: { containers: [], nodeName: node } }),
  ...(more.status === undefined ? {} : { status: more.status }),
});
const names = (pods: readonly Pod[]) => pods.map(({ metadata }) => metadata?.name);

describe('garbage', () => {
  it('are pods of nodes that are given up, in whatever state, and no others', () => {
    const pods = [
      pod('waiting', ''),
      pod('lost', 'gone'),
      pod('ended', 'gone', { status: { phase: 'Failed' } }),
      pod('living', 'w1'),
    ];
    expect(names(garbageOf(pods, new Set(['gone'])).orphans)).toEqual(['lost', 'ended']);
  });

  it('are the oldest of too many finished pods; those that go already count for nothing', () => {
    const finished = (i: number): Pod =>
      pod(`f${i}`, 'w1', {
        metadata: { creationTimestamp: toTime(i * 1000) },
        status: { phase: i % 2 === 0 ? 'Failed' : 'Succeeded' },
      });
    const going = pod('going', 'w1', { metadata: { deletionTimestamp: toTime(0) }, status: { phase: 'Failed' } });
    const running = pod('running', 'w1', { status: { phase: 'Running' } });
    const most = Array.from({ length: FINISHED_MAX }, (_, i) => finished(FINISHED_MAX - i));
    expect(names(garbageOf([...most, going, running], new Set()).surplus)).toEqual([]);
    expect(names(garbageOf([...most, finished(0), going, running], new Set()).surplus)).toEqual(['f0']);
  });
});

describe('a node that is missing', () => {
  const pods = [pod('p', 'w1'), pod('waiting', '')];

  it('is given up after the quarantine, not before', () => {
    const clock = new VirtualClock();
    const missing = new MissingNodes(clock);
    const look = (isPresent = false) => [...missing.givenUp(pods, () => isPresent)];
    expect(look()).toEqual([]);
    clock.jump(1_000_000_000);
    expect(look()).toEqual([]);
  });

  it('is counted anew when it was there in between, or no pod named it', async () => {
    const clock = new VirtualClock();
    const missing = new MissingNodes(clock);
    const look = (list: readonly Pod[], isPresent = false) => [...missing.givenUp(list, () => isPresent)];
    for (const between of [() => look(pods, true), () => look([])]) {
      look(pods);
      await clock.advance(QUARANTINE_MS - 1);
      expect(look(pods)).toEqual([]);
      between();
      look(pods);
      await clock.advance(QUARANTINE_MS - 1);
      expect(look(pods)).toEqual([]);
      await clock.advance(1);
      expect(look(pods)).toEqual(['w1']);
      between();
    }
  });
});
