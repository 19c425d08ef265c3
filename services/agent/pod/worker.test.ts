import { describe, expect, it } from 'vitest';
import { TestNode, deleted, podOf } from './test-node.js';
import type { ConfigMap, Pod, PodSpec } from '../pod-spec/types.js';

/** Issue 6 row 27: pods fail apart from each other. */
describe('a fault in the work on one pod', () => {
  it('is counted; the others go on, and a new worker takes over what runs, with a back-off', async () => {
    const node = new TestNode();
    const faulty: Pod = { ...podOf(), metadata: { namespace: 'default', name: 'bad', uid: 'u-bad' } };
    let throws = true;
    node.onReport = (key) => {
      if (throws && key.name === 'bad') throw new Error('our mistake');
    };
    await node.apply(faulty);
    await node.apply(podOf());
    await node.clock.advance(3_500);
    expect(node.state()?.state).toHaveProperty('running');
    const [fault] = node.containment.faults();
    expect(fault).toMatchObject({ part: 'pod', last: 'our mistake' });
    expect(fault?.count).toBeGreaterThanOrEqual(2);
    expect(fault?.count).toBeLessThan(5);
    throws = false;
    await node.clock.advance(10_000);
    expect(node.reported.get('bad')?.phase).toBe('Running');
    expect(node.starts()).toEqual(['web/0', 'web/0']);
  });

  it('does not keep the pod from being deleted', async () => {
    const node = new TestNode();
    node.onReport = () => {
      throw new Error('our mistake');
    };
    await node.apply(podOf());
    node.manager.removePod('u1');
    await node.clock.advance(60_000);
    expect(node.runtime.table.snapshot()).toEqual({ sandboxes: [], containers: [] });
    expect(node.manager.workers.size).toBe(0);
  });

  it('that a timer of it throws is contained too', async () => {
    const node = new TestNode();
    node.runtime.onExec = () => Promise.resolve({ exitCode: 0, stdout: new Uint8Array(), stderr: new Uint8Array() });
    await node.apply(
      podOf({
        containers: [
          {
            name: 'web',
            image: 'web:1',
            readinessProbe: {
              exec: { command: ['x'] },
              get periodSeconds(): number {
                throw new Error('our mistake');
              },
            },
          },
        ],
      }),
    );
    await node.clock.advance(5_000);
    expect(node.containment.faults()).toMatchObject([{ part: 'pod', last: 'our mistake' }]);
  });
});

/**
 * Issue 6 row 28: "phase Failed while a container still runs" (kubelet: a terminal phase waits for the last container).
 */
describe('a phase that is final', () => {
  const held = async (spec: Partial<PodSpec>) => {
    const node = new TestNode();
    node.runtime.obedient = false;
    const applied = await node.apply(podOf({ terminationGracePeriodSeconds: 60, ...spec }));
    return { node, applied };
  };
  const settles = async (node: TestNode, phase: string) => {
    expect(node.runtime.table.snapshot().containers.some((record) => record.phase === 'running')).toBe(true);
    expect(
      node.statuses.some(
        (status) => status.phase === 'Failed' || status.phase === 'Succeeded' || status.reason !== undefined,
      ),
    ).toBe(false);
    await node.clock.advance(61_000);
    expect(node.status.phase).toBe(phase);
  };

  it('comes after the deadline only when nothing runs any more', async () => {
    const { node, applied } = await held({ activeDeadlineSeconds: 5, restartPolicy: 'Never' });
    await node.apply({ ...applied, status: { ...node.status, startTime: '2026-01-01T00:00:00Z' } });
    await node.clock.advance(10_000);
    await settles(node, 'Failed');
    expect(node.status).toMatchObject({ reason: 'DeadlineExceeded' });
  });

  it('comes after main containers have ended only when sidecars have, too', async () => {
    const { node } = await held({
      restartPolicy: 'Never',
      initContainers: [{ name: 'side', image: 'web:1', restartPolicy: 'Always' }],
    });
    await node.exit('web', 0);
    await settles(node, 'Succeeded');
  });

  it('comes after an init container has failed only when sidecars have ended', async () => {
    const { node } = await held({
      restartPolicy: 'Never',
      initContainers: [
        { name: 'side', image: 'web:1', restartPolicy: 'Always' },
        { name: 'one', image: 'web:1' },
      ],
    });
    await node.exit('one', 3);
    await settles(node, 'Failed');
  });
});

