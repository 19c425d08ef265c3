/**
 * Commands as bytes: what stands in the Raft log. One byte says which; numbers are varints; lease ids, which use all 64
 * bits, are fixed. The first byte is a version's worth of meaning: a kind is never given another form, it gets a new
 * number.
 */
import { ByteReader, ByteWriter } from '../bytes.js';
import { LIMITS } from '../limits.js';
import { revisionOf } from '../errors.js';
import { StoreError } from '../store.js';
import { readAlarm, writeAlarm } from './alarms.js';
import type {
  Command,
  EndedLease,
  KvCompare,
  KvDelete,
  KvOp,
  KvPut,
  KvRange,
  KvTxn,
  SortTarget,
} from './operations.js';

const KINDS = [
  'put',
  'txn',
  'compact',
  'lease-grant',
  'lease-revoke',
  'lease-keep-alive',
  'lease-checkpoint',
  'lease-expire',
  'alarm',
  'hash-ask',
  'hash-tell',
  'leases-expire',
] as const satisfies readonly Command['kind'][];

/** Up to which level this program understands commands; see raft/driver/levels.ts. A kind that is added raises it. */
export const COMMAND_LEVEL = 3;
/** From which level on leases are renewed in their leader's memory, and members ask it to. */
export const RENEWAL_LEVEL = 3;
/** From which level on a kind may be proposed; the others: 1. */
const LEVELS: Partial<Record<Command['kind'], number>> = { 'leases-expire': 2 };

export const levelOf = (kind: Command['kind']): number => LEVELS[kind] ?? 1;

const TARGETS = [
  'version',
  'createRevision',
  'modRevision',
  'value',
  'lease',
] as const satisfies readonly KvCompare['target'][];
const OPERATORS = ['=', '>', '<', '!='] as const satisfies readonly KvCompare['op'][];
const SORT_TARGETS = [
  'key',
  'version',
  'createRevision',
  'modRevision',
  'value',
] as const satisfies readonly SortTarget[];

export function writeCommand(writer: ByteWriter, command: Command): void {
  writer.u8(KINDS.indexOf(command.kind) + 1);
  switch (command.kind) {
    case 'put':
      writePut(writer, command.put);
      break;
    case 'txn':
      writeTxn(writer, command.txn);
      break;
    case 'compact':
      writer.varint(command.revision);
      break;
    case 'lease-grant':
      writer.i64(command.id).varint(command.ttl_s);
      break;
    case 'lease-revoke':
    case 'lease-keep-alive':
      writer.i64(command.id);
      break;
    case 'lease-checkpoint':
      writer.varint(command.term).varint(command.remaining.length);
      for (const { id, ttl_s } of command.remaining) writer.i64(id).varint(ttl_s);
      break;
    case 'lease-expire':
      writer.varint(command.term).i64(command.id).varint(command.renewals);
      break;
    case 'leases-expire':
      writer.varint(command.term).varint(command.ended.length);
      for (const { id, renewals } of command.ended) writer.i64(id).varint(renewals);
      break;
    case 'hash-ask':
      writer.varint(command.term).varint(command.revision).varint(command.compactRevision);
      break;
    case 'hash-tell':
      writer.i64(command.member).varint(command.revision).varint(command.compactRevision).u32(command.hash);
      break;
    case 'alarm':
      writer.u8(command.action === 'raise' ? 1 : 0);
      writeAlarm(writer, command.alarm);
      break;
    default:
      command satisfies never;
  }
}

export function encodeCommand(command: Command): Buffer {
  const writer = new ByteWriter();
  writeCommand(writer, command);
  return writer.take();
}

/** Of an encoded command: a single put, which always takes space. */
export const isPut = (data: Uint8Array): boolean => data[0] === KINDS.indexOf('put') + 1;

/** What tells the members' threads something and leaves the state as it is. */
export const isHash = (data: Uint8Array): boolean =>
  data[0] === KINDS.indexOf('hash-ask') + 1 || data[0] === KINDS.indexOf('hash-tell') + 1;

export const isAlarm = (data: Uint8Array): boolean => data[0] === KINDS.indexOf('alarm') + 1;

/** Fails with StoreError when the bytes are no command: a bad command never reaches the state. */
export function decodeCommand(data: Uint8Array): Command {
  const reader = new ByteReader(data);
  const kind = KINDS[reader.u8() - 1];
  const command = readCommand(reader, kind);
  if (reader.remaining !== 0) throw new StoreError('corrupt', `${reader.remaining} bytes after the command`);
  return command;
}

