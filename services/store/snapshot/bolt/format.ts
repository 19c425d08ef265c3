/**
 * The file format of bbolt, etcd's database: pages of one size, each with a header; two meta pages, of which the valid
 * one with the higher transaction counts; buckets as B+ trees of branch and leaf pages; a root bucket whose leaves name
 * the others. All numbers are little endian.
 */
import { StoreError } from '../../store.js';

export const PAGE_BYTES = 4096;
export const HEADER_BYTES = 16;
/** Of a leaf's and of a branch's alike. */
export const ELEMENT_BYTES = 16;
export const PAGE = { branch: 1, leaf: 2, meta: 4, freelist: 16 } as const;
/** Of a leaf element whose value is a bucket: root page 8, sequence 8. */
export const BUCKET_FLAG = 1;
export const BUCKET_BYTES = 16;

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const META_BYTES = 64;
const CHECKSUM_AT = 56;

export interface BoltMeta {
  readonly page_bytes: number;
  /** The root bucket's page. */
  readonly root: number;
  /** Pages of the file. */
  readonly pages: number;
  readonly transaction: number;
}

export function writeHeader(
  page: Buffer,
  header: { readonly id: number; readonly flags: number; readonly count: number; readonly overflow: number },
): void {
  page.writeBigUInt64LE(BigInt(header.id), 0);
  page.writeUInt16LE(header.flags, 8);
  page.writeUInt16LE(header.count, 10);
  page.writeUInt32LE(header.overflow, 12);
}

/** A page of `meta.page_bytes`. */
export function encodeMetaPage(id: number, meta: BoltMeta & { readonly freelist: number }): Buffer {
  const page = Buffer.alloc(meta.page_bytes);
  writeHeader(page, { id, flags: PAGE.meta, count: 0, overflow: 0 });
  const body = page.subarray(HEADER_BYTES, HEADER_BYTES + META_BYTES);
  body.writeUInt32LE(MAGIC, 0);
  body.writeUInt32LE(VERSION, 4);
  body.writeUInt32LE(meta.page_bytes, 8);
  body.writeBigUInt64LE(BigInt(meta.root), 16);
  body.writeBigUInt64LE(BigInt(meta.freelist), 32);
  body.writeBigUInt64LE(BigInt(meta.pages), 40);
  body.writeBigUInt64LE(BigInt(meta.transaction), 48);
  body.writeBigUInt64LE(fnv64(body.subarray(0, CHECKSUM_AT)), CHECKSUM_AT);
  return page;
}

/** Undefined when the page holds no meta that can be believed. */
export function decodeMetaPage(page: Buffer): BoltMeta | undefined {
  const body = page.subarray(HEADER_BYTES, HEADER_BYTES + META_BYTES);
  if (body.length < META_BYTES || body.readUInt32LE(0) !== MAGIC || body.readUInt32LE(4) !== VERSION) return undefined;
  if (body.readBigUInt64LE(CHECKSUM_AT) !== fnv64(body.subarray(0, CHECKSUM_AT))) return undefined;
  // Where the free pages are listed, if they are, matters to writers alone.
  return {
    page_bytes: body.readUInt32LE(8),
    root: numberAt(body, 16),
    pages: numberAt(body, 40),
    transaction: numberAt(body, 48),
  };
}

/** A page number, or a count of pages. */
export function numberAt(bytes: Buffer, offset: number): number {
  const value = bytes.readBigUInt64LE(offset);
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new StoreError('corrupt', 'a page of the database points out of it');
  return Number(value);
}

const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** FNV-1a. */
function fnv64(bytes: Buffer): bigint {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}
