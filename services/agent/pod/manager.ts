/**
 * All pods of the node: a worker for each, the objects they refer to, and what is left on the node of pods that are
 * gone. What comes from the members goes in; it can say what it holds, so that a session resumes by revision.
 */
import { hostPortsOf } from '../../../apimachinery/kinds/pod/host-ports.js';
import { reachableFrom, referenceKey, referencesOf } from '../../../apimachinery/node-objects/references.js';
import type { ObjectReference } from '../../../apimachinery/node-objects/references.js';
import { NODE_OBJECTS } from '../../../apimachinery/node-objects/table.js';
import type { NodeObjectTable } from '../../../apimachinery/node-objects/table.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { Timer } from '../../../platform/clock.js';
import { Coalesced } from '../../../platform/coalesced.js';
import { Containment } from '../../../platform/containment.js';
import type { Part } from '../../../platform/containment.js';
import { ObjectKind } from '../../../proto/gen/navarch/node/v1/node.js';
import type { KnownObject } from '../../../proto/gen/navarch/node/v1/node.js';
import { noCgroups } from '../cgroups/pod-cgroups.js';
import type { PodCgroups } from '../cgroups/pod-cgroups.js';
import { rotateLog } from '../logs/rotate.js';
import type { RuntimeSnapshot } from '../runtime/runtime.js';
import type { NodeObject } from './admission.js';
import { requestsOf } from './allocation.js';
import { noCheckpoints } from './checkpoints.js';
import type { Checkpointed, Checkpoints } from './checkpoints.js';
import type { PodEnvironment } from './environment.js';
import { HeldObjects } from './held-objects.js';
import { keyOf } from '../pod-spec/spec.js';
import type { Pod } from '../pod-spec/types.js';
import { PodWorker } from './worker.js';

type MadeHere =
  | 'objects'
  | 'serviceEnvironment'
  | 'part'
  | 'cgroups'
  | 'requestedByOthers'
  | 'takenByOthers'
  | 'nodeObject';

export type PodManagerEnvironment = Omit<PodEnvironment, MadeHere> & {
  readonly checkpoints?: Checkpoints;
  readonly part?: Part;
  readonly cgroups?: PodCgroups;
  readonly nodeObject?: () => NodeObject | undefined;
  /** What members send besides pods; absent: NODE_OBJECTS. */
  readonly table?: NodeObjectTable;
};

/** A pod that failed in our own code is looked at anew after this; doubled each time. */
const REVIVE_MS_MIN = 1_000;
const REVIVE_MS_MAX = 300_000;

/** How often the runtime is asked what it holds; runtimes with events are asked too, but seldom change unseen. */
const RELIST_MS = 1_000;
const ROTATE_MS = 10_000;
/** Uids of pods that were removed: a member that lags behind may still speak of them. */
const TOMBSTONES_MAX = 2_000;

