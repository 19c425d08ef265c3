/**
 * Our state as etcd keeps its own, and back: versions in the bucket `key` under their revision, leases, and in `meta`
 * how far history is compacted. Members and users are not taken along: `etcdutl snapshot restore` and our own restore
 * make new ones.
 */
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { KeyValue } from '../../../proto/gen/etcd/mvccpb/kv.js';
import type { DiskOperation, Row } from '../../../platform/disk/disk.js';
import type { Meta } from '../disk/layout.js';
import {
  encodeLease,
  leaseChecksum,
  leaseIdOf,
  leaseKey,
  decodeLease,
  recordKey,
  recordPlace,
} from '../disk/layout.js';
import { digestOf } from '../mvcc/mvcc.js';
import { createRecord, decodeRecord, EMPTY, valueOffsetOf } from '../mvcc/record.js';
import { StoreError } from '../store.js';
import type { BoltItem } from './bolt/writer.js';

/** Buckets that etcd expects, whatever is in them. */
export const EMPTY_BUCKETS = [
  'alarm',
  'auth',
  'authRoles',
  'authUsers',
  'cluster',
  'members',
  'members_removed',
] as const;
export const VERSIONS = 'key';
export const LEASES = 'lease';
export const META = 'meta';
export const COMPACTED = 'finishedCompactRev';

const REVISION_BYTES = 17;
const SEPARATOR = 0x5f;
const TOMBSTONE = 0x74;
const LEASE_BYTES = 8;

/** Main and sub, eight bytes each, big endian, with `_` between; a deletion has a `t` behind. */
function revisionKey(main: number, sub: number, isTombstone: boolean): Buffer {
  const key = Buffer.allocUnsafe(REVISION_BYTES + (isTombstone ? 1 : 0));
  key.writeBigUInt64BE(BigInt(main), 0);
  key[8] = SEPARATOR;
  key.writeBigUInt64BE(BigInt(sub), 9);
  if (isTombstone) key[REVISION_BYTES] = TOMBSTONE;
  return key;
}

export function placeOf(key: Buffer): { readonly main: number; readonly sub: number; readonly isTombstone: boolean } {
  const isTombstone = key.length === REVISION_BYTES + 1 && key[REVISION_BYTES] === TOMBSTONE;
  if ((key.length !== REVISION_BYTES && !isTombstone) || key[8] !== SEPARATOR)
    throw new StoreError('corrupt', `etcd has no revision ${key.toString('hex')}`);
  return { main: Number(key.readBigUInt64BE(0)), sub: Number(key.readBigUInt64BE(9)), isTombstone };
}

/** A version as a row of ours becomes an item of etcd's. */
export function versionItem([key, value]: Row): BoltItem {
  const { main, sub } = recordPlace(key);
  const record = decodeRecord(main, sub, value);
  const isTombstone = record.version === 0;
  const name = Buffer.from(record.key, 'latin1');
  const kv = isTombstone
    ? { key: name, createRevision: 0, modRevision: 0, version: 0, value: EMPTY, lease: 0n }
    : {
        key: name,
        createRevision: record.create,
        modRevision: main,
        version: record.version,
        value: record.bytes.subarray(valueOffsetOf(record)),
        lease: record.lease,
      };
  return { key: revisionKey(main, sub, isTombstone), value: Buffer.from(KeyValue.encode(kv).finish()) };
}

/** `ID` 1, `TTL` 2, `RemainingTTL` 3 of leasepb.Lease. */
export function leaseItem([key, value]: Row): BoltItem {
  const id = leaseIdOf(key);
  const { ttl_s, remaining_s } = decodeLease(value);
  const lease = new BinaryWriter().uint32(8).int64(id).uint32(16).int64(ttl_s);
  if (remaining_s < ttl_s) lease.uint32(24).int64(remaining_s);
  const name = Buffer.allocUnsafe(LEASE_BYTES);
  name.writeBigInt64BE(id);
  return { key: name, value: Buffer.from(lease.finish()) };
}

export function metaItems({ index, term, compactRevision }: Meta): BoltItem[] {
  const count = (value: number) => {
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigUInt64BE(BigInt(value));
    return bytes;
  };
  const compacted =
    compactRevision === 0
      ? []
      : [
          { key: Buffer.from(COMPACTED), value: revisionKey(compactRevision, 0, false) },
          { key: Buffer.from('scheduledCompactRev'), value: revisionKey(compactRevision, 0, false) },
        ];
  const confState = Buffer.from(JSON.stringify({ voters: [1], auto_leave: false }));
  const items = [
    ...compacted,
    { key: Buffer.from('consistent_index'), value: count(index) },
    { key: Buffer.from('term'), value: count(term) },
    { key: Buffer.from('confState'), value: confState },
  ];
  return items.sort((a, b) => Buffer.compare(a.key, b.key));
}

/** What rows of ours made of etcd's items come to. */
export class Digests {
  records = 0;
  leases = 0;
}

/** An item of etcd's becomes a row of ours. */
export function versionRow({ key, value }: BoltItem, digests: Digests): DiskOperation {
  const { main, sub, isTombstone } = placeOf(key);
  const kv = KeyValue.decode(value);
  const facts = {
    key: kv.key.toString('latin1'),
    main,
    sub,
    create: isTombstone ? 0 : kv.createRevision,
    version: isTombstone ? 0 : kv.version,
    lease: isTombstone ? 0n : kv.lease,
  };
  if (facts.key === '' || (!isTombstone && facts.version === 0))
    throw new StoreError('corrupt', `revision ${main}.${sub} of etcd has no key or no version`);
  const record = createRecord(facts, isTombstone ? EMPTY : kv.value, {
    allocate: (size_bytes) => Buffer.alloc(size_bytes),
  });
  digests.records = (digests.records + digestOf(record)) | 0;
  return { type: 'put', key: recordKey(main, sub), value: record.bytes };
}

export function leaseRow({ value }: BoltItem, digests: Digests): DiskOperation {
  const reader = new BinaryReader(value);
  const fields = new Map<number, bigint>();
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === 0) fields.set(field, BigInt(reader.int64()));
    else reader.skip(type);
  }
  const id = fields.get(1) ?? 0n;
  const ttl_s = Number(fields.get(2) ?? 0n);
  if (id === 0n || ttl_s <= 0) throw new StoreError('corrupt', 'a lease of etcd has no id or no time');
  const remaining_s = Number(fields.get(3) ?? 0n);
  const bytes = encodeLease({
    ttl_s,
    remaining_s: remaining_s > 0 ? Math.min(remaining_s, ttl_s) : ttl_s,
    renewals: 0,
  });
  digests.leases = (digests.leases + leaseChecksum(id, bytes)) | 0;
  return { type: 'put', key: leaseKey(id), value: bytes };
}
