/**
 * The simulated world: one queue of events in virtual time, one source of chance. Between two events all promises run
 * dry, so a run is a function of its seed: no real timer, no real I/O, no other thread takes part. Every event leaves
 * its mark in a hash, by which two runs are compared.
 */
import { systemClock } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';
import { seededRandom } from '../../../platform/random.js';

export interface Scheduled {
  readonly at_ms: number;
  readonly order: number;
  /** Undefined once cancelled. */
  work: (() => void) | undefined;
  isOver: boolean;
}

/** Of the trace. */
interface Line {
  readonly at_ms: number;
  readonly what: string;
}

const textOf = ({ at_ms, what }: Line) => `${at_ms.toFixed(3).padStart(12)} ${what}`;

/** A promise of the system was broken. Ends the run. */
class Violation extends Error {
  override readonly name = 'Violation';
}

/** Node empties the queue of promises between two of these; starting several at once spares turns of the event loop. */
const EVENTS_PER_TURN = 512;
const RECENT_LINES = 400;
/** Fewer are not worth a walk over the queue. */
const CANCELLED_MIN = 64;

export class World {
  readonly seed: number;
  readonly random: Random;
  readonly #heap: Scheduled[] = [];
  #now_ms = 0;
  #order = 0;
  #hash = 0x811c9dc5;
  #events = 0;
  /** Events in the queue that will not happen. */
  #cancelled = 0;
  #failure: Error | undefined;
  readonly #recent: Line[] = [];
  /** Called with each line of the trace. */
  onLine: ((line: string) => void) | undefined;
  /** Called before each event, when what the one before led to is over. */
  onStep: (() => void) | undefined;

  constructor(seed: number) {
    this.seed = seed;
    this.random = seededRandom(seed);
  }

  get now_ms(): number {
    return this.#now_ms;
  }

  get events(): number {
    return this.#events;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  get recentLines(): readonly string[] {
    return this.#recent.map(textOf);
  }

  after(delay_ms: number, work: () => void): Scheduled {
    const event = { at_ms: this.#now_ms + Math.max(delay_ms, 0), order: this.#order++, work, isOver: false };
    push(this.#heap, event);
    return event;
  }

  /** It will not happen. No harm once it has. */
  cancel(event: Scheduled): void {
    if (event.isOver) return;
    event.isOver = true;
    event.work = undefined;
    this.#cancelled++;
    // They would be most of the queue: a call's deadline is far away, and its answer near.
    if (2 * this.#cancelled < this.#heap.length || this.#cancelled < CANCELLED_MIN) return;
    const left = this.#heap.filter(({ isOver }) => !isOver);
    this.#heap.length = 0;
    for (const other of left) push(this.#heap, other);
    this.#cancelled = 0;
  }

  sleep(delay_ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(delay_ms, resolve));
  }

  /** Remembers what happened, for the hash and for whoever reads the trace. */
  trace(what: string): void {
    let hash = Math.imul(this.#hash ^ Math.round(this.#now_ms * 1000), 0x01000193);
    for (let i = 0; i < what.length; i++) hash = Math.imul(hash ^ what.charCodeAt(i), 0x01000193);
    this.#hash = hash;
    const line = { at_ms: this.#now_ms, what };
    this.#recent.push(line);
    if (this.#recent.length > 2 * RECENT_LINES) this.#recent.splice(0, RECENT_LINES);
    this.onLine?.(textOf(line));
  }

  /** Ends the run: remembered here, since whoever is on the stack may catch what is thrown. */
  fail(error: Error): void {
    this.#failure ??= error;
  }

  violated(what: string): never {
    const error = new Violation(what);
    this.fail(error);
    throw error;
  }

  /** Runs what is due up to `end_ms`, or until `isDone`, asked after each event, says so. Rejects with the failure. */
  run(end_ms: number, isDone: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      let left = 0;
      const turn = () => {
        if (isOver) return;
        if (this.#failure !== undefined) {
          isOver = true;
          reject(this.#failure);
          return;
        }
        if (isDone() || !this.#step(end_ms)) {
          isOver = true;
          resolve();
          return;
        }
        if (--left === 0) launch();
      };
      const launch = () => {
        left = EVENTS_PER_TURN;
        for (let i = 0; i < EVENTS_PER_TURN; i++) systemClock.immediate(turn);
      };
      launch();
    });
  }

  /** False when nothing is due any more. */
  #step(end_ms: number): boolean {
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.at_ms > end_ms) {
        this.#now_ms = Math.max(this.#now_ms, end_ms);
        return false;
      }
      pop(this.#heap);
      const { work } = next;
      if (work === undefined) {
        this.#cancelled--;
        continue;
      }
      next.isOver = true;
      this.#now_ms = next.at_ms;
      this.#events++;
      this.#hash = Math.imul(this.#hash ^ next.order ^ Math.round(next.at_ms * 1000), 0x01000193);
      try {
        this.onStep?.();
        work();
      } catch (error) {
        this.fail(error instanceof Error ? error : new Error(String(error)));
      }
      return true;
    }
  }
}

const isBefore = (a: Scheduled, b: Scheduled) => a.at_ms < b.at_ms || (a.at_ms === b.at_ms && a.order < b.order);

function push(heap: Scheduled[], event: Scheduled): void {
  let at = heap.length;
  heap.push(event);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent] as Scheduled;
    if (!isBefore(event, above)) break;
    heap[at] = above;
    at = parent;
  }
  heap[at] = event;
}

function pop(heap: Scheduled[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Scheduled, heap[child] as Scheduled)) child++;
    if (!isBefore(heap[child] as Scheduled, last)) break;
    heap[at] = heap[child] as Scheduled;
    at = child;
  }
  heap[at] = last;
}
