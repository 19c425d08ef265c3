/**
 * Members whose REST port has fallen silent are started again: a main thread that never turns again answers nobody, and
 * ends by itself just as little. A machine that has no processors to give is not a fault of the member, and starting it
 * again would only cost more.
 */
import { get } from 'node:https';
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { ManagedProcess } from './managed-process.js';

/** Any answer is a sign of life. This path asks nothing of the store, which may rightly wait for a majority. */
const PATH = '/livez/ping';
const LOOK_INTERVAL_MS = 2_000;
const ANSWER_MS_MAX = 5_000;
/** A look that comes later than this after the one before it came from a supervisor that was held up itself. */
const HELD_MS = 3 * LOOK_INTERVAL_MS;
/** So long silent while it had a processor, or wanted none, and it is started again. */
export const SILENT_MS_MAX = 30_000;
/** A member that was started again for its silence gets this long; nor are two of them started again within it. */
const REPRIEVE_MS = 60_000;

export interface WatchedMember {
  readonly process: Pick<ManagedProcess, 'id' | 'spec' | 'kill'>;
  /** `https://host:port` */
  readonly url: string;
}

export interface LivenessOptions {
  readonly members: readonly WatchedMember[];
  /** Resolves to whether anything answered. */
  readonly ask: (url: string) => Promise<boolean>;
  /**
   * Milliseconds for which the main thread of a process has waited for a processor so far; undefined where nobody
   * counts.
   */
  readonly waited_ms: (pid: number) => number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What is known of a member since it last answered; undefined before it did for the first time. */
interface Silence {
  readonly pid: number;
  readonly since_ms: number;
  readonly waited_ms: number;
}

export class LivenessKeeper {
  readonly #options: LivenessOptions;
  readonly #silences = new Map<WatchedMember, Silence>();
  #lastRestart_ms = -Infinity;
  #looked_ms: number;
  #timer: Timer | undefined;
  #looking = false;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#looked_ms = options.clock.monotonic();
  }

  start(): void {
    this.#timer = this.#options.clock.every(LOOK_INTERVAL_MS, () => void this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const { clock, members, ask } = this.#options;
    const now_ms = clock.monotonic();
    // Whoever was held up himself has not looked: what happened meanwhile is not known.
    const wasHeld = now_ms - this.#looked_ms > HELD_MS;
    const answers = await Promise.all(members.map(({ url }) => ask(`${url}${PATH}`)));
    for (const [i, member] of members.entries()) this.#judge(member, answers[i] === true, wasHeld);
    this.#looked_ms = clock.monotonic();
    this.#looking = false;
  }

  #judge(member: WatchedMember, answered: boolean, wasHeld: boolean): void {
    const { clock, logger, waited_ms } = this.#options;
    const pid = member.process.id?.pid;
    const silence = this.#silences.get(member);
    if (pid === undefined || (silence !== undefined && silence.pid !== pid && !answered)) {
      this.#silences.delete(member);
      return;
    }
    const now_ms = clock.monotonic();
    const waited = waited_ms(pid) ?? 0;
    if (answered || (wasHeld && silence !== undefined)) {
      this.#silences.set(member, { pid, since_ms: now_ms, waited_ms: waited });
      return;
    }
    if (silence === undefined) return;
    const silent_ms = now_ms - silence.since_ms;
    // Time in which it waited for a processor does not count: however busy the machine, what hangs comes to its end.
    const counted_ms = silent_ms - (waited - silence.waited_ms);
    if (counted_ms < SILENT_MS_MAX || now_ms - this.#lastRestart_ms < REPRIEVE_MS) return;
    logger.error(
      { process: member.process.spec.name, silent_s: Math.round(silent_ms / 1000) },
      'the member answers nobody; starting it again',
    );
    this.#lastRestart_ms = now_ms;
    this.#silences.delete(member);
    member.process.kill();
  }
}

/** Whether the server answers anything at all in time. */
export function answers(url: string, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    // Of the whole: a socket's own timeout begins anew with each step of the connection.
    const asking = get(url, { ca, agent: false, signal: AbortSignal.timeout(ANSWER_MS_MAX) }, (response) => {
      response.resume();
      resolve(true);
    });
    asking.on('error', () => resolve(false));
  });
}

/** Of the main thread, whose id is the process's (schedstat). */
export function mainThreadWaited_ms(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6;
  } catch {
    return undefined;
  }
}
