import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { Containment } from '../../../platform/containment.js';
import { silentLogger } from '../../../platform/log.js';
import { seededRandom } from '../../../platform/random.js';
import { FakeRuntime } from '../runtime/fake.js';
import { noVolumes } from '../volumes/volumes.js';
import type { PodEvent } from './environment.js';
import { noCheckpoints } from './checkpoints.js';
import { Handlers } from '../probes/handlers.js';
import { Images } from './images.js';
import { PodManager } from './manager.js';
import type { ConfigMap, Pod, PodSpec, PodStatus } from './types.js';

class Node {
  readonly clock = new VirtualClock();
  readonly runtime = new FakeRuntime(this.clock);
  readonly events: PodEvent[] = [];
  readonly terminated: string[] = [];
  readonly saved = new Map<string, Pod>();
  readonly containment = new Containment({ clock: this.clock, logger: silentLogger });
  readonly reported = new Map<string, PodStatus>();
  onReport: (key: { readonly name: string }) => void = () => undefined;
  statuses: PodStatus[] = [];
  manager = this.#manage();
  version = 1;

  constructor() {
    this.runtime.images.add('web:1');
  }

  #manage(): PodManager {
    const { clock, runtime } = this;
    const handlers = new Handlers(runtime, clock);
    const manager = new PodManager({
      runtime, clock, random: seededRandom(1), logger: silentLogger, nodeName: 'w1', hostIP: '192.0.2.1', volumes: noVolumes, images: new Images(runtime), logRoot: '/logs',
      node: { clusterDNS: '10.96.0.10', clusterDomain: 'cluster.local', hostDNS: { servers: [], searches: [], options: [] }, memoryCapacity_bytes: 2 ** 30, hostname: 'w1' },
      allocatable: () => ({ cpu: '2', memory: '1Gi' }),
      requestToken: () => Promise.reject(new Error('no tokens here')),
      runHandler: (handler, container, record, podIP, timeout_s) => handlers.run(handler, { container, record, podIP, timeout_s }),
      part: this.containment.part('pods'),
      reportStatus: (key, status) => {
        this.onReport(key);
        this.statuses.push(status);
        this.reported.set(key.name, status);
      },
      reportTerminated: (key) => void this.terminated.push(key.name),
      event: (event) => void this.events.push(event),
      checkpoints: { ...noCheckpoints, savePod: ({ pod }) => void this.saved.set(pod.metadata?.uid ?? '', pod), removePod: (uid) => void this.saved.delete(uid) },
    });
    manager.start();
    return manager;
  }

  /** As kill -9 of the agent and a new start. */
  restart(): void {
    this.manager.stop();
    this.statuses = [];
    this.manager = this.#manage();
  }

  async apply(pod: Pod): Promise<Pod> {
    const applied = { ...pod, metadata: { ...pod.metadata, resourceVersion: String(this.version++) } };
    this.manager.applyPod(applied, {});
    await this.clock.advance(10);
    return applied;
  }

  get status(): PodStatus {
    return this.statuses.at(-1) ?? {};
  }

  state(name = 'web') {
    return [...(this.status.initContainerStatuses ?? []), ...(this.status.containerStatuses ?? [])].find((status) => status.name === name);
  }

  condition(type: string) {
    return this.status.conditions?.find((condition) => condition.type === type)?.status;
  }

  starts(): string[] {
    return this.runtime.calls.filter((call) => call.startsWith('startContainer')).map((call) => call.slice('startContainer '.length));
  }

  async exit(name: string, code: number): Promise<void> {
    this.runtime.table.exited(this.runtime.table.find(name).id, code);
    await this.clock.advance(10);
  }
}

const podOf = (spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { namespace: 'default', name: 'a', uid: 'u1' }, spec: { nodeName: 'w1', containers: [{ name: 'web', image: 'web:1' }], ...spec },
});
const deleted = (pod: Pod, grace_s: number): Pod => ({
  ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: grace_s },
});

