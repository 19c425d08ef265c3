/**
 * What a flood does to a member, beside elections: for how long `/livez` is silent, for how long its main thread is
 * held by its own account (navarch_main_thread_hold_longest_seconds), and what memory it takes.
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { systemClock } from '../../platform/clock.js';
import type { Timer } from '../../platform/clock.js';
import { credentialsOf, type CallerTls } from './flood-tools.js';
import { mainThreadWaited_ms } from './withheld.js';

const LIVEZ_INTERVAL_MS = 50;
const LIVEZ_ANSWER_MS_MAX = 10_000;
/** Often enough for a gauge that tells of the last 30 to 60 seconds. */
const METRICS_INTERVAL_MS = 10_000;
const MEMORY_INTERVAL_MS = 250;
const MIB = 2 ** 20;

/** What is asked, and looked at. */
export interface Measured {
  readonly name: string;
  readonly host: string;
  /** Of its REST listener. */
  readonly port: number;
  readonly pid: number;
  readonly tls: CallerTls;
}

interface Phases {
  readonly connected: number;
  readonly secured: number;
  readonly answered: number;
}

export interface MemberMeasure {
  readonly name: string;
  /** The longest time from a question to its answer. */
  readonly silence_ms: number;
  /** Of that time, until there was a connection, until it was secured, and until the answer was there. */
  readonly phases_ms: Phases;
  /**
   * Of that time, for how long the main threads of the member and of whoever asked had no processor; undefined where
   * nobody counts.
   */
  readonly withheld_ms: number | undefined;
  readonly hold_ms: number;
  readonly memory_MiB: { readonly before: number; readonly peak: number; readonly after: number };
}

/** Measures one member until it is stopped: in a process that does nothing else. */
class Watcher {
  readonly #target: Measured;
  readonly #timers: Timer[];
  readonly #before_MiB: number;
  #peak_MiB: number;
  #silence: Pick<MemberMeasure, 'silence_ms' | 'phases_ms' | 'withheld_ms'> = {
    silence_ms: 0,
    phases_ms: { connected: 0, secured: 0, answered: 0 },
    withheld_ms: undefined,
  };
  #hold_ms = 0;
  #asking = false;

  constructor(target: Measured) {
    this.#target = target;
    this.#before_MiB = residentMiB(target.pid);
    this.#peak_MiB = this.#before_MiB;
    this.#timers = [
      systemClock.every(LIVEZ_INTERVAL_MS, () => void this.#askLivez()),
      systemClock.every(METRICS_INTERVAL_MS, () => void this.#askHold()),
      systemClock.every(
        MEMORY_INTERVAL_MS,
        () => (this.#peak_MiB = Math.max(this.#peak_MiB, residentMiB(this.#target.pid))),
      ),
    ];
  }

  async stop(settle_ms: number): Promise<MemberMeasure> {
    await this.#askHold();
    for (const timer of this.#timers) timer.cancel();
    await systemClock.sleep(settle_ms);
    return {
      name: this.#target.name,
      ...this.#silence,
      hold_ms: this.#hold_ms,
      memory_MiB: { before: this.#before_MiB, peak: this.#peak_MiB, after: residentMiB(this.#target.pid) },
    };
  }

  async #askLivez(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const waitedBefore_ms = this.#waited_ms();
    const started_ms = systemClock.monotonic();
    const at = { connected: started_ms, secured: started_ms };
    await get(this.#target, '/livez', (phase) => (at[phase] = systemClock.monotonic())).catch(() => '');
    const answered_ms = systemClock.monotonic();
    const waited_ms = this.#waited_ms();
    if (answered_ms - started_ms > this.#silence.silence_ms) {
      this.#silence = {
        silence_ms: answered_ms - started_ms,
        phases_ms: {
          connected: at.connected - started_ms,
          secured: at.secured - at.connected,
          answered: answered_ms - Math.max(at.secured, at.connected),
        },
        withheld_ms: waitedBefore_ms === undefined || waited_ms === undefined ? undefined : waited_ms - waitedBefore_ms,
      };
    }
    this.#asking = false;
  }

  /** Of both main threads: a question that is not asked in time, or an answer that is not read, is nobody's silence. */
  #waited_ms(): number | undefined {
    const [member, own] = [mainThreadWaited_ms(this.#target.pid), mainThreadWaited_ms(process.pid)];
    return member === undefined || own === undefined ? undefined : member + own;
  }

  async #askHold(): Promise<void> {
    const text = await get(this.#target, '/metrics').catch(() => '');
    const seconds = Number(/^navarch_main_thread_hold_longest_seconds (\S+)$/m.exec(text)?.[1] ?? 0);
    this.#hold_ms = Math.max(this.#hold_ms, seconds * 1000);
  }
}

export class Measures {
  readonly #watchers: readonly Watcher[];

  /** With the administrator's certificate. */
  constructor(targets: readonly Measured[]) {
    this.#watchers = targets.map((target) => new Watcher(target));
  }

  /** `settle_ms`: what a member gets to give memory back. */
  stop(settle_ms = 0): Promise<MemberMeasure[]> {
    return Promise.all(this.#watchers.map((watcher) => watcher.stop(settle_ms)));
  }
}

/** What the machine did not withhold, of the longest silence. */
export const ownSilence_ms = ({ silence_ms, withheld_ms = 0 }: MemberMeasure): number =>
  Math.max(silence_ms - withheld_ms, 0);

export const describeMeasures = (measures: readonly MemberMeasure[]): string =>
  measures
    .map((measure) => {
      const { before, peak, after } = measure.memory_MiB;
      const { connected, secured, answered } = measure.phases_ms;
      const withheld =
        measure.withheld_ms === undefined ? '' : `; no processor for ${measure.withheld_ms.toFixed(0)} of them`;
      return (
        `  ${measure.name}: /livez silent for ${measure.silence_ms.toFixed(0)} ms at most (connected after ${connected.toFixed(0)}, secured after ${secured.toFixed(0)} more, answered after ${answered.toFixed(0)} more${withheld}), main thread held ${measure.hold_ms.toFixed(0)} ms at most, ` +
        `memory ${before.toFixed(0)} MiB before, ${peak.toFixed(0)} at its peak, ${after.toFixed(0)} after`
      );
    })
    .join('\n');

function residentMiB(pid: number): number {
  try {
    return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024) / MIB;
  } catch {
    return 0;
  }
}

export function get(
  { host, port, tls }: Pick<Measured, 'host' | 'port' | 'tls'>,
  path: string,
  on: (phase: 'connected' | 'secured') => void = () => undefined,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host,
        port,
        path,
        ca: tls.ca,
        ...credentialsOf(tls),
        agent: false,
        signal: AbortSignal.timeout(LIVEZ_ANSWER_MS_MAX),
      },
      (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (part: string) => (text += part))
          .on('end', () => resolve(text))
          .on('error', reject);
      },
    );
    call.on('socket', (socket) => socket.on('connect', () => on('connected')).on('secureConnect', () => on('secured')));
    call.on('error', reject);
    call.end();
  });
}
