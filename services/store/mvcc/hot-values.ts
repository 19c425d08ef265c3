/**
 * Encoded versions that are in memory, by row. With a disk: all that are not on it yet, and of the others the newest,
 * up to a limit. They lie one behind the other in segments, which go oldest first; no version has an object of its own
 * that the garbage collector would have to move, look at and bury. Without a disk nothing is ever on it, and each
 * version stays until it is dropped.
 */
import { assert } from '../../../platform/assert.js';

/** Where an encoded version was put; later ones are further on. */
export type Position = number;

export interface HotValues {
  /** Room for a version that is about to be written. */
  allocate(size_bytes: number): Buffer;
  /** `bytes` end where the last allocation ended. Not on disk yet: they stay until `settled`. */
  add(row: number, bytes: Buffer): Position;
  /** What was added up to there is on disk. */
  settled(position: Position): void;
  /** On disk, and perhaps wanted again. */
  keep(row: number, bytes: Buffer): void;
  /** A view: read only. */
  get(row: number, size_bytes: number): Buffer | undefined;
  /** The version is gone. */
  drop(row: number): void;
}

/** At most this much is kept in vain by somebody who still reads one value. */
const SEGMENT_BYTES_MAX = 1 << 16;
/** With little memory to spare there are small segments, so that some of it is always used. */
const SEGMENTS_MIN = 16;
const CHUNK_BITS = 12;
const CHUNK_ROWS = 1 << CHUNK_BITS;
const PLACE_MASK = CHUNK_ROWS - 1;
const NONE = 0;

export class SegmentedValues implements HotValues {
  readonly #limit_bytes: number;
  readonly #segment_bytes: number;
  #segments: Buffer[] = [];
  /** The number of the first of them, of all that ever were; counted from one. */
  #first = 1;
  /** Of the last segment. */
  #used_bytes = 0;
  #bytes = 0;
  /** By row. */
  readonly #positions: Float64Array[] = [];
  #lastAdded: Position = NONE;
  /** From here on there may be versions that are not on disk. */
  #pending: Position = Infinity;

  constructor(limit_bytes: number) {
    this.#limit_bytes = limit_bytes;
    this.#segment_bytes = Math.min(SEGMENT_BYTES_MAX, Math.ceil(limit_bytes / SEGMENTS_MIN));
  }

  allocate(size_bytes: number): Buffer {
    let last = this.#segments.at(-1);
    if (last === undefined || this.#used_bytes + size_bytes > last.length) {
      last = Buffer.allocUnsafeSlow(Math.max(this.#segment_bytes, size_bytes));
      this.#segments.push(last);
      this.#bytes += last.length;
      this.#used_bytes = 0;
    }
    this.#used_bytes += size_bytes;
    return last.subarray(this.#used_bytes - size_bytes, this.#used_bytes);
  }

  add(row: number, bytes: Buffer): Position {
    const position = this.#place(row, bytes);
    if (this.#pending === Infinity) this.#pending = position;
    this.#lastAdded = position;
    return position;
  }

  settled(position: Position): void {
    this.#pending = position === this.#lastAdded ? Infinity : position + 1;
    this.#shrink();
  }

  keep(row: number, bytes: Buffer): void {
    const copy = this.allocate(bytes.length);
    copy.set(bytes);
    this.#place(row, copy);
    this.#shrink();
  }

  get(row: number, size_bytes: number): Buffer | undefined {
    const position = this.#positions[row >> CHUNK_BITS]?.[row & PLACE_MASK] ?? NONE;
    const segment = this.#segments[numberOf(position) - this.#first];
    if (position === NONE || segment === undefined) return undefined;
    const start = position % SEGMENT_BYTES_MAX;
    return segment.subarray(start, start + size_bytes);
  }

  drop(row: number): void {
    const positions = this.#positions[row >> CHUNK_BITS];
    if (positions !== undefined) positions[row & PLACE_MASK] = NONE;
  }

  #place(row: number, bytes: Buffer): Position {
    assert(bytes.buffer === this.#segments.at(-1)?.buffer, 'a version is added where room was made for it last');
    const position = (this.#first + this.#segments.length - 1) * SEGMENT_BYTES_MAX + bytes.byteOffset;
    while (this.#positions.length <= row >> CHUNK_BITS) this.#positions.push(new Float64Array(CHUNK_ROWS));
    (this.#positions[row >> CHUNK_BITS] as Float64Array)[row & PLACE_MASK] = position;
    return position;
  }

  #shrink(): void {
    while (this.#bytes > this.#limit_bytes && this.#segments.length > 0 && this.#first < numberOf(this.#pending)) {
      this.#bytes -= this.#segments.shift()?.length ?? 0;
      this.#first++;
    }
  }
}

/** Of the segment. One that is larger than usual holds a single version, at its start. */
const numberOf = (position: Position): number => Math.floor(position / SEGMENT_BYTES_MAX);

/** For a state without a disk. */
export class AllValues implements HotValues {
  readonly #values = new Map<number, Buffer>();

  allocate(size_bytes: number): Buffer {
    return Buffer.allocUnsafe(size_bytes);
  }

  add(row: number, bytes: Buffer): Position {
    this.#values.set(row, bytes);
    return NONE;
  }

  settled(): void {
    assert(false, 'without a disk nothing is ever on it');
  }

  keep(row: number, bytes: Buffer): void {
    this.#values.set(row, bytes);
  }

  get(row: number): Buffer | undefined {
    return this.#values.get(row);
  }

  drop(row: number): void {
    this.#values.delete(row);
  }
}
