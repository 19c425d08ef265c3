/**
 * What main thread and member thread say to each other. A message is one ArrayBuffer of frames: length 4, id 4, type 1,
 * payload. An id names a call, or a watch for as long as it lives. Everything on the path of reads, writes and watches
 * is binary; what happens once a minute is JSON. A batch that many watches share is written once; `again` is the one
 * before. `kvs` are the first keys and values of a long result, ahead of it; `release` says that they are no longer
 * held.
 */
import { ByteReader } from '../bytes.js';
import type { ByteWriter } from '../bytes.js';
import { revisionOf } from '../errors.js';
import type { KvWatch } from '../watch/sink.js';
import { KVS_FIELD, writeEncodedKv } from '../mvcc/encoded-kvs.js';
import type { EncodedKvs, EncodedRange, EncodedTxn, KvPage, KvsField } from '../mvcc/encoded-kvs.js';
import type { CommandResult, CommandResultOf, KvOpResult, KvOpResultOf, KvTxnResult } from '../mvcc/operations.js';
import type { ReadResult } from '../mvcc/range.js';
import type { Packed } from '../mvcc/packed-results.js';
import { StoreError } from '../store.js';
import type { KeyValue, StoreErrorCode, StoreEvent, WatchBatch } from '../store.js';

export const REQUEST = {
  propose: 1,
  range: 2,
  readRevision: 3,
  watch: 4,
  grant: 5,
  progress: 6,
  cancel: 7,
  call: 8,
  readTxn: 9,
  keepAlive: 10,
  release: 11,
} as const;
export const RESPONSE = {
  result: 1,
  range: 2,
  revision: 3,
  error: 4,
  batch: 5,
  end: 6,
  json: 7,
  head: 8,
  fatal: 9,
  again: 10,
  kvs: 11,
} as const;

/** Starts a frame; `endFrame` with what it returns closes it. */
export function beginFrame(writer: ByteWriter, id: number, type: number): number {
  const start = writer.length;
  writer.u32(0).u32(id).u8(type);
  return start;
}

export function endFrame(writer: ByteWriter, start: number): void {
  writer.patch32(start, writer.length - start - 4);
}

// Keys and values

const KV_LEASE = 1;

function writeKeyValue(writer: ByteWriter, kv: KeyValue): void {
  writer.u8(kv.lease === 0n ? 0 : KV_LEASE);
  if (kv.lease !== 0n) writer.i64(kv.lease);
  writer.varint(kv.createRevision).varint(kv.modRevision).varint(kv.version).bytes(kv.key).bytes(kv.value);
}

function readKeyValue(reader: ByteReader): KeyValue {
  const lease = reader.u8() === KV_LEASE ? reader.i64() : 0n;
  return {
    lease,
    createRevision: revisionOf(reader.varint()),
    modRevision: revisionOf(reader.varint()),
    version: reader.varint(),
    key: reader.bytes(),
    value: reader.bytes(),
  };
}

/** Lists travel as etcd's clients get them. */
function writePage(writer: ByteWriter, kvs: readonly KeyValue[], field: KvsField): void {
  writer.varint(kvs.length);
  for (const kv of kvs) writeEncodedKv(writer, kv, field);
}

/** Pages ahead of their result: in the order in which it has them. Those of an earlier attempt to read are void. */
export class Ahead {
  #attempt = 0;
  #pages: KvPage[] = [];

