/**
 * Group commit: what arrives while one write runs becomes the next one. Responses are delivered in order, each after
 * the write it depends on. A failed write is final: nothing is tried again, nothing more is written (fail-stop).
 */
import type { Clock } from '../../platform/clock.js';
import type { Message } from '../core/types/message.js';
import type { LogWrite, MemberLog } from '../log/log.js';

export interface LogWriterHooks {
  /** The writes of these messages are durable. */
  onDurable(responses: readonly Message[]): void;
  onFailure(error: Error): void;
  /** A snapshot is about to replace the log: switch the state to it first. */
  beforeSnapshot(write: LogWrite): Promise<void>;
}

interface Job {
  readonly write: LogWrite;
  readonly responses: readonly Message[];
}

export class LogWriter {
  readonly #log: MemberLog;
  readonly #clock: Clock;
  readonly #hooks: LogWriterHooks;
  #queue: Job[] = [];
  #compactTo = 0;
  #commitOnly: LogWrite | undefined;
  #isRunning = false;
  #isStopped = false;
  #busySince_ms: number | undefined;
  #idle: Promise<void> = Promise.resolve();

  constructor(log: MemberLog, clock: Clock, hooks: LogWriterHooks) {
    this.#log = log;
    this.#clock = clock;
    this.#hooks = hooks;
  }

  get isBusy(): boolean {
    return this.#isRunning;
  }

  /** How long the present write has been running; 0 when the disk is idle. */
  get busyFor_ms(): number {
    return this.#busySince_ms === undefined ? 0 : this.#clock.monotonic() - this.#busySince_ms;
  }

  /** A `storage-append` of the core. */
  enqueue(append: Message): void {
    const { term, vote, commit } = append;
    const isHard = term !== 0 || vote !== 0 || commit !== 0;
    this.#queue.push({
      write: {
        entries: append.entries as LogWrite['entries'],
        hardState: isHard ? { term, vote, commit } : undefined,
        snapshot: append.snapshot,
      },
      responses: append.responses,
    });
    this.#wake();
  }

  compact(index: number): void {
    this.#compactTo = Math.max(this.#compactTo, index);
    this.#wake();
  }

  /** No further writes; resolves when the present one is over. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#idle;
  }

  #wake(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    this.#idle = this.#run();
  }

  async #run(): Promise<void> {
    try {
      while (!this.#isStopped && (this.#queue.length > 0 || this.#compactTo > 0)) {
        this.#busySince_ms = this.#clock.monotonic();
        if (this.#queue.length > 0) await this.#writeQueued();
        else await this.#compactLog();
      }
      this.#isRunning = false;
    } catch (error) {
      this.#isStopped = true;
      this.#hooks.onFailure(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#busySince_ms = undefined;
    }
  }

  async #writeQueued(): Promise<void> {
    const jobs = this.#queue;
    this.#queue = [];
    for (const { write } of jobs) {
      if (write.snapshot !== undefined) await this.#hooks.beforeSnapshot(write);
    }
    await this.#writeAll(jobs.map(({ write }) => write));
    if (this.#isStopped) return;
    this.#busySince_ms = undefined;
    const responses = jobs.length === 1 ? jobs[0]?.responses : jobs.flatMap((job) => job.responses);
    this.#hooks.onDurable(responses ?? []);
  }

  /**
   * A write that only tells how far is committed need not be durable, since the leader tells it again: it rides along
   * with the next one that must be, and costs no fsync.
   */
  async #writeAll(writes: readonly LogWrite[]): Promise<void> {
    const isNeeded = writes.some(
      (write) => write.entries.length > 0 || write.snapshot !== undefined || this.#isNewTermOrVote(write),
    );
    if (!isNeeded) {
      this.#commitOnly = writes.at(-1) ?? this.#commitOnly;
      return;
    }
    const all = this.#commitOnly === undefined ? writes : [this.#commitOnly, ...writes];
    this.#commitOnly = undefined;
    await this.#log.write(all);
  }

  #isNewTermOrVote({ hardState }: LogWrite): boolean {
    const known = this.#log.view.hardState;
    return hardState !== undefined && (hardState.term !== known.term || hardState.vote !== known.vote);
  }

  async #compactLog(): Promise<void> {
    const index = this.#compactTo;
    this.#compactTo = 0;
    if (index < this.#log.view.firstIndex) return;
    await this.#log.compact(index);
    // Proposals that came meanwhile waited for the disk.
    if (!this.#isStopped) this.#hooks.onDurable([]);
  }
}
