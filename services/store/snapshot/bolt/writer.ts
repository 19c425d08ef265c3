/**
 * Writes a bbolt database from its first byte to its last. The meta pages come first and say where the trees are, so
 * the large bucket's items are gone through twice: once to count pages, once to write them. What is kept meanwhile is
 * the first key of each page.
 */
import {
  BUCKET_BYTES,
  BUCKET_FLAG,
  ELEMENT_BYTES,
  encodeMetaPage,
  HEADER_BYTES,
  PAGE,
  PAGE_BYTES,
  writeHeader,
} from './format.js';

export interface BoltItem {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface BoltContent {
  /** By name; few items each, in the order of their keys. */
  readonly small: ReadonlyMap<string, readonly BoltItem[]>;
  /**
   * The one that may be large. `items` may be called twice and gives the same both times, in the order of their keys.
   */
  readonly large: { readonly name: string; items(): AsyncIterable<readonly BoltItem[]> };
}

const FREELIST_PAGE = 2;
const ROOT_PAGE = 3;
const COUNT_MAX = 0xffff;

interface Child {
  readonly key: Buffer;
  readonly page: number;
}

export async function* writeBolt({ small, large }: BoltContent): AsyncGenerator<Buffer, void, undefined> {
  let next = ROOT_PAGE + 1;
  const buckets: { readonly name: string; readonly root: number }[] = [];
  const pages: Buffer[] = [];
  for (const [name, items] of small) {
    const tree = new TreeWriter(next);
    for (const item of items) pages.push(...tree.add(item));
    pages.push(...tree.finish());
    buckets.push({ name, root: tree.root });
    next = tree.next;
  }
  const measured = new TreeWriter(next);
  for await (const items of large.items()) for (const item of items) measured.add(item);
  measured.finish();
  buckets.push({ name: large.name, root: measured.root });
  const meta = { page_bytes: PAGE_BYTES, root: ROOT_PAGE, freelist: FREELIST_PAGE, pages: measured.next };
  yield encodeMetaPage(0, { ...meta, transaction: 0 });
  yield encodeMetaPage(1, { ...meta, transaction: 1 });
  yield leafPage(FREELIST_PAGE, [], PAGE.freelist);
  yield leafPage(
    ROOT_PAGE,
    buckets
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, root }) => ({ key: Buffer.from(name), value: bucketValue(root) })),
    PAGE.leaf,
    BUCKET_FLAG,
  );
  yield* pages;
  const tree = new TreeWriter(next);
  for await (const items of large.items()) for (const item of items) yield* tree.add(item);
  yield* tree.finish();
}

function bucketValue(root: number): Buffer {
  const value = Buffer.alloc(BUCKET_BYTES);
  value.writeBigUInt64LE(BigInt(root), 0);
  return value;
}

/** One bucket: leaves as the items come, branches at its end. */
class TreeWriter {
  next: number;
  root = 0;
  #items: BoltItem[] = [];
  #bytes = HEADER_BYTES;
  #level: Child[] = [];

  constructor(next: number) {
    this.next = next;
  }

  /** The pages that are full now. */
  add(item: BoltItem): Buffer[] {
    const bytes = ELEMENT_BYTES + item.key.length + item.value.length;
    const isFull = this.#items.length > 0 && (this.#bytes + bytes > PAGE_BYTES || this.#items.length === COUNT_MAX);
    const full = isFull ? [this.#leaf()] : [];
    this.#items.push(item);
    this.#bytes += bytes;
    return full;
  }

  finish(): Buffer[] {
    const pages = this.#items.length > 0 || this.#level.length === 0 ? [this.#leaf()] : [];
    while (this.#level.length > 1) pages.push(...this.#branches());
    this.root = this.#level[0]?.page ?? 0;
    return pages;
  }

  #leaf(): Buffer {
    const page = leafPage(this.next, this.#items, PAGE.leaf);
    this.#level.push({ key: Buffer.from(this.#items[0]?.key ?? ''), page: this.next });
    this.next += page.length / PAGE_BYTES;
    this.#items = [];
    this.#bytes = HEADER_BYTES;
    return page;
  }

  /** The level above the present one. */
  #branches(): Buffer[] {
    const children = this.#level;
    this.#level = [];
    const pages: Buffer[] = [];
    for (let from = 0; from < children.length;) {
      let bytes = HEADER_BYTES;
      let to = from;
      // A branch has two children at least, however long their keys are.
      for (; to < children.length && to - from < COUNT_MAX; to++) {
        bytes += ELEMENT_BYTES + (children[to]?.key.length ?? 0);
        if (bytes > PAGE_BYTES && to - from >= 2) break;
      }
      const page = branchPage(this.next, children.slice(from, to));
      this.#level.push({ key: children[from]?.key ?? Buffer.alloc(0), page: this.next });
      this.next += page.length / PAGE_BYTES;
      pages.push(page);
      from = to;
    }
    return pages;
  }
}

function blank(bytes: number): Buffer {
  return Buffer.alloc(Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES);
}

function leafPage(id: number, items: readonly BoltItem[], flags: number, itemFlags = 0): Buffer {
  let end = HEADER_BYTES + ELEMENT_BYTES * items.length;
  const page = blank(items.reduce((bytes, { key, value }) => bytes + key.length + value.length, end));
  writeHeader(page, { id, flags, count: items.length, overflow: page.length / PAGE_BYTES - 1 });
  for (const [i, { key, value }] of items.entries()) {
    const at = HEADER_BYTES + ELEMENT_BYTES * i;
    page.writeUInt32LE(itemFlags, at);
    // Places are counted from the element itself.
    page.writeUInt32LE(end - at, at + 4);
    page.writeUInt32LE(key.length, at + 8);
    page.writeUInt32LE(value.length, at + 12);
    page.set(key, end);
    page.set(value, end + key.length);
    end += key.length + value.length;
  }
  return page;
}

function branchPage(id: number, children: readonly Child[]): Buffer {
  let end = HEADER_BYTES + ELEMENT_BYTES * children.length;
  const page = blank(children.reduce((bytes, { key }) => bytes + key.length, end));
  writeHeader(page, { id, flags: PAGE.branch, count: children.length, overflow: page.length / PAGE_BYTES - 1 });
  for (const [i, child] of children.entries()) {
    const at = HEADER_BYTES + ELEMENT_BYTES * i;
    page.writeUInt32LE(end - at, at);
    page.writeUInt32LE(child.key.length, at + 4);
    page.writeBigUInt64LE(BigInt(child.page), at + 8);
    page.set(child.key, end);
    end += child.key.length;
  }
  return page;
}
