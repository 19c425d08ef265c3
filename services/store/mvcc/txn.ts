/**
 * Transactions. All guards, nested ones too, are judged on the state before the transaction; then everything that could
 * fail is checked; then the branch taken is carried out, each operation seeing the writes before it. So a transaction
 * that fails has changed nothing, and it fails on every member or on none (etcd #18667).
 */
import { assert } from '../../../platform/assert.js';
import type { Slices } from '../../../platform/slices.js';
import {
  duplicateKeyError,
  emptyKeyError,
  keyNotFoundError,
  leaseNotFoundError,
  leaseProvidedError,
  revisionOf,
  tooManyOpsError,
  valueProvidedError,
} from '../errors.js';
import { KVS_FIELD } from './encoded-kvs.js';
import { LIMITS } from '../limits.js';
import { Packer } from './packed-results.js';
import type { Packed } from './packed-results.js';
import type { KeyValue } from '../store.js';
import { holds } from './compare.js';
import type { Leases } from './leases.js';
import type { Mvcc } from './mvcc.js';
import type { KvDelete, KvOp, KvOpResult, KvPut, KvRange, KvTxn, KvTxnResult } from './operations.js';
import { checkReadable, contains, intervalOf, latin1, readRange, valueOf } from './range.js';
import type { Interval, Reading, ReadResult } from './range.js';
import type { Record } from './record.js';
import { lowerBound } from './sorted-map.js';

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

/**
 * In which form a result is wanted. `none`: nobody waits here for what is read, only what it writes is worth the work.
 * `packed`: see packed-results.
 */
export type ResultForm = 'none' | 'whole' | 'packed';

export function* runTxn(state: KvState, txn: KvTxn, form: ResultForm): Slices<KvTxnResult> {
  const { mvcc } = state;
  checkForm(txn);
  const path = yield* choose(mvcc, txn, mvcc.revision);
  checkPath(state, path);
  mvcc.begin();
  const results = yield* runPath(state, path, form);
  mvcc.end();
  return { succeeded: path.succeeded, results, revision: revisionOf(mvcc.revision) };
}

/** A transaction that writes nothing, at a revision; see readRange. */
export function* readTxn(mvcc: Mvcc, txn: KvTxn, reading: Reading): Slices<KvTxnResult> {
  checkForm(txn);
  const path = yield* choose(mvcc, txn, reading.now);
  checkReads(mvcc, path, reading.now);
  return {
    succeeded: path.succeeded,
    results: yield* readPath(mvcc, path, reading),
    revision: revisionOf(reading.now),
  };
}

/** A single put, without the ceremony. */
export function runPut(state: KvState, op: KvPut, isAwaited: boolean): KeyValue | undefined {
  checkPut(state, op);
  state.mvcc.begin();
  const prevKv = put(state, op, isAwaited);
  state.mvcc.end();
  return prevKv;
}

/**
 * Throws unless the transaction is well formed, whatever the state. What is wrong in one operation comes before what
 * two of them do to each other (etcd).
 */
function checkForm(txn: KvTxn): void {
  checkParts(txn);
  writesOf(txn.success);
  writesOf(txn.failure);
}

function checkParts({ compare, success, failure }: KvTxn): void {
  if (Math.max(compare.length, success.length, failure.length) > LIMITS.txnOps) throw tooManyOpsError();
  for (const { key } of compare) if (key.length === 0) throw emptyKeyError();
  for (const op of success) checkPart(op);
  for (const op of failure) checkPart(op);
}

function checkPart(op: KvOp): void {
  switch (op.kind) {
    case 'put':
      checkPutForm(op);
      break;
    case 'txn':
      checkParts(op.txn);
      break;
    case 'delete':
    case 'range':
      if ((op.kind === 'range' ? op.request : op).key.length === 0) throw emptyKeyError();
      break;
    default:
      op satisfies never;
  }
}

function checkPutForm(op: KvPut): void {
  if (op.key.length === 0) throw emptyKeyError();
  if (op.ignoreValue === true && op.value.length > 0) throw valueProvidedError();
  if (op.ignoreLease === true && (op.lease ?? 0n) !== 0n) throw leaseProvidedError();
}

interface Writes {
  readonly puts: readonly string[];
  readonly deletes: readonly Interval[];
}

const NO_WRITES: Writes = { puts: [], deletes: [] };

/**
 * What a branch may write. Throws when a key might be written twice: both would have the same revision (etcd #17247).
 */
function writesOf(ops: readonly KvOp[]): Writes {
  const each = ops.map(writesOfOp);
  if (each.length === 1) return each[0] ?? NO_WRITES;
  const owner = new Map<string, number>();
  for (const [index, { puts }] of each.entries()) {
    for (const key of puts) {
      if ((owner.get(key) ?? index) !== index) throw duplicateKeyError();
      owner.set(key, index);
    }
  }
  const deletes = each.flatMap((writes) => writes.deletes);
  if (deletes.length > 0 && owner.size > 0) checkDeletes(each, owner);
  return { puts: [...owner.keys()], deletes };
}

