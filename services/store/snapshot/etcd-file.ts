/** A snapshot as etcd's own tools write and take it: a bbolt database, and behind it the SHA-256 of all of it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import type { DiskOperation, DiskView, KeyValueDisk } from '../../../platform/disk/disk.js';
import { LEASES as LEASE_ROWS, RECORDS } from '../disk/layout.js';
import type { Meta } from '../disk/layout.js';
import { StoreError } from '../store.js';
import { BoltReader } from './bolt/reader.js';
import { writeBolt } from './bolt/writer.js';
import type { BoltItem } from './bolt/writer.js';
import {
  COMPACTED,
  Digests,
  EMPTY_BUCKETS,
  leaseItem,
  LEASES,
  leaseRow,
  META,
  metaItems,
  placeOf,
  versionItem,
  VERSIONS,
  versionRow,
} from './etcd-content.js';

const CHUNK_BYTES = 256 * 1024;
const DIGEST_BYTES = 32;

/** Of the state as the view shows it, which must not change meanwhile. */
export async function* encodeEtcdSnapshot(view: DiskView, meta: Meta): AsyncGenerator<Uint8Array, void, undefined> {
  const leases: BoltItem[] = [];
  for await (const rows of view.pages(LEASE_ROWS)) for (const row of rows) leases.push(leaseItem(row));
  // By the bytes of the id, of which ours are signed.
  leases.sort((a, b) => Buffer.compare(a.key, b.key));
  const empty = EMPTY_BUCKETS.map((name) => [name, []] as const);
  async function* versions(): AsyncGenerator<readonly BoltItem[], void, undefined> {
    for await (const rows of view.pages(RECORDS)) yield rows.map(versionItem);
  }
  const small = new Map<string, readonly BoltItem[]>([...empty, [LEASES, leases], [META, metaItems(meta)]]);
  const digest = createHash('sha256');
  let pending: Buffer[] = [];
  let bytes = 0;
  for await (const page of writeBolt({ small, large: { name: VERSIONS, items: versions } })) {
    digest.update(page);
    pending.push(page);
    bytes += page.length;
    if (bytes < CHUNK_BYTES) continue;
    yield Buffer.concat(pending);
    pending = [];
    bytes = 0;
  }
  yield Buffer.concat(pending);
  yield digest.digest();
}

export interface EtcdStatus {
  readonly revision: number;
  readonly compactRevision: number;
  readonly records: number;
  readonly size_bytes: number;
  readonly digest: string;
}

/** Checks the file from end to end. */
export function etcdStatus(file: string): Promise<EtcdStatus> {
  return readEtcdFile(file, { version: () => Promise.resolve(), lease: () => Promise.resolve() });
}

/** Writes the file's versions and leases to a disk of ours; the head is the caller's. */
export async function fillFromEtcd(
  disk: KeyValueDisk,
  file: string,
): Promise<EtcdStatus & { readonly digests: Digests }> {
  const digests = new Digests();
  const write = (operations: readonly DiskOperation[]) => disk.write(operations);
  const status = await readEtcdFile(file, {
    version: (items) => write(items.map((item) => versionRow(item, digests))),
    lease: (items) => write(items.map((item) => leaseRow(item, digests))),
  });
  return { ...status, digests: { records: digests.records >>> 0, leases: digests.leases >>> 0 } };
}

interface Takers {
  version(items: readonly BoltItem[]): Promise<void>;
  lease(items: readonly BoltItem[]): Promise<void>;
}

async function readEtcdFile(path: string, takers: Takers): Promise<EtcdStatus> {
  const { size: size_bytes } = await stat(path);
  const digest = await checkedDigest(path, size_bytes);
  const file = await open(path, 'r');
  try {
    const reader = await BoltReader.open(file);
    let compactRevision = 0;
    for await (const items of reader.bucket(META)) {
      for (const { key, value } of items) if (key.toString() === COMPACTED) compactRevision = placeOf(value).main;
    }
    let records = 0;
    let revision = Math.max(1, compactRevision);
    for await (const items of reader.bucket(VERSIONS)) {
      await takers.version(items);
      records += items.length;
      const last = items.at(-1);
      if (last !== undefined) revision = Math.max(revision, placeOf(last.key).main);
    }
    for await (const items of reader.bucket(LEASES)) await takers.lease(items);
    return { revision, compactRevision, records, size_bytes, digest };
  } finally {
    await file.close();
  }
}

/**
 * etcd's clients write pages, and the digest behind them; a database that was copied has none, and is not taken on
 * trust.
 */
async function checkedDigest(path: string, size_bytes: number): Promise<string> {
  if (size_bytes % 512 !== DIGEST_BYTES)
    throw new StoreError(
      'invalid',
      `${path} is neither a snapshot of this store nor one of etcd, or it is cut off: take one with \`etcdctl snapshot save\``,
    );
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(path, { end: size_bytes - DIGEST_BYTES - 1 }) as AsyncIterable<Buffer>)
    digest.update(chunk);
  const found = digest.digest();
  for await (const stored of createReadStream(path, { start: size_bytes - DIGEST_BYTES }) as AsyncIterable<Buffer>) {
    if (!found.equals(stored))
      throw new StoreError('corrupt', 'the snapshot does not match its digest: it is cut off or damaged');
  }
  return found.toString('hex');
}
