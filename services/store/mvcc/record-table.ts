/**
 * The facts of all versions that are kept, in columns: sixty bytes a version, and nothing for the garbage collector to
 * walk but the keys, which versions share. A version is named by its row; a row whose version is gone is given to
 * another.
 */
import { assert } from '../../../platform/assert.js';
import { Record } from './record.js';
import type { EncodedRecord } from './record.js';

/** No row: the end of a chain, or nothing found. */
export const NO_ROW = -1;

const CHUNK_BITS = 12;
const CHUNK_ROWS = 1 << CHUNK_BITS;
const PLACE_MASK = CHUNK_ROWS - 1;

class Chunk {
  readonly keys = new Array<string | undefined>(CHUNK_ROWS).fill(undefined);
  readonly main = new Float64Array(CHUNK_ROWS);
  readonly create = new Float64Array(CHUNK_ROWS);
  readonly version = new Float64Array(CHUNK_ROWS);
  readonly sub = new Uint32Array(CHUNK_ROWS);
  readonly size_bytes = new Uint32Array(CHUNK_ROWS);
  readonly checksum = new Int32Array(CHUNK_ROWS);
  /** The version before, of the same key. */
  readonly older = new Int32Array(CHUNK_ROWS);
  /** Made when a version with a lease comes: few have one. */
  lease: BigInt64Array | undefined;
}

export class RecordTable {
  readonly #chunks: Chunk[] = [];
  /** Rows that were given back. */
  readonly #free: number[] = [];
  #rows = 0;

  /** Takes a row. `key` is kept as it is: the versions of a key should share one string. */
  add(facts: EncodedRecord, key: string, older: number): number {
    const row = this.#free.pop() ?? this.#rows++;
    if (row >> CHUNK_BITS === this.#chunks.length) this.#chunks.push(new Chunk());
    const chunk = this.#chunkOf(row);
    const place = row & PLACE_MASK;
    chunk.keys[place] = key;
    chunk.main[place] = facts.main;
    chunk.create[place] = facts.create;
    chunk.version[place] = facts.version;
    chunk.sub[place] = facts.sub;
    chunk.size_bytes[place] = facts.bytes.length;
    chunk.checksum[place] = facts.checksum;
    chunk.older[place] = older;
    if (facts.lease !== 0n) chunk.lease ??= new BigInt64Array(CHUNK_ROWS);
    if (chunk.lease !== undefined) chunk.lease[place] = facts.lease;
    return row;
  }

  /** Gives the row back. */
  remove(row: number): void {
    const { keys } = this.#chunkOf(row);
    assert(keys[row & PLACE_MASK] !== undefined, 'a row is given back once');
    keys[row & PLACE_MASK] = undefined;
    this.#free.push(row);
  }

  /** All facts of a row that is taken. */
  read(row: number): Record {
    const chunk = this.#chunkOf(row);
    const place = row & PLACE_MASK;
    return new Record(
      {
        key: chunk.keys[place] as string,
        main: chunk.main[place] as number,
        sub: chunk.sub[place] as number,
        create: chunk.create[place] as number,
        version: chunk.version[place] as number,
        lease: chunk.lease?.[place] ?? 0n,
        checksum: chunk.checksum[place] as number,
        size_bytes: chunk.size_bytes[place] as number,
      },
      row,
    );
  }

  /** Undefined when the row is free. */
  key(row: number): string | undefined {
    return this.#chunkOf(row).keys[row & PLACE_MASK];
  }

  main(row: number): number {
    return this.#chunkOf(row).main[row & PLACE_MASK] as number;
  }

  sub(row: number): number {
    return this.#chunkOf(row).sub[row & PLACE_MASK] as number;
  }

  create(row: number): number {
    return this.#chunkOf(row).create[row & PLACE_MASK] as number;
  }

  version(row: number): number {
    return this.#chunkOf(row).version[row & PLACE_MASK] as number;
  }

  isTombstone(row: number): boolean {
    return this.#chunkOf(row).version[row & PLACE_MASK] === 0;
  }

  checksum(row: number): number {
    return this.#chunkOf(row).checksum[row & PLACE_MASK] as number;
  }

  older(row: number): number {
    return this.#chunkOf(row).older[row & PLACE_MASK] as number;
  }

  setOlder(row: number, older: number): void {
    this.#chunkOf(row).older[row & PLACE_MASK] = older;
  }

  #chunkOf(row: number): Chunk {
    return this.#chunks[row >> CHUNK_BITS] as Chunk;
  }
}
