/**
 * Pods that wait for a node, in three places: `active` (now), `backoff` (failed lately: soon), `unschedulable` (until
 * something happens that may help, or at most five minutes). Pods with scheduling gates wait in `gated`.
 */
import { encodeJson } from '../../../apimachinery/json-value.js';
import type { Clock, Timer } from '../../../platform/clock.js';
import type { ClusterEvent, Plugin, QueueOrder } from '../framework/plugin.js';
import type { PodInfo } from '../framework/pod-info.js';
import { KeyedHeap } from './heap.js';

export interface QueuedPod extends QueueOrder {
  readonly pod: PodInfo;
  /** How often it was tried. */
  readonly attempts: number;
  readonly added_ms: number;
  /** Plugins that had something against it last time. */
  readonly rejectedBy: ReadonlySet<string>;
  /** Since when it stands where it stands. */
  readonly since_ms: number;
}

export interface SchedulingQueueOptions {
  readonly clock: Clock;
  readonly plugins: readonly Plugin[];
}

const BACKOFF_BASE_MS = 1000;
const BACKOFF_MAX_MS = 10_000;
const UNSCHEDULABLE_MAX_MS = 300_000;
const FLUSH_INTERVAL_MS = 30_000;

const keyOf = ({ pod }: QueuedPod): string => pod.key;

/** 1 s, doubling, up to 10 s, from the end of the last attempt. */
function readyAt({ attempts, since_ms }: QueuedPod): number {
  return attempts === 0
    ? since_ms
    : since_ms + Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempts - 1, 10));
}

export class SchedulingQueue {
  readonly #clock: Clock;
  readonly #plugins: ReadonlyMap<string, Plugin>;
  readonly #active: KeyedHeap<QueuedPod>;
  readonly #backoff = new KeyedHeap<QueuedPod>((a, b) => readyAt(a) - readyAt(b), keyOf);
  readonly #unschedulable = new Map<string, QueuedPod>();
  readonly #gated = new Map<string, QueuedPod>();
  readonly #flush: Timer;
  #backoffTimer: Timer | undefined;
  #wake: () => void = () => undefined;
  #closed = false;

  constructor({ clock, plugins }: SchedulingQueueOptions) {
    this.#clock = clock;
    this.#plugins = new Map(plugins.map((plugin) => [plugin.name, plugin]));
    const sort = plugins.find((plugin) => plugin.queueSort !== undefined)?.queueSort;
    if (sort === undefined) throw new Error('no plugin orders the queue');
    this.#active = new KeyedHeap<QueuedPod>(sort, keyOf);
    this.#flush = clock.every(FLUSH_INTERVAL_MS, () => this.#flushUnschedulable());
  }

  get counts(): {
    readonly active: number;
    readonly backoff: number;
    readonly unschedulable: number;
    readonly gated: number;
  } {
    return {
      active: this.#active.size,
      backoff: this.#backoff.size,
      unschedulable: this.#unschedulable.size,
      gated: this.#gated.size,
    };
  }

  /** A pod without a node: new, or changed. A change of what it asks may be what it waited for. */
  set(pod: PodInfo): void {
    const now_ms = this.#clock.monotonic();
    const known = this.#remove(pod.key);
    const queued: QueuedPod =
      known === undefined
        ? { pod, attempts: 0, added_ms: now_ms, rejectedBy: new Set(), since_ms: now_ms }
        : { ...known.queued, pod };
    if ((pod.pod.spec?.schedulingGates ?? []).length > 0) this.#gated.set(pod.key, queued);
    else if (known?.place === 'backoff') this.#toBackoff(queued);
    else if (known?.place !== 'unschedulable') this.#activate(queued);
    else if (requirementsChanged(known.queued.pod, pod)) this.#release(queued);
    else this.#unschedulable.set(pod.key, queued);
  }

  has(key: string): boolean {
    return (
      this.#active.get(key) !== undefined ||
      this.#backoff.get(key) !== undefined ||
      this.#unschedulable.has(key) ||
      this.#gated.has(key)
    );
  }

