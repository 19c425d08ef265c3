/**
 * Snapshots outside a member: looked at, and turned into the beginning of a new cluster. A file is believed only after
 * its digest has been checked, so it is read twice.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { DiskOperation, KeyValueDisk } from '../../../platform/disk/disk.js';
import { systemFolder } from '../../../platform/disk/system-disk.js';
import type { LogIndex, Membership, Term } from '../../../raft/contract.js';
import { StateDirectory } from '../disk/directory.js';
import { decodeMeta, encodeMeta, META_KEY, recordPlace, RECORDS } from '../disk/layout.js';
import { StateRows } from '../disk/snapshot.js';
import { revisionOf } from '../errors.js';
import { decodeRecord } from '../mvcc/record.js';
import { StoreError } from '../store.js';
import type { Revision } from '../store.js';
import { etcdStatus, fillFromEtcd } from './etcd-file.js';
import type { EtcdStatus } from './etcd-file.js';
import { decodeHeader, DIGEST_BYTES, MAGIC } from './format.js';
import type { SnapshotHeader } from './format.js';

export interface SnapshotStatus extends SnapshotHeader {
  readonly size_bytes: number;
  /** Versions of keys, old ones and tombstones included. */
  readonly records: number;
  /** SHA-256 of the content, hexadecimal. */
  readonly digest: string;
}

export interface RestoreOptions {
  /** Revisions are skipped by so many, so that no client has seen one that is given out again. Default: 10^9. */
  readonly bumpRevision?: number;
}

export interface Restored {
  readonly digest: string;
  /** Everything below it counts as compacted: watches of before are told so (etcd #16028). */
  readonly revision: Revision;
  /** Of the cluster that the snapshot was taken of. The new one must have another, or its dead could join it. */
  readonly oldClusterId: string;
}

const BUMP_REVISION = 1_000_000_000;
const WRITE_BYTES = 1024 * 1024;
/**
 * A cluster begins with a snapshot of nothing at this place (raft/driver/recovery.ts): a restored one has something in
 * it.
 */
const BEGINNING = { index: 1 as LogIndex, term: 1 as Term };
const NOBODY: Membership = {
  index: BEGINNING.index,
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  peers: [],
};

/** Checks the file from end to end. Rejects with 'invalid' (not a snapshot) or 'corrupt'. */
export async function snapshotStatus(
  file: string,
): Promise<SnapshotStatus | (EtcdStatus & { readonly format: 'etcd' })> {
  if (!(await isOurs(file))) return { format: 'etcd', ...(await etcdStatus(file)) };
  const size_bytes = (await stat(file)).size;
  const digest = await checkedDigest(file, size_bytes);
  let records = 0;
  const header = await readRows(file, size_bytes, async (rows) => {
    for (const { key, value } of rows) {
      if (key[0] !== RECORDS.gte[0]) continue;
      const { main, sub } = recordPlace(key);
      decodeRecord(main, sub, value);
      records++;
    }
  });
  return { ...header, size_bytes, records, digest };
}

/**
 * Makes `dataDir`, which must hold no state yet, the beginning of a new cluster with the file's content. Run it with
 * the same file for each of the first members, and start them with a new cluster id.
 */
export async function restoreSnapshot(file: string, dataDir: string, options: RestoreOptions = {}): Promise<Restored> {
  const bump = options.bumpRevision ?? BUMP_REVISION;
  if (!Number.isSafeInteger(bump) || bump < 0)
    throw new StoreError('invalid', `a revision cannot be raised by ${bump}`);
  const folder = systemFolder(dataDir);
  const present = (await folder.list()).filter((name) => name === 'raft' || name === 'state');
  if (present.length > 0)
    throw new StoreError(
      'invalid',
      `${dataDir} holds ${present.join(' and ')} of a member already: restore into another directory`,
    );
  const { size: size_bytes } = await stat(file);
  const isForeign = !(await isOurs(file));
  const digest = isForeign ? '' : await checkedDigest(file, size_bytes);
  try {
    const directory = await StateDirectory.open(folder.folder('state'));
    const disk = await directory.openDisk(directory.current);
    try {
      if (isForeign) return await foundFromEtcd(disk, file, bump);
      const { revision, clusterId } = await fill(disk, file, size_bytes, bump);
      return { digest, revision, oldClusterId: clusterId };
    } finally {
      await disk.close();
    }
  } catch (error) {
    // Half a state must not be started from.
    await folder.remove('state');
    throw error;
  }
}

