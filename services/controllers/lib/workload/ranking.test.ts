/**
 * k8s.io/kubernetes/pkg/controller ActivePodsWithRanks; KEP-2185 (ages by orders of magnitude), KEP-2255 (deletion
 * cost).
 */
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../../../apimachinery/gen/types.js';
import { toTime } from '../../../../platform/clock.js';
import { chooseForDeletion, rankForDeletion } from './ranking.js';

const NOW_MS = Date.parse('2026-01-10T00:00:00Z');
const HOUR_MS = 3_600_000;
const ago = (ms: number) => toTime(NOW_MS - ms);

interface Traits {
  readonly node?: string;
  readonly phase?: string;
  /** Age of readiness; null: ready, at an unknown time. */
  readonly ready_ms?: number | null;
  readonly cost?: string;
  readonly restarts?: number;
  readonly sidecarRestarts?: number;
  readonly initRestarts?: number;
  readonly age_ms?: number;
}

function pod(uid: string, traits: Traits): Pod {
  const { node = 'a', phase = 'Running', ready_ms, cost, restarts, sidecarRestarts, initRestarts, age_ms } = traits;
  const ready = {
    type: 'Ready',
    status: 'True',
    ...(typeof ready_ms === 'number' ? { lastTransitionTime: ago(ready_ms) } : {}),
  };
  const statusOf = (name: string, restartCount: number) => ({
    name,
    restartCount,
    ready: true,
    image: '',
    imageID: '',
  });
  return {
    metadata: {
      name: uid,
      uid,
      ...(age_ms === undefined ? {} : { creationTimestamp: ago(age_ms) }),
      ...(cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': cost } }),
    },
    spec: {
      containers: [],
      initContainers: [{ name: 'side', restartPolicy: 'Always' }, { name: 'init' }],
      ...(node === '' ? {} : { nodeName: node }),
    },
    status: {
      phase,
      ...(ready_ms === undefined ? {} : { conditions: [ready] }),
      containerStatuses: [statusOf('c', 0), statusOf('d', restarts ?? 0)],
      initContainerStatuses: [statusOf('side', sidecarRestarts ?? 0), statusOf('init', initRestarts ?? 0)],
    },
  };
}

const order = (pods: readonly Pod[], related = pods) =>
  rankForDeletion(pods, { related, now_ms: NOW_MS }).map(({ metadata }) => metadata?.uid);

// Each criterion decides against everything that comes after it: the pod that goes first has the later uid and is
// otherwise the better one.
describe.each<[string, Traits, Traits]>([
  ['without a node', { node: '', phase: 'Running', ready_ms: 100 * HOUR_MS }, { phase: 'Pending' }],
  ['pending', { phase: 'Pending', ready_ms: HOUR_MS }, { phase: 'Unknown' }],
  ['unknown', { phase: 'Unknown', ready_ms: HOUR_MS }, { phase: 'Running' }],
  ['not ready', { cost: '10' }, { ready_ms: HOUR_MS, cost: '-10' }],
  ['cheap', { ready_ms: 100 * HOUR_MS, cost: '-1' }, { ready_ms: HOUR_MS }],
  ['at no cost, rather than at some', { ready_ms: 100 * HOUR_MS }, { ready_ms: HOUR_MS, cost: '1' }],
  [
    'ready for a short time',
    { ready_ms: HOUR_MS, age_ms: 100 * HOUR_MS },
    { ready_ms: 10 * HOUR_MS, restarts: 5, age_ms: HOUR_MS },
  ],
  ['ready at an unknown time', { ready_ms: null }, { ready_ms: 1000, restarts: 5 }],
  [
    'restarted more often',
    { restarts: 2, age_ms: 100 * HOUR_MS },
    { restarts: 1, sidecarRestarts: 9, age_ms: HOUR_MS },
  ],
  [
    'whose sidecar restarted more often',
    { sidecarRestarts: 2, age_ms: 100 * HOUR_MS },
    { sidecarRestarts: 1, initRestarts: 9, age_ms: HOUR_MS },
  ],
  ['of unknown age', {}, { age_ms: 1000 }],
  ['young', { age_ms: HOUR_MS }, { age_ms: 10 * HOUR_MS }],
])('the pod %s goes first', (_, first, second) => {
  it('whatever the order of the list', () => {
    const [z, a] = [pod('z', first), pod('a', second)];
    expect([order([z, a]), order([a, z])]).toEqual([
      ['z', 'a'],
      ['z', 'a'],
    ]);
  });
});

describe('the ranking of pods for deletion', () => {
  it.each(['+10', '008', '1.5', '', 'x', '2147483648', '-2147483649', '10x'])(
    'counts a deletion cost of %j for nothing',
    (cost) => {
      const [z, a] = [pod('z', { ready_ms: HOUR_MS, cost }), pod('a', { ready_ms: 10 * HOUR_MS, cost: '0' })];
      expect(order([a, z])).toEqual(['z', 'a']);
    },
  );

  it('goes by uid among pods of the same order of age', () => {
    const pods = [
      pod('c', { ready_ms: 5 * HOUR_MS }),
      pod('a', { ready_ms: 7 * HOUR_MS }),
      pod('b', { ready_ms: 6 * HOUR_MS }),
    ];
    expect(order(pods)).toEqual(['a', 'b', 'c']);
  });

  it('empties the node with most active pods of all related sets', () => {
    const related = [
      pod('other-1', { node: 'b' }),
      pod('other-2', { node: 'b' }),
      pod('ended-1', { node: 'a', phase: 'Failed' }),
      pod('ended-2', { node: 'a', phase: 'Succeeded' }),
      pod('ended-3', { node: 'a', phase: 'Failed' }),
    ];
    const pods = [pod('a', { node: 'a', ready_ms: HOUR_MS }), pod('z', { node: 'b', ready_ms: 100 * HOUR_MS })];
    expect(order(pods, [...pods, ...related])).toEqual(['z', 'a']);
  });

  it('chooses no more than asked for, and all of them without a ranking', () => {
    const pods = [pod('a', { ready_ms: HOUR_MS }), pod('b', { phase: 'Pending' }), pod('c', { node: '' })];
    const names = (count: number) =>
      chooseForDeletion(pods, count, { related: pods, now_ms: NOW_MS }).map(({ metadata }) => metadata?.uid);
    expect([names(0), names(2), names(3)]).toEqual([[], ['c', 'b'], ['a', 'b', 'c']]);
  });
});
