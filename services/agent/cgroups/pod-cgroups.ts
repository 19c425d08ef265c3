/**
 * Control groups of the node's pods, as kubelet lays them out: Guaranteed pods stand below the node's group, the others
 * below the group of their class. The runtime puts containers into the pod's group.
 */
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { Clock } from '../../../platform/clock.js';
import { qosOf } from '../pod-spec/resources.js';
import { keyOf, specOf } from '../pod-spec/spec.js';
import type { Pod, Quantities } from '../pod-spec/types.js';
import type { CgroupHierarchy } from './hierarchy.js';
import { nodeGroupLimits, podGroupLimits, qosGroupLimits } from './limits.js';

export interface PodCgroups {
  /** Sets what all pods together may take. Rejects when the kernel refuses. */
  limitNode(capacity: Quantities): Promise<void>;
  /** Makes or brings up to date the pod's group and those of the classes. Rejects when the kernel refuses. */
  ensure(pod: Pod): Promise<void>;
  /** Removes the pod's group, once nothing runs in it any more. */
  remove(uid: string): Promise<void>;
  /** Pods that have a group, from before the agent's restart. */
  leftovers(): Promise<readonly string[]>;
}

export const noCgroups: PodCgroups = {
  limitNode: () => Promise.resolve(),
  ensure: () => Promise.resolve(),
  remove: () => Promise.resolve(),
  leftovers: () => Promise.resolve([]),
};

/** One for each worker of a machine, the same after each start. */
export function cgroupRootOf(dataDir: string): string {
  return `/navarch/${createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 12)}`;
}

/** Where the pod's group is, below `root`. */
export function podCgroupOf(root: string, pod: Pod): string {
  const qos = qosOf(specOf(pod));
  return `${root}${qos === 'Guaranteed' ? '' : `/${qos.toLowerCase()}`}/pod${keyOf(pod).uid}`;
}

const CLASSES = ['Burstable', 'BestEffort'] as const;
/** The kernel takes a moment to empty a group after its last process. */
const REMOVE_ATTEMPTS = 10;
const REMOVE_RETRY_MS = 50;

export class KernelPodCgroups implements PodCgroups {
  readonly #root: string;
  readonly #hierarchy: CgroupHierarchy;
  readonly #clock: Clock;
  readonly #pods = new Map<string, Pod>();
  /** One at a time: the classes' weights are sums. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: { readonly root: string; readonly hierarchy: CgroupHierarchy; readonly clock: Clock }) {
    this.#root = options.root;
    this.#hierarchy = options.hierarchy;
    this.#clock = options.clock;
  }

  limitNode(capacity: Quantities): Promise<void> {
    return this.#inTurn(() => this.#hierarchy.set(this.#root, nodeGroupLimits(capacity)));
  }

  ensure(pod: Pod): Promise<void> {
    return this.#inTurn(async () => {
      this.#pods.set(keyOf(pod).uid, pod);
      await this.#setClasses();
      await this.#hierarchy.set(podCgroupOf(this.#root, pod), podGroupLimits(pod));
    });
  }

  remove(uid: string): Promise<void> {
    return this.#inTurn(async () => {
      const known = this.#pods.delete(uid);
      for (const parent of this.#parents()) await this.#removeGroup(`${parent}/pod${uid}`);
      if (known) await this.#setClasses();
    });
  }

  async leftovers(): Promise<readonly string[]> {
    const names = await Promise.all(this.#parents().map((parent) => this.#hierarchy.children(parent)));
    return names
      .flat()
      .filter((name) => name.startsWith('pod'))
      .map((name) => name.slice('pod'.length));
  }

  #parents(): readonly string[] {
    return [this.#root, ...CLASSES.map((qos) => `${this.#root}/${qos.toLowerCase()}`)];
  }

  async #setClasses(): Promise<void> {
    for (const qos of CLASSES)
      await this.#hierarchy.set(`${this.#root}/${qos.toLowerCase()}`, qosGroupLimits(qos, this.#pods.values()));
  }

  async #removeGroup(path: string): Promise<void> {
    for (let attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
      if (await this.#hierarchy.remove(path)) return;
      await this.#clock.sleep(REMOVE_RETRY_MS);
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