async function fill(
  disk: KeyValueDisk,
  file: string,
  size_bytes: number,
  bump: number,
): Promise<{ revision: Revision; clusterId: string }> {
  let head: Buffer | undefined;
  const header = await readRows(file, size_bytes, async (rows) => {
    const operations: DiskOperation[] = [];
    for (const row of rows) {
      if (row.key.equals(META_KEY)) head = row.value;
      else operations.push({ type: 'put', ...row });
    }
    await disk.write(operations);
  });
  if (head === undefined) throw new StoreError('corrupt', 'the snapshot has no head');
  // The rows are those that the head speaks of: its digests of them stay true.
  const { digests, revision: before } = decodeMeta(head);
  const revision = before + bump;
  // The head last: without it nothing counts.
  const meta = { ...BEGINNING, revision, compactRevision: revision, digests, membership: NOBODY, alarms: [] };
  await disk.write([{ type: 'put', key: META_KEY, value: encodeMeta(meta) }]);
  return { revision: revisionOf(revision), clusterId: header.clusterId };
}

async function foundFromEtcd(disk: KeyValueDisk, file: string, bump: number): Promise<Restored> {
  const { revision: before, digest, digests } = await fillFromEtcd(disk, file);
  const revision = before + bump;
  const meta = { ...BEGINNING, revision, compactRevision: revision, digests, membership: NOBODY, alarms: [] };
  await disk.write([{ type: 'put', key: META_KEY, value: encodeMeta(meta) }]);
  return { digest, revision: revisionOf(revision), oldClusterId: 'etcd' };
}

async function isOurs(file: string): Promise<boolean> {
  for await (const start of createReadStream(file, { end: MAGIC.length - 1 }) as AsyncIterable<Buffer>)
    return start.equals(MAGIC);
  return false;
}

async function checkedDigest(file: string, size_bytes: number): Promise<string> {
  if (size_bytes <= DIGEST_BYTES) throw new StoreError('invalid', `${file} is too short for a snapshot`);
  const digest = createHash('sha256');
  let first = true;
  for await (const chunk of createReadStream(file, { end: size_bytes - DIGEST_BYTES - 1 }) as AsyncIterable<Buffer>) {
    // What is no snapshot at all is called so, before it is called damaged.
    if (first) decodeHeader(chunk);
    first = false;
    digest.update(chunk);
  }
  const found = digest.digest();
  for await (const stored of createReadStream(file, { start: size_bytes - DIGEST_BYTES }) as AsyncIterable<Buffer>) {
    if (!found.equals(stored))
      throw new StoreError('corrupt', 'the snapshot does not match its digest: it is cut off or damaged');
  }
  return found.toString('hex');
}

interface StateRow {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Hands the rows over in pieces of a megabyte or so; resolves with the header once all are there. */
async function readRows(
  file: string,
  size_bytes: number,
  take: (rows: readonly StateRow[]) => Promise<void>,
): Promise<SnapshotHeader> {
  const rows = new StateRows();
  let pending: Buffer = Buffer.alloc(0);
  let header: SnapshotHeader | undefined;
  let batch: StateRow[] = [];
  let batch_bytes = 0;
  for await (const chunk of createReadStream(file, {
    end: size_bytes - DIGEST_BYTES - 1,
    highWaterMark: WRITE_BYTES,
  }) as AsyncIterable<Buffer>) {
    let data = chunk;
    if (header === undefined) {
      pending = Buffer.concat([pending, chunk]);
      const found = decodeHeader(pending);
      if (found === undefined) continue;
      ({ header } = found);
      data = pending.subarray(found.length);
    }
    // What follows the last row is padding.
    if (rows.isComplete) continue;
    rows.take(data, (key, value) => {
      batch.push({ key, value });
      batch_bytes += key.length + value.length;
    });
    if (batch_bytes < WRITE_BYTES) continue;
    await take(batch);
    batch = [];
    batch_bytes = 0;
  }
  if (header === undefined || !rows.isComplete)
    throw new StoreError('corrupt', 'the snapshot ends before its last row');
  await take(batch);
  return header;
}
