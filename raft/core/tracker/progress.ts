/**
 * The leader's view of one follower. `probe`: one append at a time until the logs are known to match; `replicate`:
 * optimistic and pipelined; `snapshot`: nothing until the snapshot is in. Invariant: 0 <= match < next.
 */
import type { LogIndex } from '../types/ids.js';
import { Inflights } from './inflights.js';

export type ProgressState = 'probe' | 'replicate' | 'snapshot';

export interface InflightLimits {
  readonly count_max: number;
  readonly bytes_max: number;
}

export class Progress {
  /** Highest index known to be durable on the follower. */
  match: LogIndex;
  /** First index of the next append. */
  next: LogIndex;
  state: ProgressState = 'probe';
  /** Index of the snapshot under way; 0 outside `snapshot`. */
  pendingSnapshot: LogIndex = 0;
  /** Something was heard from it since the last quorum check. */
  recentActive = false;
  /** A probe is under way, or the pipeline is full: wait for an answer, or for the next heartbeat's. */
  paused = false;
  isLearner: boolean;
  readonly inflights: Inflights;
  /** Highest commit index sent; spares messages that would tell nothing new. */
  #sentCommit: LogIndex = 0;

  constructor(next: LogIndex, isLearner: boolean, limits: InflightLimits) {
    this.match = 0;
    this.next = next;
    this.isLearner = isLearner;
    this.inflights = new Inflights(limits.count_max, limits.bytes_max);
  }

  becomeProbe(): void {
    // A snapshot that was pending has been taken in: go on behind it.
    const after = this.state === 'snapshot' ? this.pendingSnapshot + 1 : 0;
    this.#reset('probe');
    this.next = Math.max(this.match + 1, after);
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#reset('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(index: LogIndex): void {
    this.#reset('snapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.#sentCommit = index;
  }

  isPaused(): boolean {
    return this.state === 'snapshot' || this.paused;
  }

  /** An append with `count` entries of `bytes` was handed to the network. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === 'replicate') {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      // What overflows the pipeline serves as a probe: no more until an answer comes.
      this.paused = this.inflights.full();
    } else if (this.state === 'probe' && count > 0) {
      this.paused = true;
    }
  }

  sentCommit(commit: LogIndex): void {
    this.#sentCommit = commit;
  }

  /** Whether telling the follower `commit` could move its commit index; it never passes next - 1. */
  canBumpCommit(commit: LogIndex): boolean {
    return commit > this.#sentCommit && this.#sentCommit < this.next - 1;
  }

  /** The follower acknowledged `index`. False when that is no news. */
  maybeUpdate(index: LogIndex): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /**
   * The follower rejected an append behind `rejected`; it may match up to `hint`. False when the rejection is stale.
   */
  maybeDecrease(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
    } else {
      // Probes go one at a time, so an answer to another index is late.
      if (this.next - 1 !== rejected) return false;
      this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
      this.paused = false;
    }
    this.#sentCommit = Math.min(this.#sentCommit, this.next - 1);
    return true;
  }

  #reset(state: ProgressState): void {
    this.paused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }
}
