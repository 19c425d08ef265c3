/** What the agent knows of a pod that neither its object nor the runtime holds. Lost with the agent, and made anew. */
import type { PendingResize } from './allocation.js';
import type { Container, PodStatus } from '../pod-spec/types.js';

export interface Waiting {
  readonly reason: string;
  readonly message: string;
  readonly since_ms: number;
}

export interface BackOff {
  readonly delay_ms: number;
  readonly updated_ms: number;
}

export interface ContainerMemory {
  /** Why its last start failed. */
  waiting?: Waiting | undefined;
  /** No attempt to start before. */
  retryAt_ms?: number | undefined;
  crash?: BackOff | undefined;
  pull?: BackOff | undefined;
  /** Id of the container that the fields below speak of: a new one starts afresh. */
  containerId?: string | undefined;
  /** Undefined: no such probe, or no verdict yet. */
  startup?: boolean | undefined;
  liveness?: boolean | undefined;
  readiness?: boolean | undefined;
  /** The postStart hook is under way: the container is not ready, and the next does not start. */
  hook?: boolean | undefined;
  /** What this container runs with; undefined: what its pod was started with. */
  applied?: Container['resources'];
  /** Why it could not be resized. */
  resizeError?: string | undefined;
  /** No attempt to resize before. */
  resizeAt_ms?: number | undefined;
  /** Why it is to be stopped and, by its restart policy, started again. */
  kill?: { readonly reason: string; readonly message: string; readonly grace_s?: number } | undefined;
}

export interface PodMemory {
  readonly containers: Map<string, ContainerMemory>;
  volumesReady: boolean;
  /** Why volumes or sandbox cannot be made; the pod's containers wait with it. */
  trouble?: Waiting | undefined;
  retryAt_ms?: number | undefined;
  retry?: BackOff | undefined;
  /** There was room for it when it came, or it is here already. */
  admitted: boolean;
  /** The pod as a whole has failed: deadline, eviction, refusal. */
  failed?: { readonly reason: string; readonly message: string } | undefined;
  /** A resize that the node has not taken over. */
  pendingResize?: PendingResize | undefined;
  /** Everything was released: nothing of the pod is on this node. */
  released: boolean;
  /** The status computed last, for the transition times of its conditions. */
  status?: PodStatus | undefined;
}

export function newMemory(): PodMemory {
  return { containers: new Map(), volumesReady: false, admitted: false, released: false };
}

export function memoryOf(memory: PodMemory, name: string): ContainerMemory {
  let entry = memory.containers.get(name);
  if (entry === undefined) {
    entry = {};
    memory.containers.set(name, entry);
  }
  return entry;
}

const BACKOFF_MS_MIN = 10_000;
const BACKOFF_MS_MAX = 300_000;
/** Doubling starts again when nothing failed for so long. */
const BACKOFF_MS_FORGET = 600_000;

/** 10 s, doubling to 5 min; forgotten after 10 min of peace. */
export function nextBackOff(previous: BackOff | undefined, now_ms: number): BackOff {
  const current = currentBackOff(previous, now_ms);
  return {
    delay_ms: current === undefined ? BACKOFF_MS_MIN : Math.min(current.delay_ms * 2, BACKOFF_MS_MAX),
    updated_ms: now_ms,
  };
}

export function currentBackOff(backOff: BackOff | undefined, now_ms: number): BackOff | undefined {
  return backOff !== undefined && now_ms - backOff.updated_ms > BACKOFF_MS_FORGET ? undefined : backOff;
}