/** Throws when an operation deletes what another one puts. Sorted once: a request may have thousands of either. */
function checkDeletes(each: readonly Writes[], owner: ReadonlyMap<string, number>): void {
  const keys = [...owner.keys()].sort();
  const owners = keys.map((key) => owner.get(key));
  /** By place: the next one whose key is another operation's. */
  const nextOther = new Uint32Array(keys.length + 1);
  for (let i = keys.length - 1; i >= 0; i--)
    nextOther[i] = owners[i] === owners[i + 1] ? (nextOther[i + 1] as number) : i + 1;
  for (const [index, { deletes }] of each.entries()) {
    for (const interval of deletes) {
      const first = lowerBound(keys, interval.start);
      const other = owners[first] === index ? (nextOther[first] as number) : first;
      const key = keys[other];
      if (key !== undefined && contains(interval, key)) throw duplicateKeyError();
    }
  }
}

function writesOfOp(op: KvOp): Writes {
  switch (op.kind) {
    case 'put':
      return { puts: [latin1(op.key)], deletes: [] };
    case 'delete':
      return { puts: [], deletes: [intervalOf(op.key, op.rangeEnd)] };
    case 'range':
      return NO_WRITES;
    case 'txn': {
      // Only one of the two branches runs: they may write the same keys.
      const branches = [writesOf(op.txn.success), writesOf(op.txn.failure)];
      return { puts: branches.flatMap(({ puts }) => puts), deletes: branches.flatMap(({ deletes }) => deletes) };
    }
    default:
      return op satisfies never;
  }
}

function* choose(mvcc: Mvcc, txn: KvTxn, revision: number): Slices<Path> {
  let succeeded = true;
  for (const compare of txn.compare) {
    succeeded = yield* holds(mvcc, compare, revision);
    if (!succeeded) break;
    if (mvcc.meter.spend()) yield;
  }
  const ops = succeeded ? txn.success : txn.failure;
  const nested: Path[] = [];
  for (const op of ops) if (op.kind === 'txn') nested.push(yield* choose(mvcc, op.txn, revision));
  return { succeeded, ops, nested };
}

function checkReads(mvcc: Mvcc, path: Path, now: number): void {
  eachOp(path, (op) => {
    if (op.kind === 'range') checkReadable(mvcc, op.request.revision, now);
  });
}

function* readPath(mvcc: Mvcc, path: Path, reading: Reading): Slices<KvOpResult[]> {
  const results: KvOpResult[] = [];
  let nested = 0;
  for (const op of path.ops) {
    assert(op.kind === 'range' || op.kind === 'txn', 'a transaction that is read writes nothing');
    if (op.kind === 'range') {
      results.push({ kind: 'range', range: yield* readRange(mvcc, op.request, reading) });
    } else {
      const inner = path.nested[nested++] as Path;
      results.push({
        kind: 'txn',
        txn: {
          succeeded: inner.succeeded,
          results: yield* readPath(mvcc, inner, reading),
          revision: revisionOf(reading.now),
        },
      });
    }
    if (mvcc.meter.spend()) yield;
  }
  return results;
}

/** All puts, and then all reads: the first that fails says why (etcd). */
function checkPath(state: KvState, path: Path): void {
  eachOp(path, (op) => {
    if (op.kind !== 'put') return;
    checkPresent(state, op);
    checkLease(state, op);
  });
  checkReads(state.mvcc, path, state.mvcc.revision);
}

/** What is carried out, nested operations in their place. */
function eachOp(path: Path, visit: (op: KvOp) => void): void {
  let nested = 0;
  for (const op of path.ops) {
    if (op.kind === 'txn') eachOp(path.nested[nested++] as Path, visit);
    else visit(op);
  }
}

/** Of a put by itself etcd looks at the lease first. */
function checkPut(state: KvState, op: KvPut): void {
  checkPutForm(op);
  checkLease(state, op);
  checkPresent(state, op);
}

function checkLease({ leases }: KvState, { lease = 0n }: KvPut): void {
  if (lease !== 0n && !leases.has(lease)) throw leaseNotFoundError();
}

function checkPresent({ mvcc }: KvState, op: KvPut): void {
  if (op.ignoreValue !== true && op.ignoreLease !== true) return;
  if (mvcc.at(latin1(op.key), mvcc.revision) === undefined) throw keyNotFoundError();
}

