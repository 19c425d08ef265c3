/**
 * When leases end. Every replica keeps the time of every lease by its own monotonic clock, from the commands it
 * applies; only the leader acts on it, and what it proposes carries its term. A new leader gives each lease its full
 * time again: the TTL is a minimum. So the leader may renew a lease in its memory alone, as long as nothing in the log,
 * or on its way there, would let this or the next leader end it earlier: neither its end, nor a checkpoint since it was
 * last renewed through the log.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { Lease, LeaseListener, Leases } from '../mvcc/leases.js';
import type { EndedLease } from '../mvcc/operations.js';

export interface LeaseExpiryOptions {
  readonly clock: Clock;
  readonly leases: Leases;
  /**
   * Proposes the end of leases, of each unless it is renewed once more before that. A rejection means: try again at the
   * next look.
   */
  readonly expire: (ended: readonly EndedLease[]) => Promise<unknown>;
  /** How many may end by one proposal. Absent: one. */
  readonly expireMax?: () => number;
  /** Proposes what is left of long leases, so that a change of leader does not renew them for ever. */
  readonly checkpoint?: (remaining: readonly { id: bigint; ttl_s: number }[]) => Promise<unknown>;
}

const LOOK_INTERVAL_MS = 250;
const CHECKPOINT_INTERVAL_MS = 5 * 60_000;
const CHECKPOINT_LEASES_MAX = 1000;

export class LeaseExpiry implements LeaseListener {
  readonly #options: LeaseExpiryOptions;
  #leases: Leases;
  readonly #deadlines = new Map<bigint, number>();
  readonly #ending = new Set<bigint>();
  /**
   * Of which an end or a checkpoint was proposed in this leadership: it may come to pass, whatever was heard of it,
   * until a renewal in the log has passed it.
   */
  readonly #doomed = new Set<bigint>();
  #timer: Timer | undefined;
  #looked_ms = 0;
  #checkpointed_ms = 0;

  constructor(options: LeaseExpiryOptions) {
    this.#options = options;
    this.#leases = options.leases;
    this.follow(options.leases);
  }

  /** Takes over the leases of a state: each gets the time that its last checkpoint left it. */
  follow(leases: Leases): void {
    this.#leases.listener = undefined;
    this.#leases = leases;
    leases.listener = this;
    this.#resetAll();
  }

  /** Starts to act on deadlines. The time before is forgotten: nobody could have renewed then. */
  lead(): void {
    this.stop();
    this.#resetAll();
    const { clock } = this.#options;
    this.#looked_ms = clock.monotonic();
    this.#checkpointed_ms = this.#looked_ms;
    this.#timer = clock.every(LOOK_INTERVAL_MS, () => this.#look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ending.clear();
    this.#doomed.clear();
  }

  /**
   * Gives a lease its whole time again, here alone. Only for a leader that was confirmed to be one since it was asked.
   * Undefined: it must be renewed through the log.
   */
  renew(lease: Lease): number | undefined {
    if (!this.isLeading || this.#doomed.has(lease.id) || lease.remaining_s < lease.ttl_s) return undefined;
    this.onLease(lease);
    return lease.ttl_s;
  }

  get isLeading(): boolean {
    return this.#timer !== undefined;
  }

  /** Seconds left by this replica's clock, rounded up; 0 when it should have ended. */
  remaining_s(id: bigint): number {
    const deadline = this.#deadlines.get(id);
    return deadline === undefined ? 0 : Math.max(0, Math.ceil((deadline - this.#options.clock.monotonic()) / 1000));
  }

  onLease(lease: Lease): void {
    this.#doomed.delete(lease.id);
    this.#deadlines.set(lease.id, this.#options.clock.monotonic() + lease.remaining_s * 1000);
  }

  onLeaseEnd(id: bigint): void {
    this.#deadlines.delete(id);
    this.#ending.delete(id);
    this.#doomed.delete(id);
  }

  #resetAll(): void {
    this.#deadlines.clear();
    for (const lease of this.#leases.all()) this.onLease(lease);
  }

  #look(): void {
    const now_ms = this.#options.clock.monotonic();
    const late = now_ms - this.#looked_ms > 4 * LOOK_INTERVAL_MS;
    this.#looked_ms = now_ms;
    // After a pause, what clients have sent in the meantime is heard first.
    if (late) return;
    const due: bigint[] = [];
    for (const [id, deadline] of this.#deadlines) if (deadline <= now_ms && !this.#ending.has(id)) due.push(id);
    const { expireMax = () => 1 } = this.#options;
    for (const max = expireMax(); due.length > 0;) this.#end(due.splice(0, max));
    if (now_ms - this.#checkpointed_ms >= CHECKPOINT_INTERVAL_MS) {
      this.#checkpointed_ms = now_ms;
      this.#checkpoint(now_ms);
    }
  }

  #end(ids: readonly bigint[]): void {
    for (const id of ids) {
      this.#ending.add(id);
      this.#doomed.add(id);
    }
    const ended = ids.map((id) => ({ id, renewals: this.#leases.get(id)?.renewals ?? 0 }));
    // Whatever came of it: if a lease is still there when its time is over, it is tried again.
    void this.#options
      .expire(ended)
      .catch(() => undefined)
      .then(() => {
        for (const id of ids) this.#ending.delete(id);
      });
  }

  #checkpoint(now_ms: number): void {
    const remaining: { id: bigint; ttl_s: number }[] = [];
    for (const lease of this.#leases.all()) {
      if (lease.ttl_s * 1000 <= CHECKPOINT_INTERVAL_MS || remaining.length >= CHECKPOINT_LEASES_MAX) continue;
      const deadline = this.#deadlines.get(lease.id) ?? now_ms;
      this.#doomed.add(lease.id);
      remaining.push({ id: lease.id, ttl_s: Math.max(1, Math.ceil((deadline - now_ms) / 1000)) });
    }
    // Not proposed: the lease merely lasts longer after the next change of leader.
    if (remaining.length > 0) this.#options.checkpoint?.(remaining).catch(() => undefined);
  }
}
