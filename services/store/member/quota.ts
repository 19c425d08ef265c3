/**
 * Keeps the state below its quota. On every member: what grows is refused while this replica holds more. On the leader:
 * an alarm for all is raised when there is more than the quota, and cleared once enough has been deleted and compacted.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Alarm, AlarmKind } from '../mvcc/alarms.js';
import { noSpaceError } from '../errors.js';

export interface QuotaOptions {
  /** Encoded size of all versions that are kept. 0: no quota. */
  readonly quota_bytes: number;
  readonly clock: Clock;
  readonly state: () => { readonly size_bytes: number; readonly alarms: readonly Alarm[] };
  readonly member: () => bigint;
  readonly change: (action: 'raise' | 'clear', alarm: Alarm) => Promise<unknown>;
}

const INTERVAL_MS = 1000;
/** Below this part of the quota the alarm is cleared: not at once, or it would come and go. */
const CLEAR_AT = 0.95;
const NOSPACE: AlarmKind = 'nospace';

export class Quota {
  readonly #options: QuotaOptions;
  #timer: Timer | undefined;
  #isChanging = false;

  constructor(options: QuotaOptions) {
    this.#options = options;
  }

  /** Before something that grows is proposed. Throws 'no-space'. */
  check(): void {
    const { quota_bytes, state } = this.#options;
    if (quota_bytes > 0 && state().size_bytes > quota_bytes) throw noSpaceError();
  }

  lead(): void {
    this.stop();
    if (this.#options.quota_bytes > 0) this.#timer = this.#options.clock.every(INTERVAL_MS, () => this.#tick());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #tick(): void {
    const { quota_bytes, state, member, change } = this.#options;
    const { size_bytes, alarms } = state();
    const raised = alarms.filter(({ kind }) => kind === NOSPACE);
    if (this.#isChanging) return;
    if (size_bytes > quota_bytes && raised.length === 0)
      this.#change([change('raise', { kind: NOSPACE, member: member() })]);
    if (size_bytes < quota_bytes * CLEAR_AT && raised.length > 0)
      this.#change(raised.map((alarm) => change('clear', alarm)));
  }

  /** Whatever fails is seen again at the next tick. */
  #change(changes: readonly Promise<unknown>[]): void {
    this.#isChanging = true;
    void Promise.allSettled(changes).then(() => (this.#isChanging = false));
  }
}