function* runPath(state: KvState, path: Path, form: ResultForm): Slices<KvOpResult[]> {
  const { mvcc } = state;
  const results: KvOpResult[] = [];
  let nested = 0;
  for (const op of path.ops) {
    switch (op.kind) {
      case 'put': {
        const prevKv = put(state, op, form !== 'none');
        results.push(prevKv === undefined ? { kind: 'put' } : { kind: 'put', prevKv });
        break;
      }
      case 'delete':
        results.push({ kind: 'delete', ...(yield* remove(state, op, form)) });
        break;
      case 'range':
        if (form !== 'none') results.push({ kind: 'range', range: yield* rangeWithin(mvcc, op.request, form) });
        break;
      case 'txn': {
        const inner = path.nested[nested++] as Path;
        const innerResults = yield* runPath(state, inner, form);
        results.push({
          kind: 'txn',
          txn: { succeeded: inner.succeeded, results: innerResults, revision: revisionOf(newest(mvcc)) },
        });
        break;
      }
      default:
        op satisfies never;
    }
    if (mvcc.meter.spend()) yield;
  }
  return results;
}

const newest = (mvcc: Mvcc) => (mvcc.wrote ? mvcc.writeRevision : mvcc.revision);

function put(state: KvState, op: KvPut, isAwaited: boolean): KeyValue | undefined {
  const { mvcc, leases } = state;
  const key = latin1(op.key);
  const present = mvcc.at(key, newest(mvcc));
  const lease = op.ignoreLease === true ? (present?.lease ?? 0n) : (op.lease ?? 0n);
  const value = op.ignoreValue === true && present !== undefined ? valueOf(mvcc, present) : op.value;
  const prevKv = isAwaited && op.prevKv === true && present !== undefined ? mvcc.toKeyValue(present) : undefined;
  mvcc.put(key, value, lease);
  leases.move(key, present?.lease ?? 0n, lease);
  return prevKv;
}

function* rangeWithin(mvcc: Mvcc, request: KvRange, form: ResultForm): Slices<ReadResult> {
  const now = newest(mvcc);
  if (form !== 'packed') return yield* readRange(mvcc, request, { now });
  const packer = new Packer(KVS_FIELD.range);
  return { ...(yield* readRange(mvcc, request, { now, spill: packer.addPage })), ...packer.packed };
}

function* remove(
  state: KvState,
  op: KvDelete,
  form: ResultForm,
): Slices<{ deleted: number; prevKvs: readonly KeyValue[] } & Packed> {
  const { mvcc } = state;
  const { start, end, single } = intervalOf(op.key, op.rangeEnd);
  const isWanted = form !== 'none' && op.prevKv === true;
  const revision = newest(mvcc);
  if (single) {
    const record = mvcc.at(start, revision);
    if (record === undefined) return { deleted: 0, prevKvs: [] };
    const prevKvs = isWanted ? [mvcc.toKeyValue(record)] : [];
    removeOne(state, record);
    return { deleted: 1, prevKvs };
  }
  const whole: KeyValue[] = [];
  const packer = form === 'packed' ? new Packer(KVS_FIELD.delete) : undefined;
  let deleted = 0;
  // A key that was visited is not visited again: what this deletes, the scan does not see.
  yield* mvcc.scan(start, end, {
    revision,
    visit: (record) => {
      if (isWanted && packer !== undefined) packer.add(mvcc.toKeyValue(record));
      else if (isWanted) whole.push(mvcc.toKeyValue(record));
      removeOne(state, record);
      deleted++;
      return true;
    },
  });
  return { deleted, prevKvs: packer?.rest ?? whole, ...packer?.packed };
}

function removeOne({ mvcc, leases }: KvState, record: Record): void {
  mvcc.delete(record);
  leases.move(record.key, record.lease, 0n);
}

/** Ends a lease: its keys go in one revision, in their order. */
export function* endLease(state: KvState, id: bigint): Slices<void> {
  if (!state.leases.has(id)) return;
  const { mvcc } = state;
  const sorted = yield* state.leases.keysOf(id, mvcc.meter);
  mvcc.begin();
  for (const key of sorted) {
    const present = mvcc.at(key, mvcc.revision);
    if (present !== undefined) mvcc.delete(present);
    if (mvcc.meter.spend()) yield;
  }
  mvcc.end();
  state.leases.remove(id);
}

/** Whether a put stands in it, at any depth and in either branch: which one is taken must not matter. */
export function mayGrow(txn: KvTxn): boolean {
  const grows = (op: KvOp): boolean => op.kind === 'put' || (op.kind === 'txn' && mayGrow(op.txn));
  return txn.success.some(grows) || txn.failure.some(grows);
}

/** Whether it changes nothing, whichever branches are taken. */
export function isReadOnly(txn: KvTxn): boolean {
  const reads = (op: KvOp): boolean => op.kind === 'range' || (op.kind === 'txn' && isReadOnly(op.txn));
  return txn.success.every(reads) && txn.failure.every(reads);
}

/** Whether none of its reads asks for more than this replica has. Guards alone ask for the truth. */
export function isSerializable(txn: KvTxn): boolean {
  const may = (op: KvOp): boolean =>
    (op.kind === 'range' && op.request.serializable === true) || (op.kind === 'txn' && isSerializable(op.txn));
  return txn.success.length + txn.failure.length > 0 && txn.success.every(may) && txn.failure.every(may);
}
