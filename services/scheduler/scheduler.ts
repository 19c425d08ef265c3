/**
 * The scheduler: gives each pod that has no node the node that suits it best, as kube-scheduler does.
 *
 * In: informers of pods, nodes, namespaces, Services, owners and PodDisruptionBudgets. Out: pods/binding, events, the
 * condition PodScheduled. A cycle decides without an await on state that is kept incrementally; the binding is written
 * while the next cycles run, on the assumption that it will succeed. Runs in one process at a time, under leader
 * election by whoever composes it; two at once do no harm, since a pod is bound once.
 */
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import { encodeJson } from '../../apimachinery/json-value.js';
import {
  namespaces,
  nodes,
  podDisruptionBudgets,
  pods,
  replicaSets,
  services,
  statefulSets,
} from '../../apimachinery/gen/resources.js';
import type { Binding, Namespace, Node, Pod } from '../../apimachinery/gen/types.js';
import type { Resource } from '../../apimachinery/object.js';
import type { Client } from '../../sdk/client.js';
import type { EventRecorder } from '../../sdk/events/event-recorder.js';
import type { InformerFactory } from '../../sdk/informer/informer-factory.js';
import type { Informer } from '../../sdk/informer/informer.js';
import { keyOf } from '../../sdk/key.js';
import { markDisrupted } from '../../sdk/pod-disruption.js';
import type { ClusterEvent, Plugin, GroupSelector } from './framework/plugin.js';
import { podInfoOf } from './framework/pod-info.js';
import type { PodInfo } from './framework/pod-info.js';
import { fits, schedulePod } from './framework/schedule-pod.js';
import type { Decision } from './framework/schedule-pod.js';
import { defaultPlugins } from './plugins/defaults.js';
import type { Budgets } from './preemption/budgets.js';
import { SchedulingQueue } from './queue/scheduling-queue.js';
import type { QueuedPod } from './queue/scheduling-queue.js';
import { Reporter } from './reporter.js';
import { ClusterState } from './state/cluster-state.js';
import { Nominations } from './state/overlay.js';
import { byNamespace, groupSelectorOf } from './state/group-selector.js';

export interface SchedulerOptions {
  readonly client: Client;
  /** Started and stopped by its owner. */
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `spec.schedulerName` of the pods to take care of; `default-scheduler` when absent. */
  readonly schedulerName?: string;
  /** kube-scheduler's defaults when absent. */
  readonly plugins?: (groupSelector: GroupSelector) => readonly Plugin[];
}

const podBindings: Resource<Binding> = {
  group: '',
  version: 'v1',
  resource: 'pods',
  kind: 'Binding',
  namespaced: true,
};

/** After this much work other tasks of the process get their turn. */
const SLICE_MS = 10;

export class Scheduler implements Service {
  readonly name = 'scheduler';
  readonly #options: SchedulerOptions;
  readonly #schedulerName: string;
  readonly #plugins: readonly Plugin[];
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #namespaces: Informer<Namespace>;
  readonly #others: readonly { whenSynced(signal?: AbortSignal): Promise<void> }[];
  readonly #budgets: Budgets;
  readonly #state: ClusterState;
  readonly #queue: SchedulingQueue;
  readonly #nominations = new Nominations();
  readonly #reporter: Reporter;
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #detach: (() => void)[] = [];
  #running: Promise<void> | undefined;

  constructor(options: SchedulerOptions) {
    const { informers, client, events, clock, logger } = options;
    this.#options = options;
    this.#schedulerName = options.schedulerName ?? 'default-scheduler';
    this.#pods = informers.informer(pods);
    this.#nodes = informers.informer(nodes);
    this.#namespaces = informers.informer(namespaces);
    const groups = {
      services: informers.informer(services),
      replicaSets: informers.informer(replicaSets),
      statefulSets: informers.informer(statefulSets),
    };
    groups.services.addIndex('namespace', byNamespace);
    const budgets = informers.informer(podDisruptionBudgets);
    budgets.addIndex('namespace', byNamespace);
    this.#budgets = (namespace) => budgets.lister.byIndex('namespace', namespace);
    this.#others = [...Object.values(groups), budgets];
    const groupSelector = groupSelectorOf({
      services: groups.services.lister,
      replicaSets: groups.replicaSets.lister,
      statefulSets: groups.statefulSets.lister,
    });
    this.#plugins = (options.plugins ?? defaultPlugins)(groupSelector);
    this.#state = new ClusterState((namespace) => this.#namespaces.lister.get(namespace)?.metadata?.labels);
    this.#queue = new SchedulingQueue({ clock, plugins: this.#plugins });
    this.#reporter = new Reporter({ client, events, clock, logger, signal: this.#stop.signal });
  }

  /** For metrics and tests. */
  get queued(): SchedulingQueue['counts'] {
    return this.#queue.counts;
  }

