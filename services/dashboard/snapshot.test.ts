import { describe, expect, it } from 'vitest';
import type { ContainerStatus, Event, Pod, PodStatus } from '../../apimachinery/gen/types.js';
import { podStatusOf, restartsOf } from './pod-status.js';
import { EVENTS_MAX, ROWS_MAX, snapshotOf, type SnapshotInput } from './snapshot.js';

const EMPTY: SnapshotInput = {
  synced: true,
  members: [],
  membersError: '',
  nodes: [],
  deployments: [],
  pods: [],
  events: [],
};
const podWith = (status: PodStatus, name = 'p', deleted = false): Pod => ({
  metadata: { name, namespace: 'd', ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}) },
  status,
});
const container = (more: Partial<ContainerStatus>): ContainerStatus => ({
  name: 'c',
  image: '',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...more,
});
const READY = { type: 'Ready', status: 'True' };

describe('the status of a pod', () => {
  it.each<[string, string, Pod]>([
    ['Running', 'good', podWith({ phase: 'Running', conditions: [READY] })],
    ['Running, not ready', 'waiting', podWith({ phase: 'Running' })],
    ['Completed', 'done', podWith({ phase: 'Succeeded' })],
    ['Evicted', 'bad', podWith({ phase: 'Failed', reason: 'Evicted' })],
    [
      'OOMKilled',
      'bad',
      podWith({
        phase: 'Failed',
        containerStatuses: [container({ state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } })],
      }),
    ],
    ['Terminating', 'waiting', podWith({ phase: 'Running', conditions: [READY] }, 'p', true)],
    [
      'CrashLoopBackOff',
      'bad',
      podWith({
        phase: 'Running',
        containerStatuses: [container({ state: { waiting: { reason: 'CrashLoopBackOff' } } })],
      }),
    ],
    [
      'ContainerCreating',
      'waiting',
      podWith({
        phase: 'Pending',
        containerStatuses: [container({ state: { waiting: { reason: 'ContainerCreating' } } })],
      }),
    ],
    ['Pending', 'waiting', podWith({ phase: 'Pending' })],
    [
      'Pending, unscheduled',
      'bad',
      podWith({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False' }] }),
    ],
    [
      'Init:1/2',
      'waiting',
      podWith({
        phase: 'Pending',
        initContainerStatuses: [
          container({ state: { terminated: { exitCode: 0 } } }),
          container({ state: { running: {} } }),
        ],
      }),
    ],
    [
      'Init:ImagePullBackOff',
      'bad',
      podWith({
        phase: 'Pending',
        initContainerStatuses: [container({ state: { waiting: { reason: 'ImagePullBackOff' } } })],
      }),
    ],
    [
      'Running',
      'good',
      podWith({
        phase: 'Running',
        conditions: [READY],
        initContainerStatuses: [container({ started: true, state: { running: {} } })],
      }),
    ],
    [
      'ExitCode:2',
      'bad',
      podWith({ phase: 'Running', containerStatuses: [container({ state: { terminated: { exitCode: 2 } } })] }),
    ],
    ['Unknown', 'bad', {}],
  ])('%s is %s', (status, health, pod) => {
    expect(podStatusOf(pod)).toEqual({ status, health });
  });

  it('counts restarts of all containers', () => {
    expect(
      restartsOf(
        podWith({
          initContainerStatuses: [container({ restartCount: 1 })],
          containerStatuses: [container({ restartCount: 2 }), container({ restartCount: 3 })],
        }),
      ),
    ).toBe(6);
  });
});

describe('bounds', () => {
  it('keeps pods in trouble when not all fit, and orders what it keeps', () => {
    const fine = Array.from({ length: ROWS_MAX + 100 }, (_, i) =>
      podWith({ phase: 'Running', conditions: [READY] }, `a${i}`),
    );
    const { pods } = snapshotOf({ ...EMPTY, pods: [...fine, podWith({ phase: 'Failed' }, 'zz')] });
    expect([pods.rows.length, pods.total, pods.troubled]).toEqual([ROWS_MAX, ROWS_MAX + 101, 1]);
    expect(pods.rows.at(-1)?.name).toBe('zz');
    expect(pods.rows.map((row) => row.name)).toEqual(pods.rows.map((row) => row.name).toSorted());
  });

  it('puts warnings first, the newest of each first, and bounds both', () => {
    const event = (type: string, minute: number): Event => ({
      type,
      reason: `${type}${minute}`,
      involvedObject: {},
      lastTimestamp: `2026-01-01T00:${String(minute).padStart(2, '0')}:00Z`,
    });
    const all = Array.from({ length: EVENTS_MAX + 10 }, (_, i) => [event('Normal', i), event('Warning', i)]).flat();
    const { events } = snapshotOf({ ...EMPTY, events: all });
    expect(events.map((one) => one.warning)).toEqual([
      ...Array<boolean>(EVENTS_MAX).fill(true),
      ...Array<boolean>(EVENTS_MAX).fill(false),
    ]);
    expect([events[0]?.reason, events[EVENTS_MAX]?.reason]).toEqual([
      `Warning${EVENTS_MAX + 9}`,
      `Normal${EVENTS_MAX + 9}`,
    ]);
  });
});

describe('objects with nothing in them', () => {
  it('make rows all the same', () => {
    const { nodes, deployments, pods, events } = snapshotOf({
      ...EMPTY,
      nodes: [{}],
      deployments: [{}],
      pods: [{}],
      events: [{} as Event],
    });
    expect(nodes.rows).toMatchObject([{ name: '', status: 'NotReady', health: 'bad' }]);
    expect(deployments.rows).toMatchObject([{ ready: 0, wanted: 1, health: 'bad' }]);
    expect(pods.rows).toMatchObject([{ namespace: '', restarts: 0 }]);
    expect(events).toMatchObject([{ warning: false, count: 1, last: '' }]);
  });
});
