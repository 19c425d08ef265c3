/**
 * Proposals that wait for their result. Each carries a mark (53 random bits at start, then counted), by which this
 * member recognizes its own entry when it applies.
 *
 * A proposal enters the log of one leader in one term, or none: whoever is asked to append checks the term. So when an
 * entry of a later term is applied here and the proposal was not, it never will be: it is proposed again. Only what is
 * skipped by a snapshot, or not decided in time, is of unknown outcome.
 */
import type { Random } from '../../platform/random.js';
import { RaftError } from '../contract.js';
import type { EntryKind, ProposedEntry } from '../core/types/entry.js';

interface Pending {
  readonly entry: ProposedEntry;
  readonly deadline_ms: number;
  /** Term of the leader that it was given to; undefined: in the queue. */
  sentTerm: number | undefined;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export interface ProposeOptions {
  readonly kind: EntryKind;
  readonly deadline_ms: number;
  readonly signal: AbortSignal | undefined;
}

const MARK_BITS_HIGH = 2 ** 20;

/** A random start leaves room to count. Never 0. */
export function randomMark(random: Random): number {
  return random.int(MARK_BITS_HIGH) * 2 ** 32 + random.int(2 ** 31) + 1;
}

export class Proposals {
  readonly #pending = new Map<number, Pending>();
  #queue: number[] = [];
  #nextMark: number;

  constructor(random: Random) {
    this.#nextMark = randomMark(random);
  }

  get hasQueued(): boolean {
    return this.#queue.length > 0;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Given to a leader or queued, and without a result yet. */
  isPending(mark: number): boolean {
    return this.#pending.has(mark);
  }

  add(data: Uint8Array, options: ProposeOptions): Promise<unknown> {
    const { signal } = options;
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    const mark = this.#nextMark++;
    return new Promise((resolve, reject) => {
      const entry = { kind: options.kind, data, proposal: mark };
      const pending: Pending = { entry, deadline_ms: options.deadline_ms, sentTerm: undefined, resolve, reject };
      if (signal !== undefined) this.#obey(signal, mark, pending);
      this.#pending.set(mark, pending);
      this.#queue.push(mark);
    });
  }

  /**
   * Takes what is queued, at most `bytes_max` of payload but at least one. Without `changes`, those of the membership
   * stay.
   */
  take(bytes_max: number, { changes }: { readonly changes: boolean } = { changes: true }): ProposedEntry[] {
    const entries: ProposedEntry[] = [];
    const kept: number[] = [];
    let bytes = 0;
    let taken = 0;
    for (const mark of this.#queue) {
      const pending = this.#pending.get(mark);
      if (pending !== undefined && !changes && pending.entry.kind !== 'normal') {
        kept.push(mark);
      } else if (pending !== undefined) {
        bytes += pending.entry.data.length;
        if (bytes > bytes_max && entries.length > 0) break;
        entries.push(pending.entry);
      }
      taken++;
    }
    this.#queue = taken === this.#queue.length ? kept : [...kept, ...this.#queue.slice(taken)];
    return entries;
  }

  markSent(entries: readonly ProposedEntry[], term: number): void {
    for (const { proposal } of entries) {
      const pending = this.#pending.get(proposal);
      if (pending !== undefined) pending.sentTerm = term;
    }
  }

  /**
   * They entered no log: to the front of the queue, in their order. `term`: of the attempt that is known to have
   * failed; what has been given to another leader since is not concerned. Undefined: they were never given to anybody.
   */
  requeue(entries: readonly { readonly proposal: number }[], term?: number): void {
    const marks: number[] = [];
    for (const { proposal } of entries) {
      const pending = this.#pending.get(proposal);
      if (pending === undefined || pending.sentTerm !== term) continue;
      pending.sentTerm = undefined;
      marks.push(proposal);
    }
    if (marks.length > 0) this.#queue = [...marks, ...this.#queue];
  }

  /** The entry of `mark` was applied with this result. False: nobody here waits for it. */
  resolve(mark: number, result: unknown): boolean {
    const pending = this.#pending.get(mark);
    if (pending === undefined) return false;
    this.#pending.delete(mark);
    pending.resolve(result);
    return true;
  }

  reject(entries: readonly { readonly proposal: number }[], error: RaftError): void {
    for (const { proposal } of entries) {
      const pending = this.#pending.get(proposal);
      this.#pending.delete(proposal);
      pending?.reject(error);
    }
  }

  /** An entry of `term` was applied: what was given to older leaders and is not applied will never be. */
  termReached(term: number): void {
    const lost = [...this.#pending.values()].filter(({ sentTerm }) => sentTerm !== undefined && sentTerm < term);
    for (const pending of lost) pending.sentTerm = undefined;
    this.requeue(lost.map(({ entry }) => entry));
  }

  /** A snapshot of `term` took the place of entries that may have been ours. */
  skippedBySnapshot(term: number): void {
    const lost = [...this.#pending.values()].filter(({ sentTerm }) => sentTerm !== undefined && sentTerm <= term);
    const error = new RaftError('unknown-outcome', 'this member took in a snapshot before it saw the outcome');
    this.reject(
      lost.map(({ entry }) => entry),
      error,
    );
  }

  expire(now_ms: number): void {
    for (const [mark, pending] of this.#pending) {
      if (pending.deadline_ms > now_ms) continue;
      this.#pending.delete(mark);
      pending.reject(
        pending.sentTerm === undefined
          ? new RaftError('not-leader', 'no leader took the proposal in time; it did not happen')
          : new RaftError('unknown-outcome', 'the proposal was not decided in time; it may still happen'),
      );
    }
  }

  stop(): void {
    for (const { sentTerm, reject } of this.#pending.values()) {
      const outcome = sentTerm === undefined ? 'the proposal did not happen' : 'the proposal may still happen';
      reject(new RaftError('stopped', `this member was stopped; ${outcome}`));
    }
    this.#pending.clear();
    this.#queue = [];
  }

  /** The caller loses interest; the entry may happen all the same. */
  #obey(signal: AbortSignal, mark: number, pending: Pending): void {
    const { resolve, reject } = pending;
    const onAbort = () => {
      this.#pending.delete(mark);
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    pending.resolve = (result) => {
      signal.removeEventListener('abort', onAbort);
      resolve(result);
    };
    pending.reject = (error) => {
      signal.removeEventListener('abort', onAbort);
      reject(error);
    };
  }
}
