/**
 * Keys and values as an answer of etcd's has them on the wire: made by the thread that reads them, and sent as they
 * are. Whoever passes them on holds their bytes and no object for each, and spends nothing on any of them.
 */
import { ByteReader, ByteWriter, varintBytes } from '../bytes.js';
import { revisionOf } from '../errors.js';
import type { KvOpResult, KvOpResultOf, KvTxnResult, KvTxnResultOf, RangeResultOf } from './operations.js';
import type { KeyValue, RangeResult } from '../store.js';

/** Fields of one message, in order; `count` of them. */
export interface KvPage {
  readonly bytes: Buffer;
  readonly count: number;
}

export type EncodedKvs = readonly KvPage[];
/** Pages take memory that long reads share. */
export interface Releasable {
  /** To be called once when they are not needed any more. Absent: nobody waits for that. */
  readonly release?: (() => void) | undefined;
}

export type EncodedRange = RangeResultOf<EncodedKvs> & Releasable;
export type EncodedTxn = KvTxnResultOf<EncodedKvs> & Releasable;

/** Number of the field that holds them: RangeResponse.kvs and DeleteRangeResponse.prev_kvs. */
export const KVS_FIELD = { range: 2, delete: 3 } as const;
export type KvsField = (typeof KVS_FIELD)[keyof typeof KVS_FIELD];

export const PAGE_KVS = 500;

// Tags of mvccpb.KeyValue's fields.
const [KEY, CREATE_REVISION, MOD_REVISION, VERSION, VALUE, LEASE] = [0x0a, 0x10, 0x18, 0x20, 0x2a, 0x30] as const;

const numberSize = (value: number): number => (value === 0 ? 0 : 1 + varintBytes(value));
const bytesSize = ({ length }: Uint8Array): number => (length === 0 ? 0 : 1 + varintBytes(length) + length);

function writeNumber(writer: ByteWriter, tag: number, value: number): void {
  if (value !== 0) writer.u8(tag).varint(value);
}

function writeBytes(writer: ByteWriter, tag: number, value: Uint8Array): void {
  if (value.length > 0) writer.u8(tag).bytes(value);
}

function leaseSize(lease: bigint): number {
  if (lease === 0n) return 0;
  let size = 2;
  for (let rest = BigInt.asUintN(64, lease); rest >= 0x80n; rest >>= 7n) size++;
  return size;
}

/** Fields without a value are left out, as protobuf has it. */
export function writeEncodedKv(writer: ByteWriter, kv: KeyValue, field: KvsField): void {
  const { key, value, createRevision, modRevision, version, lease } = kv;
  writer
    .u8((field << 3) | 2)
    .varint(
      bytesSize(key) +
        numberSize(createRevision) +
        numberSize(modRevision) +
        numberSize(version) +
        bytesSize(value) +
        leaseSize(lease),
    );
  writeBytes(writer, KEY, key);
  writeNumber(writer, CREATE_REVISION, createRevision);
  writeNumber(writer, MOD_REVISION, modRevision);
  writeNumber(writer, VERSION, version);
  writeBytes(writer, VALUE, value);
  if (lease !== 0n) writer.u8(LEASE).varint64(lease);
}

function readEncodedKv(reader: ByteReader): KeyValue {
  const kv = {
    key: NO_BYTES,
    value: NO_BYTES,
    createRevision: revisionOf(0),
    modRevision: revisionOf(0),
    version: 0,
    lease: 0n,
  };
  reader.u8();
  const length = reader.varint();
  const end = reader.offset + length;
  while (reader.offset < end) {
    const tag = reader.u8();
    if (tag === KEY) kv.key = reader.bytes();
    else if (tag === VALUE) kv.value = reader.bytes();
    else if (tag === CREATE_REVISION) kv.createRevision = revisionOf(reader.varint());
    else if (tag === MOD_REVISION) kv.modRevision = revisionOf(reader.varint());
    else if (tag === VERSION) kv.version = reader.varint();
    else kv.lease = reader.varint64();
  }
  return kv;
}

const NO_BYTES: Buffer = Buffer.alloc(0);

/** The objects of pages that `writeEncodedKv` wrote; their bytes are views. */
export function decodeKvs(pages: EncodedKvs): KeyValue[] {
  const kvs: KeyValue[] = [];
  for (const { bytes, count } of pages) {
    const reader = new ByteReader(bytes);
    for (let i = 0; i < count; i++) kvs.push(readEncodedKv(reader));
  }
  return kvs;
}

export function encodePage(kvs: readonly KeyValue[], field: KvsField): KvPage {
  const writer = new ByteWriter(64 * kvs.length);
  for (const kv of kvs) writeEncodedKv(writer, kv, field);
  return { bytes: writer.take(), count: kvs.length };
}

/** None for none. */
export function encodeKvs(kvs: readonly KeyValue[], field: KvsField): EncodedKvs {
  const pages: KvPage[] = [];
  for (let at = 0; at < kvs.length; at += PAGE_KVS) pages.push(encodePage(kvs.slice(at, at + PAGE_KVS), field));
  return pages;
}

export const encodeRange = (range: RangeResult): EncodedRange => ({
  ...range,
  kvs: encodeKvs(range.kvs, KVS_FIELD.range),
});

export const encodeTxn = (txn: KvTxnResult): EncodedTxn => ({ ...txn, results: txn.results.map(encodeOp) });

function encodeOp(result: KvOpResult): KvOpResultOf<EncodedKvs> {
  switch (result.kind) {
    case 'put':
      return result;
    case 'delete':
      return { ...result, prevKvs: encodeKvs(result.prevKvs, KVS_FIELD.delete) };
    case 'range':
      return { kind: 'range', range: encodeRange(result.range) };
    case 'txn':
      return { kind: 'txn', txn: encodeTxn(result.txn) };
    default:
      return result satisfies never;
  }
}

export const decodeTxn = (txn: EncodedTxn): KvTxnResult => ({ ...txn, results: txn.results.map(decodeOp) });

function decodeOp(result: KvOpResultOf<EncodedKvs>): KvOpResult {
  switch (result.kind) {
    case 'put':
      return result;
    case 'delete':
      return { ...result, prevKvs: decodeKvs(result.prevKvs) };
    case 'range':
      return { kind: 'range', range: { ...result.range, kvs: decodeKvs(result.range.kvs) } };
    case 'txn':
      return { kind: 'txn', txn: decodeTxn(result.txn) };
    default:
      return result satisfies never;
  }
}