it('a container status shows resources and allocatedResources (issue 6 row 28, KEP-1287)', async () => {
  const node = new TestNode();
  const resources = { requests: { cpu: '100m', memory: '16Mi' }, limits: { cpu: '1' } };
  await node.apply(
    podOf({
      containers: [
        { name: 'web', image: 'web:1', resources },
        { name: 'bare', image: 'web:1' },
      ],
    }),
  );
  expect(node.state()).toMatchObject({ resources, allocatedResources: resources.requests });
  expect(node.state('bare')).toMatchObject({ resources: {} });
  expect(node.state('bare')).not.toHaveProperty('allocatedResources');
});

describe('a pod', () => {
  it('runs: sandbox, container, Ready', async () => {
    const node = new TestNode();
    await node.apply(podOf());
    expect(node.runtime.calls).toEqual(['runSandbox a/0', 'createContainer web/0', 'startContainer web/0']);
    expect(node.events.map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
      'Pulled: Container image "web:1" already present on machine',
      'Created: Created container: web',
      'Started: Started container web',
    ]);
    expect(node.status).toMatchObject({ phase: 'Running', podIP: '10.0.0.1', qosClass: 'BestEffort' });
    expect([
      node.condition('Ready'),
      node.condition('Initialized'),
      node.condition('PodReadyToStartContainers'),
    ]).toEqual(['True', 'True', 'True']);
  });

  it('runs init containers one after the other, and sidecars beside them (KEP-753)', async () => {
    const node = new TestNode();
    await node.apply(
      podOf({
        initContainers: [
          { name: 'one', image: 'web:1' },
          { name: 'side', image: 'web:1', restartPolicy: 'Always' },
          { name: 'two', image: 'web:1' },
        ],
      }),
    );
    expect(node.starts()).toEqual(['one/0']);
    expect(node.status.phase).toBe('Pending');
    expect(node.state()?.state?.waiting?.reason).toBe('PodInitializing');
    await node.exit('one', 0);
    expect(node.starts()).toEqual(['one/0', 'side/0', 'two/0']);
    await node.exit('two', 1);
    expect(node.starts().at(-1)).toBe('two/1');
    await node.exit('two', 0);
    expect(node.starts().at(-1)).toBe('web/0');
    expect(node.condition('Initialized')).toBe('True');
  });

  it('fails for good when an init container fails and nothing may restart', async () => {
    const node = new TestNode();
    await node.apply(podOf({ restartPolicy: 'Never', initContainers: [{ name: 'one', image: 'web:1' }] }));
    await node.exit('one', 3);
    expect(node.status.phase).toBe('Failed');
    expect(node.starts()).toEqual(['one/0']);
  });

  it('starts again though the clock was set back by an hour: no look moves the start on', async () => {
    const node = new TestNode();
    await node.apply(podOf());
    await node.exit('web', 1);
    await node.exit('web', 1);
    node.clock.jump(-3_600_000);
    await node.clock.advance(60_000);
    expect(node.starts()).toEqual(['web/0', 'web/1', 'web/2']);
  });

  it('waits 10 s, 20 s, 40 s between restarts, at most 5 min, and says CrashLoopBackOff', async () => {
    const node = new TestNode();
    await node.apply(podOf());
    await node.exit('web', 1);
    expect(node.starts()).toHaveLength(2);
    for (const [restarts, wait_s] of [
      [2, 10],
      [3, 20],
      [4, 40],
      [5, 80],
      [6, 160],
      [7, 300],
      [8, 300],
    ] as const) {
      await node.exit('web', 1);
      expect(node.state()).toMatchObject({
        state: { waiting: { reason: 'CrashLoopBackOff' } },
        lastState: { terminated: { exitCode: 1, reason: 'Error' } },
      });
      await node.clock.advance(wait_s * 1000 - 200);
      expect(node.starts()).toHaveLength(restarts);
      await node.clock.advance(400);
      expect(node.starts()).toHaveLength(restarts + 1);
    }
    expect(node.state()?.restartCount).toBe(8);
    const told = node.events.filter((event) => event.reason === 'BackOff');
    expect(told).toHaveLength(7);
    expect(told[0]).toMatchObject({
      type: 'Warning',
      fieldPath: 'spec.containers{web}',
      message: 'Back-off restarting failed container web in pod a_default(u1)',
    });
    await node.clock.advance(601_000);
    await node.exit('web', 1);
    expect(node.starts()).toHaveLength(10);
  });

  it.each([
    ['OnFailure', 0, 'Succeeded'],
    ['Never', 0, 'Succeeded'],
    ['Never', 2, 'Failed'],
  ])('with restart policy %s ends after exit code %i as %s', async (restartPolicy, code, phase) => {
    const node = new TestNode();
    await node.apply(podOf({ restartPolicy }));
    const { podIPs } = node.status;
    expect(podIPs).toHaveLength(1);
    await node.exit('web', code);
    expect(node.status.phase).toBe(phase);
    expect(node.starts()).toHaveLength(1);
    expect(node.runtime.calls.some((call) => call.startsWith('stopSandbox'))).toBe(true);
    await node.clock.advance(10_100);
    expect(node.status.podIPs).toEqual(podIPs);
  });

  it('is reported again within ten seconds, until the API shows what was reported', async () => {
    const node = new TestNode();
    const pod = await node.apply(podOf());
    const reports = node.statuses.length;
    await node.clock.advance(10_100);
    expect(node.statuses.length).toBeGreaterThan(reports);
    await node.apply({ ...pod, status: node.status });
    const shown = node.statuses.length;
    await node.clock.advance(60_000);
    expect(node.statuses).toHaveLength(shown);
  });

  it('ends: containers, sandbox, then the object may go', async () => {
    const node = new TestNode();
    const pod = await node.apply(podOf());
    await node.apply(deleted(pod, 30));
    expect(node.runtime.calls.slice(3).map((call) => call.split(' ')[0])).toEqual([
      'stopContainer',
      'stopSandbox',
      'removeSandbox',
    ]);
    expect(node.terminated).toEqual(['a']);
    expect(node.status.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(143);
  });

  it('ends at once when the grace period is cut short', async () => {
    const node = new TestNode();
    node.runtime.obedient = false;
    const pod = await node.apply(podOf());
    await node.apply(deleted(pod, 600));
    expect(node.terminated).toEqual([]);
    await node.apply(deleted(pod, 0));
    await node.clock.advance(100);
    expect(node.runtime.calls).toContain('stopContainer web/0 0');
    expect(node.terminated).toEqual(['a']);
  });

  it('shares the grace period between preStop and SIGTERM', async () => {
    const node = new TestNode();
    const pod = await node.apply(
      podOf({ containers: [{ name: 'web', image: 'web:1', lifecycle: { preStop: { sleep: { seconds: 4 } } } }] }),
    );
    await node.apply(deleted(pod, 10));
    await node.clock.advance(4_100);
    expect(node.runtime.calls).toContain('stopContainer web/0 6');
  });

  it('is started again in a new sandbox when its own is gone', async () => {
    const node = new TestNode();
    await node.apply(podOf());
    node.runtime.table.stopSandbox(node.runtime.table.snapshot().sandboxes[0]?.id ?? '');
    await node.clock.advance(100);
    expect(node.runtime.calls).toContain('runSandbox a/1');
    expect(node.state()).toMatchObject({ restartCount: 1, state: { running: {} } });
  });

  it('fails at its deadline', async () => {
    const node = new TestNode();
    const pod = podOf({ activeDeadlineSeconds: 60 });
    await node.apply({ ...pod, status: { startTime: '2026-01-01T00:00:00Z' } });
    await node.clock.advance(61_000);
    expect(node.status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  });

  it('is adopted by a new agent: nothing restarts, counts are kept', async () => {
    const node = new TestNode();
    const pod = await node.apply(podOf());
    await node.exit('web', 1);
    const before = node.state();
    const calls = node.runtime.calls.length;
    node.restart();
    await node.apply(pod);
    expect(node.runtime.calls).toHaveLength(calls);
    expect(node.state()).toEqual(before);
  });

  it('stays ready when it is adopted, until a probe says otherwise', async () => {
    const node = new TestNode();
    let healthy = true;
    node.runtime.onExec = () =>
      Promise.resolve({ exitCode: healthy ? 0 : 1, stdout: new Uint8Array(), stderr: new Uint8Array() });
    const exec = { exec: { command: ['check'] }, periodSeconds: 1 };
    const pod = await node.apply(
      podOf({ containers: [{ name: 'web', image: 'web:1', startupProbe: exec, readinessProbe: exec }] }),
    );
    await node.clock.advance(2_000);
    expect(node.condition('Ready')).toBe('True');
    const status = node.status;
    node.restart();
    healthy = false;
    await node.apply({ ...pod, status });
    await node.clock.advance(1_500);
    expect(
      node.statuses.some((one) =>
        one.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds !== 'True'),
      ),
    ).toBe(false);
    await node.clock.advance(2_000);
    expect(node.condition('Ready')).toBe('False');
    expect(node.state()).toMatchObject({ started: true, restartCount: 0 });
  });

  it('is taken up from a checkpoint, restarted if need be, and forgotten once a member says that it is gone', async () => {
    const node = new TestNode();
    await node.apply(podOf());
    node.restart();
    node.manager.restore({
      pods: [...node.saved.values()].map((pod) => ({ pod, serviceEnvironment: {} })),
      objects: [],
    });
    await node.clock.advance(10);
    expect(node.starts()).toEqual(['web/0']);
    expect(node.manager.known()).toMatchObject([{ uid: 'u1', resourceVersion: '1' }]);
    await node.exit('web', 1);
    expect(node.starts()).toEqual(['web/0', 'web/1']);
    node.manager.removePod('u1');
    expect(node.saved.size).toBe(0);
    await node.clock.advance(100);
    expect(node.runtime.table.snapshot().sandboxes).toEqual([]);
  });

  it('is cleaned away when it went while the agent was away', async () => {
    const node = new TestNode();
    await node.apply(podOf());
    node.restart();
    await node.manager.synced();
    await node.clock.advance(100);
    expect(node.runtime.table.snapshot()).toEqual({ sandboxes: [], containers: [] });
    expect([node.terminated, node.statuses]).toEqual([[], []]);
  });

  it('does not come back when a member that lags behind still speaks of it', async () => {
    const node = new TestNode();
    const pod = await node.apply(podOf());
    node.manager.removePod('u1');
    await node.clock.advance(100);
    await node.apply(pod);
    expect(node.runtime.table.snapshot().sandboxes).toEqual([]);
  });
});

