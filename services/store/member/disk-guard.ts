/**
 * Watches the room on a member's disk. Before it is full, an alarm makes the cluster read-only (deletes and compactions
 * go on) and the reserve is given up, so that the log can still be written, history dropped and leadership handed over.
 * When room is there again, from whomever it comes, the reserve is taken back and the alarm cleared: nobody has to do
 * anything.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { DiskReserve } from '../../../platform/disk/reserve.js';
import type { Alarm } from '../mvcc/alarms.js';
import { noSpaceError } from '../errors.js';

export interface DiskGuardOptions {
  readonly reserve: DiskReserve;
  readonly clock: Clock;
  readonly self: () => bigint;
  readonly alarms: () => readonly Alarm[];
  readonly change: (action: 'raise' | 'clear', alarm: Alarm) => Promise<unknown>;
}

const INTERVAL_MS = 1000;

export class DiskGuard {
  readonly #options: DiskGuardOptions;
  #timer: Timer | undefined;
  #isShort = false;
  #isLooking = false;

  constructor(options: DiskGuardOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = this.#options.clock.every(INTERVAL_MS, () => void this.#look());
    void this.#look();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Before something that grows is proposed. Throws 'no-space'. */
  check(): void {
    if (this.#isShort) throw noSpaceError();
  }

  async #look(): Promise<void> {
    if (this.#isLooking || this.#timer === undefined) return;
    this.#isLooking = true;
    try {
      await this.#judge();
    } catch {
      // The file system or the log does not answer: the next look comes.
    } finally {
      this.#isLooking = false;
    }
  }

  async #judge(): Promise<void> {
    const { reserve, alarms, self, change } = this.#options;
    const free_bytes = await reserve.free_bytes();
    // Recovered is when the reserve fits in again and twice its size is left: what it gave up itself does not count.
    if (free_bytes < reserve.size_bytes) this.#isShort = true;
    else if (free_bytes > 3 * reserve.size_bytes) this.#isShort = false;
    if (this.#isShort) await reserve.release();
    else if (free_bytes > 2 * reserve.size_bytes) await reserve.hold();
    const alarm: Alarm = { kind: 'disk', member: self() };
    const isRaised = alarms().some(({ kind, member }) => kind === alarm.kind && member === alarm.member);
    if (this.#isShort !== isRaised) await change(this.#isShort ? 'raise' : 'clear', alarm);
  }
}
