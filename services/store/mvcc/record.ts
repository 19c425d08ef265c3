/**
 * One version of one key: what a put or a delete left behind. Its facts stay in memory (record-table.ts); its bytes
 * (the encoded form, with the value as their tail) stay while they are hot or not yet on disk, and are read back from
 * disk otherwise.
 */
import { assert } from '../../../platform/assert.js';
import { revisionOf } from '../errors.js';
import { StoreError } from '../store.js';
import type { KeyValue } from '../store.js';
import { crc32 } from './checksum.js';

export interface RecordFacts {
  readonly key: string;
  /**
   * In memory and in any encoding, a record's place in history is (main, sub): the transaction, and the write inside
   * it.
   */
  readonly main: number;
  readonly sub: number;
  /** Revision of the put that created the key; 0 in a tombstone. */
  readonly create: number;
  /** Puts since then; 0 in a tombstone. */
  readonly version: number;
  readonly lease: bigint;
}

export interface EncodedRecord extends RecordFacts {
  readonly bytes: Buffer;
  /** Of the bytes, which are the same on all members. */
  readonly checksum: number;
}

/** The facts of a version, copied out of the table. */
export class Record implements RecordFacts {
  readonly key: string;
  readonly main: number;
  readonly sub: number;
  readonly create: number;
  readonly version: number;
  readonly lease: bigint;
  readonly checksum: number;
  /** Length of the encoded form. */
  readonly size_bytes: number;
  /** Where it stood in the table. */
  readonly row: number;

  constructor(facts: RecordFacts & { readonly checksum: number; readonly size_bytes: number }, row: number) {
    this.key = facts.key;
    this.main = facts.main;
    this.sub = facts.sub;
    this.create = facts.create;
    this.version = facts.version;
    this.lease = facts.lease;
    this.checksum = facts.checksum;
    this.size_bytes = facts.size_bytes;
    this.row = row;
  }

  get tombstone(): boolean {
    return this.version === 0;
  }
}

/** Brings back the encoded bytes of a record that memory has let go. */
export interface RecordSource {
  load(main: number, sub: number): Uint8Array | undefined;
}

const CHECKSUM_BYTES = 4;
const HEADER_BYTES = CHECKSUM_BYTES + 1 + 7 + 5 + 4;
const LEASE_BYTES = 8;
const FLAG_LEASE = 1;
const MAIN_HIGH = 2 ** 32;

const keyOffsetOf = (leased: boolean): number => (leased ? HEADER_BYTES + LEASE_BYTES : HEADER_BYTES);

/** Where the value starts in a record's bytes. */
export const valueOffsetOf = ({ key, lease }: RecordFacts): number => keyOffsetOf(lease !== 0n) + key.length;

/** Makes room for a record's bytes. */
export interface Allocator {
  allocate(size_bytes: number): Buffer;
}

/**
 * Layout: checksum 4, flags 1, create 7, version 5, key length 4, [lease 8], key, value. Little endian, fixed width.
 */
export function createRecord(facts: RecordFacts, value: Uint8Array, memory: Allocator): EncodedRecord {
  const { key, main, sub, create, version, lease } = facts;
  const leased = lease !== 0n;
  const keyOffset = keyOffsetOf(leased);
  const valueOffset = keyOffset + key.length;
  // The place stands before the bytes until the checksum, which covers both, overwrites its end.
  const raw = memory.allocate(PLACE_BYTES - CHECKSUM_BYTES + valueOffset + value.length);
  writePlace(raw, main, sub);
  const bytes = raw.subarray(PLACE_BYTES - CHECKSUM_BYTES);
  bytes[4] = leased ? FLAG_LEASE : 0;
  bytes.writeUInt32LE(create % MAIN_HIGH, 5);
  bytes.writeUIntLE(Math.floor(create / MAIN_HIGH), 9, 3);
  bytes.writeUIntLE(version, 12, 5);
  bytes.writeUInt32LE(key.length, 17);
  if (leased) bytes.writeBigInt64LE(lease, HEADER_BYTES);
  bytes.write(key, keyOffset, 'latin1');
  bytes.set(value, valueOffset);
  const checksum = crc32(raw);
  bytes.writeInt32LE(checksum, 0);
  // Field by field: records made by spreading others have each a shape of their own to V8, and every use of them is
  // slow.
  return { key, main, sub, create, version, lease, bytes, checksum };
}

/** Reads a record back. Fails with 'corrupt' when the bytes are not what was written at (main, sub). */
export function decodeRecord(main: number, sub: number, data: Uint8Array): EncodedRecord {
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (bytes.length < HEADER_BYTES) throw corrupt(main, sub);
  const checksum = bytes.readInt32LE(0);
  if (checksum !== checksumOf(bytes, main, sub)) throw corrupt(main, sub);
  const leased = ((bytes[4] ?? 0) & FLAG_LEASE) !== 0;
  const keyOffset = keyOffsetOf(leased);
  const valueOffset = keyOffset + bytes.readUInt32LE(17);
  return {
    key: bytes.toString('latin1', keyOffset, valueOffset),
    main,
    sub,
    create: bytes.readUInt32LE(5) + bytes.readUIntLE(9, 3) * MAIN_HIGH,
    version: bytes.readUIntLE(12, 5),
    lease: leased ? bytes.readBigInt64LE(HEADER_BYTES) : 0n,
    bytes,
    checksum,
  };
}

/** The record as clients see it. Key and value are views of the record's bytes: read only. */
export function keyValueOf(record: Record, bytes: Buffer, keysOnly: boolean): KeyValue {
  assert(!record.tombstone, 'a tombstone has no value');
  const valueOffset = valueOffsetOf(record);
  return {
    key: bytes.subarray(valueOffset - record.key.length, valueOffset),
    value: keysOnly ? EMPTY : bytes.subarray(valueOffset),
    createRevision: revisionOf(record.create),
    modRevision: revisionOf(record.main),
    version: record.version,
    lease: record.lease,
  };
}

export const EMPTY: Buffer = Buffer.alloc(0);

const PLACE_BYTES = 12;
const place = Buffer.alloc(PLACE_BYTES);

function writePlace(to: Buffer, main: number, sub: number): void {
  to.writeUInt32LE(main % MAIN_HIGH, 0);
  to.writeUInt32LE(Math.floor(main / MAIN_HIGH), 4);
  to.writeUInt32LE(sub, 8);
}

/** Covers the place too, so that a record that strays to another key is noticed. */
function checksumOf(bytes: Buffer, main: number, sub: number): number {
  writePlace(place, main, sub);
  return crc32(bytes.subarray(CHECKSUM_BYTES), crc32(place));
}

const corrupt = (main: number, sub: number) =>
  new StoreError(
    'corrupt',
    `the record of revision ${main}.${sub} does not match its checksum; repair this member from its peers`,
  );
