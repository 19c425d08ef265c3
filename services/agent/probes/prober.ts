/**
 * Runs the probes of one running container until told to stop. Liveness and readiness wait for the startup probe; each
 * verdict that changes is told once.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Random } from '../../../platform/random.js';
import type { Container, Probe } from '../pod-spec/types.js';
import { count, noResults } from './verdict.js';
import type { ProbeCount } from './verdict.js';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

export interface ProbeResult {
  readonly ok: boolean;
  readonly message: string;
}

export interface ProberOptions {
  readonly container: Container;
  /** Verdicts that hold already: the container was adopted, and had started. */
  readonly initial?: { readonly startup?: boolean | undefined; readonly readiness?: boolean | undefined };
  readonly clock: Clock;
  readonly random: Random;
  /** Never rejects; a timeout is a failure. */
  check(probe: Probe): Promise<ProbeResult>;
  onVerdict(kind: ProbeKind, ok: boolean, message: string): void;
  /** Every single failure, for events. */
  onFailure(kind: ProbeKind, message: string): void;
}

export class Prober {
  readonly #options: ProberOptions;
  readonly #timers = new Map<ProbeKind, Timer>();
  #stopped = false;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  start(): void {
    const { startupProbe } = this.#options.container;
    if (startupProbe === undefined || this.#options.initial?.startup === true) this.#startOthers();
    else this.#schedule('startup', startupProbe, noResults, (startupProbe.initialDelaySeconds ?? 0) * 1000);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #startOthers(): void {
    const { container } = this.#options;
    for (const [kind, probe] of [
      ['liveness', container.livenessProbe],
      ['readiness', container.readinessProbe],
    ] as const) {
      if (probe === undefined) continue;
      const before =
        kind === 'readiness' && this.#options.initial?.readiness === true ? { ...noResults, verdict: true } : noResults;
      this.#schedule(kind, probe, before, (probe.initialDelaySeconds ?? 0) * 1000);
    }
  }

  #schedule(kind: ProbeKind, probe: Probe, before: ProbeCount, delay_ms: number): void {
    if (this.#stopped) return;
    this.#timers.set(
      kind,
      this.#options.clock.after(delay_ms, () => this.#run(kind, probe, before)),
    );
  }

  async #run(kind: ProbeKind, probe: Probe, before: ProbeCount): Promise<void> {
    const result = await this.#options.check(probe);
    if (this.#stopped) return;
    if (!result.ok) this.#options.onFailure(kind, result.message);
    const after = count(before, result.ok, probe);
    if (after.verdict !== undefined && after.verdict !== before.verdict)
      this.#options.onVerdict(kind, after.verdict, result.message);
    if (kind === 'startup' && after.verdict !== undefined) {
      if (after.verdict) this.#startOthers();
      return;
    }
    if (kind === 'liveness' && after.verdict === false) return;
    this.#schedule(kind, probe, after, (probe.periodSeconds ?? 10) * 1000);
  }
}
