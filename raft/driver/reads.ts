/**
 * Linearizable reads: many callers share one ReadIndex attempt; an attempt that is not answered is repeated under a
 * fresh id, so that a late answer to an old one cannot be taken for it. Then the reader waits until the index is
 * applied.
 */
import type { Random } from '../../platform/random.js';
import { RaftError } from '../contract.js';
import type { LogIndex } from '../contract.js';
import { randomMark } from './proposals.js';

interface Reader {
  readonly deadline_ms: number;
  isOver: boolean;
  resolve(index: LogIndex): void;
  reject(error: Error): void;
}

interface Attempt {
  readonly context: number;
  readonly readers: Reader[];
  readonly startedAt_ms: number;
}

interface Applying {
  readonly index: number;
  readonly readers: Reader[];
}

/** An attempt that is not answered by then is repeated. */
const RETRY_MS = 150;

export class Reads {
  #waiting: Reader[] = [];
  #attempt: Attempt | undefined;
  #applying: Applying[] = [];
  #nextContext: number;

  constructor(random: Random) {
    this.#nextContext = randomMark(random);
  }

  add(deadline_ms: number, signal: AbortSignal | undefined): Promise<LogIndex> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const reader: Reader = { deadline_ms, isOver: false, resolve, reject };
      signal?.addEventListener('abort', () => settle(reader, () => reject(signal.reason as Error)), { once: true });
      this.#waiting.push(reader);
    });
  }

  /** The context of an attempt to be made now; undefined: none is due. */
  nextAttempt(now_ms: number): number | undefined {
    const isOverdue = this.#attempt !== undefined && now_ms - this.#attempt.startedAt_ms >= RETRY_MS;
    if (this.#attempt !== undefined && !isOverdue) return undefined;
    const readers = [...(this.#attempt?.readers ?? []), ...this.#waiting].filter(({ isOver }) => !isOver);
    this.#attempt = undefined;
    this.#waiting = [];
    if (readers.length === 0) return undefined;
    this.#attempt = { context: this.#nextContext++, readers, startedAt_ms: now_ms };
    return this.#attempt.context;
  }

  /** The leader was confirmed. Readers that came after the attempt began wait for the next one. */
  confirmed(context: number, index: number, applied: number): void {
    if (this.#attempt?.context !== context) return;
    const { readers } = this.#attempt;
    this.#attempt = undefined;
    this.#applying.push({ index, readers });
    this.applied(applied);
  }

  applied(applied: number): void {
    if (this.#applying.length === 0) return;
    const due = this.#applying.filter(({ index }) => index <= applied);
    if (due.length === 0) return;
    this.#applying = this.#applying.filter(({ index }) => index > applied);
    for (const { index, readers } of due) {
      for (const reader of readers) settle(reader, () => reader.resolve(index as LogIndex));
    }
  }

  expire(now_ms: number): void {
    const error = () => new RaftError('timeout', 'no leader confirmed the read in time');
    for (const reader of this.#all()) {
      if (reader.deadline_ms <= now_ms) settle(reader, () => reader.reject(error()));
    }
    this.#waiting = this.#waiting.filter(({ isOver }) => !isOver);
  }

  stop(): void {
    for (const reader of this.#all())
      settle(reader, () => reader.reject(new RaftError('stopped', 'this member was stopped')));
    this.#waiting = [];
    this.#attempt = undefined;
    this.#applying = [];
  }

  #all(): Reader[] {
    return [...this.#waiting, ...(this.#attempt?.readers ?? []), ...this.#applying.flatMap(({ readers }) => readers)];
  }
}

function settle(reader: Reader, action: () => void): void {
  if (reader.isOver) return;
  reader.isOver = true;
  action();
}
