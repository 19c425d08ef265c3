/**
 * A process: what happens in it, happens through `run`. Once killed nothing reaches it any more, whatever it was in the
 * middle of; while paused, what would have reached it waits. Its clock drifts against the world's, and its wall time
 * jumps.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { World } from './world.js';

export interface ProcessClockSettings {
  /** Own milliseconds for each of the world's. */
  readonly rate: number;
  readonly wallOffset_ms: number;
}

const EPOCH_MS = Date.UTC(2026, 0, 1);

export class Process {
  readonly world: World;
  readonly name: string;
  readonly clock: ProcessClock;
  #isAlive = true;
  #isPaused = false;
  #waiting: (() => void)[] = [];
  #isTouched = false;
  #running_ms: number;

  constructor(world: World, name: string, clock: ProcessClockSettings) {
    this.world = world;
    this.name = name;
    this.clock = new ProcessClock(this, clock);
    this.#running_ms = world.now_ms;
  }

  /** When it was started, or last went on after a pause. */
  get runningSince_ms(): number {
    return this.#running_ms;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether anything has happened in it since this was last asked. */
  takeTouched(): boolean {
    const isTouched = this.#isTouched;
    this.#isTouched = false;
    return isTouched;
  }

  run(work: () => void): void {
    if (!this.#isAlive) return;
    this.#isTouched = true;
    if (this.#isPaused) this.#waiting.push(work);
    else work();
  }

  after(delay_ms: number, work: () => void): void {
    this.world.after(delay_ms, () => this.run(work));
  }

  kill(): void {
    this.#isAlive = false;
    this.#waiting = [];
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#running_ms = this.world.now_ms;
    const waiting = this.#waiting;
    this.#waiting = [];
    // Each as an event of its own, in order.
    for (const work of waiting) this.after(0, work);
  }
}

class ProcessClock implements Clock {
  readonly #process: Process;
  readonly #rate: number;
  readonly #start_ms: number;
  #wallOffset_ms: number;

  constructor(process: Process, settings: ProcessClockSettings) {
    this.#process = process;
    this.#rate = settings.rate;
    this.#start_ms = process.world.now_ms;
    this.#wallOffset_ms = settings.wallOffset_ms;
  }

  now(): number {
    return EPOCH_MS + this.#wallOffset_ms + this.#process.world.now_ms;
  }

  monotonic(): number {
    return (this.#process.world.now_ms - this.#start_ms) * this.#rate;
  }

  jump(delta_ms: number): void {
    this.#wallOffset_ms += delta_ms;
  }

  after(delay_ms: number, callback: () => void): Timer {
    let isCancelled = false;
    const event = this.#process.world.after(delay_ms / this.#rate, () =>
      this.#process.run(() => {
        if (!isCancelled) callback();
      }),
    );
    return {
      cancel: () => {
        isCancelled = true;
        this.#process.world.cancel(event);
      },
    };
  }

  every(interval_ms: number, callback: () => void): Timer {
    let isCancelled = false;
    let isWaiting = false;
    const next = () => {
      if (isCancelled || !this.#process.isAlive) return;
      this.#process.world.after(interval_ms / this.#rate, () => {
        // While the process stands still, one tick waits and not all that were missed.
        if (isWaiting) return next();
        isWaiting = true;
        this.#process.run(() => {
          isWaiting = false;
          if (!isCancelled) callback();
        });
        next();
      });
    };
    next();
    return { cancel: () => void (isCancelled = true) };
  }

  sleep(delay_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.after(delay_ms, resolve);
      signal?.addEventListener(
        'abort',
        () => {
          timer.cancel();
          reject(signal.reason as Error);
        },
        { once: true },
      );
    });
  }

  immediate(callback: () => void): void {
    this.#process.after(0, callback);
  }
}
