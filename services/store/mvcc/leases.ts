/**
 * The replicated part of leases: which exist, how long they last, which keys hang on them. When one ends is the
 * leader's business (`member/expiry.ts`): no clock here.
 */
import { assert } from '../../../platform/assert.js';
import { sortSlices } from '../../../platform/slices.js';
import type { SliceMeter, Slices } from '../../../platform/slices.js';

export interface Lease {
  readonly id: bigint;
  readonly ttl_s: number;
  /** What was left at the last checkpoint; a new leader starts from it. */
  remaining_s: number;
  /** How often it was renewed: tells an end that was decided before a renewal from one after it. */
  renewals: number;
  readonly keys: Set<string>;
}

/** Told of each lease that starts, is renewed or ends, after the fact. */
export interface LeaseListener {
  onLease(lease: Lease): void;
  onLeaseEnd(id: bigint): void;
}

export class Leases {
  readonly #leases = new Map<bigint, Lease>();
  readonly #dirty = new Set<bigint>();
  readonly #durable: boolean;
  /** Of each lease as it was last written to disk, and of all together. */
  readonly #sealed = new Map<bigint, number>();
  #digest = 0;
  listener: LeaseListener | undefined;

  /** `durable`: whether changes are collected for `takeDirty`. */
  constructor(durable: boolean) {
    this.#durable = durable;
  }

  get(id: bigint): Lease | undefined {
    return this.#leases.get(id);
  }

  has(id: bigint): boolean {
    return this.#leases.has(id);
  }

  get size(): number {
    return this.#leases.size;
  }

  /** The keys that hang on a lease, in their order. Keys that come and go meanwhile may be there or not. */
  *keysOf(id: bigint, meter: SliceMeter): Slices<readonly string[]> {
    const keys: string[] = [];
    for (const key of this.#leases.get(id)?.keys ?? []) {
      keys.push(key);
      if (meter.spend()) yield;
    }
    return yield* sortSlices(keys, (a, b) => (a < b ? -1 : 1), meter);
  }

  /** In the order they were granted. */
  all(): IterableIterator<Lease> {
    return this.#leases.values();
  }

  grant(id: bigint, ttl_s: number): Lease {
    assert(!this.#leases.has(id), 'a lease is granted once');
    const lease = { id, ttl_s, remaining_s: ttl_s, renewals: 0, keys: new Set<string>() };
    this.#leases.set(id, lease);
    this.#changed(lease);
    return lease;
  }

  renew(lease: Lease): void {
    lease.remaining_s = lease.ttl_s;
    lease.renewals++;
    this.#changed(lease);
  }

  /** Sets what is left, without telling the listener: the clocks of those who count are already there. */
  checkpoint(id: bigint, remaining_s: number): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    lease.remaining_s = Math.min(remaining_s, lease.ttl_s);
    this.#touch(id);
  }

  remove(id: bigint): void {
    if (!this.#leases.delete(id)) return;
    this.#touch(id);
    this.listener?.onLeaseEnd(id);
  }

  /** The key leaves `from` and hangs on `to`; 0n is no lease. */
  move(key: string, from: bigint, to: bigint): void {
    if (from === to) return;
    if (from !== 0n) this.#leases.get(from)?.keys.delete(key);
    if (to !== 0n) this.#leases.get(to)?.keys.add(key);
  }

  /** Ids that were granted, changed or removed since this was last asked. */
  takeDirty(): readonly bigint[] {
    if (this.#dirty.size === 0) return [];
    const dirty = [...this.#dirty];
    this.#dirty.clear();
    return dirty;
  }

  /** The lease was encoded for the disk, or is removed from it. */
  seal(id: bigint, checksum: number | undefined): void {
    this.#digest = (this.#digest - (this.#sealed.get(id) ?? 0) + (checksum ?? 0)) | 0;
    if (checksum === undefined) this.#sealed.delete(id);
    else this.#sealed.set(id, checksum);
  }

  /** Of all leases on disk: what it must hold, no more and no less. */
  get digest(): number {
    return this.#digest >>> 0;
  }

  restore(id: bigint, facts: Pick<Lease, 'ttl_s' | 'remaining_s' | 'renewals'>): void {
    this.#leases.set(id, { id, ...facts, keys: new Set() });
  }

  #changed(lease: Lease): void {
    this.#touch(lease.id);
    this.listener?.onLease(lease);
  }

  #touch(id: bigint): void {
    if (this.#durable) this.#dirty.add(id);
  }
}