/** kubelet's admission: the scheduler looked for room, whoever writes spec.nodeName did not. */
describe('a pod for which the node has no room', () => {
  const asking = (name: string, cpu: string): Pod => ({
    metadata: { namespace: 'default', name, uid: `u-${name}` }, spec: { nodeName: 'w1', containers: [{ name: 'web', image: 'web:1', resources: { requests: { cpu } } }] },
  });

  it('fails before anything is made of it, and says what there is too little of', async () => {
    const node = new Node();
    await node.apply(asking('first', '1500m'));
    await node.apply(asking('second', '600m'));
    const message = "Node didn't have enough resource: cpu, requested: 600, used: 1500, capacity: 2000";
    expect(node.reported.get('first')).toMatchObject({ phase: 'Running' });
    expect(node.reported.get('second')).toMatchObject({ phase: 'Failed', reason: 'OutOfcpu', message: `Pod was rejected: ${message}` });
    expect(node.events).toContainEqual(expect.objectContaining({ type: 'Warning', reason: 'OutOfcpu', message }));
    expect(node.starts()).toHaveLength(1);
    // The refused one takes no room.
    await node.apply(asking('third', '500m'));
    expect(node.reported.get('third')).toMatchObject({ phase: 'Running' });
  });

  it('has it once another pod is gone from the API, though that one still ends', async () => {
    const node = new Node();
    await node.apply(asking('first', '1500m'));
    node.manager.removePod('u-first');
    await node.apply(asking('second', '600m'));
    expect(node.reported.get('second')).toMatchObject({ phase: 'Running' });
  });

  it('is not one that runs already when the agent starts again', async () => {
    const node = new Node();
    const first = await node.apply(asking('first', '1500m'));
    node.restart();
    await node.apply(asking('second', '1500m'));
    node.manager.applyPod(first, {});
    await node.clock.advance(10);
    expect(node.reported.get('first')).toMatchObject({ phase: 'Running' });
  });
});

/** Issue 6 row 27: pods fail apart from each other. */
describe('a fault in the work on one pod', () => {
  it('is counted; the others go on, and a new worker takes over what runs, with a back-off', async () => {
    const node = new Node();
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
    const node = new Node();
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
    const node = new Node();
    node.runtime.onExec = () => Promise.resolve({ exitCode: 0, stdout: new Uint8Array(), stderr: new Uint8Array() });
    await node.apply(podOf({ containers: [{ name: 'web', image: 'web:1', readinessProbe: { exec: { command: ['x'] }, get periodSeconds(): number { throw new Error('our mistake'); } } }] }));
    await node.clock.advance(5_000);
    expect(node.containment.faults()).toMatchObject([{ part: 'pod', last: 'our mistake' }]);
  });
});

/** Issue 6 row 28: "phase Failed while a container still runs" (kubelet: a terminal phase waits for the last container). */
describe('a phase that is final', () => {
  const held = async (spec: Partial<PodSpec>) => {
    const node = new Node();
    node.runtime.obedient = false;
    const applied = await node.apply(podOf({ terminationGracePeriodSeconds: 60, ...spec }));
    return { node, applied };
  };
  const settles = async (node: Node, phase: string) => {
    expect(node.runtime.table.snapshot().containers.some((record) => record.phase === 'running')).toBe(true);
    expect(node.statuses.some((status) => status.phase === 'Failed' || status.phase === 'Succeeded' || status.reason !== undefined)).toBe(false);
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
    const { node } = await held({ restartPolicy: 'Never', initContainers: [{ name: 'side', image: 'web:1', restartPolicy: 'Always' }] });
    await node.exit('web', 0);
    await settles(node, 'Succeeded');
  });

  it('comes after an init container has failed only when sidecars have ended', async () => {
    const { node } = await held({ restartPolicy: 'Never', initContainers: [{ name: 'side', image: 'web:1', restartPolicy: 'Always' }, { name: 'one', image: 'web:1' }] });
    await node.exit('one', 3);
    await settles(node, 'Failed');
  });
});

