/**
 * A snapshot in a file: 8 bytes of magic, a header (length in 4 bytes, JSON), the state's rows as disk/snapshot.ts
 * streams them, zeros up to a multiple of 512, and the SHA-256 of all before it. The end is that of etcd's own files,
 * so that etcdctl's `snapshot save` takes what it receives for whole.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { LogIndex, Term } from '../../../raft/contract.js';
import { StoreError } from '../store.js';

export const MAGIC = Buffer.from('NVSNAP1\n', 'latin1');
export const DIGEST_BYTES = 32;
const BLOCK_BYTES = 512;
const HEADER_BYTES_MAX = 64 * 1024;

export interface SnapshotHeader {
  /** Of the cluster that it was taken of. */
  readonly clusterId: string;
  readonly index: LogIndex;
  readonly term: Term;
  readonly revision: number;
  readonly compactRevision: number;
}

function encodeHeader(header: SnapshotHeader): Buffer {
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32LE(text.length, 0);
  return Buffer.concat([MAGIC, length, text]);
}

/** Undefined when it has not come whole. Fails with 'invalid' on what is no snapshot of ours. */
export function decodeHeader(bytes: Buffer): { readonly header: SnapshotHeader; readonly length: number } | undefined {
  const seen = Math.min(bytes.length, MAGIC.length);
  if (!bytes.subarray(0, seen).equals(MAGIC.subarray(0, seen))) throw notOurs();
  if (bytes.length < MAGIC.length + 4) return undefined;
  const size = bytes.readUInt32LE(MAGIC.length);
  if (size > HEADER_BYTES_MAX) throw notOurs();
  const length = MAGIC.length + 4 + size;
  if (bytes.length < length) return undefined;
  try {
    return { header: JSON.parse(bytes.toString('utf8', MAGIC.length + 4, length)) as SnapshotHeader, length };
  } catch {
    throw notOurs();
  }
}

const notOurs = () => new StoreError('invalid', 'this is not a snapshot of this store');

/** The whole file, chunk by chunk. */
export async function* encodeSnapshot(
  header: SnapshotHeader,
  rows: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const digest: Hash = createHash('sha256');
  let length = 0;
  const counted = (chunk: Uint8Array) => {
    digest.update(chunk);
    length += chunk.length;
    return chunk;
  };
  yield counted(encodeHeader(header));
  for await (const chunk of rows) yield counted(chunk);
  const padding = (BLOCK_BYTES - (length % BLOCK_BYTES)) % BLOCK_BYTES;
  if (padding > 0) yield counted(Buffer.alloc(padding));
  yield digest.digest();
}
