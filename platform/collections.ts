/** How long garbage collections have taken on this thread: they hold it, and are nobody's work. */
import { PerformanceObserver } from 'node:perf_hooks';
import type { Service } from './service.js';

export class Collections implements Service {
  readonly name = 'collections';
  #observer: PerformanceObserver | undefined;
  #total_ms = 0;

  /** Since `start`. The last one is counted a turn or two after it happened. */
  get total_ms(): number {
    return this.#total_ms;
  }

  start(): Promise<void> {
    this.#observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.#total_ms += duration;
    });
    this.#observer.observe({ entryTypes: ['gc'] });
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#observer?.disconnect();
    return Promise.resolve();
  }
}
