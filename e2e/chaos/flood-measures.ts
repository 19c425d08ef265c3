/**
 * What a flood does to a member, beside elections: for how long `/livez` is silent, for how long its main thread is held by its own account
 * (navarch_main_thread_hold_longest_seconds), and what memory it takes.
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

export interface MemberMeasure {
  readonly name: string;
  /** The longest time from a question to its answer. */
  readonly silence_ms: number;
  /** Of that time, for how long the member's main thread had no processor; undefined where nobody counts. */
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
  #silence = { ms: 0, withheld_ms: undefined as number | undefined };
  #hold_ms = 0;
  #asking = false;

  constructor(target: Measured) {
    this.#target = target;
    this.#before_MiB = residentMiB(target.pid);
    this.#peak_MiB = this.#before_MiB;
    this.#timers = [
      systemClock.every(LIVEZ_INTERVAL_MS, () => void this.#askLivez()),
      systemClock.every(METRICS_INTERVAL_MS, () => void this.#askHold()),
      systemClock.every(MEMORY_INTERVAL_MS, () => (this.#peak_MiB = Math.max(this.#peak_MiB, residentMiB(this.#target.pid)))),
    ];
  }

  async stop(settle_ms: number): Promise<MemberMeasure> {
    await this.#askHold();
    for (const timer of this.#timers) timer.cancel();
    await systemClock.sleep(settle_ms);
    return {
      name: this.#target.name, silence_ms: this.#silence.ms, withheld_ms: this.#silence.withheld_ms, hold_ms: this.#hold_ms,
      memory_MiB: { before: this.#before_MiB, peak: this.#peak_MiB, after: residentMiB(this.#target.pid) },
    };
  }

  async #askLivez(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const waitedBefore_ms = mainThreadWaited_ms(this.#target.pid);
    const started_ms = systemClock.monotonic();
    await get(this.#target, '/livez').catch(() => '');
    const took_ms = systemClock.monotonic() - started_ms;
    const waited_ms = mainThreadWaited_ms(this.#target.pid);
    if (took_ms > this.#silence.ms) this.#silence = { ms: took_ms, withheld_ms: waitedBefore_ms === undefined || waited_ms === undefined ? undefined : waited_ms - waitedBefore_ms };
    this.#asking = false;
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
export const ownSilence_ms = ({ silence_ms, withheld_ms = 0 }: MemberMeasure): number => Math.max(silence_ms - withheld_ms, 0);

export const describeMeasures = (measures: readonly MemberMeasure[]): string => measures.map((measure) => {
  const { before, peak, after } = measure.memory_MiB;
  const withheld = measure.withheld_ms === undefined ? '' : ` (its main thread had no processor for ${measure.withheld_ms.toFixed(0)})`;
  return `  ${measure.name}: /livez silent for ${measure.silence_ms.toFixed(0)} ms at most${withheld}, main thread held ${measure.hold_ms.toFixed(0)} ms at most, `
    + `memory ${before.toFixed(0)} MiB before, ${peak.toFixed(0)} at its peak, ${after.toFixed(0)} after`;
}).join('\n');

function residentMiB(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024 / MIB;
  } catch {
    return 0;
  }
}

export function get({ host, port, tls }: Pick<Measured, 'host' | 'port' | 'tls'>, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port, path, ca: tls.ca, ...credentialsOf(tls), agent: false, signal: AbortSignal.timeout(LIVEZ_ANSWER_MS_MAX) }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part)).on('end', () => resolve(text)).on('error', reject);
    });
    call.on('error', reject);
    call.end();
  });
}
