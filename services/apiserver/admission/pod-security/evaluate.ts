/** A pod against a level of Pod Security: a pure function over annotations and spec. */
import { BASELINE_CHECKS, type VersionedCheck } from './baseline.js';
import type { LevelVersion } from './policy.js';
import { RESTRICTED_CHECKS } from './restricted.js';
import type { ReviewedPod, Violation } from './violation.js';

const inForce = (checks: readonly VersionedCheck[], minor: number) =>
  checks.flatMap(({ id, versions }) => {
    const version = versions.findLast(({ since }) => since <= minor);
    return version === undefined ? [] : [{ id, ...version }];
  });

/** In the order in which they are listed to users: baseline's, then restricted's. Empty: the pod is allowed. */
export function violationsOf(pod: ReviewedPod, { level, minor }: LevelVersion): readonly Violation[] {
  if (level === 'privileged') return [];
  const restricted = level === 'restricted' ? inForce(RESTRICTED_CHECKS, minor) : [];
  const replaced = new Set(restricted.map((check) => check.replaces));
  const baseline = inForce(BASELINE_CHECKS, minor).filter(({ id }) => !replaced.has(id));
  return [...baseline, ...restricted].flatMap(({ check }) => check(pod) ?? []);
}

export const detailsOf = (violations: readonly Violation[]): string =>
  violations.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');
export const reasonsOf = (violations: readonly Violation[]): string =>
  violations.map(({ reason }) => reason).join(', ');