function readCommand(reader: ByteReader, kind: Command['kind'] | undefined): Command {
  switch (kind) {
    case 'put':
      return { kind, put: readPut(reader) };
    case 'txn':
      return { kind, txn: readTxn(reader, 0) };
    case 'compact':
      return { kind, revision: reader.varint() };
    case 'lease-grant':
      return { kind, id: reader.i64(), ttl_s: reader.varint() };
    case 'lease-revoke':
    case 'lease-keep-alive':
      return { kind, id: reader.i64() };
    case 'lease-checkpoint': {
      const term = reader.varint();
      return { kind, term, remaining: list(reader, () => ({ id: reader.i64(), ttl_s: reader.varint() })) };
    }
    case 'lease-expire':
      return { kind, term: reader.varint(), id: reader.i64(), renewals: reader.varint() };
    case 'leases-expire': {
      const term = reader.varint();
      return { kind, term, ended: list(reader, () => ({ id: reader.i64(), renewals: reader.varint() })) };
    }
    case 'hash-ask':
      return { kind, term: reader.varint(), revision: reader.varint(), compactRevision: reader.varint() };
    case 'hash-tell':
      return {
        kind,
        member: BigInt.asUintN(64, reader.i64()),
        revision: reader.varint(),
        compactRevision: reader.varint(),
        hash: reader.u32(),
      };
    case 'alarm':
      return { kind, action: reader.u8() === 1 ? 'raise' : 'clear', alarm: readAlarm(reader) };
    case undefined:
      throw new StoreError('corrupt', 'unknown kind of command');
    default:
      return kind satisfies never;
  }
}

function list<T>(reader: ByteReader, item: () => T): T[] {
  const count = reader.varint();
  if (count > reader.remaining) throw new StoreError('corrupt', 'a list is longer than its bytes');
  const items: T[] = [];
  for (let i = 0; i < count; i++) items.push(item());
  return items;
}

// Put

const PUT_LEASE = 1;
const PUT_PREV_KV = 2;
const PUT_IGNORE_VALUE = 4;
const PUT_IGNORE_LEASE = 8;

function writePut(writer: ByteWriter, put: KvPut): void {
  const leased = put.lease !== undefined && put.lease !== 0n;
  writer.u8(
    (leased ? PUT_LEASE : 0) |
      (put.prevKv === true ? PUT_PREV_KV : 0) |
      (put.ignoreValue === true ? PUT_IGNORE_VALUE : 0) |
      (put.ignoreLease === true ? PUT_IGNORE_LEASE : 0),
  );
  if (leased) writer.i64(put.lease);
  writer.bytes(put.key).bytes(put.value);
}

function readPut(reader: ByteReader): KvPut {
  const flags = reader.u8();
  const lease = (flags & PUT_LEASE) === 0 ? 0n : reader.i64();
  return {
    kind: 'put',
    lease,
    key: reader.bytes(),
    value: reader.bytes(),
    prevKv: (flags & PUT_PREV_KV) !== 0,
    ignoreValue: (flags & PUT_IGNORE_VALUE) !== 0,
    ignoreLease: (flags & PUT_IGNORE_LEASE) !== 0,
  };
}

// Delete and range

const HAS_END = 1;

function writeEnd(writer: ByteWriter, rangeEnd: Uint8Array | undefined): void {
  if (rangeEnd !== undefined) writer.bytes(rangeEnd);
}

const endFlag = (rangeEnd: Uint8Array | undefined) => (rangeEnd === undefined ? 0 : HAS_END);

const DELETE_PREV_KV = 2;

function writeDelete(writer: ByteWriter, op: KvDelete): void {
  writer.u8(endFlag(op.rangeEnd) | (op.prevKv === true ? DELETE_PREV_KV : 0)).bytes(op.key);
  writeEnd(writer, op.rangeEnd);
}

function readDelete(reader: ByteReader): KvDelete {
  const flags = reader.u8();
  const key = reader.bytes();
  const prevKv = (flags & DELETE_PREV_KV) !== 0;
  return (flags & HAS_END) === 0
    ? { kind: 'delete', key, prevKv }
    : { kind: 'delete', key, rangeEnd: reader.bytes(), prevKv };
}

const RANGE_SERIALIZABLE = 2;
const RANGE_KEYS_ONLY = 4;
const RANGE_COUNT_ONLY = 8;
const RANGE_BOUNDS = 16;
const RANGE_ASCEND = 32;
const RANGE_DESCEND = 64;
const RANGE_TARGET = 128;

export function writeRange(writer: ByteWriter, range: KvRange): void {
  const bounded =
    (range.minModRevision ?? 0) !== 0 ||
    (range.maxModRevision ?? 0) !== 0 ||
    (range.minCreateRevision ?? 0) !== 0 ||
    (range.maxCreateRevision ?? 0) !== 0;
  writer.u8(
    endFlag(range.rangeEnd) |
      (range.serializable === true ? RANGE_SERIALIZABLE : 0) |
      (range.keysOnly === true ? RANGE_KEYS_ONLY : 0) |
      (range.countOnly === true ? RANGE_COUNT_ONLY : 0) |
      (bounded ? RANGE_BOUNDS : 0) |
      (range.sortOrder === 'ascend' ? RANGE_ASCEND : 0) |
      (range.sortOrder === 'descend' ? RANGE_DESCEND : 0) |
      (range.sortTarget === undefined ? 0 : RANGE_TARGET),
  );
  writer
    .bytes(range.key)
    .varint(Math.max(0, range.limit ?? 0))
    .varint(Math.max(0, range.revision ?? 0));
  writeEnd(writer, range.rangeEnd);
  if (bounded) {
    writer.varint(Math.max(0, range.minModRevision ?? 0)).varint(Math.max(0, range.maxModRevision ?? 0));
    writer.varint(Math.max(0, range.minCreateRevision ?? 0)).varint(Math.max(0, range.maxCreateRevision ?? 0));
  }
  if (range.sortTarget !== undefined) writer.u8(SORT_TARGETS.indexOf(range.sortTarget));
}

