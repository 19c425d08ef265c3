/**
 * How long the main thread is held, and by what. A timer that should fire every few milliseconds and fires late was
 * held up; what began in between, as noted by those who begin work, is named. Time in which the machine gave the thread
 * no processor is told apart, where Linux counts it (run delay in schedstat): a busy machine is not a fault of a
 * request.
 */
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from './clock.js';
import type { Logger } from './log.js';
import { Gauge, Histogram, Registry } from './metrics.js';
import type { Service } from './service.js';

const LOOK_INTERVAL_MS = 20;
/** A hold that is worth a line in the log. */
const HOLD_MS_MAX = 50;
const NOTES_MAX = 256;
const WORK_LENGTH_MAX = 256;
/** The longest hold is told for this window and the one before. */
const WINDOW_MS = 30_000;

export interface Hold {
  /** From the last time the thread was seen to turn. */
  readonly held_ms: number;
  /** Of these, how long the thread was ready and had no processor; 0 where it is not known. */
  readonly withheld_ms: number;
  /** What took longest of the work that was noted; '' when none was. */
  readonly work: string;
}

interface Note {
  readonly at_ms: number;
  readonly work: string;
}

export interface HoldWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds for which this thread has waited for a processor since it began; undefined where nobody counts. */
  readonly waited_ms?: () => number | undefined;
  /** Milliseconds of garbage collections on this thread since it began. The last one may be counted a little late. */
  readonly collected_ms?: () => number;
}

export class HoldWatch implements Service {
  readonly name = 'hold watch';
  readonly #options: HoldWatchOptions;
  readonly #registry = new Registry();
  readonly #holds = new Histogram({
    name: 'navarch_main_thread_hold_seconds',
    help: 'Times for which the main thread was held longer than 20 ms, without what the machine withheld.',
    buckets: [0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    registers: [this.#registry],
  });
  #notes: Note[] = [];
  #timer: Timer | undefined;
  #seen_ms = 0;
  #waited_ms = 0;
  #collected_ms = 0;
  /** A hold that is not logged yet: the collections in it are known at the next look. */
  #unlogged: Hold | undefined;
  #window = { begun_ms: 0, longest_ms: 0, longestBefore_ms: 0 };

  constructor(options: HoldWatchOptions) {
    this.#options = options;
    const longest = () => this.longest_ms;
    new Gauge({
      name: 'navarch_main_thread_hold_longest_seconds',
      help: 'The longest hold of the main thread in the last 30 to 60 seconds, without what the machine withheld.',
      registers: [this.#registry],
      collect() {
        this.set(longest() / 1000);
      },
    });
  }

  /** Of the last 30 to 60 seconds, without what the machine withheld. */
  get longest_ms(): number {
    return Math.max(this.#window.longest_ms, this.#window.longestBefore_ms);
  }

  start(): Promise<void> {
    this.#seen_ms = this.#options.clock.monotonic();
    this.#window.begun_ms = this.#seen_ms;
    this.#waited_ms = this.#waited() ?? 0;
    this.#timer = this.#options.clock.every(LOOK_INTERVAL_MS, () => this.#look());
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    this.#log(this.#options.collected_ms?.());
    return Promise.resolve();
  }

  /** Work begins, or goes on: the request's method and path, and what of it. */
  note(work: string): void {
    if (this.#notes.length < NOTES_MAX) this.#notes.push({ at_ms: this.#options.clock.monotonic(), work });
  }

  metrics(): Promise<string> {
    return this.#registry.metrics();
  }

  #look(): void {
    const now_ms = this.#options.clock.monotonic();
    const late_ms = now_ms - this.#seen_ms - LOOK_INTERVAL_MS;
    const waited_ms = this.#waited() ?? this.#waited_ms;
    const collected_ms = this.#options.collected_ms?.();
    this.#log(collected_ms);
    if (late_ms > LOOK_INTERVAL_MS)
      this.#held({
        held_ms: late_ms,
        withheld_ms: Math.min(waited_ms - this.#waited_ms, late_ms),
        work: this.#longestNote(now_ms),
      });
    this.#seen_ms = now_ms;
    this.#waited_ms = waited_ms;
    if (this.#unlogged === undefined) this.#collected_ms = collected_ms ?? 0;
    this.#notes = [];
    if (now_ms - this.#window.begun_ms >= WINDOW_MS)
      this.#window = { begun_ms: now_ms, longest_ms: 0, longestBefore_ms: this.#window.longest_ms };
  }

  #held(hold: Hold): void {
    const own_ms = hold.held_ms - hold.withheld_ms;
    this.#window.longest_ms = Math.max(this.#window.longest_ms, own_ms);
    if (own_ms > LOOK_INTERVAL_MS) this.#holds.observe(own_ms / 1000);
    if (own_ms <= HOLD_MS_MAX) return;
    this.#unlogged = hold;
    if (this.#options.collected_ms === undefined) this.#log(undefined);
  }

  #log(collected_ms: number | undefined): void {
    const hold = this.#unlogged;
    if (hold === undefined) return;
    this.#unlogged = undefined;
    this.#options.logger.warn(
      {
        held_ms: Math.round(hold.held_ms),
        withheld_ms: Math.round(hold.withheld_ms),
        work: hold.work.slice(0, WORK_LENGTH_MAX),
        ...(collected_ms === undefined
          ? {}
          : { collected_ms: Math.round(Math.min(collected_ms - this.#collected_ms, hold.held_ms)) }),
      },
      'the main thread was held',
    );
  }

  #longestNote(now_ms: number): string {
    let longest: Note | undefined;
    let longest_ms = 0;
    for (const [i, note] of this.#notes.entries()) {
      const took_ms = (this.#notes[i + 1]?.at_ms ?? now_ms) - note.at_ms;
      if (took_ms <= longest_ms) continue;
      longest = note;
      longest_ms = took_ms;
    }
    return longest?.work ?? '';
  }

  #waited(): number | undefined {
    return (this.#options.waited_ms ?? mainThreadWaited_ms)();
  }
}

/** The main thread's id is the process's. */
function mainThreadWaited_ms(): number | undefined {
  try {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return undefined;
  }
}