/** Issue 6 row 28: "in-place resize accepted and ignored" (KEP-1287). */
describe('a resize', () => {
  const resized = (requests: Record<string, string>, limits?: Record<string, string>, more: Partial<NonNullable<PodSpec['containers'][0]>> = {}) =>
    podOf({ containers: [{ name: 'web', image: 'web:1', resources: { requests, ...(limits === undefined ? {} : { limits }) }, ...more }] });
  const updates = (node: Node) => node.runtime.calls.filter((call) => call.startsWith('updateResources'));
  const started = async (requests: Record<string, string>, more: Partial<NonNullable<PodSpec['containers'][0]>> = {}) => {
    const node = new Node();
    await node.apply(resized(requests, undefined, more));
    return node;
  };
  const message = (node: Node, type: string) => node.status.conditions?.find((condition) => condition.type === type);

  it('is done in place, and shown', async () => {
    const node = await started({ cpu: '100m' });
    await node.apply(resized({ cpu: '500m', memory: '8Mi' }, { cpu: '1', memory: '16Mi' }));
    expect(updates(node)).toEqual(['updateResources web/0 512/100000/16777216']);
    expect(node.state()).toMatchObject({ resources: { requests: { cpu: '500m' }, limits: { memory: '16Mi' } }, allocatedResources: { cpu: '500m' }, restartCount: 0 });
    expect(node.status.conditions?.filter(({ type }) => type.startsWith('PodResize'))).toEqual([]);
    expect(node.events.map(({ reason }) => reason)).toContain('ResizeCompleted');
  });

  it('the same amount in other words is none', async () => {
    const node = await started({ cpu: '100m', memory: '1Gi' });
    await node.apply(resized({ cpu: '0.1', memory: '1024Mi' }));
    expect(updates(node)).toEqual([]);
  });

  it('that the node can never hold is Infeasible; the pod goes on as it was, also after a restart of the agent', async () => {
    const node = await started({ cpu: '100m' });
    const wanted = await node.apply(resized({ cpu: '8' }));
    expect(message(node, 'PodResizePending')).toMatchObject({ status: 'True', reason: 'Infeasible', message: "Node didn't have enough capacity: cpu, requested: 8000, capacity: 2000" });
    expect([updates(node), node.state()?.allocatedResources]).toEqual([[], { cpu: '100m' }]);
    const { status } = node;
    node.restart();
    await node.apply({ ...wanted, status });
    expect([updates(node), node.starts(), message(node, 'PodResizePending')?.reason, node.state()?.allocatedResources]).toEqual([[], ['web/0'], 'Infeasible', { cpu: '100m' }]);
  });

  it('that others leave no room for is Deferred, and done when they go', async () => {
    const node = await started({ cpu: '100m' });
    const other = resized({ cpu: '1500m' });
    await node.apply({ ...other, metadata: { namespace: 'default', name: 'other', uid: 'u2' } });
    await node.apply(resized({ cpu: '1' }));
    expect(node.reported.get('a')?.conditions?.find(({ type }) => type === 'PodResizePending')).toMatchObject({
      reason: 'Deferred', message: "Node didn't have enough resource: cpu, requested: 1000, used: 1500, capacity: 2000",
    });
    node.manager.removePod('u2');
    await node.clock.advance(1_000);
    expect(updates(node)).toEqual(['updateResources web/0 1024/0/0']);
    expect(node.reported.get('a')?.conditions?.some(({ type }) => type === 'PodResizePending')).toBe(false);
  });

  it('restarts the container where its policy says so', async () => {
    const policy = { resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }] };
    const node = await started({ cpu: '100m', memory: '8Mi' }, policy);
    await node.apply(resized({ cpu: '200m', memory: '8Mi' }, undefined, policy));
    expect([updates(node).length, node.starts()]).toEqual([1, ['web/0']]);
    await node.apply(resized({ cpu: '200m', memory: '16Mi' }, undefined, policy));
    await node.clock.advance(1_000);
    expect([updates(node).length, node.starts(), node.state()?.resources]).toEqual([1, ['web/0', 'web/1'], { requests: { cpu: '200m', memory: '16Mi' } }]);
  });

  it('that the runtime refuses stays in progress with its words, and is tried again', async () => {
    const node = await started({ cpu: '100m' });
    node.runtime.before = (call) => (call.startsWith('updateResources') ? Promise.reject(new Error('device or resource busy')) : Promise.resolve());
    await node.apply(resized({ cpu: '200m' }));
    expect(message(node, 'PodResizeInProgress')).toMatchObject({ status: 'True', reason: 'Error', message: 'device or resource busy' });
    expect(node.state()).toMatchObject({ resources: { requests: { cpu: '100m' } }, allocatedResources: { cpu: '200m' } });
    node.runtime.before = () => Promise.resolve();
    await node.clock.advance(11_000);
    expect([message(node, 'PodResizeInProgress'), node.state()?.resources]).toEqual([undefined, { requests: { cpu: '200m' } }]);
  });
});

