/** k8s.io/kubernetes/pkg/controller/replicaset: manageReplicas and calculateStatus. */
import { describe, expect, it } from 'vitest';
import type { Pod, ReplicaSet } from '../../../apimachinery/gen/types.js';
import { toTime } from '../../../platform/clock.js';
import { BURST_MAX, decide, report } from './decide.js';

const NOW_MS = Date.parse('2026-01-01T00:10:00Z');
const set = (replicas: number | undefined, more: Partial<ReplicaSet> = {}): ReplicaSet => ({
  metadata: { name: 'web', namespace: 'd', uid: 'u', generation: 4 },
  spec: {
    ...(replicas === undefined ? {} : { replicas }),
    selector: { matchLabels: { app: 'web' } },
    template: {
      metadata: { labels: { app: 'web', tier: 'front' }, annotations: { note: 'x' }, finalizers: ['test/hold'] },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    },
  },
  ...more,
});

type Trait = 'ready' | 'starting' | 'failed' | 'done' | 'going' | 'gone soon';
const STATES: Record<Trait, Pod> = {
  ready: {
    status: {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: toTime(NOW_MS - 60_000) }],
    },
  },
  starting: { status: { phase: 'Pending' } },
  failed: { status: { phase: 'Failed' } },
  done: { status: { phase: 'Succeeded' } },
  going: { metadata: { deletionTimestamp: toTime(NOW_MS) }, status: { phase: 'Running' } },
  'gone soon': { metadata: { deletionTimestamp: toTime(NOW_MS) }, status: { phase: 'Failed' } },
};
const podsOf = (...traits: Trait[]): Pod[] =>
  traits.map((trait, i) => ({
    ...STATES[trait],
    metadata: { name: `${trait}-${i}`, labels: { app: 'web', tier: 'front' }, ...STATES[trait].metadata },
    spec: { containers: [], nodeName: 'n' },
  }));
const look = (owner: ReplicaSet, pods: readonly Pod[]) => ({ owner, pods, facts: { related: pods }, now_ms: NOW_MS });
const names = (pods: readonly Pod[] = []) => pods.map(({ metadata }) => metadata?.name);

describe('a replica set', () => {
  it.each<[string, number | undefined, Trait[], number, string[]]>([
    ['without pods makes all', 3, [], 3, []],
    ['of one replica, when the spec has no number', undefined, [], 1, []],
    ['with enough does nothing', 2, ['ready', 'starting'], 0, []],
    ['does not count what has ended or is going', 3, ['ready', 'failed', 'done', 'going'], 2, []],
    ['with too many takes away the one that serves least', 1, ['ready', 'starting'], 0, ['starting-1']],
    ['takes away no pod that has ended', 0, ['failed', 'ready', 'going'], 0, ['ready-1']],
    ['makes at most a burst at a time', 10_000, [], BURST_MAX, []],
  ])('%s', (_, ...[replicas, traits, create, remove]) => {
    const plan = decide(look(set(replicas), podsOf(...traits)));
    expect([plan.create?.length ?? 0, names(plan.remove)]).toEqual([create, remove]);
  });

  it('takes away at most a burst at a time', () => {
    const pods = podsOf(...Array.from({ length: BURST_MAX + 100 }, (): Trait => 'ready'));
    expect(decide(look(set(0), pods)).remove).toHaveLength(BURST_MAX);
  });

  it('makes pods as the template has them, and leaves the template as it was', () => {
    const owner = set(1);
    const [draft] = decide(look(owner, [])).create ?? [];
    expect(draft).toEqual({
      metadata: {
        generateName: 'web-',
        namespace: 'd',
        labels: { app: 'web', tier: 'front' },
        annotations: { note: 'x' },
        finalizers: ['test/hold'],
      },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    expect(draft?.spec).not.toBe(owner.spec?.template?.spec);
  });
});

describe('the status of a replica set', () => {
  it.each<[string, Trait[], object]>([
    [
      'counts by state, and names no zero but those that are always there',
      ['starting'],
      { replicas: 1, fullyLabeledReplicas: 1, terminatingReplicas: 0, observedGeneration: 4 },
    ],
    ['of no pods', [], { replicas: 0, terminatingReplicas: 0, observedGeneration: 4 }],
    [
      'counts a terminating pod while it runs',
      ['ready', 'going', 'gone soon', 'failed'],
      {
        replicas: 1,
        fullyLabeledReplicas: 1,
        readyReplicas: 1,
        availableReplicas: 1,
        terminatingReplicas: 1,
        observedGeneration: 4,
      },
    ],
  ])('%s', (_, traits, status) => {
    expect(report(look(set(1), podsOf(...traits)), undefined)).toEqual({ status, lookAgainIn_ms: undefined });
  });

  it('does not count a pod without the labels of the template as fully labelled', () => {
    const [pod] = podsOf('ready');
    const { status } = report(look(set(1), [{ ...pod, metadata: { name: 'p', labels: { app: 'web' } } }]), undefined);
    expect([status.replicas, status.fullyLabeledReplicas]).toEqual([1, undefined]);
  });

  it('counts a pod as available after minReadySeconds, and looks again when the next one is', () => {
    const owner = set(1);
    const waiting = { ...owner, spec: { ...owner.spec, selector: {}, minReadySeconds: 90 } };
    expect(report(look(waiting, podsOf('ready', 'starting')), undefined)).toMatchObject({
      status: { readyReplicas: 1 },
      lookAgainIn_ms: 30_000,
    });
    expect(report(look(waiting, podsOf('ready')), undefined).status.availableReplicas).toBeUndefined();
  });

  it.each<[string, Trait[], string]>([
    ['makes', [], 'FailedCreate'],
    ['takes away', ['ready', 'ready'], 'FailedDelete'],
  ])('reports what failed when it %s pods, until nothing fails', (_, traits, reason) => {
    const condition = {
      type: 'ReplicaFailure',
      status: 'True',
      reason,
      message: 'exceeded quota',
      lastTransitionTime: toTime(NOW_MS),
    };
    const { status } = report(look(set(1), podsOf(...traits)), new Error('exceeded quota'));
    expect(status.conditions).toEqual([condition]);
    expect(report(look(set(1, { status }), podsOf(...traits)), undefined).status.conditions).toBeUndefined();
  });
});
