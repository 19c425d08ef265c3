/** Between etcd's messages and the store's operations. */
import { status } from '@grpc/grpc-js';
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type {
  Compare,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { Event_EventType } from '../../../proto/gen/etcd/mvccpb/kv.js';
import type { Event, KeyValue as EtcdKeyValue } from '../../../proto/gen/etcd/mvccpb/kv.js';
import { compactedError, revisionOf, tooManyOpsError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { KvCompare, KvDelete, KvOp, KvPut, KvRange, KvTxn, SortTarget } from '../mvcc/operations.js';
import type { KeyValue, StoreEvent } from '../store.js';
import type { EtcdOperation } from './authorize.js';
import { EtcdError } from './errors.js';
import { nearestSafe } from './int64.js';

const buffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const NO_KEY = Buffer.alloc(0);

// Requests

const SORT_TARGETS: Readonly<Record<number, SortTarget>> = {
  [RangeRequest_SortTarget.KEY]: 'key',
  [RangeRequest_SortTarget.VERSION]: 'version',
  [RangeRequest_SortTarget.CREATE]: 'createRevision',
  [RangeRequest_SortTarget.MOD]: 'modRevision',
  [RangeRequest_SortTarget.VALUE]: 'value',
};

export function toRange(request: RangeRequest): KvRange {
  const sortTarget = SORT_TARGETS[request.sortTarget];
  const ordered =
    request.sortOrder === RangeRequest_SortOrder.NONE ||
    request.sortOrder === RangeRequest_SortOrder.ASCEND ||
    request.sortOrder === RangeRequest_SortOrder.DESCEND;
  if (sortTarget === undefined || !ordered)
    throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: invalid sort option');
  return {
    key: request.key,
    limit: nearestSafe(request.limit > 0n ? request.limit : 0n),
    serializable: request.serializable,
    keysOnly: request.keysOnly,
    countOnly: request.countOnly,
    ...(request.rangeEnd.length === 0 ? {} : { rangeEnd: request.rangeEnd }),
    ...(request.revision > 0n ? { revision: revisionOf(nearestSafe(request.revision)) } : {}),
    ...(sortTarget === 'key' ? {} : { sortTarget }),
    ...(request.sortOrder === RangeRequest_SortOrder.NONE
      ? {}
      : { sortOrder: request.sortOrder === RangeRequest_SortOrder.DESCEND ? 'descend' : 'ascend' }),
    ...boundsOf(request),
  };
}

/**
 * Nothing that exists was made or changed before revision 1, so an upper bound below zero lets nothing through: as a
 * lower bound beyond all does.
 */
function boundsOf({ minModRevision, maxModRevision, minCreateRevision, maxCreateRevision }: RangeRequest) {
  if (maxModRevision < 0n || maxCreateRevision < 0n) return { minModRevision: Number.MAX_SAFE_INTEGER };
  return {
    minModRevision: nearestSafe(minModRevision < 0n ? 1n : minModRevision),
    maxModRevision: nearestSafe(maxModRevision),
    minCreateRevision: nearestSafe(minCreateRevision < 0n ? 1n : minCreateRevision),
    maxCreateRevision: nearestSafe(maxCreateRevision),
  };
}

export function toPut(request: PutRequest): KvPut {
  const { key, value, lease, prevKv, ignoreValue, ignoreLease } = request;
  return { kind: 'put', key, value, lease, prevKv, ignoreValue, ignoreLease };
}

export function toDelete(request: DeleteRangeRequest): KvDelete {
  const { key, rangeEnd, prevKv } = request;
  return { kind: 'delete', key, prevKv, ...(rangeEnd.length === 0 ? {} : { rangeEnd }) };
}

/**
 * Refused before anything walks through it: nesting beyond the limit costs more than it is worth at every step.
 * `ops_max`: of this level; what it takes is no longer there for the levels inside.
 */
export function toTxn(request: TxnRequest, ops_max: number, depth = 0): KvTxn {
  if (depth > LIMITS.txnDepth)
    throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: transactions are nested too deep');
  const ops = Math.max(request.compare.length, request.success.length, request.failure.length);
  if (ops > ops_max) throw tooManyOpsError();
  const op = (one: RequestOp) => toOp(one, ops_max - ops, depth);
  return {
    compare: request.compare.map(toCompare),
    success: request.success.map(op),
    failure: request.failure.map(op),
  };
}

function toOp({ request }: RequestOp, ops_max: number, depth: number): KvOp {
  switch (request?.$case) {
    case 'requestRange':
      // Outside of transactions it means the newest one; in here etcd finds it too old.
      if (request.value.revision < 0n) throw new EtcdError(status.OUT_OF_RANGE, compactedError(0).message);
      return { kind: 'range', request: toRange(request.value) };
    case 'requestPut':
      return toPut(request.value);
    case 'requestDeleteRange':
      return toDelete(request.value);
    case 'requestTxn':
      return { kind: 'txn', txn: toTxn(request.value, ops_max, depth + 1) };
    case undefined:
      throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: key not found');
    default:
      return request satisfies never;
  }
}

const COMPARE_OPERATORS: Readonly<Record<number, KvCompare['op']>> = {
  [Compare_CompareResult.EQUAL]: '=',
  [Compare_CompareResult.GREATER]: '>',
  [Compare_CompareResult.LESS]: '<',
  [Compare_CompareResult.NOT_EQUAL]: '!=',
};

function toCompare(compare: Compare): KvCompare {
  const op = COMPARE_OPERATORS[compare.result];
  if (op === undefined) throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: invalid compare result');
  const base = { key: compare.key, op, ...(compare.rangeEnd.length === 0 ? {} : { rangeEnd: compare.rangeEnd }) };
  const union = compare.targetUnion;
  // What is compared with and does not match the target counts as zero, as in etcd.
  const number = (name: 'version' | 'createRevision' | 'modRevision') =>
    union?.$case === name ? nearestSafe(union.value) : 0;
  switch (compare.target) {
    case Compare_CompareTarget.VERSION:
      return { ...base, target: 'version', value: number('version') };
    case Compare_CompareTarget.CREATE:
      return { ...base, target: 'createRevision', value: number('createRevision') };
    case Compare_CompareTarget.MOD:
      return { ...base, target: 'modRevision', value: number('modRevision') };
    case Compare_CompareTarget.VALUE:
      return { ...base, target: 'value', value: union?.$case === 'value' ? union.value : NO_KEY };
    case Compare_CompareTarget.LEASE:
      return { ...base, target: 'lease', value: union?.$case === 'lease' ? union.value : 0n };
    default:
      throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: invalid compare target');
  }
}

/**
 * Everything a transaction may do, in both branches and at every depth, and what its guards reveal (CVE-2026-33343).
 */
export function* operationsOf(txn: KvTxn): Generator<EtcdOperation> {
  for (const compare of txn.compare) yield { kind: 'read', key: compare.key, rangeEnd: compare.rangeEnd ?? NO_KEY };
  for (const op of [...txn.success, ...txn.failure]) {
    if (op.kind === 'txn') yield* operationsOf(op.txn);
    else if (op.kind === 'range') yield { kind: 'read', key: op.request.key, rangeEnd: op.request.rangeEnd ?? NO_KEY };
    else yield* writeOperations(op);
  }
}

export function* writeOperations(op: KvPut | KvDelete): Generator<EtcdOperation> {
  const rangeEnd = op.kind === 'delete' ? (op.rangeEnd ?? NO_KEY) : NO_KEY;
  yield { kind: 'write', key: op.key, rangeEnd };
  // What comes back is read.
  if (op.prevKv === true) yield { kind: 'read', key: op.key, rangeEnd };
}

// Answers

export function fromKeyValue(kv: KeyValue): EtcdKeyValue {
  const { createRevision, modRevision, version, lease } = kv;
  return { key: buffer(kv.key), value: buffer(kv.value), createRevision, modRevision, version, lease };
}

const fromOptional = (kv: KeyValue | undefined) => (kv === undefined ? undefined : fromKeyValue(kv));

export function fromEvent(event: StoreEvent): Event {
  if (event.kind === 'put')
    return { type: Event_EventType.PUT, kv: fromKeyValue(event.kv), prevKv: fromOptional(event.prevKv) };
  const kv = {
    key: buffer(event.key),
    value: NO_KEY,
    createRevision: 0,
    modRevision: event.modRevision,
    version: 0,
    lease: 0n,
  };
  return { type: Event_EventType.DELETE, kv, prevKv: fromOptional(event.prevKv) };
}