  /** Waits for the caches, then schedules until stopped. */
  async start(): Promise<void> {
    const { signal } = this.#stop;
    this.#attach();
    await Promise.all(
      [this.#pods, this.#nodes, this.#namespaces, ...this.#others].map((informer) => informer.whenSynced(signal)),
    );
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the scheduler was stopped'));
    for (const detach of this.#detach) detach();
    this.#detach = [];
    this.#queue.close();
    await this.#running;
    await Promise.all(this.#underWay);
    await this.#reporter.settled();
  }

  // ---- what happens in the cluster

  #attach(): void {
    this.#detach = [
      this.#nodes.addHandler({
        add: (node) => this.#notice(this.#state.setNode(node)),
        update: (node) => this.#notice(this.#state.setNode(node)),
        delete: (node) => this.#state.removeNode(node.metadata?.name ?? ''),
      }),
      this.#pods.addHandler({
        add: (pod) => this.#seen(pod),
        update: (pod) => this.#seen(pod),
        delete: (pod) => this.#gone(keyOf(pod)),
      }),
      this.#namespaces.addHandler({
        update: (namespace, old) => {
          if (JSON.stringify(namespace.metadata?.labels) !== JSON.stringify(old.metadata?.labels))
            this.#notice({ kind: 'namespace-changed' });
        },
      }),
    ];
  }

  #notice(event: ClusterEvent | undefined): void {
    if (event !== undefined) this.#queue.notice(event);
  }

  #seen(pod: Pod): void {
    const key = keyOf(pod);
    const node = pod.spec?.nodeName ?? '';
    if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') {
      this.#gone(key);
    } else if (node !== '') {
      this.#queue.delete(key);
      this.#nominations.delete(key);
      const known = this.#state.pod(key);
      if (known !== undefined && !this.#state.isAssumed(key) && sameForScheduling(known.pod, pod)) return;
      const info = this.#infoOf(pod);
      if (info !== undefined) this.#notice(this.#state.setPod(info, node));
    } else if (
      pod.metadata?.deletionTimestamp !== undefined ||
      (pod.spec?.schedulerName ?? 'default-scheduler') !== this.#schedulerName
    ) {
      this.#queue.delete(key);
    } else if (!this.#state.isAssumed(key)) {
      this.#enqueue(pod);
    }
  }

  #enqueue(pod: Pod): void {
    const info = this.#infoOf(pod);
    if (info === undefined) return;
    this.#queue.set(info);
    if ((pod.spec?.schedulingGates ?? []).length > 0) {
      this.#reporter.failed(info, 'SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates');
    }
  }

  #gone(key: string): void {
    this.#queue.delete(key);
    this.#nominations.delete(key);
    this.#notice(this.#state.removePod(key));
  }

  /** A pod whose selectors validation should have refused must not stop the others. */
  #infoOf(pod: Pod): PodInfo | undefined {
    try {
      return podInfoOf(pod);
    } catch (error) {
      this.#options.logger.error({ pod: keyOf(pod), error: String(error) }, 'this pod cannot be understood');
      return undefined;
    }
  }

  // ---- cycles

  async #run(): Promise<void> {
    const { clock } = this.#options;
    let slice_ms = clock.monotonic();
    for (;;) {
      const queued = await this.#queue.take();
      if (queued === undefined || this.#stop.signal.aborted) return;
      this.#cycle(queued);
      if (clock.monotonic() - slice_ms < SLICE_MS) continue;
      await new Promise<void>((resolve) => clock.immediate(resolve));
      slice_ms = clock.monotonic();
    }
  }

  /** Decides on one pod. Never waits: nothing changes meanwhile. */
  #cycle(queued: QueuedPod): void {
    const { random, logger } = this.#options;
    try {
      const promised = this.#nominations.viewFor(queued.pod, this.#state);
      const decision = schedulePod(queued.pod, promised ?? this.#state, { plugins: this.#plugins, random });
      if (decision.kind === 'unschedulable') this.#unschedulable(queued, decision);
      else if (promised === undefined || this.#fitsNow(queued.pod, decision.node.name))
        this.#place(queued, decision.node.name);
      // It fits only beside a pod that is not there yet.
      else this.#queue.retry(queued);
    } catch (error) {
      logger.error(
        { pod: queued.pod.key, error: error instanceof Error ? error.stack : String(error) },
        'a scheduling cycle failed',
      );
      this.#queue.retry(queued);
      this.#reporter.failed(queued.pod, 'SchedulerError', String(error));
    }
  }

  #fitsNow(pod: PodInfo, nodeName: string): boolean {
    const node = this.#state.node(nodeName);
    return node !== undefined && fits(this.#plugins, pod, this.#state, node);
  }

  #place(queued: QueuedPod, nodeName: string): void {
    const { pod } = queued;
    const node = this.#state.node(nodeName);
    if (node === undefined) throw new Error(`node ${nodeName} is gone`);
    try {
      for (const plugin of this.#plugins) plugin.reserve?.(pod, node);
    } catch (error) {
      for (const plugin of this.#plugins.toReversed()) plugin.unreserve?.(pod, node);
      throw error;
    }
    this.#state.assume(pod, nodeName);
    this.#nominations.delete(pod.key);
    this.#track(this.#commit(queued, nodeName));
  }

  async #commit(queued: QueuedPod, node: string): Promise<void> {
    const { pod } = queued;
    const { signal } = this.#stop;
    try {
      for (const plugin of this.#plugins) {
        const permit = await plugin.permit?.(pod, node, signal);
        if (permit?.kind === 'deny') throw new Error(permit.reason);
      }
      const binder = this.#plugins.find((plugin) => plugin.bind !== undefined);
      await (binder?.bind?.(pod, node, signal) ?? this.#bind(pod, node));
      this.#reporter.scheduled(pod, node);
    } catch (error) {
      this.#undo(queued, node, error);
    }
  }

  async #bind({ pod, key, uid, namespace }: PodInfo, node: string): Promise<void> {
    const name = pod.metadata?.name ?? '';
    const binding: Binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    this.#options.logger.debug({ pod: key, node }, 'binding');
    await this.#options.client.create(podBindings, binding, {
      subresource: 'binding',
      ref: { namespace, name },
      signal: this.#stop.signal,
    });
  }

  #undo(queued: QueuedPod, nodeName: string, error: unknown): void {
    const { pod } = queued;
    const node = this.#state.node(nodeName);
    if (node !== undefined) for (const plugin of this.#plugins.toReversed()) plugin.unreserve?.(pod, node);
    this.#notice(this.#state.forget(pod));
    const current = this.#pods.lister.get(pod.key);
    // Gone, replaced, or bound after all: the informer has said, or will say, what to do.
    if (
      this.#stop.signal.aborted ||
      current === undefined ||
      current.metadata?.uid !== pod.uid ||
      (current.spec?.nodeName ?? '') !== ''
    )
      return;
    this.#options.logger.warn({ pod: pod.key, node: nodeName, error: String(error) }, 'binding failed');
    const fresh = this.#infoOf(current) ?? pod;
    this.#queue.retry({ ...queued, pod: fresh });
    this.#reporter.failed(
      fresh,
      'SchedulerError',
      `binding rejected: ${error instanceof Error ? error.message : String(error)}`,
    );
  }

  #unschedulable(queued: QueuedPod, decision: Extract<Decision, { kind: 'unschedulable' }>): void {
    const { pod } = queued;
    this.#queue.park(queued, decision.rejectedBy);
    this.#nominations.delete(pod.key);
    let { message } = decision;
    // Without a node there is nobody to make room.
    for (const plugin of this.#state.nodeCount === 0 ? [] : this.#plugins) {
      const result = plugin.postFilter?.(pod, {
        cluster: this.#state,
        rejections: decision.rejections,
        budgets: this.#budgets,
        fits: (candidate, cluster, node) => fits(this.#plugins, candidate, cluster, node),
      });
      if (result === undefined) continue;
      if (result.kind === 'nominate') {
        this.#nominations.set(pod, result.node);
        this.#track(this.#preempt(pod, result.node, result.victims));
        this.#reporter.failed(pod, 'Unschedulable', message, result.node);
        return;
      }
      message = `${message} ${result.message}`;
      if (result.kind !== 'wait') continue;
      this.#nominations.set(pod, result.node);
      this.#reporter.failed(pod, 'Unschedulable', message, result.node);
      return;
    }
    this.#options.logger.debug({ pod: pod.key, message }, 'no node for the pod');
    this.#reporter.failed(pod, 'Unschedulable', message, '');
  }

  /** The victims' end frees the pod from the queue; it takes part in the next cycle like any other. */
  async #preempt(by: PodInfo, node: string, victims: readonly PodInfo[]): Promise<void> {
    const { client, clock, logger } = this.#options;
    const { signal } = this.#stop;
    const disruption = {
      reason: 'PreemptionByScheduler',
      message: `${by.pod.spec?.schedulerName ?? 'default-scheduler'}: preempting to accommodate a higher priority pod`,
    };
    for (const victim of victims) {
      const ref = { namespace: victim.namespace, name: victim.pod.metadata?.name ?? '' };
      try {
        await markDisrupted({ client, clock, signal }, victim.pod, disruption);
        await client.delete(pods, ref, { preconditions: { uid: victim.uid }, signal });
        this.#reporter.preempted(victim, by, node);
      } catch (error) {
        logger.info({ pod: by.key, victim: victim.key, error: String(error) }, 'a victim could not be deleted');
      }
    }
  }

  #track(work: Promise<void>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }
}

/** Status updates of running pods are many, and change nothing here. */
function sameForScheduling(a: Pod, b: Pod): boolean {
  const essence = ({ spec, metadata }: Pod) =>
    encodeJson([spec, metadata?.uid, metadata?.labels, metadata?.deletionTimestamp]);
  return essence(a) === essence(b);
}