  add(reader: ByteReader): void {
    const attempt = reader.varint();
    if (attempt !== this.#attempt) this.#pages = [];
    this.#attempt = attempt;
    this.#pages.push({ count: reader.varint(), bytes: reader.rest() });
  }

  /** The first of them, with so many keys and values. */
  take(count: number): KvPage[] {
    let pages = 0;
    let found = 0;
    for (; found < count && pages < this.#pages.length; pages++) found += this.#pages[pages]?.count ?? 0;
    if (found !== count) throw new StoreError('corrupt', `a result has ${found} keys ahead of it and says ${count}`);
    return this.#pages.splice(0, pages);
  }

  get rest(): EncodedKvs {
    return this.#pages;
  }
}

/** A page that was encoded before. */
export function writePacked(writer: ByteWriter, { count, bytes }: KvPage): void {
  writer.varint(0).varint(count).raw(bytes);
}

export function writeAhead(
  writer: ByteWriter,
  kvs: readonly KeyValue[],
  { attempt, field }: { readonly attempt: number; readonly field: KvsField },
): void {
  writer.varint(attempt);
  writePage(writer, kvs, field);
}

function writeLong(
  writer: ByteWriter,
  kvs: readonly KeyValue[],
  { spilled = 0, field }: { readonly spilled?: number | undefined; readonly field: KvsField },
): void {
  writer.varint(spilled);
  const start = writer.length;
  writer.u32(0);
  writePage(writer, kvs, field);
  writer.patch32(start, writer.length - start - 4);
}

function readLong(reader: ByteReader, ahead: Ahead): EncodedKvs {
  const pages = ahead.take(reader.varint());
  const last = new ByteReader(reader.raw(reader.u32()));
  const count = last.varint();
  if (count > 0) pages.push({ count, bytes: last.rest() });
  return pages;
}

function writeOptional(writer: ByteWriter, kv: KeyValue | undefined): void {
  writer.u8(kv === undefined ? 0 : 1);
  if (kv !== undefined) writeKeyValue(writer, kv);
}

const readOptional = (reader: ByteReader): KeyValue | undefined =>
  reader.u8() === 0 ? undefined : readKeyValue(reader);

export function writeRangeResult(writer: ByteWriter, range: ReadResult): void {
  writer
    .varint(range.count)
    .u8(range.more ? 1 : 0)
    .varint(range.revision);
  writeLong(writer, range.kvs, { spilled: range.spilled, field: KVS_FIELD.range });
}

export function readRangeResult(reader: ByteReader, ahead: Ahead): EncodedRange {
  return {
    count: reader.varint(),
    more: reader.u8() === 1,
    revision: revisionOf(reader.varint()),
    kvs: readLong(reader, ahead),
  };
}

// Results of commands

const RESULT = { put: 1, txn: 2, lease: 3, done: 4 } as const;
const OP_RESULT = { put: 1, delete: 2, range: 3, txn: 4 } as const;

export function writeResult(writer: ByteWriter, result: CommandResult): void {
  writer.u8(RESULT[result.kind]);
  switch (result.kind) {
    case 'put':
      writer.varint(result.revision);
      writeOptional(writer, result.prevKv);
      break;
    case 'txn':
      writeTxnResult(writer, result.txn);
      break;
    case 'lease':
      writer.i64(result.id).varint(result.ttl_s).varint(result.revision);
      break;
    case 'done':
      writer.varint(result.revision);
      break;
    default:
      result satisfies never;
  }
}

export function readResult(reader: ByteReader, ahead: Ahead): CommandResultOf<EncodedKvs> {
  switch (reader.u8()) {
    case RESULT.put:
      return { kind: 'put', revision: revisionOf(reader.varint()), prevKv: readOptional(reader) };
    case RESULT.txn:
      return { kind: 'txn', txn: readTxnResult(reader, ahead) };
    case RESULT.lease:
      return { kind: 'lease', id: reader.i64(), ttl_s: reader.varint(), revision: revisionOf(reader.varint()) };
    case RESULT.done:
      return { kind: 'done', revision: revisionOf(reader.varint()) };
    default:
      throw new StoreError('corrupt', 'unknown result between threads');
  }
}

function writeTxnResult(writer: ByteWriter, txn: KvTxnResult): void {
  writer
    .u8(txn.succeeded ? 1 : 0)
    .varint(txn.revision)
    .varint(txn.results.length);
  for (const result of txn.results) writeOpResult(writer, result);
}

function readTxnResult(reader: ByteReader, ahead: Ahead): EncodedTxn {
  const succeeded = reader.u8() === 1;
  const revision = revisionOf(reader.varint());
  const count = reader.varint();
  const results: KvOpResultOf<EncodedKvs>[] = [];
  for (let i = 0; i < count; i++) results.push(readOpResult(reader, ahead));
  return { succeeded, revision, results };
}

function writeOpResult(writer: ByteWriter, result: KvOpResult): void {
  writer.u8(OP_RESULT[result.kind]);
  switch (result.kind) {
    case 'put':
      writeOptional(writer, result.prevKv);
      break;
    case 'delete':
      writer.varint(result.deleted);
      writeLong(writer, result.prevKvs, { spilled: (result as Packed).spilled, field: KVS_FIELD.delete });
      break;
    case 'range':
      writeRangeResult(writer, result.range);
      break;
    case 'txn':
      writeTxnResult(writer, result.txn);
      break;
    default:
      result satisfies never;
  }
}

function readOpResult(reader: ByteReader, ahead: Ahead): KvOpResultOf<EncodedKvs> {
  switch (reader.u8()) {
    case OP_RESULT.put: {
      const prevKv = readOptional(reader);
      return prevKv === undefined ? { kind: 'put' } : { kind: 'put', prevKv };
    }
    case OP_RESULT.delete:
      return { kind: 'delete', deleted: reader.varint(), prevKvs: readLong(reader, ahead) };
    case OP_RESULT.range:
      return { kind: 'range', range: readRangeResult(reader, ahead) };
    case OP_RESULT.txn:
      return { kind: 'txn', txn: readTxnResult(reader, ahead) };
    default:
      throw new StoreError('corrupt', 'unknown result between threads');
  }
}

// Errors

export function writeError(writer: ByteWriter, error: StoreError): void {
  writer
    .text(error.code)
    .text(error.message)
    .varint(error.compactRevision === undefined ? 0 : error.compactRevision + 1);
}

export function readError(reader: ByteReader): StoreError {
  const code = reader.text() as StoreErrorCode;
  const message = reader.text();
  const compact = reader.varint();
  return compact === 0 ? new StoreError(code, message) : new StoreError(code, message, revisionOf(compact - 1));
}

// Watches

const WATCH_END = 1;
const WATCH_PREV_KV = 2;
const WATCH_NO_PUT = 4;
const WATCH_NO_DELETE = 8;

export function writeWatch(writer: ByteWriter, watch: KvWatch): void {
  writer.u8(
    (watch.rangeEnd === undefined ? 0 : WATCH_END) |
      (watch.prevKv === true ? WATCH_PREV_KV : 0) |
      (watch.noPut === true ? WATCH_NO_PUT : 0) |
      (watch.noDelete === true ? WATCH_NO_DELETE : 0),
  );
  writer
    .bytes(watch.key)
    .varint(watch.startRevision ?? 0)
    .varint(Math.ceil(watch.progressInterval_ms ?? 0));
  if (watch.rangeEnd !== undefined) writer.bytes(watch.rangeEnd);
}

export function readWatch(reader: ByteReader): KvWatch {
  const flags = reader.u8();
  const key = Buffer.from(reader.bytes());
  const startRevision = reader.varint();
  const progressInterval_ms = reader.varint();
  return {
    key,
    ...(startRevision === 0 ? {} : { startRevision: revisionOf(startRevision) }),
    ...(progressInterval_ms === 0 ? {} : { progressInterval_ms }),
    ...((flags & WATCH_END) === 0 ? {} : { rangeEnd: Buffer.from(reader.bytes()) }),
    prevKv: (flags & WATCH_PREV_KV) !== 0,
    noPut: (flags & WATCH_NO_PUT) !== 0,
    noDelete: (flags & WATCH_NO_DELETE) !== 0,
  };
}

const EVENT_DELETE = 1;
const EVENT_PREV_KV = 2;

export function writeBatch(writer: ByteWriter, batch: WatchBatch): void {
  writer
    .u8(batch.partial === true ? 1 : 0)
    .varint(batch.revision)
    .varint(batch.events.length);
  for (const event of batch.events) {
    writer.u8((event.kind === 'delete' ? EVENT_DELETE : 0) | (event.prevKv === undefined ? 0 : EVENT_PREV_KV));
    if (event.kind === 'put') writeKeyValue(writer, event.kv);
    else writer.bytes(event.key).varint(event.modRevision);
    if (event.prevKv !== undefined) writeKeyValue(writer, event.prevKv);
  }
}

export function readBatch(reader: ByteReader): WatchBatch {
  const partial = reader.u8() === 1;
  const revision = revisionOf(reader.varint());
  const count = reader.varint();
  const events: StoreEvent[] = [];
  for (let i = 0; i < count; i++) events.push(readEvent(reader));
  return partial ? { revision, events, partial } : { revision, events };
}

function readEvent(reader: ByteReader): StoreEvent {
  const flags = reader.u8();
  if ((flags & EVENT_DELETE) === 0) {
    const kv = readKeyValue(reader);
    return (flags & EVENT_PREV_KV) === 0 ? { kind: 'put', kv } : { kind: 'put', kv, prevKv: readKeyValue(reader) };
  }
  const key = reader.bytes();
  const modRevision = revisionOf(reader.varint());
  const gone = { kind: 'delete', key, modRevision } as const;
  return (flags & EVENT_PREV_KV) === 0 ? gone : { ...gone, prevKv: readKeyValue(reader) };
}
