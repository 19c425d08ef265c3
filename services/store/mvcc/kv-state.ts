/**
 * The replicated state of the store: versions and leases, changed by commands alone.
 *
 * In: commands as bytes, in the order of the log, with the term each was accepted in. Out: one result a command, or the
 * StoreError it failed with. It must never read a clock, draw a random number or do anything that could come out
 * differently on another member; a command it does not understand fails and changes nothing.
 */
import { compactedError, emptyKeyError, futureRevisionError, leaseExistsError, leaseNotFoundError, leaseTtlError, noSpaceError, revisionOf } from '../errors.js';
import { LIMITS } from '../limits.js';
import { StoreError } from '../store.js';
import type { RangeResult } from '../store.js';
import { Alarms } from './alarms.js';
import { decodeCommand } from './commands.js';
import { Leases } from './leases.js';
import { Mvcc } from './mvcc.js';
import type { MvccOptions } from './mvcc.js';
import type { Command, CommandResult, EndedLease, HashResult, KvRange } from './operations.js';
import { checkReadable, readPages, readRange } from './range.js';
import { endLease, mayGrow, runPut, runTxn } from './txn.js';

export class KvState {
  readonly mvcc: Mvcc;
  readonly leases: Leases;
  readonly alarms = new Alarms();

  constructor(options: MvccOptions = {}) {
    this.mvcc = new Mvcc(options);
    this.leases = new Leases(options.durable === true);
  }

  applyBytes(data: Uint8Array, term: number): CommandResult | StoreError {
    let command: Command;
    try {
      command = decodeCommand(data);
    } catch (error) {
      if (error instanceof StoreError) return new StoreError('invalid', `not a command of the store: ${error.message}`);
      throw error;
    }
    return this.apply(command, term);
  }

  apply(command: Command, term: number): CommandResult | StoreError {
    try {
      return this.#run(command, term);
    } catch (error) {
      // Anything else, and a record that cannot be read back, is a fault of this member alone: it must stop, not differ.
      if (error instanceof StoreError && error.code !== 'corrupt') return error;
      throw error;
    }
  }

  /** A read of what is applied here. Throws StoreError. */
  range(request: KvRange): RangeResult {
    if (request.key.length === 0) throw emptyKeyError();
    checkReadable(this.mvcc, request.revision, this.mvcc.revision);
    return readRange(this.mvcc, request, this.mvcc.revision);
  }

  /** As `range`, in pages: see readPages. */
  rangePages(request: KvRange): Generator<undefined, RangeResult> {
    if (request.key.length === 0) throw emptyKeyError();
    checkReadable(this.mvcc, request.revision, this.mvcc.revision);
    return readPages(this.mvcc, request, this.mvcc.revision);
  }

  /** `revision` 0: the newest. */
  hash(revision: number): HashResult {
    const at = revision === 0 ? this.mvcc.revision : revision;
    checkReadable(this.mvcc, at, this.mvcc.revision);
    return { hash: this.mvcc.hashAt(at), revision: revisionOf(at), compactRevision: revisionOf(this.mvcc.compactRevision) };
  }

  #run(command: Command, term: number): CommandResult {
    switch (command.kind) {
      case 'put': {
        this.#checkSpace();
        const prevKv = runPut(this, command.put);
        return { kind: 'put', prevKv, revision: revisionOf(this.mvcc.revision) };
      }
      case 'txn':
        if (!this.alarms.isEmpty && mayGrow(command.txn)) this.#checkSpace();
        return { kind: 'txn', txn: runTxn(this, command.txn) };
      case 'hash-ask':
      case 'hash-tell': return this.#done();
      case 'alarm':
        if (command.action === 'raise') this.alarms.raise(command.alarm);
        else this.alarms.clear(command.alarm);
        return this.#done();
      case 'compact': return this.#compact(command.revision);
      case 'lease-grant': return this.#grant(command.id, command.ttl_s);
      case 'lease-keep-alive': return this.#keepAlive(command.id);
      case 'lease-revoke':
        if (!this.leases.has(command.id)) throw leaseNotFoundError();
        endLease(this, command.id);
        return this.#done();
      case 'lease-expire': return this.#expire([command], { proposedIn: command.term, term });
      case 'leases-expire': return this.#expire(command.ended, { proposedIn: command.term, term });
      case 'lease-checkpoint':
        if (command.term === term) for (const { id, ttl_s } of command.remaining) this.leases.checkpoint(id, ttl_s);
        return this.#done();
      default: return command satisfies never;
    }
  }

  #expire(ended: readonly EndedLease[], { proposedIn, term }: { readonly proposedIn: number; readonly term: number }): CommandResult {
    for (const { id, renewals } of ended) {
      // A leader that was paused and wakes in another's term must not end what that one has renewed (etcd #15247).
      // Nor must a renewal that came first in the log be undone: its client was told that it has the time.
      if (proposedIn === term && this.leases.get(id)?.renewals === renewals) endLease(this, id);
    }
    return this.#done();
  }

  #compact(revision: number): CommandResult {
    if (revision <= this.mvcc.compactRevision) throw compactedError(this.mvcc.compactRevision);
    if (revision > this.mvcc.revision) throw futureRevisionError();
    this.mvcc.compact(revision);
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

  #done(): CommandResult {
    return { kind: 'done', revision: revisionOf(this.mvcc.revision) };
  }
}
