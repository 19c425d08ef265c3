/** Counting of probe results (Kubernetes: "Configure Liveness, Readiness and Startup Probes"). Pure. */
import type { Probe } from '../pod-spec/types.js';

export interface ProbeCount {
  readonly successes: number;
  readonly failures: number;
  /** Undefined until a threshold is reached for the first time. */
  readonly verdict: boolean | undefined;
}

export const noResults: ProbeCount = { successes: 0, failures: 0, verdict: undefined };

export function count(before: ProbeCount, succeeded: boolean, probe: Probe): ProbeCount {
  const successes = succeeded ? before.successes + 1 : 0;
  const failures = succeeded ? 0 : before.failures + 1;
  if (successes >= (probe.successThreshold ?? 1)) return { successes, failures, verdict: true };
  if (failures >= (probe.failureThreshold ?? 3)) return { successes, failures, verdict: false };
  return { successes, failures, verdict: before.verdict };
}
