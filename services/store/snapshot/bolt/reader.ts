/**
 * Reads a bbolt database, page by page: memory holds one path from a root to a leaf. Damage is 'corrupt', never an
 * endless walk.
 */
import type { FileHandle } from 'node:fs/promises';
import { StoreError } from '../../store.js';
import {
  BUCKET_BYTES,
  BUCKET_FLAG,
  decodeMetaPage,
  ELEMENT_BYTES,
  HEADER_BYTES,
  numberAt,
  PAGE,
  PAGE_BYTES,
} from './format.js';
import type { BoltMeta } from './format.js';
import type { BoltItem } from './writer.js';

const DEPTH_MAX = 32;
const PAGE_BYTES_MAX = 1 << 16;
/** A value of etcd has 10 MiB at most, and a page as many as fit, or one. */
const NODE_BYTES_MAX = 64 << 20;

interface Leaf extends BoltItem {
  readonly isBucket: boolean;
}

export class BoltReader {
  readonly #file: FileHandle;
  readonly #meta: BoltMeta;

  private constructor(file: FileHandle, meta: BoltMeta) {
    this.#file = file;
    this.#meta = meta;
  }

  /** Rejects with 'invalid' when the file is no such database. */
  static async open(file: FileHandle): Promise<BoltReader> {
    const first = decodeMetaPage(await read(file, 0, PAGE_BYTES));
    const page_bytes = first?.page_bytes ?? PAGE_BYTES;
    if (page_bytes < 512 || page_bytes > PAGE_BYTES_MAX) throw notBolt();
    const second = decodeMetaPage(await read(file, page_bytes, PAGE_BYTES));
    const meta = [first, second].filter((one) => one !== undefined).sort((a, b) => b.transaction - a.transaction)[0];
    if (meta === undefined) throw notBolt();
    return new BoltReader(file, meta);
  }

  /** The items of a bucket in the order of their keys, a page at a time; none when there is no such bucket. */
  async *bucket(name: string): AsyncGenerator<readonly BoltItem[], void, undefined> {
    const wanted = Buffer.from(name);
    for await (const items of this.#walk(this.#meta.root, 0)) {
      const found = items.find(({ key, isBucket }) => isBucket && key.equals(wanted));
      if (found === undefined) continue;
      if (found.value.length < BUCKET_BYTES) throw damaged(`bucket ${name}`);
      const root = numberAt(found.value, 0);
      // A small bucket lies in its parent's value, as a page of its own.
      if (root === 0) yield leavesOf(found.value.subarray(BUCKET_BYTES));
      else yield* this.#walk(root, 0);
      return;
    }
  }

  async *#walk(id: number, depth: number): AsyncGenerator<readonly Leaf[], void, undefined> {
    if (depth > DEPTH_MAX) throw damaged(`page ${id}: the tree has no end`);
    const page = await this.#page(id);
    const flags = page.readUInt16LE(8);
    if ((flags & PAGE.leaf) !== 0) {
      yield leavesOf(page);
      return;
    }
    if ((flags & PAGE.branch) === 0) throw damaged(`page ${id}: neither branch nor leaf`);
    for (let i = 0; i < page.readUInt16LE(10); i++) {
      const at = HEADER_BYTES + ELEMENT_BYTES * i;
      if (at + ELEMENT_BYTES > page.length) throw damaged(`page ${id}`);
      yield* this.#walk(numberAt(page, at + 8), depth + 1);
    }
  }

  async #page(id: number): Promise<Buffer> {
    const { page_bytes, pages } = this.#meta;
    if (id < 2 || id >= pages) throw damaged(`page ${id}: there is no such page`);
    const page = await read(this.#file, id * page_bytes, page_bytes);
    if (page.length < page_bytes || numberAt(page, 0) !== id) throw damaged(`page ${id}`);
    const overflow = page.readUInt32LE(12);
    if (overflow === 0) return page;
    const bytes = (overflow + 1) * page_bytes;
    if (bytes > NODE_BYTES_MAX || id + overflow >= pages) throw damaged(`page ${id}: too long`);
    const whole = await read(this.#file, id * page_bytes, bytes);
    if (whole.length < bytes) throw damaged(`page ${id}: cut off`);
    return whole;
  }
}

function leavesOf(page: Buffer): Leaf[] {
  const count = page.length < HEADER_BYTES ? 0 : page.readUInt16LE(10);
  const leaves: Leaf[] = [];
  for (let i = 0; i < count; i++) {
    const at = HEADER_BYTES + ELEMENT_BYTES * i;
    if (at + ELEMENT_BYTES > page.length) throw damaged('a leaf');
    const start = at + page.readUInt32LE(at + 4);
    const middle = start + page.readUInt32LE(at + 8);
    const end = middle + page.readUInt32LE(at + 12);
    if (end > page.length) throw damaged('a leaf');
    leaves.push({
      key: page.subarray(start, middle),
      value: page.subarray(middle, end),
      isBucket: (page.readUInt32LE(at) & BUCKET_FLAG) !== 0,
    });
  }
  return leaves;
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  for (let bytes = -1; done < length && bytes !== 0; done += bytes)
    ({ bytesRead: bytes } = await file.read(buffer, done, length - done, position + done));
  return buffer.subarray(0, done);
}

const notBolt = () => new StoreError('invalid', 'this is neither a snapshot of this store nor one of etcd');
const damaged = (what: string) => new StoreError('corrupt', `the database of etcd is damaged (${what})`);