it('a container status shows resources and allocatedResources (issue 6 row 28, KEP-1287)', async () => {
  const node = new Node();
  const resources = { requests: { cpu: '100m', memory: '16Mi' }, limits: { cpu: '1' } };
  await node.apply(podOf({ containers: [{ name: 'web', image: 'web:1', resources }, { name: 'bare', image: 'web:1' }] }));
  expect(node.state()).toMatchObject({ resources, allocatedResources: resources.requests });
  expect(node.state('bare')).toMatchObject({ resources: {} });
  expect(node.state('bare')).not.toHaveProperty('allocatedResources');
});

describe('a pod', () => {
  it('runs: sandbox, container, Ready', async () => {
    const node = new Node();
    await node.apply(podOf());
    expect(node.runtime.calls).toEqual(['runSandbox a/0', 'createContainer web/0', 'startContainer web/0']);
    expect(node.events.map(({ reason, message }) => `${reason}: ${message}`)).toEqual([
      'Pulled: Container image "web:1" already present on machine', 'Created: Created container: web', 'Started: Started container web',
    ]);
    expect(node.status).toMatchObject({ phase: 'Running', podIP: '10.0.0.1', qosClass: 'BestEffort' });
    expect([node.condition('Ready'), node.condition('Initialized'), node.condition('PodReadyToStartContainers')]).toEqual(['True', 'True', 'True']);
  });

  it('runs init containers one after the other, and sidecars beside them (KEP-753)', async () => {
    const node = new Node();
    await node.apply(podOf({ initContainers: [
      { name: 'one', image: 'web:1' }, { name: 'side', image: 'web:1', restartPolicy: 'Always' }, { name: 'two', image: 'web:1' },
    ] }));
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
    const node = new Node();
    await node.apply(podOf({ restartPolicy: 'Never', initContainers: [{ name: 'one', image: 'web:1' }] }));
    await node.exit('one', 3);
    expect(node.status.phase).toBe('Failed');
    expect(node.starts()).toEqual(['one/0']);
  });

  it('starts again though the clock was set back by an hour: no look moves the start on', async () => {
    const node = new Node();
    await node.apply(podOf());
    await node.exit('web', 1);
    await node.exit('web', 1);
    node.clock.jump(-3_600_000);
    await node.clock.advance(60_000);
    expect(node.starts()).toEqual(['web/0', 'web/1', 'web/2']);
  });

  it('waits 10 s, 20 s, 40 s between restarts, at most 5 min, and says CrashLoopBackOff', async () => {
    const node = new Node();
    await node.apply(podOf());
    await node.exit('web', 1);
    expect(node.starts()).toHaveLength(2);
    for (const [restarts, wait_s] of [[2, 10], [3, 20], [4, 40], [5, 80], [6, 160], [7, 300], [8, 300]] as const) {
      await node.exit('web', 1);
      expect(node.state()).toMatchObject({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 1, reason: 'Error' } } });
      await node.clock.advance(wait_s * 1000 - 200);
      expect(node.starts()).toHaveLength(restarts);
      await node.clock.advance(400);
      expect(node.starts()).toHaveLength(restarts + 1);
    }
    expect(node.state()?.restartCount).toBe(8);
    const told = node.events.filter((event) => event.reason === 'BackOff');
    expect(told).toHaveLength(7);
    expect(told[0]).toMatchObject({ type: 'Warning', fieldPath: 'spec.containers{web}', message: 'Back-off restarting failed container web in pod a_default(u1)' });
    await node.clock.advance(601_000);
    await node.exit('web', 1);
    expect(node.starts()).toHaveLength(10);
  });

  it.each([
    ['OnFailure', 0, 'Succeeded'], ['Never', 0, 'Succeeded'], ['Never', 2, 'Failed'],
  ])('with restart policy %s ends after exit code %i as %s', async (restartPolicy, code, phase) => {
    const node = new Node();
    await node.apply(podOf({ restartPolicy }));
    await node.exit('web', code);
    expect(node.status.phase).toBe(phase);
    expect(node.starts()).toHaveLength(1);
    expect(node.runtime.calls.some((call) => call.startsWith('stopSandbox'))).toBe(true);
  });

  it('is reported again within ten seconds, until the API shows what was reported', async () => {
    const node = new Node();
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
    const node = new Node();
    const pod = await node.apply(podOf());
    await node.apply(deleted(pod, 30));
    expect(node.runtime.calls.slice(3).map((call) => call.split(' ')[0])).toEqual(['stopContainer', 'stopSandbox', 'removeSandbox']);
    expect(node.terminated).toEqual(['a']);
    expect(node.status.containerStatuses?.[0]?.state?.terminated?.exitCode).toBe(143);
  });

  it('ends at once when the grace period is cut short', async () => {
    const node = new Node();
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
    const node = new Node();
    const pod = await node.apply(podOf({ containers: [{ name: 'web', image: 'web:1', lifecycle: { preStop: { sleep: { seconds: 4 } } } }] }));
    await node.apply(deleted(pod, 10));
    await node.clock.advance(4_100);
    expect(node.runtime.calls).toContain('stopContainer web/0 6');
  });

  it('is started again in a new sandbox when its own is gone', async () => {
    const node = new Node();
    await node.apply(podOf());
    node.runtime.table.stopSandbox(node.runtime.table.snapshot().sandboxes[0]?.id ?? '');
    await node.clock.advance(100);
    expect(node.runtime.calls).toContain('runSandbox a/1');
    expect(node.state()).toMatchObject({ restartCount: 1, state: { running: {} } });
  });

  it('fails at its deadline', async () => {
    const node = new Node();
    const pod = podOf({ activeDeadlineSeconds: 60 });
    await node.apply({ ...pod, status: { startTime: '2026-01-01T00:00:00Z' } });
    await node.clock.advance(61_000);
    expect(node.status).toMatchObject({ phase: 'Failed', reason: 'DeadlineExceeded' });
  });

  it('is adopted by a new agent: nothing restarts, counts are kept', async () => {
    const node = new Node();
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
    const node = new Node();
    let healthy = true;
    node.runtime.onExec = () => Promise.resolve({ exitCode: healthy ? 0 : 1, stdout: new Uint8Array(), stderr: new Uint8Array() });
    const exec = { exec: { command: ['check'] }, periodSeconds: 1 };
    const pod = await node.apply(podOf({ containers: [{ name: 'web', image: 'web:1', startupProbe: exec, readinessProbe: exec }] }));
    await node.clock.advance(2_000);
    expect(node.condition('Ready')).toBe('True');
    const status = node.status;
    node.restart();
    healthy = false;
    await node.apply({ ...pod, status });
    await node.clock.advance(1_500);
    expect(node.statuses.some((one) => one.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds !== 'True'))).toBe(false);
    await node.clock.advance(2_000);
    expect(node.condition('Ready')).toBe('False');
    expect(node.state()).toMatchObject({ started: true, restartCount: 0 });
  });

  it('is taken up from a checkpoint, restarted if need be, and forgotten once a member says that it is gone', async () => {
    const node = new Node();
    await node.apply(podOf());
    node.restart();
    node.manager.restore({ pods: [...node.saved.values()].map((pod) => ({ pod, serviceEnvironment: {} })), configMaps: [] });
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
    const node = new Node();
    await node.apply(podOf());
    node.restart();
    await node.manager.synced();
    await node.clock.advance(100);
    expect(node.runtime.table.snapshot()).toEqual({ sandboxes: [], containers: [] });
    expect([node.terminated, node.statuses]).toEqual([[], []]);
  });

  it('does not come back when a member that lags behind still speaks of it', async () => {
    const node = new Node();
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
    const node = new Node();
    const pod = await node.apply(podOf());
    await node.apply({ ...pod, spec: { ...podOf().spec, containers: [{ name: 'web', image: 'web:1' }], ephemeralContainers: [debug({ targetContainerName: 'web' })] } });
    expect(node.starts()).toEqual(['web/0', 'debug/0']);
    expect(node.runtime.specs.get('debug/0')?.targetId).toBe(node.runtime.table.find('web').id);
    expect(node.status.ephemeralContainerStatuses).toMatchObject([{ name: 'debug', state: { running: {} } }]);
    expect(node.status).toMatchObject({ phase: 'Running', qosClass: 'BestEffort', containerStatuses: [{ name: 'web' }] });
    expect(node.condition('Ready')).toBe('True');
    await node.exit('debug', 1);
    await node.clock.advance(60_000);
    expect(node.starts()).toEqual(['web/0', 'debug/0']);
    expect(node.status.ephemeralContainerStatuses).toMatchObject([{ state: { terminated: { exitCode: 1 } } }]);
    expect(node.condition('Ready')).toBe('True');
  });

  it('waits for its target, and does not hold up the pod', async () => {
    const node = new Node();
    await node.apply(podOf({ initContainers: [{ name: 'one', image: 'web:1' }], ephemeralContainers: [debug({ targetContainerName: 'web' })] }));
    expect(node.status.ephemeralContainerStatuses?.[0]?.state?.waiting?.message).toBe('the target container "web" is not running');
    await node.exit('one', 0);
    await node.clock.advance(10_100);
    expect(node.starts()).toEqual(['one/0', 'web/0', 'debug/0']);
  });

  it('is not started again in a sandbox that took the place of its own', async () => {
    const node = new Node();
    await node.apply(podOf({ ephemeralContainers: [debug()] }));
    node.runtime.table.stopSandbox(node.runtime.table.snapshot().sandboxes[0]?.id ?? '');
    await node.clock.advance(100);
    expect(node.starts().filter((start) => start.startsWith('debug'))).toEqual(['debug/0']);
    expect(node.starts()).toContain('web/1');
  });
});