describe('an ephemeral container', () => {
  const debug = (more: object = {}) => ({ name: 'debug', image: 'web:1', ...more });

  it('runs once, beside the others, with the processes of its target', async () => {
    const node = new TestNode();
    const pod = await node.apply(podOf());
    await node.apply({
      ...pod,
      spec: {
        ...podOf().spec,
        containers: [{ name: 'web', image: 'web:1' }],
        ephemeralContainers: [debug({ targetContainerName: 'web' })],
      },
    });
    expect(node.starts()).toEqual(['web/0', 'debug/0']);
    expect(node.runtime.specs.get('debug/0')?.targetId).toBe(node.runtime.table.find('web').id);
    expect(node.status.ephemeralContainerStatuses).toMatchObject([{ name: 'debug', state: { running: {} } }]);
    expect(node.status).toMatchObject({
      phase: 'Running',
      qosClass: 'BestEffort',
      containerStatuses: [{ name: 'web' }],
    });
    expect(node.condition('Ready')).toBe('True');
    await node.exit('debug', 1);
    await node.clock.advance(60_000);
    expect(node.starts()).toEqual(['web/0', 'debug/0']);
    expect(node.status.ephemeralContainerStatuses).toMatchObject([{ state: { terminated: { exitCode: 1 } } }]);
    expect(node.condition('Ready')).toBe('True');
  });

  it('waits for its target, and does not hold up the pod', async () => {
    const node = new TestNode();
    await node.apply(
      podOf({
        initContainers: [{ name: 'one', image: 'web:1' }],
        ephemeralContainers: [debug({ targetContainerName: 'web' })],
      }),
    );
    expect(node.status.ephemeralContainerStatuses?.[0]?.state?.waiting?.message).toBe(
      'the target container "web" is not running',
    );
    await node.exit('one', 0);
    await node.clock.advance(10_100);
    expect(node.starts()).toEqual(['one/0', 'web/0', 'debug/0']);
  });

  it('is not started again in a sandbox that took the place of its own', async () => {
    const node = new TestNode();
    await node.apply(podOf({ ephemeralContainers: [debug()] }));
    node.runtime.table.stopSandbox(node.runtime.table.snapshot().sandboxes[0]?.id ?? '');
    await node.clock.advance(100);
    expect(node.starts().filter((start) => start.startsWith('debug'))).toEqual(['debug/0']);
    expect(node.starts()).toContain('web/1');
  });
});

