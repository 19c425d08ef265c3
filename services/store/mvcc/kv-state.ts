/**
 * The replicated state of the store: versions and leases, changed by commands alone.
 *
 * In: commands as bytes, in the order of the log, with the term each was accepted in. Out: one result a command, or the
 * StoreError it failed with. It must never read a clock, draw a random number or do anything that could come out
 * differently on another member; a command it does not understand fails and changes nothing.
 */
import { finish } from '../../../platform/slices.js';
import type { Slices } from '../../../platform/slices.js';
import {
  compactedError,
  emptyKeyError,
  futureRevisionError,
  leaseExistsError,
  leaseNotFoundError,
  leaseTtlError,
  noSpaceError,
  revisionOf,
} from '../errors.js';
import { LIMITS } from '../limits.js';
import { StoreError } from '../store.js';
import type { RangeResult } from '../store.js';
import { Alarms } from './alarms.js';
import { decodeCommand } from './commands.js';
import { Leases } from './leases.js';
import { Mvcc } from './mvcc.js';
import { EMPTY } from './record.js';
import type { MvccOptions } from './mvcc.js';
import type { Command, CommandResult, EndedLease, HashResult, KvRange, KvTxn, KvTxnResult } from './operations.js';
import { checkReadable, readRange } from './range.js';
import type { Reading, ReadResult } from './range.js';
import { endLease, mayGrow, readTxn, runPut, runTxn } from './txn.js';
import type { ResultForm } from './txn.js';

const SPILL_KEYS = 500;

export interface Applying {
  /** In which the command was accepted. */
  readonly term: number;
  readonly form: ResultForm;
}

export class KvState {
  readonly mvcc: Mvcc;
  readonly leases: Leases;
  readonly alarms = new Alarms();

  constructor(options: MvccOptions = {}) {
    this.mvcc = new Mvcc(options);
    this.leases = new Leases(options.durable === true);
  }

  /** All at once; see `run`. */
  applyBytes(data: Uint8Array, term: number): CommandResult | StoreError {
    return finish(this.runBytes(data, { term, form: 'whole' }));
  }

  apply(command: Command, term: number): CommandResult | StoreError {
    return finish(this.run(command, { term, form: 'whole' }));
  }

  *runBytes(data: Uint8Array, applying: Applying): Slices<CommandResult | StoreError> {
    let command: Command;
    try {
      command = decodeCommand(data);
    } catch (error) {
      if (error instanceof StoreError) return new StoreError('invalid', `not a command of the store: ${error.message}`);
      throw error;
    }
    return yield* this.run(command, applying);
  }

  /**
   * One command, in slices. Nothing else is applied, persisted or replaced between them; reads at `mvcc.revision` go
   * on.
   */
  *run(command: Command, applying: Applying): Slices<CommandResult | StoreError> {
    try {
      return yield* this.#run(command, applying);
    } catch (error) {
      // Anything else, and a record that cannot be read back, is a fault of this member alone: it must stop, not
      // differ.
      if (error instanceof StoreError && error.code !== 'corrupt') return error;
      throw error;
    }
  }

  /** A read of what is applied here. Throws StoreError. */
  range(request: KvRange): RangeResult {
    return finish(this.rangeSlices(request));
  }

  /** As `range`, in slices; see readRange. */
  rangeSlices(request: KvRange, spill?: Reading['spill']): Slices<ReadResult> {
    if (request.key.length === 0) throw emptyKeyError();
    const now = this.mvcc.revision;
    checkReadable(this.mvcc, request.revision, now);
    return readRange(this.mvcc, request, { now, ...(spill === undefined ? {} : { spill }) });
  }

  /** A transaction that writes nothing, on what is applied here, in slices. */
  readSlices(txn: KvTxn, spill?: Reading['spill']): Slices<KvTxnResult> {
    return readTxn(this.mvcc, txn, { now: this.mvcc.revision, ...(spill === undefined ? {} : { spill }) });
  }

  /** `revision` 0: the newest. */
  hash(revision: number): HashResult {
    return finish(this.hashSlices(revision));
  }

  *hashSlices(revision: number): Slices<HashResult> {
    const at = revision === 0 ? this.mvcc.revision : revision;
    checkReadable(this.mvcc, at, this.mvcc.revision);
    return {
      hash: yield* this.mvcc.hashSlices(at),
      revision: revisionOf(at),
      compactRevision: revisionOf(this.mvcc.compactRevision),
    };
  }