describe('what keeps a container from starting', () => {
  it('an image that cannot be pulled: ErrImagePull, then ImagePullBackOff, tried again after 10 s', async () => {
    const node = new Node();
    await node.apply(podOf({ containers: [{ name: 'web', image: 'gone:1' }] }));
    expect(node.state()?.state?.waiting).toMatchObject({ reason: 'ErrImagePull', message: 'failed to pull image "gone:1": no registry holds gone:1' });
    await node.clock.advance(2_100);
    expect(node.state()?.state?.waiting?.reason).toBe('ImagePullBackOff');
    node.runtime.images.add('gone:1');
    await node.clock.advance(8_000);
    expect(node.status.phase).toBe('Running');
  });

  it.each([
    ['web:1', 'Always', 'ErrImagePull'], ['gone:1', 'Never', 'ErrImageNeverPull'], ['no such name', 'IfNotPresent', 'InvalidImageName'],
  ])('%s with policy %s: %s', async (image, imagePullPolicy, reason) => {
    const node = new Node();
    await node.apply(podOf({ containers: [{ name: 'web', image, imagePullPolicy }] }));
    expect(node.state()?.state?.waiting?.reason).toBe(reason);
  });

  it('a ConfigMap that is missing, until it comes', async () => {
    const node = new Node();
    await node.apply(podOf({ containers: [{ name: 'web', image: 'web:1', envFrom: [{ configMapRef: { name: 'settings' } }] }] }));
    expect(node.state()?.state?.waiting).toEqual({ reason: 'CreateContainerConfigError', message: 'configmap "settings" not found' });
    const map: ConfigMap = { metadata: { namespace: 'default', name: 'settings' }, data: { A: '1' } };
    node.manager.applyConfig('ConfigMap', 'default', 'settings', map);
    await node.clock.advance(10);
    expect(node.runtime.specs.get('web/0')?.env).toContainEqual({ name: 'A', value: '1' });
  });

  it.each(['../x', '/x', 'x/../../y'])('a subPath that climbs out, %s: refused', async (subPath) => {
    const node = new Node();
    await node.apply(podOf({ volumes: [{ name: 'v', emptyDir: {} }], containers: [{ name: 'web', image: 'web:1', volumeMounts: [{ name: 'v', mountPath: '/v', subPath }] }] }));
    expect(node.state()?.state?.waiting).toEqual({ reason: 'CreateContainerConfigError', message: `subPath "${subPath}" must be relative and without ".."` });
  });

  it('a subPathExpr whose variable is not set, until it is', async () => {
    const node = new Node();
    const container = { name: 'web', image: 'web:1', volumeMounts: [{ name: 'v', mountPath: '/v', subPathExpr: 'of/$(WHO)' }] };
    await node.apply(podOf({ volumes: [{ name: 'v', emptyDir: {} }], containers: [container] }));
    expect(node.state()?.state?.waiting?.message).toBe('subPathExpr "of/$(WHO)" names a variable that is not set');
    await node.apply(podOf({ volumes: [{ name: 'v', emptyDir: {} }], containers: [{ ...container, env: [{ name: 'WHO', value: 'me' }] }] }));
    await node.clock.advance(10_000);
    expect(node.status.phase).toBe('Running');
  });

  it('root, when the pod forbids it', async () => {
    const node = new Node();
    await node.apply(podOf({ securityContext: { runAsNonRoot: true } }));
    expect(node.state()?.state?.waiting?.message).toBe('container has runAsNonRoot and image will run as root');
  });
});

