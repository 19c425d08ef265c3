/**
 * What happens to pods, counted and thinned out, on its way to the API: one report for each kind of happening at a
 * time.
 */
import type { Clock } from '../../../platform/clock.js';
import type { EventReport } from '../../../proto/gen/navarch/node/v1/node.js';
import type { PodEvent } from '../pod/environment.js';

const KINDS_MAX = 1_000;
/** The same thing is told again no more often than this; in between it is counted. */
const REPEAT_MS = 10_000;

interface Told {
  count: number;
  readonly first_ms: number;
  told_ms: number;
}

export class PodEvents {
  readonly #clock: Clock;
  readonly #send: (report: EventReport) => void;
  readonly #told = new Map<string, Told>();
  #stamped_ms = 0;
  readonly #counts = new Map<string, { readonly type: string; readonly reason: string; count: number }>();

  constructor(clock: Clock, send: (report: EventReport) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Since the start. Reasons are words of the agent's own code. */
  counts(): readonly { readonly type: string; readonly reason: string; readonly count: number }[] {
    return [...this.#counts.values()];
  }

  record(event: PodEvent): void {
    const counted = this.#counts.get(event.reason) ?? { type: event.type, reason: event.reason, count: 0 };
    counted.count++;
    this.#counts.set(event.reason, counted);
    const now_ms = this.#clock.now();
    const id = JSON.stringify([event.key.uid, event.fieldPath, event.reason, event.message]);
    const told = this.#told.get(id) ?? { count: 0, first_ms: this.#stamp(now_ms), told_ms: -Infinity };
    told.count++;
    this.#told.delete(id);
    this.#told.set(id, told);
    const [oldest] = this.#told.keys();
    if (this.#told.size > KINDS_MAX && oldest !== undefined) this.#told.delete(oldest);
    if (now_ms - told.told_ms < REPEAT_MS) return;
    told.told_ms = now_ms;
    this.#send({
      namespace: event.key.namespace,
      podName: event.key.name,
      podUid: event.key.uid,
      fieldPath: event.fieldPath,
      type: event.type,
      reason: event.reason,
      message: event.message,
      count: told.count,
      firstMs: told.first_ms,
      lastMs: Math.max(now_ms, told.first_ms),
    });
  }

  /** Later than every stamp before: what happens within one millisecond keeps its order. */
  #stamp(now_ms: number): number {
    this.#stamped_ms = Math.max(Math.trunc(now_ms), this.#stamped_ms + 1);
    return this.#stamped_ms;
  }
}
