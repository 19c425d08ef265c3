/** One open stream and what its request holds: counted against the budgets of its connection and of the process. */
import type { ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../clock.js';
import type { ByteBudget, Holder } from './byte-budget.js';
import { MessageMeter } from './message-meter.js';
import { CODES, refuseStream, type Refusal } from './refusal.js';

const OVER_BUDGET: Refusal = {
  code: CODES.resourceExhausted,
  message: 'too many bytes of unfinished requests are held; send this one again later',
};

export class GuardedStream implements Holder {
  readonly stream: ServerHttp2Stream;
  readonly #budgets: readonly ByteBudget<GuardedStream>[];
  readonly #meter = new MessageMeter();
  #begun_ms = 0;
  #held = 0;
  #over = false;

  constructor(stream: ServerHttp2Stream, budgets: readonly ByteBudget<GuardedStream>[]) {
    this.stream = stream;
    this.#budgets = budgets;
  }

  /** Follows the request. Call before the stream's other reader is attached: a refused byte reaches nobody. */
  watch(clock: Pick<Clock, 'monotonic'>): void {
    this.stream.on('data', (chunk: Buffer) => this.#take(chunk, clock));
  }

  /** Since when a message is unfinished; undefined when none is. */
  get unfinishedSince_ms(): number | undefined {
    return this.#meter.held === 0 || this.#over ? undefined : this.#begun_ms;
  }

  evict(): void {
    this.refuse(OVER_BUDGET);
  }

  refuse(refusal: Refusal): void {
    this.release();
    refuseStream(this.stream, refusal);
  }

  /** To be called when the stream is closed. */
  release(): void {
    this.#charge(0);
    this.#over = true;
  }

  #take(chunk: Buffer, clock: Pick<Clock, 'monotonic'>): void {
    if (this.#over) return;
    const { held: before, messages } = this.#meter;
    this.#meter.add(chunk);
    const { held } = this.#meter;
    // Another message: its time begins with it.
    if (held > 0 && (before === 0 || this.#meter.messages !== messages)) this.#begun_ms = clock.monotonic();
    this.#charge(held);
  }

  #charge(bytes: number): void {
    if (this.#over || bytes === this.#held) return;
    this.#held = bytes;
    for (const budget of this.#budgets) {
      budget.set(this, bytes);
      if (this.#over) return;
    }
  }
}
