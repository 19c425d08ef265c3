/**
 * The rules of a lock kept in a coordination.k8s.io/v1 Lease, as pure functions
 * (k8s.io/client-go/tools/leaderelection).
 */
import { toMicroTime } from '../../platform/clock.js';
import type { Lease, LeaseSpec } from '../../apimachinery/gen/types.js';

/**
 * What was last read, and when by our own monotonic clock. The stamps inside a lease come from another machine's clock
 * and are never compared with ours: a lease has run out when it has not changed for its duration as we watched.
 */
export interface Observation {
  readonly lease: Lease;
  readonly observed_ms: number;
}

export function holderOf(lease: Lease | undefined): string {
  return lease?.spec?.holderIdentity ?? '';
}

/** A lease is the same observation until somebody wrote it. */
export function observe(before: Observation | undefined, lease: Lease, now_ms: number): Observation {
  const same =
    before !== undefined &&
    before.lease.metadata?.resourceVersion === lease.metadata?.resourceVersion &&
    before.lease.metadata?.uid === lease.metadata?.uid;
  return same ? before : { lease, observed_ms: now_ms };
}

/** May `identity` take or keep the lease? */
export function isFree(observation: Observation, identity: string, now_ms: number): boolean {
  const holder = holderOf(observation.lease);
  if (holder === '' || holder === identity) return true;
  const duration_ms = (observation.lease.spec?.leaseDurationSeconds ?? 0) * 1000;
  return observation.observed_ms + duration_ms <= now_ms;
}

export interface Claim {
  readonly identity: string;
  readonly leaseDuration_ms: number;
  /** Wall clock, for people to read. */
  readonly now_ms: number;
}

/** The spec that takes the lease, or renews it when it is held already. */
export function claimed(old: LeaseSpec | undefined, claim: Claim): LeaseSpec {
  const now = toMicroTime(claim.now_ms);
  const renewed = old?.holderIdentity === claim.identity;
  return {
    holderIdentity: claim.identity,
    leaseDurationSeconds: Math.ceil(claim.leaseDuration_ms / 1000),
    acquireTime: renewed ? (old.acquireTime ?? now) : now,
    renewTime: now,
    leaseTransitions: (old?.leaseTransitions ?? 0) + (renewed || old === undefined ? 0 : 1),
  };
}

/** The spec that gives the lease up, so that the next one need not wait. */
export function released(old: LeaseSpec | undefined, now_ms: number): LeaseSpec {
  const now = toMicroTime(now_ms);
  return {
    holderIdentity: '',
    leaseDurationSeconds: 1,
    acquireTime: now,
    renewTime: now,
    leaseTransitions: old?.leaseTransitions ?? 0,
  };
}
