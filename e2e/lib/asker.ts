/**
 * A client that asks again and again, as users do while something is rolled out, and notes every answer that was not
 * 200.
 */
import { systemClock } from '../../platform/clock.js';
import { sleep } from './until.js';

const ANSWER_MS_MAX = 5_000;

export interface Asked {
  readonly count: number;
  readonly failures: readonly string[];
  /** Bodies -> how often. */
  readonly answers: ReadonlyMap<string, number>;
}

export class Asker {
  readonly #urls: readonly string[];
  readonly #interval_ms: number;
  readonly #keepAlive: boolean;
  readonly #failures: string[] = [];
  readonly #answers = new Map<string, number>();
  readonly #pending = new Set<Promise<void>>();
  readonly #done: Promise<void>;
  #count = 0;
  #stopping = false;

  /** Asks the URLs in turn, `perSecond` times a second altogether, without waiting for answers. */
  constructor(urls: readonly string[], options: { readonly perSecond: number; readonly keepAlive: boolean }) {
    this.#urls = urls;
    this.#interval_ms = 1000 / options.perSecond;
    this.#keepAlive = options.keepAlive;
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    const begun_ms = systemClock.monotonic();
    while (!this.#stopping) {
      const request = this.#ask(this.#urls[this.#count % this.#urls.length] ?? '').finally(() =>
        this.#pending.delete(request),
      );
      this.#pending.add(request);
      this.#count++;
      await sleep(Math.max(0, begun_ms + this.#count * this.#interval_ms - systemClock.monotonic()));
    }
    await Promise.all(this.#pending);
  }

  async #ask(url: string): Promise<void> {
    const begun_ms = systemClock.monotonic();
    try {
      const response = await fetch(url, {
        headers: this.#keepAlive ? {} : { connection: 'close' },
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${response.status} ${text}`);
      this.#answers.set(text, (this.#answers.get(text) ?? 0) + 1);
    } catch (error) {
      const { message, cause } = error as Error;
      this.#failures.push(
        `${url} after ${Math.round(systemClock.monotonic() - begun_ms)} ms: ${message} ${cause instanceof Error ? cause.message : ''}`,
      );
    }
  }

  async stop(): Promise<Asked> {
    this.#stopping = true;
    await this.#done;
    return { count: this.#count, failures: this.#failures, answers: this.#answers };
  }
}
