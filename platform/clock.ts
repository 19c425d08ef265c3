/**
 * Time as something that is handed in. Nothing outside platform/ reads the machine's clock or starts a timer of its
 * own, so that a test, or the simulator, owns time.
 */

/** A timer that has been started. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface Clock {
  /**
   * Wall-clock time in milliseconds since the Unix epoch. May jump: use it for stamps people read, never for durations.
   */
  now(): number;
  /** Milliseconds since an arbitrary origin; never goes back. Use it for every duration and deadline. */
  monotonic(): number;
  /** Calls `callback` once after `delay_ms`. The timer does not keep the process alive. */
  after(delay_ms: number, callback: () => void): Timer;
  /** Calls `callback` every `interval_ms` until cancelled. The timer does not keep the process alive. */
  every(interval_ms: number, callback: () => void): Timer;
  /** Resolves after `delay_ms`; rejects with the signal's reason when it aborts first. */
  sleep(delay_ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `callback` after the current turn's I/O, as setImmediate does. */
  immediate(callback: () => void): void;
}

/** RFC 3339 with seconds, as metav1.Time is written: `2026-01-02T03:04:05Z`. */
export function toTime(epoch_ms: number): string {
  return `${new Date(epoch_ms).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 with microseconds, as metav1.MicroTime is written: `2026-01-02T03:04:05.000000Z`. */
export function toMicroTime(epoch_ms: number): string {
  return `${new Date(epoch_ms).toISOString().slice(0, 23)}000Z`;
}

/** Longest delay that a Node timer takes; a longer one would fire at once. */
const TIMER_DELAY_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay_ms, callback) {
    const timer = setTimeout(callback, Math.min(delay_ms, TIMER_DELAY_MS_MAX));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(interval_ms, callback) {
    const timer = setInterval(callback, Math.min(interval_ms, TIMER_DELAY_MS_MAX));
    timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
  sleep: (delay_ms, signal) => sleepOn(systemClock, delay_ms, signal),
  immediate: (callback) => void setImmediate(callback),
};

function sleepOn(clock: Pick<Clock, 'after'>, delay_ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = () => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(delay_ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

interface VirtualTimer {
  due_ms: number;
  readonly order: number;
  readonly interval_ms: number | undefined;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. Timers fire in order of their due time, then of their creation. */
export class VirtualClock implements Clock {
  #now_ms: number;
  #elapsed_ms = 0;
  #order = 0;
  readonly #timers = new Set<VirtualTimer>();

  constructor(epoch_ms = Date.UTC(2026, 0, 1)) {
    this.#now_ms = epoch_ms;
  }

  now(): number {
    return this.#now_ms;
  }

  monotonic(): number {
    return this.#elapsed_ms;
  }

  after(delay_ms: number, callback: () => void): Timer {
    return this.#start(delay_ms, undefined, callback);
  }

  every(interval_ms: number, callback: () => void): Timer {
    return this.#start(interval_ms, Math.max(interval_ms, 1), callback);
  }

  sleep(delay_ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delay_ms, signal);
  }

  immediate(callback: () => void): void {
    this.after(0, callback);
  }

  /** Moves time forward and fires what falls due; lets pending promises run between timers. */
  async advance(delta_ms: number): Promise<void> {
    const end_ms = this.#elapsed_ms + delta_ms;
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const next = this.#nextDue(end_ms);
      if (next === undefined) break;
      this.#moveTo(next.due_ms);
      if (next.interval_ms === undefined) this.#timers.delete(next);
      else next.due_ms += next.interval_ms;
      next.callback();
    }
    this.#moveTo(end_ms);
  }

  /** Shifts the wall clock alone, as an administrator or NTP would. */
  jump(delta_ms: number): void {
    this.#now_ms += delta_ms;
  }

  #start(delay_ms: number, interval_ms: number | undefined, callback: () => void): Timer {
    const timer: VirtualTimer = {
      due_ms: this.#elapsed_ms + Math.max(delay_ms, 0),
      order: this.#order++,
      interval_ms,
      callback,
    };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  #nextDue(end_ms: number): VirtualTimer | undefined {
    let next: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.due_ms > end_ms) continue;
      if (
        next === undefined ||
        timer.due_ms < next.due_ms ||
        (timer.due_ms === next.due_ms && timer.order < next.order)
      ) {
        next = timer;
      }
    }
    return next;
  }

  #moveTo(elapsed_ms: number): void {
    this.#now_ms += elapsed_ms - this.#elapsed_ms;
    this.#elapsed_ms = elapsed_ms;
  }
}

/** Keeps the process alive until cancelled: timers of a Clock do not. For the `main` of a command. */
export function holdProcess(): Timer {
  const timer = setInterval(() => undefined, TIMER_DELAY_MS_MAX);
  return { cancel: () => clearInterval(timer) };
}
