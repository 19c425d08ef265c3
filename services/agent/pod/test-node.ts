/** TEST SUPPORT: a worker's pods on a fake runtime and a virtual clock, from the manager's front door. */
import { VirtualClock } from '../../../platform/clock.js';
import { Containment } from '../../../platform/containment.js';
import { silentLogger } from '../../../platform/log.js';
import { seededRandom } from '../../../platform/random.js';
import { Handlers } from '../probes/handlers.js';
import { FakeRuntime } from '../runtime/fake.js';
import { noVolumes } from '../volumes/volumes.js';
import type { NodeObject } from './admission.js';
import { noCheckpoints } from './checkpoints.js';
import type { PodEvent } from './environment.js';
import { Images } from './images.js';
import { PodManager } from './manager.js';
import type { Pod, PodSpec, PodStatus } from '../pod-spec/types.js';

export class TestNode {
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
  /** What a member has sent of the node's object. */
  object: NodeObject | undefined;
  version = 1;

  constructor() {
    this.runtime.images.add('web:1');
  }

  #manage(): PodManager {
    const { clock, runtime } = this;
    const handlers = new Handlers(runtime, clock);
    const manager = new PodManager({
      runtime,
      clock,
      random: seededRandom(1),
      logger: silentLogger,
      nodeName: 'w1',
      hostIP: '192.0.2.1',
      volumes: noVolumes,
      images: new Images(runtime),
      logRoot: '/logs',
      node: {
        clusterDNS: '10.96.0.10',
        clusterDomain: 'cluster.local',
        hostDNS: { servers: [], searches: [], options: [] },
        memoryCapacity_bytes: 2 ** 30,
        hostname: 'w1',
      },
      allocatable: () => ({ cpu: '2', memory: '1Gi' }),
      nodeObject: () => this.object,
      requestToken: () => Promise.reject(new Error('no tokens here')),
      runHandler: (handler, container, record, podIP, timeout_s) =>
        handlers.run(handler, { container, record, podIP, timeout_s }),
      part: this.containment.part('pods'),
      reportStatus: (key, status) => {
        this.onReport(key);
        this.statuses.push(status);
        this.reported.set(key.name, status);
      },
      reportTerminated: (key) => void this.terminated.push(key.name),
      event: (event) => void this.events.push(event),
      checkpoints: {
        ...noCheckpoints,
        savePod: ({ pod }) => void this.saved.set(pod.metadata?.uid ?? '', pod),
        removePod: (uid) => void this.saved.delete(uid),
      },
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
    return [...(this.status.initContainerStatuses ?? []), ...(this.status.containerStatuses ?? [])].find(
      (status) => status.name === name,
    );
  }

  condition(type: string) {
    return this.status.conditions?.find((condition) => condition.type === type)?.status;
  }

  starts(): string[] {
    return this.runtime.calls
      .filter((call) => call.startsWith('startContainer'))
      .map((call) => call.slice('startContainer '.length));
  }

  async exit(name: string, code: number): Promise<void> {
    this.runtime.table.exited(this.runtime.table.find(name).id, code);
    await this.clock.advance(10);
  }
}

export const podOf = (spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { namespace: 'default', name: 'a', uid: 'u1' },
  spec: { nodeName: 'w1', containers: [{ name: 'web', image: 'web:1' }], ...spec },
});
export const deleted = (pod: Pod, grace_s: number): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: grace_s },
});