export function readRange(reader: ByteReader): KvRange {
  const flags = reader.u8();
  const range: { -readonly [K in keyof KvRange]: KvRange[K] } = { key: reader.bytes() };
  const limit = reader.varint();
  const revision = reader.varint();
  if (limit > 0) range.limit = limit;
  if (revision > 0) range.revision = revisionOf(revision);
  if ((flags & HAS_END) !== 0) range.rangeEnd = reader.bytes();
  if ((flags & RANGE_SERIALIZABLE) !== 0) range.serializable = true;
  if ((flags & RANGE_KEYS_ONLY) !== 0) range.keysOnly = true;
  if ((flags & RANGE_COUNT_ONLY) !== 0) range.countOnly = true;
  if ((flags & RANGE_BOUNDS) !== 0) {
    range.minModRevision = reader.varint();
    range.maxModRevision = reader.varint();
    range.minCreateRevision = reader.varint();
    range.maxCreateRevision = reader.varint();
  }
  if ((flags & RANGE_ASCEND) !== 0) range.sortOrder = 'ascend';
  else if ((flags & RANGE_DESCEND) !== 0) range.sortOrder = 'descend';
  if ((flags & RANGE_TARGET) !== 0) range.sortTarget = oneOf(SORT_TARGETS, reader.u8());
  return range;
}

// Transactions

function writeTxn(writer: ByteWriter, txn: KvTxn): void {
  writer.varint(txn.compare.length);
  for (const compare of txn.compare) writeCompare(writer, compare);
  for (const branch of [txn.success, txn.failure]) {
    writer.varint(branch.length);
    for (const op of branch) writeOp(writer, op);
  }
}

function readTxn(reader: ByteReader, depth: number): KvTxn {
  if (depth > LIMITS.txnDepth)
    throw new StoreError('invalid', `transactions are nested deeper than ${LIMITS.txnDepth} levels`);
  const compare = list(reader, () => readCompare(reader));
  const success = list(reader, () => readOp(reader, depth));
  const failure = list(reader, () => readOp(reader, depth));
  return { compare, success, failure };
}

const OP_KINDS = ['put', 'delete', 'range', 'txn'] as const satisfies readonly KvOp['kind'][];

function writeOp(writer: ByteWriter, op: KvOp): void {
  writer.u8(OP_KINDS.indexOf(op.kind));
  switch (op.kind) {
    case 'put':
      writePut(writer, op);
      break;
    case 'delete':
      writeDelete(writer, op);
      break;
    case 'range':
      writeRange(writer, op.request);
      break;
    case 'txn':
      writeTxn(writer, op.txn);
      break;
    default:
      op satisfies never;
  }
}

function readOp(reader: ByteReader, depth: number): KvOp {
  const kind = oneOf(OP_KINDS, reader.u8());
  switch (kind) {
    case 'put':
      return readPut(reader);
    case 'delete':
      return readDelete(reader);
    case 'range':
      return { kind, request: readRange(reader) };
    case 'txn':
      return { kind, txn: readTxn(reader, depth + 1) };
    default:
      return kind satisfies never;
  }
}

function writeCompare(writer: ByteWriter, compare: KvCompare): void {
  writer
    .u8(TARGETS.indexOf(compare.target))
    .u8(OPERATORS.indexOf(compare.op))
    .u8(endFlag(compare.rangeEnd))
    .bytes(compare.key);
  writeEnd(writer, compare.rangeEnd);
  if (compare.target === 'value') writer.bytes(compare.value);
  else if (compare.target === 'lease') writer.i64(compare.value);
  // A client may compare with any int64: below zero and beyond 2^53 it still has to sort right, not be refused.
  else writer.i64(BigInt(Math.trunc(compare.value)));
}

function readCompare(reader: ByteReader): KvCompare {
  const target = oneOf(TARGETS, reader.u8());
  const op = oneOf(OPERATORS, reader.u8());
  const hasEnd = reader.u8() === HAS_END;
  const key = reader.bytes();
  const end = hasEnd ? { rangeEnd: reader.bytes() } : {};
  if (target === 'value') return { target, op, key, value: reader.bytes(), ...end };
  if (target === 'lease') return { target, op, key, value: reader.i64(), ...end };
  return { target, op, key, value: Number(reader.i64()), ...end };
}

function oneOf<T>(choices: readonly T[], index: number): T {
  const choice = choices[index];
  if (choice === undefined) throw new StoreError('corrupt', `unknown choice ${index} in a command`);
  return choice;
}

/** One by one as long as some member understands nothing else. */
export function expireCommand(term: number, ended: readonly EndedLease[]): Command {
  const [first] = ended;
  return ended.length === 1 && first !== undefined
    ? { kind: 'lease-expire', term, ...first }
    : { kind: 'leases-expire', term, ended };
}
