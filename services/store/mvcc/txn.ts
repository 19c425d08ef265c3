/**
 * Transactions. All guards, nested ones too, are judged on the state before the transaction; then everything that could
 * fail is checked; then the branch taken is carried out, each operation seeing the writes before it. So a transaction that
 * fails has changed nothing, and it fails on every member or on none (etcd #18667).
 */
import { duplicateKeyError, emptyKeyError, keyNotFoundError, leaseNotFoundError, leaseProvidedError, revisionOf, tooManyOpsError, valueProvidedError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { KeyValue } from '../store.js';
import { holds } from './compare.js';
import type { Leases } from './leases.js';
import type { Mvcc } from './mvcc.js';
import type { KvDelete, KvOp, KvOpResult, KvPut, KvTxn, KvTxnResult } from './operations.js';
import { checkReadable, contains, intervalOf, latin1, readRange, recordsIn, valueOf } from './range.js';
import type { Interval } from './range.js';

export interface KvState {
  readonly mvcc: Mvcc;
  readonly leases: Leases;
}

/** The branch that the guards chose, and so for each transaction inside it, in order. */
interface Path {
  readonly succeeded: boolean;
  readonly ops: readonly KvOp[];
  readonly nested: readonly Path[];
}

export function runTxn(state: KvState, txn: KvTxn): KvTxnResult {
  checkForm(txn);
  const path = choose(state.mvcc, txn);
  checkPath(state, path);
  state.mvcc.begin();
  const results = runPath(state, path);
  state.mvcc.end();
  return { succeeded: path.succeeded, results, revision: revisionOf(state.mvcc.revision) };
}

/** A single put, without the ceremony. */
export function runPut(state: KvState, op: KvPut): KeyValue | undefined {
  checkPut(state, op);
  state.mvcc.begin();
  const prevKv = put(state, op);
  state.mvcc.end();
  return prevKv;
}

/** Throws unless the transaction is well formed, whatever the state. */
export function checkForm(txn: KvTxn): void {
  const { compare, success, failure } = txn;
  if (Math.max(compare.length, success.length, failure.length) > LIMITS.txnOps) throw tooManyOpsError();
  for (const { key } of compare) if (key.length === 0) throw emptyKeyError();
  writesOf(success);
  writesOf(failure);
}

interface Writes {
  readonly puts: readonly string[];
  readonly deletes: readonly Interval[];
}

/** What a branch may write. Throws when a key might be written twice: both would have the same revision (etcd #17247). */
function writesOf(ops: readonly KvOp[]): Writes {
  const each = ops.map(writesOfOp);
  if (each.length === 1) return each[0] ?? { puts: [], deletes: [] };
  const owner = new Map<string, number>();
  for (const [index, { puts }] of each.entries()) {
    for (const key of puts) {
      if ((owner.get(key) ?? index) !== index) throw duplicateKeyError();
      owner.set(key, index);
    }
  }
  for (const [index, { deletes }] of each.entries()) {
    for (const interval of deletes) {
      for (const [key, of] of owner) if (of !== index && contains(interval, key)) throw duplicateKeyError();
    }
  }
  return { puts: [...owner.keys()], deletes: each.flatMap(({ deletes }) => deletes) };
}

function writesOfOp(op: KvOp): Writes {
  switch (op.kind) {
    case 'put':
      if (op.key.length === 0) throw emptyKeyError();
      if (op.ignoreValue === true && op.value.length > 0) throw valueProvidedError();
      if (op.ignoreLease === true && (op.lease ?? 0n) !== 0n) throw leaseProvidedError();
      return { puts: [latin1(op.key)], deletes: [] };
    case 'delete':
      if (op.key.length === 0) throw emptyKeyError();
      return { puts: [], deletes: [intervalOf(op.key, op.rangeEnd)] };
    case 'range':
      if (op.request.key.length === 0) throw emptyKeyError();
      return { puts: [], deletes: [] };
    case 'txn': {
      checkForm({ ...op.txn, success: [], failure: [] });
      if (Math.max(op.txn.success.length, op.txn.failure.length) > LIMITS.txnOps) throw tooManyOpsError();
      // Only one of the two branches runs: they may write the same keys.
      const branches = [writesOf(op.txn.success), writesOf(op.txn.failure)];
      return { puts: branches.flatMap(({ puts }) => puts), deletes: branches.flatMap(({ deletes }) => deletes) };
    }
    default: return op satisfies never;
  }
}

function choose(mvcc: Mvcc, txn: KvTxn): Path {
  const succeeded = txn.compare.every((compare) => holds(mvcc, compare));
  const ops = succeeded ? txn.success : txn.failure;
  const nested: Path[] = [];
  for (const op of ops) if (op.kind === 'txn') nested.push(choose(mvcc, op.txn));
  return { succeeded, ops, nested };
}

function checkPath(state: KvState, path: Path): void {
  for (const op of path.ops) {
    if (op.kind === 'put') checkPut(state, op);
    else if (op.kind === 'range') checkReadable(state.mvcc, op.request.revision, state.mvcc.revision);
  }
  for (const nested of path.nested) checkPath(state, nested);
}

function checkPut(state: KvState, op: KvPut): void {
  if (op.key.length === 0) throw emptyKeyError();
  const lease = op.lease ?? 0n;
  if (op.ignoreValue === true && op.value.length > 0) throw valueProvidedError();
  if (op.ignoreLease === true && lease !== 0n) throw leaseProvidedError();
  if (lease !== 0n && !state.leases.has(lease)) throw leaseNotFoundError();
  if (op.ignoreValue !== true && op.ignoreLease !== true) return;
  if (state.mvcc.at(latin1(op.key), state.mvcc.revision) === undefined) throw keyNotFoundError();
}

function runPath(state: KvState, path: Path): KvOpResult[] {
  let nested = 0;
  return path.ops.map((op): KvOpResult => {
    switch (op.kind) {
      case 'put': {
        const prevKv = put(state, op);
        return prevKv === undefined ? { kind: 'put' } : { kind: 'put', prevKv };
      }
      case 'delete': return { kind: 'delete', ...remove(state, op) };
      case 'range': return { kind: 'range', range: readRange(state.mvcc, op.request, newest(state.mvcc)) };
      case 'txn': {
        const inner = path.nested[nested++] as Path;
        const results = runPath(state, inner);
        return { kind: 'txn', txn: { succeeded: inner.succeeded, results, revision: revisionOf(newest(state.mvcc)) } };
      }
      default: return op satisfies never;
    }
  });
}

const newest = (mvcc: Mvcc) => (mvcc.wrote ? mvcc.writeRevision : mvcc.revision);

function put(state: KvState, op: KvPut): KeyValue | undefined {
  const { mvcc, leases } = state;
  const key = latin1(op.key);
  const present = mvcc.at(key, newest(mvcc));
  const lease = op.ignoreLease === true ? (present?.lease ?? 0n) : (op.lease ?? 0n);
  const value = op.ignoreValue === true && present !== undefined ? valueOf(mvcc, present) : op.value;
  const prevKv = op.prevKv === true && present !== undefined ? mvcc.toKeyValue(present) : undefined;
  mvcc.put(key, value, lease);
  leases.move(key, present?.lease ?? 0n, lease);
  return prevKv;
}

function remove(state: KvState, op: KvDelete): { deleted: number; prevKvs: KeyValue[] } {
  const { mvcc, leases } = state;
  const records = recordsIn(mvcc, intervalOf(op.key, op.rangeEnd), newest(mvcc));
  const prevKvs = op.prevKv === true ? records.map((record) => mvcc.toKeyValue(record)) : [];
  for (const record of records) {
    mvcc.delete(record);
    leases.move(record.key, record.lease, 0n);
  }
  return { deleted: records.length, prevKvs };
}

/** Ends a lease: its keys go in one revision, in their order. */
export function endLease(state: KvState, id: bigint): void {
  const lease = state.leases.get(id);
  if (lease === undefined) return;
  const { mvcc } = state;
  mvcc.begin();
  for (const key of [...lease.keys].sort()) {
    const present = mvcc.at(key, mvcc.revision);
    if (present !== undefined) mvcc.delete(present);
  }
  mvcc.end();
  state.leases.remove(id);
}

/** Whether a put stands in it, at any depth and in either branch: which one is taken must not matter. */
export function mayGrow(txn: KvTxn): boolean {
  const grows = (op: KvOp): boolean => op.kind === 'put' || (op.kind === 'txn' && mayGrow(op.txn));
  return txn.success.some(grows) || txn.failure.some(grows);
}