describe('what keeps a container from starting', () => {
  it('an image that cannot be pulled: ErrImagePull, then ImagePullBackOff, tried again after 10 s', async () => {
    const node = new TestNode();
    await node.apply(podOf({ containers: [{ name: 'web', image: 'gone:1' }] }));
    expect(node.state()?.state?.waiting).toMatchObject({
      reason: 'ErrImagePull',
      message: 'failed to pull image "gone:1": no registry holds gone:1',
    });
    await node.clock.advance(2_100);
    expect(node.state()?.state?.waiting?.reason).toBe('ImagePullBackOff');
    node.runtime.images.add('gone:1');
    await node.clock.advance(8_000);
    expect(node.status.phase).toBe('Running');
  });

  it.each([
    ['web:1', 'Always', 'ErrImagePull'],
    ['gone:1', 'Never', 'ErrImageNeverPull'],
    ['no such name', 'IfNotPresent', 'InvalidImageName'],
  ])('%s with policy %s: %s', async (image, imagePullPolicy, reason) => {
    const node = new TestNode();
    await node.apply(podOf({ containers: [{ name: 'web', image, imagePullPolicy }] }));
    expect(node.state()?.state?.waiting?.reason).toBe(reason);
  });

  it('a ConfigMap that is missing, until it comes', async () => {
    const node = new TestNode();
    await node.apply(
      podOf({ containers: [{ name: 'web', image: 'web:1', envFrom: [{ configMapRef: { name: 'settings' } }] }] }),
    );
    expect(node.state()?.state?.waiting).toEqual({
      reason: 'CreateContainerConfigError',
      message: 'configmap "settings" not found',
    });
    const map: ConfigMap = { metadata: { namespace: 'default', name: 'settings' }, data: { A: '1' } };
    node.manager.applyObject({ kind: 'ConfigMap', namespace: 'default', name: 'settings' }, map);
    await node.clock.advance(10);
    expect(node.runtime.specs.get('web/0')?.env).toContainEqual({ name: 'A', value: '1' });
  });

  it.each(['../x', '/x', 'x/../../y'])('a subPath that climbs out, %s: refused', async (subPath) => {
    const node = new TestNode();
    await node.apply(
      podOf({
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [{ name: 'web', image: 'web:1', volumeMounts: [{ name: 'v', mountPath: '/v', subPath }] }],
      }),
    );
    expect(node.state()?.state?.waiting).toEqual({
      reason: 'CreateContainerConfigError',
      message: `subPath "${subPath}" must be relative and without ".."`,
    });
  });

  it('a subPathExpr whose variable is not set, until it is', async () => {
    const node = new TestNode();
    const container = {
      name: 'web',
      image: 'web:1',
      volumeMounts: [{ name: 'v', mountPath: '/v', subPathExpr: 'of/$(WHO)' }],
    };
    await node.apply(podOf({ volumes: [{ name: 'v', emptyDir: {} }], containers: [container] }));
    expect(node.state()?.state?.waiting?.message).toBe('subPathExpr "of/$(WHO)" names a variable that is not set');
    await node.apply(
      podOf({
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [{ ...container, env: [{ name: 'WHO', value: 'me' }] }],
      }),
    );
    await node.clock.advance(10_000);
    expect(node.status.phase).toBe('Running');
  });

  it('root, when the pod forbids it', async () => {
    const node = new TestNode();
    await node.apply(podOf({ securityContext: { runAsNonRoot: true } }));
    expect(node.state()?.state?.waiting?.message).toBe('container has runAsNonRoot and image will run as root');
  });
});