  *#run(command: Command, { term, form }: Applying): Slices<CommandResult> {
    switch (command.kind) {
      case 'put': {
        this.#checkSpace();
        const prevKv = runPut(this, command.put, form !== 'none');
        return { kind: 'put', prevKv, revision: revisionOf(this.mvcc.revision) };
      }
      case 'txn':
        if (!this.alarms.isEmpty && mayGrow(command.txn)) this.#checkSpace();
        return { kind: 'txn', txn: yield* runTxn(this, command.txn, form) };
      case 'hash-ask':
      case 'hash-tell':
        return this.#done();
      case 'alarm':
        if (command.action === 'raise') this.alarms.raise(command.alarm);
        else this.alarms.clear(command.alarm);
        return this.#done();
      case 'compact':
        return yield* this.#compact(command.revision);
      case 'lease-grant':
        return this.#grant(command.id, command.ttl_s);
      case 'lease-keep-alive':
        return this.#keepAlive(command.id);
      case 'lease-revoke':
        if (!this.leases.has(command.id)) throw leaseNotFoundError();
        yield* endLease(this, command.id);
        return this.#done();
      case 'lease-expire':
        return yield* this.#expire([command], { proposedIn: command.term, term });
      case 'leases-expire':
        return yield* this.#expire(command.ended, { proposedIn: command.term, term });
      case 'lease-checkpoint':
        if (command.term === term) for (const { id, ttl_s } of command.remaining) this.leases.checkpoint(id, ttl_s);
        return this.#done();
      default:
        return command satisfies never;
    }
  }

  *#expire(
    ended: readonly EndedLease[],
    { proposedIn, term }: { readonly proposedIn: number; readonly term: number },
  ): Slices<CommandResult> {
    for (const { id, renewals } of ended) {
      // A leader that was paused and wakes in another's term must not end what that one has renewed (etcd #15247).
      // Nor must a renewal that came first in the log be undone: its client was told that it has the time.
      if (proposedIn === term && this.leases.get(id)?.renewals === renewals) yield* endLease(this, id);
    }
    return this.#done();
  }

  *#compact(revision: number): Slices<CommandResult> {
    if (revision <= this.mvcc.compactRevision) throw compactedError(this.mvcc.compactRevision);
    if (revision > this.mvcc.revision) throw futureRevisionError();
    yield* this.mvcc.compact(revision);
    return this.#done();
  }

  /** While space is short, what takes some is refused; deletes, compactions and renewals go on. */
  #checkSpace(): void {
    if (this.alarms.has('nospace') || this.alarms.has('disk')) throw noSpaceError();
  }

  #grant(id: bigint, ttl_s: number): CommandResult {
    this.#checkSpace();
    if (id === 0n) throw leaseNotFoundError();
    if (ttl_s > LIMITS.leaseTtl_s) throw leaseTtlError();
    if (this.leases.has(id)) throw leaseExistsError();
    const lease = this.leases.grant(id, Math.max(ttl_s, LIMITS.leaseTtlMin_s));
    return { kind: 'lease', id, ttl_s: lease.ttl_s, revision: revisionOf(this.mvcc.revision) };
  }

  #keepAlive(id: bigint): CommandResult {
    const lease = this.leases.get(id);
    if (lease === undefined) throw leaseNotFoundError();
    this.leases.renew(lease);
    return { kind: 'lease', id, ttl_s: lease.ttl_s, revision: revisionOf(this.mvcc.revision) };
  }

  /** The keys of a lease, in their order, in slices. Key by key from `spill` on, as of a range without values. */
  *leaseKeys(id: bigint, spill?: Reading['spill']): Slices<readonly Uint8Array[]> {
    const { meter } = this.mvcc;
    const sorted = yield* this.leases.keysOf(id, meter);
    let page: Buffer[] = [];
    for (const key of sorted) {
      page.push(Buffer.from(key, 'latin1'));
      if (meter.spend()) yield;
      if (spill === undefined || page.length < SPILL_KEYS) continue;
      spill(
        page.map((one) => ({
          key: one,
          value: EMPTY,
          createRevision: revisionOf(0),
          modRevision: revisionOf(0),
          version: 0,
          lease: id,
        })),
      );
      page = [];
    }
    return page;
  }

  *leaseIds(): Slices<bigint[]> {
    const ids: bigint[] = [];
    for (const { id } of this.leases.all()) {
      ids.push(id);
      if (this.mvcc.meter.spend(0.1)) yield;
    }
    return ids;
  }

  #done(): CommandResult {
    return { kind: 'done', revision: revisionOf(this.mvcc.revision) };
  }
}