  delete(key: string): void {
    this.#remove(key);
  }

  /** The next pod; its attempt counts from here. Undefined once the queue is closed. One taker at a time. */
  async take(): Promise<QueuedPod | undefined> {
    for (;;) {
      if (this.#closed) return undefined;
      const next = this.#active.pop();
      if (next !== undefined) return { ...next, attempts: next.attempts + 1 };
      // Woken only: of all that one event frees, the first in order is taken.
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** No node would do: waits for an event. */
  park(queued: QueuedPod, rejectedBy: ReadonlySet<string>): void {
    this.#unschedulable.set(queued.pod.key, { ...queued, rejectedBy, since_ms: this.#clock.monotonic() });
  }

  /** Something went wrong that time may heal. */
  retry(queued: QueuedPod): void {
    this.#toBackoff({ ...queued, since_ms: this.#clock.monotonic() });
  }

  /** Frees the pods that the event may help. */
  notice(event: ClusterEvent): void {
    for (const queued of this.#unschedulable.values()) {
      if (this.#mayHelp(event, queued)) this.#release(queued);
    }
  }

  close(): void {
    this.#closed = true;
    this.#flush.cancel();
    this.#backoffTimer?.cancel();
    this.#wake();
  }

  #mayHelp(event: ClusterEvent, { pod, rejectedBy }: QueuedPod): boolean {
    // Nobody in particular rejected it: there was no node at all.
    if (rejectedBy.size === 0) return event.kind === 'node-added';
    for (const name of rejectedBy) if (this.#plugins.get(name)?.mayHelp?.(event, pod) === true) return true;
    return false;
  }

  #release(queued: QueuedPod): void {
    this.#unschedulable.delete(queued.pod.key);
    if (readyAt(queued) > this.#clock.monotonic()) this.#toBackoff(queued);
    else this.#activate(queued);
  }

  #activate(queued: QueuedPod): void {
    this.#active.set(queued);
    this.#wake();
  }

  #toBackoff(queued: QueuedPod): void {
    this.#backoff.set(queued);
    this.#armBackoff();
  }

  #armBackoff(): void {
    this.#backoffTimer?.cancel();
    const first = this.#backoff.peek();
    if (first === undefined || this.#closed) return;
    this.#backoffTimer = this.#clock.after(Math.max(0, readyAt(first) - this.#clock.monotonic()), () => {
      const now_ms = this.#clock.monotonic();
      for (
        let next = this.#backoff.peek();
        next !== undefined && readyAt(next) <= now_ms;
        next = this.#backoff.peek()
      ) {
        this.#backoff.pop();
        this.#activate(next);
      }
      this.#armBackoff();
    });
  }

  #flushUnschedulable(): void {
    const limit_ms = this.#clock.monotonic() - UNSCHEDULABLE_MAX_MS;
    for (const queued of this.#unschedulable.values()) if (queued.since_ms <= limit_ms) this.#release(queued);
  }

  #remove(
    key: string,
  ): { readonly place: 'active' | 'backoff' | 'unschedulable' | 'gated'; readonly queued: QueuedPod } | undefined {
    const active = this.#active.delete(key);
    if (active !== undefined) return { place: 'active', queued: active };
    const backoff = this.#backoff.delete(key);
    if (backoff !== undefined) return { place: 'backoff', queued: backoff };
    for (const [place, map] of [
      ['unschedulable', this.#unschedulable],
      ['gated', this.#gated],
    ] as const) {
      const queued = map.get(key);
      if (queued !== undefined) {
        map.delete(key);
        return { place, queued };
      }
    }
    return undefined;
  }
}

/** What the scheduler itself writes (conditions, nominations) changes only status and version. */
function requirementsChanged(old: PodInfo, pod: PodInfo): boolean {
  return encodeJson([old.pod.spec, old.labels]) !== encodeJson([pod.pod.spec, pod.labels]);
}
