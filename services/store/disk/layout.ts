/**
 * What lies where in the state's LevelDB. One key for the facts about the whole (applied index, revisions, membership),
 * one for each lease, one for each version of a key, in order of revisions. Each value starts with its own checksum.
 */
import type { LogIndex, Membership, Term } from '../../../raft/contract.js';
import { ByteReader, ByteWriter } from '../bytes.js';
import { readAlarm, writeAlarm } from '../mvcc/alarms.js';
import type { Alarm } from '../mvcc/alarms.js';
import { crc32 } from '../mvcc/checksum.js';
import type { Lease } from '../mvcc/leases.js';
import { StoreError } from '../store.js';

/** Raised whenever the layout changes so that an older program must not read it. */
const SCHEMA_VERSION = 2;

export type LeaseFacts = Pick<Lease, 'ttl_s' | 'remaining_s' | 'renewals'>;

export interface Meta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly revision: number;
  readonly compactRevision: number;
  /** Of everything else on the disk: a batch that is missing among others that are there shows in it. */
  readonly digests: { readonly records: number; readonly leases: number };
  readonly membership: Membership;
  readonly alarms: readonly Alarm[];
}

export const META_KEY = Buffer.from('m');
const LEASE = 0x6c;
const RECORD = 0x72;
export const LEASES = { gte: Buffer.from([LEASE]), lt: Buffer.from([LEASE + 1]) };
export const RECORDS = { gte: Buffer.from([RECORD]), lt: Buffer.from([RECORD + 1]) };

/** 'r', main in 6 bytes, sub in 4, big endian: LevelDB's order is the order of revisions. */
export function recordKey(main: number, sub: number): Buffer {
  const key = Buffer.allocUnsafe(11);
  key[0] = RECORD;
  key.writeUIntBE(main, 1, 6);
  key.writeUInt32BE(sub, 7);
  return key;
}

export const recordPlace = (key: Buffer): { main: number; sub: number } => ({
  main: key.readUIntBE(1, 6),
  sub: key.readUInt32BE(7),
});

export function leaseKey(id: bigint): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = LEASE;
  key.writeBigInt64BE(id, 1);
  return key;
}

export const leaseIdOf = (key: Buffer): bigint => key.readBigInt64BE(1);

export function encodeLease({ ttl_s, remaining_s, renewals }: LeaseFacts): Buffer {
  return sealed(new ByteWriter().varint(ttl_s).varint(remaining_s).varint(renewals).take());
}

export function decodeLease(data: Uint8Array): LeaseFacts {
  const reader = new ByteReader(unsealed(data, 'a lease'));
  return { ttl_s: reader.varint(), remaining_s: reader.varint(), renewals: reader.varint() };
}

/** Which lease it is counts too. */
export const leaseChecksum = (id: bigint, value: Buffer): number => crc32(value, crc32(leaseKey(id)));

/** A membership is written with every checkpoint and seldom changes. */
const membershipTexts = new WeakMap<Membership, string>();

function membershipText(membership: Membership): string {
  let text = membershipTexts.get(membership);
  if (text === undefined) membershipTexts.set(membership, (text = JSON.stringify(membership)));
  return text;
}

export function encodeMeta(meta: Meta): Buffer {
  const writer = new ByteWriter()
    .varint(SCHEMA_VERSION)
    .varint(meta.index)
    .varint(meta.term)
    .varint(meta.revision)
    .varint(meta.compactRevision);
  writer.u32(meta.digests.records).u32(meta.digests.leases);
  writer.text(membershipText(meta.membership));
  for (const alarm of meta.alarms) writeAlarm(writer, alarm);
  return sealed(writer.take());
}

export function decodeMeta(data: Uint8Array): Meta {
  const reader = new ByteReader(unsealed(data, "the state's head"));
  const version = reader.varint();
  if (version !== SCHEMA_VERSION) {
    throw new StoreError(
      'unsupported',
      `the state on disk has version ${version}, this program reads ${SCHEMA_VERSION}: use the program that wrote it`,
    );
  }
  const head = {
    index: reader.varint() as LogIndex,
    term: reader.varint() as Term,
    revision: reader.varint(),
    compactRevision: reader.varint(),
    digests: { records: reader.u32(), leases: reader.u32() },
    membership: JSON.parse(reader.text()) as Membership,
  };
  const alarms: Alarm[] = [];
  while (reader.remaining > 0) alarms.push(readAlarm(reader));
  return { ...head, alarms };
}

/** The checksum, then the bytes. */
function sealed(body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(4 + body.length);
  bytes.writeInt32LE(crc32(body), 0);
  body.copy(bytes, 4);
  return bytes;
}

function unsealed(data: Uint8Array, what: string): Buffer {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const body = bytes.subarray(4);
  if (bytes.length < 4 || bytes.readInt32LE(0) !== crc32(body)) {
    throw new StoreError('corrupt', `${what} does not match its checksum; repair this member from its peers`);
  }
  return body;
}