describe('probes', () => {
  const probe = { exec: { command: ['check'] }, periodSeconds: 2 };

  it('a readiness probe gates Ready and takes it back', async () => {
    const node = new TestNode();
    let healthy = false;
    node.runtime.onExec = () =>
      Promise.resolve({ exitCode: healthy ? 0 : 1, stdout: Buffer.from('not yet'), stderr: new Uint8Array() });
    await node.apply(
      podOf({ containers: [{ name: 'web', image: 'web:1', readinessProbe: { ...probe, failureThreshold: 2 } }] }),
    );
    expect(node.condition('Ready')).toBe('False');
    healthy = true;
    await node.clock.advance(2_000);
    expect(node.condition('Ready')).toBe('True');
    healthy = false;
    await node.clock.advance(2_000);
    expect(node.condition('Ready')).toBe('True');
    await node.clock.advance(2_000);
    expect(node.condition('Ready')).toBe('False');
    expect(node.events.find((event) => event.reason === 'Unhealthy')?.message).toBe('Readiness probe failed: not yet');
    expect(node.starts()).toHaveLength(1);
  });

  it('a liveness probe restarts, but not before the startup probe has succeeded', async () => {
    const node = new TestNode();
    const failing = new Set(['start', 'live']);
    node.runtime.onExec = (_id, [command = '']) =>
      Promise.resolve({ exitCode: failing.has(command) ? 1 : 0, stdout: new Uint8Array(), stderr: new Uint8Array() });
    await node.apply(
      podOf({
        containers: [
          {
            name: 'web',
            image: 'web:1',
            startupProbe: { exec: { command: ['start'] }, periodSeconds: 1, failureThreshold: 30 },
            livenessProbe: { exec: { command: ['live'] }, periodSeconds: 1, failureThreshold: 3 },
          },
        ],
      }),
    );
    await node.clock.advance(10_000);
    expect(node.state()).toMatchObject({ started: false, ready: false, restartCount: 0 });
    failing.delete('start');
    await node.clock.advance(1_000);
    expect(node.state()).toMatchObject({ started: true, ready: true });
    await node.clock.advance(3_000);
    expect(node.state()?.restartCount).toBe(1);
    expect(node.events.find((event) => event.reason === 'Killing')?.message).toBe(
      'Container web failed liveness probe, will be restarted',
    );
  });

  it('a postStart hook that fails restarts its container', async () => {
    const node = new TestNode();
    node.runtime.onExec = () => Promise.resolve({ exitCode: 1, stdout: new Uint8Array(), stderr: new Uint8Array() });
    await node.apply(
      podOf({
        containers: [{ name: 'web', image: 'web:1', lifecycle: { postStart: { exec: { command: ['hook'] } } } }],
      }),
    );
    expect(node.events.map((event) => event.reason)).toContain('FailedPostStartHook');
    expect(node.starts().length).toBeGreaterThan(1);
  });
});
