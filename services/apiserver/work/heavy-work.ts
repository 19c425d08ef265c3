/**
 * Requests whose bodies or objects are large: few at a time are decoded, so that their memory is bounded, and what they
 * do on the main thread is done in steps (platform/turns). Small requests pass by untouched.
 */
import type { Pace } from '../../../apimachinery/object-service.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { HoldWatch } from '../../../platform/hold-watch.js';
import { Turns } from '../../../platform/turns.js';

/** All that is done with so many bytes takes some milliseconds at most: 2,700 empty objects are the dearest. */
const STEPS_BYTES = 8 * 1024;
/** Larger ones are decoded a few at a time. */
const HEAVY_BYTES = 64 * 1024;
/** Heavy requests that are decoded and not yet answered. */
const PLACES = 4;
/** Bytes of bodies that wait, or are being read; beyond it clients are told to come back. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;

export interface HeavyWorkOptions {
  readonly clock: Clock;
  readonly holds: Pick<HoldWatch, 'note'>;
}

export class HeavyWork {
  readonly #turns: Turns;
  readonly #holds: Pick<HoldWatch, 'note'>;
  readonly #queue: (() => void)[] = [];
  #places = PLACES;
  #waitingBytes = 0;

  constructor({ clock, holds }: HeavyWorkOptions) {
    this.#holds = holds;
    this.#turns = new Turns(clock, (work) => holds.note(work));
  }

  /** Work of others on this thread begins, or goes on. */
  note(work: string): void {
    this.#holds.note(work);
  }

  /** One request; `end` it whatever comes of it. */
  begin(work: string): Heavy {
    this.#holds.note(work);
    return new Heavy({
      turn: (step) => this.#turns.next(`${work}: ${step}`),
      note: () => this.#holds.note(work),
      reserve: (bytes) => this.#reserve(bytes),
      enter: () => this.#enter(),
      leave: () => this.#leave(),
    });
  }

  /** Throws ApiError TooManyRequests. Returns what gives the bytes back. */
  #reserve(bytes: number): () => void {
    if (this.#waitingBytes + bytes > WAITING_BYTES_MAX)
      throw apiErrors.tooManyRequests('the server has too many large requests at hand; please try again later', 1);
    this.#waitingBytes += bytes;
    return () => void (this.#waitingBytes -= bytes);
  }

  #enter(): Promise<void> {
    if (this.#places > 0) {
      this.#places -= 1;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  /** The place goes to whoever has waited longest. */
  #leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#places += 1;
    else next();
  }
}

interface Host {
  turn(step: string): Promise<void>;
  note(): void;
  reserve(bytes: number): () => void;
  enter(): Promise<void>;
  leave(): void;
}

/** A request on its way: light until it turns out to be heavy. */
export class Heavy implements Pace {
  readonly #host: Host;
  #release: (() => void) | undefined;
  #inSteps = false;
  #isInside = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Before a body is read: `bytes` at most will be held. */
  expect(bytes: number): void {
    if (bytes > HEAVY_BYTES) this.#release ??= this.#host.reserve(bytes);
  }

  /** A body of so many bytes is to be decoded: a large one waits until it may. */
  async arrived(bytes: number): Promise<void> {
    this.#host.note();
    if (bytes <= STEPS_BYTES) return;
    this.#inSteps = true;
    if (bytes > HEAVY_BYTES && !this.#isInside) {
      await this.#host.enter();
      this.#isInside = true;
    }
    await this.#host.turn('decoding');
  }

  async step(name: string, bytes = 0): Promise<void> {
    if (this.#inSteps || bytes > STEPS_BYTES) await this.#host.turn(name);
    else this.#host.note();
  }

  end(): void {
    this.#release?.();
    this.#release = undefined;
    if (this.#isInside) this.#host.leave();
    this.#isInside = false;
  }
}