describe('probes', () => {
  const probe = { exec: { command: ['check'] }, periodSeconds: 2 };

  it('a readiness probe gates Ready and takes it back', async () => {
    const node = new Node();
    let healthy = false;
    node.runtime.onExec = () => Promise.resolve({ exitCode: healthy ? 0 : 1, stdout: Buffer.from('not yet'), stderr: new Uint8Array() });
    await node.apply(podOf({ containers: [{ name: 'web', image: 'web:1', readinessProbe: { ...probe, failureThreshold: 2 } }] }));
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
    const node = new Node();
    const failing = new Set(['start', 'live']);
    node.runtime.onExec = (_id, [command = '']) => Promise.resolve({ exitCode: failing.has(command) ? 1 : 0, stdout: new Uint8Array(), stderr: new Uint8Array() });
    await node.apply(podOf({ containers: [{
      name: 'web', image: 'web:1', startupProbe: { exec: { command: ['start'] }, periodSeconds: 1, failureThreshold: 30 },
      livenessProbe: { exec: { command: ['live'] }, periodSeconds: 1, failureThreshold: 3 },
    }] }));
    await node.clock.advance(10_000);
    expect(node.state()).toMatchObject({ started: false, ready: false, restartCount: 0 });
    failing.delete('start');
    await node.clock.advance(1_000);
    expect(node.state()).toMatchObject({ started: true, ready: true });
    await node.clock.advance(3_000);
    expect(node.state()?.restartCount).toBe(1);
    expect(node.events.find((event) => event.reason === 'Killing')?.message).toBe('Container web failed liveness probe, will be restarted');
  });

  it('a postStart hook that fails restarts its container', async () => {
    const node = new Node();
    node.runtime.onExec = () => Promise.resolve({ exitCode: 1, stdout: new Uint8Array(), stderr: new Uint8Array() });
    await node.apply(podOf({ containers: [{ name: 'web', image: 'web:1', lifecycle: { postStart: { exec: { command: ['hook'] } } } }] }));
    expect(node.events.map((event) => event.reason)).toContain('FailedPostStartHook');
    expect(node.starts().length).toBeGreaterThan(1);
  });
});