export class PodManager {
  readonly #environment: PodEnvironment;
  readonly #checkpoints: Checkpoints;
  readonly #workers = new Map<string, PodWorker>();
  readonly #table: NodeObjectTable;
  readonly #objects: HeldObjects;
  readonly #services = new Map<string, Readonly<Record<string, string>>>();
  readonly #tombstones = new Set<string>();
  readonly #digests = new Map<string, string>();
  /** How often the work on a pod failed, by uid. */
  readonly #faults = new Map<string, number>();
  #relist: Timer | undefined;
  #rotation: Timer | undefined;
  #unlisten: (() => void) | undefined;
  #revision = 0n;
  #synced = false;
  readonly #looks = new Coalesced({
    run: () => this.#lookNow(),
    onFailure: (error) => this.#environment.logger.warn({ error: String(error) }, 'the runtime cannot be listed'),
  });
  #stopped = false;

  constructor(environment: PodManagerEnvironment) {
    this.#checkpoints = environment.checkpoints ?? noCheckpoints;
    this.#table = environment.table ?? NODE_OBJECTS;
    this.#objects = new HeldObjects(this.#table, this.#checkpoints);
    this.#environment = {
      ...environment,
      cgroups: environment.cgroups ?? noCgroups,
      nodeObject: environment.nodeObject ?? (() => undefined),
      part: environment.part ?? new Containment(environment).part('pods'),
      objects: this.#objects,
      serviceEnvironment: (uid) => this.#services.get(uid) ?? {},
      requestedByOthers: (uid) =>
        requestsOf(
          [...this.#workers.values()]
            .filter((worker) => worker.key.uid !== uid && !worker.isOver)
            .map((worker) => worker.allocated),
        ),
      takenByOthers: (uid) => {
        const others = [...this.#workers.values()].filter((worker) => worker.key.uid !== uid && worker.takesRoom);
        return {
          requested: requestsOf(others.map((worker) => worker.allocated)),
          pods: others.length,
          hostPorts: others.flatMap(({ pod }) => hostPortsOf(pod)),
        };
      },
    };
  }

  start(): void {
    const { runtime, clock } = this.#environment;
    this.#unlisten = runtime.onChange((uid) => this.#workers.get(uid)?.notice());
    if (runtime.pretends) return;
    this.#relist = clock.every(RELIST_MS, () => this.#looks.request());
    this.#rotation = clock.every(ROTATE_MS, () => this.#rotateLogs());
  }

  stop(): void {
    this.#stopped = true;
    this.#relist?.cancel();
    this.#rotation?.cancel();
    this.#unlisten?.();
    for (const worker of this.#workers.values()) worker.stop();
  }

  get workers(): ReadonlyMap<string, PodWorker> {
    return this.#workers;
  }

  /** Pods by phase. */
  phases(): Map<string, number> {
    const phases = new Map<string, number>();
    for (const { phase } of this.#workers.values()) phases.set(phase, (phases.get(phase) ?? 0) + 1);
    return phases;
  }

  get runningContainers(): number {
    return [...this.#workers.values()].reduce(
      (sum, { snapshot }) => sum + snapshot.containers.filter(({ phase }) => phase === 'running').length,
      0,
    );
  }

  /** The newest version of a pod that was seen. */
  get revision(): string {
    return String(this.#revision);
  }

  /** Everything held, for a member to compare with. */
  known(): KnownObject[] {
    const pods = [...this.#workers.values()]
      .filter((worker) => !this.#tombstones.has(worker.key.uid))
      .map(({ key, pod }): KnownObject => ({
        kind: ObjectKind.OBJECT_KIND_POD,
        namespace: key.namespace,
        name: key.name,
        uid: key.uid,
        resourceVersion: pod.metadata?.resourceVersion ?? '',
      }));
    return [...pods, ...this.#objects.known()];
  }

  applyPod(pod: Pod, serviceEnvironment: Readonly<Record<string, string>>): void {
    const { uid } = keyOf(pod);
    if (this.#tombstones.has(uid)) return;
    this.#checkpoints.savePod({ pod, serviceEnvironment });
    this.#noteVersion(pod);
    this.#services.set(uid, serviceEnvironment);
    const worker = this.#workers.get(uid);
    if (worker === undefined) this.#begin(pod);
    else worker.update(pod);
  }

  removePod(uid: string): void {
    this.#bury(uid);
    this.#checkpoints.removePod(uid);
    this.#workers.get(uid)?.remove();
  }

  /** `object` undefined: there is none of that name. */
  applyObject(reference: ObjectReference, object: KubeObject | undefined): void {
    this.#objects.apply(reference, object);
    for (const worker of this.#workers.values()) {
      if (this.#refersTo(worker.pod, reference)) worker.sourcesChanged();
    }
  }

  get isSynced(): boolean {
    return this.#synced;
  }

  /**
   * Takes up pods from before the agent's restart. Only while no member is primary: the next is then told of them, and
   * says which are gone.
   */
  restore({ pods, objects }: Checkpointed): void {
    this.#objects.restore(objects);
    for (const { pod, serviceEnvironment } of pods) {
      const { uid } = keyOf(pod);
      if (this.#workers.has(uid) || this.#tombstones.has(uid)) continue;
      this.#noteVersion(pod);
      this.#services.set(uid, serviceEnvironment);
      this.#begin(pod);
    }
  }

  /** All that is wanted is known now: what else is on this node is left over from pods that are gone. */
  async synced(): Promise<void> {
    if (this.#synced) return;
    const snapshot = await this.#environment.runtime.list();
    for (const sandbox of snapshot.sandboxes) {
      if (!this.#workers.has(sandbox.uid)) this.#collect(sandbox.uid, sandbox.namespace, sandbox.name);
    }
    for (const container of snapshot.containers) {
      if (!this.#workers.has(container.podUid)) this.#collect(container.podUid, '', '');
    }
    for (const uid of [
      ...(await this.#environment.volumes.leftovers()),
      ...(await this.#environment.cgroups.leftovers()),
    ]) {
      if (!this.#workers.has(uid)) this.#collect(uid, '', '');
    }
    this.#synced = true;
  }

  /** Reports every status again. */
  repeat(): void {
    for (const worker of this.#workers.values()) worker.repeat();
  }

  #refersTo(pod: Pod, reference: ObjectReference): boolean {
    const reached = reachableFrom(referencesOf(pod, this.#table), (found) => this.#objects.get(found), this.#table);
    return reached.some((found) => referenceKey(found) === referenceKey(reference));
  }

  #noteVersion(pod: Pod): void {
    const version = pod.metadata?.resourceVersion ?? '';
    if (/^\d+$/.test(version) && BigInt(version) > this.#revision) this.#revision = BigInt(version);
  }

  #begin(pod: Pod): PodWorker {
    const { uid } = keyOf(pod);
    const part: Part = this.#environment.part.child('pod', () => this.#revive(uid, worker));
    const environment = { ...this.#environment, part, clock: part.clock(this.#environment.clock) };
    const worker: PodWorker = new PodWorker(environment, pod, () => {
      this.#workers.delete(uid);
      this.#checkpoints.removePod(uid);
      this.#services.delete(uid);
      this.#digests.delete(uid);
      this.#faults.delete(uid);
      // There is more room now.
      for (const other of this.#workers.values()) if (other.waitsForRoom) other.look();
    });
    this.#workers.set(uid, worker);
    worker.look();
    return worker;
  }

  /** A fault in the work on one pod: a new worker takes over what runs, as after a start of the agent. */
  #revive(uid: string, broken: PodWorker): void {
    if (this.#workers.get(uid) !== broken || broken.stopped) return;
    const count = this.#faults.get(uid) ?? 0;
    this.#faults.set(uid, count + 1);
    broken.stop();
    this.#environment.clock.after(Math.min(REVIVE_MS_MIN * 2 ** count, REVIVE_MS_MAX), () => {
      if (this.#stopped || this.#workers.get(uid) !== broken) return;
      const next = this.#begin(broken.pod);
      if (broken.gone) next.remove();
    });
  }

  #collect(uid: string, namespace: string, name: string): void {
    this.#environment.logger.info({ uid, namespace, pod: name }, 'cleaning up after a pod that is gone');
    this.#bury(uid);
    this.#begin({ metadata: { namespace, name, uid }, spec: { containers: [] } }).remove();
  }

  #bury(uid: string): void {
    this.#tombstones.add(uid);
    const [oldest] = this.#tombstones;
    if (this.#tombstones.size > TOMBSTONES_MAX && oldest !== undefined) this.#tombstones.delete(oldest);
  }

  async #rotateLogs(): Promise<void> {
    const { runtime, logger } = this.#environment;
    for (const worker of this.#workers.values()) {
      for (const record of worker.snapshot.containers) {
        if (record.phase !== 'running') continue;
        await rotateLog(runtime, record).catch((error: unknown) =>
          logger.warn({ container: record.name, error: String(error) }, 'a log could not be rotated'),
        );
      }
    }
  }

  /** Finds pods of which the runtime tells something new. */
  async #lookNow(): Promise<void> {
    const digests = digestsOf(await this.#environment.runtime.list());
    for (const [uid, worker] of this.#workers) {
      const digest = digests.get(uid) ?? '';
      if (this.#digests.get(uid) === digest) continue;
      this.#digests.set(uid, digest);
      worker.notice();
    }
  }
}

function digestsOf(snapshot: RuntimeSnapshot): Map<string, string> {
  const digests = new Map<string, string>();
  const add = (uid: string, text: string) => digests.set(uid, `${digests.get(uid) ?? ''} ${text}`);
  for (const sandbox of snapshot.sandboxes) add(sandbox.uid, `${sandbox.id}:${sandbox.ready}`);
  for (const container of snapshot.containers) add(container.podUid, `${container.id}:${container.phase}`);
  return digests;
}
