/** The Store's requests as etcd's messages, and its answers back. */
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest as EtcdRange,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type {
  Compare as EtcdCompare,
  RangeResponse,
  RequestOp,
  ResponseOp,
  TxnRequest as EtcdTxn,
  TxnResponse,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { Event_EventType } from '../../../proto/gen/etcd/mvccpb/kv.js';
import type { Event, KeyValue as EtcdKeyValue } from '../../../proto/gen/etcd/mvccpb/kv.js';
import { revisionOf } from '../errors.js';
import { StoreError } from '../store.js';
import type {
  Compare,
  KeyValue,
  Op,
  OpResult,
  RangeRequest,
  RangeResult,
  StoreEvent,
  TxnRequest,
  TxnResult,
} from '../store.js';

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const optional = (bytes: Uint8Array | undefined): Buffer => (bytes === undefined ? Buffer.alloc(0) : buffer(bytes));

export function toEtcdRange(request: RangeRequest): EtcdRange {
  return EtcdRange.fromPartial({
    key: buffer(request.key),
    rangeEnd: optional(request.rangeEnd),
    limit: BigInt(request.limit ?? 0),
    revision: BigInt(request.revision ?? 0),
    serializable: request.serializable ?? false,
    keysOnly: request.keysOnly ?? false,
    countOnly: request.countOnly ?? false,
  });
}

export function toEtcdTxn(txn: TxnRequest): EtcdTxn {
  return { compare: txn.compare.map(toCompare), success: txn.success.map(toOp), failure: txn.failure.map(toOp) };
}

const RESULTS = {
  '=': Compare_CompareResult.EQUAL,
  '!=': Compare_CompareResult.NOT_EQUAL,
  '<': Compare_CompareResult.LESS,
  '>': Compare_CompareResult.GREATER,
} as const satisfies Record<Compare['op'], number>;

function toCompare(compare: Compare): EtcdCompare {
  const base = { key: buffer(compare.key), result: RESULTS[compare.op], rangeEnd: Buffer.alloc(0) };
  switch (compare.target) {
    case 'version':
      return {
        ...base,
        target: Compare_CompareTarget.VERSION,
        targetUnion: { $case: 'version', value: BigInt(compare.value) },
      };
    case 'createRevision':
      return {
        ...base,
        target: Compare_CompareTarget.CREATE,
        targetUnion: { $case: 'createRevision', value: BigInt(compare.value) },
      };
    case 'modRevision':
      return {
        ...base,
        target: Compare_CompareTarget.MOD,
        targetUnion: { $case: 'modRevision', value: BigInt(compare.value) },
      };
    case 'value':
      return {
        ...base,
        target: Compare_CompareTarget.VALUE,
        targetUnion: { $case: 'value', value: buffer(compare.value) },
      };
    case 'lease':
      return { ...base, target: Compare_CompareTarget.LEASE, targetUnion: { $case: 'lease', value: compare.value } };
    default:
      return compare satisfies never;
  }
}

function toOp(op: Op): RequestOp {
  switch (op.kind) {
    case 'put': {
      const value = PutRequest.fromPartial({
        key: buffer(op.key),
        value: buffer(op.value),
        lease: op.lease ?? 0n,
        prevKv: op.prevKv ?? false,
      });
      return { request: { $case: 'requestPut', value } };
    }
    case 'delete': {
      const value = DeleteRangeRequest.fromPartial({
        key: buffer(op.key),
        rangeEnd: optional(op.rangeEnd),
        prevKv: op.prevKv ?? false,
      });
      return { request: { $case: 'requestDeleteRange', value } };
    }
    case 'range':
      return { request: { $case: 'requestRange', value: toEtcdRange(op.request) } };
    default:
      return op satisfies never;
  }
}

function fromEtcdKeyValue(kv: EtcdKeyValue): KeyValue {
  const { key, value, version, lease } = kv;
  return {
    key,
    value,
    version,
    lease,
    createRevision: revisionOf(kv.createRevision),
    modRevision: revisionOf(kv.modRevision),
  };
}

export function fromEtcdRange({ header, kvs, count, more }: RangeResponse): RangeResult {
  return { kvs: kvs.map(fromEtcdKeyValue), count, more, revision: revisionOf(header?.revision ?? 0) };
}

export function fromEtcdTxn({ header, succeeded, responses }: TxnResponse): TxnResult {
  return { succeeded, revision: revisionOf(header?.revision ?? 0), results: responses.map(fromOp) };
}

function fromOp({ response }: ResponseOp): OpResult {
  switch (response?.$case) {
    case 'responsePut':
      return response.value.prevKv === undefined
        ? { kind: 'put' }
        : { kind: 'put', prevKv: fromEtcdKeyValue(response.value.prevKv) };
    case 'responseDeleteRange':
      return { kind: 'delete', deleted: response.value.deleted, prevKvs: response.value.prevKvs.map(fromEtcdKeyValue) };
    case 'responseRange':
      return { kind: 'range', range: fromEtcdRange(response.value) };
    default:
      throw new StoreError('unavailable', 'etcd answered a transaction with something that was not asked');
  }
}

export function fromEtcdEvent(event: Event): StoreEvent {
  if (event.kv === undefined) throw new StoreError('unavailable', 'etcd sent an event without a key');
  const prevKv = event.prevKv === undefined ? {} : { prevKv: fromEtcdKeyValue(event.prevKv) };
  if (event.type === Event_EventType.PUT) return { kind: 'put', kv: fromEtcdKeyValue(event.kv), ...prevKv };
  return { kind: 'delete', key: event.kv.key, modRevision: revisionOf(event.kv.modRevision), ...prevKv };
}
