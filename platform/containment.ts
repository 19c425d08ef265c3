/**
 * Containment: a fault in one part of a process stays in that part. Work runs inside a `Part`; whatever it starts
 * (sockets, processes, streams, timers, watchers, promises) belongs to that part too, because Node carries the
 * asynchronous context along. An exception that nobody catches is then logged and counted under the part's name and
 * handed to its `onFault`, which ends or restarts that part alone.
 *
 * Two ways lead here. `guard` wraps a callback directly: needed where the emitter was made by somebody else (a gRPC
 * call, an accepted connection, an AbortSignal), because its events carry the context of its maker; and for
 * `queueMicrotask`, whose context Node 20 drops. `guardProcess` catches the rest, once for a process.
 * An exception without a part is a broken process: it ends, as Node would end it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from './clock.js';
import type { Logger } from './log.js';

export interface PartFaults {
  readonly part: string;
  /** Since the start of the process. */
  readonly count: number;
  /** Message and wall-clock time of the newest. */
  readonly last: string;
  readonly last_ms: number;
}

export type OnFault = (error: unknown) => void;

/** What a process offers of its events; handed in by tests. */
export interface UncaughtSource {
  on(event: 'uncaughtException', listener: (error: unknown) => void): unknown;
  off(event: 'uncaughtException', listener: (error: unknown) => void): unknown;
}

const current = new AsyncLocalStorage<Part>();

/** The part that runs now; undefined outside of all. */
export const currentPart = (): Part | undefined => current.getStore();

export class Containment {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #logger: Logger;
  readonly #faults = new Map<string, PartFaults>();

  constructor(options: { readonly clock: Pick<Clock, 'now'>; readonly logger: Logger }) {
    this.#clock = options.clock;
    this.#logger = options.logger;
  }

  /** Part names come from our code, never from objects: they label metrics. Several parts may share a name. */
  part(name: string, onFault: OnFault = () => undefined): Part {
    return new Part(this, name, onFault);
  }

  /** One entry for each part that ever failed, by name. */
  faults(): readonly PartFaults[] {
    return [...this.#faults.values()].toSorted((a, b) => a.part.localeCompare(b.part));
  }

  /** Takes exceptions and rejections that nobody caught. `fatal` gets those of no part. Returns what undoes it. */
  guardProcess(fatal: (error: unknown) => void, source: UncaughtSource = process): () => void {
    const onUncaught = (error: unknown) => {
      const part = current.getStore();
      if (part === undefined) fatal(error);
      else part.fault(error);
    };
    source.on('uncaughtException', onUncaught);
    return () => void source.off('uncaughtException', onUncaught);
  }

  /** For parts: logs and counts. */
  note(part: string, error: unknown): void {
    const last = error instanceof Error ? error.message : String(error);
    this.#faults.set(part, { part, count: (this.#faults.get(part)?.count ?? 0) + 1, last, last_ms: this.#clock.now() });
    this.#logger.error(
      { part, error: error instanceof Error ? (error.stack ?? error.message) : String(error) },
      'a fault was contained',
    );
  }
}

export class Part {
  readonly name: string;
  readonly #containment: Containment;
  readonly #onFault: OnFault;

  /** `onFault` must not throw. */
  constructor(containment: Containment, name: string, onFault: OnFault) {
    this.#containment = containment;
    this.name = name;
    this.#onFault = onFault;
  }

  /** Work within this part that may fail without it: one question, one pod, one stream. */
  child(name: string, onFault?: OnFault): Part {
    return this.#containment.part(name, onFault);
  }

  /**
   * Runs `work` in this part; its result and its errors are the caller's. What it leaves running belongs to the part.
   */
  run<T>(work: () => T): T {
    return current.run(this, work);
  }

  /** Runs `work` in this part to its end. Never throws or rejects: an error becomes a fault. */
  contain(work: () => unknown): void {
    try {
      const result = this.run(work);
      if (result instanceof Promise) result.catch((error: unknown) => this.fault(error));
    } catch (error) {
      this.fault(error);
    }
  }

  /** `callback` as one that never throws and leaves no rejection behind. */
  guard<A extends readonly unknown[]>(callback: (...args: A) => unknown): (...args: A) => void {
    return (...args) => this.contain(() => callback(...args));
  }

  fault(error: unknown): void {
    this.#containment.note(this.name, error);
    this.#onFault(error);
  }

  /** The clock for work of this part: its callbacks are guarded. */
  clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after: (delay_ms, callback) => clock.after(delay_ms, this.guard(callback)),
      every: (interval_ms, callback) => clock.every(interval_ms, this.guard(callback)),
      sleep: (delay_ms, signal) => clock.sleep(delay_ms, signal),
      immediate: (callback) => clock.immediate(this.guard(callback)),
    };
  }
}
