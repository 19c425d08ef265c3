/**
 * Entries of consecutive indices, in columns, their data one behind the other in segments: an entry that waits here to
 * be compacted is nothing that the garbage collector would have to move and look at. What is read is made anew.
 */
import { assert } from '../../../platform/assert.js';
import { NO_DATA } from '../types/entry.js';
import type { Entry, EntryKind } from '../types/entry.js';
import type { LogIndex, Term } from '../types/ids.js';

const KINDS: readonly EntryKind[] = ['normal', 'conf-change', 'conf-change-v2'];
/** At most this much is kept in vain by somebody who still holds one entry. */
const SEGMENT_BYTES = 1 << 16;
const ROWS_MIN = 64;

class Columns {
  readonly term: Float64Array;
  readonly proposal: Float64Array;
  readonly kind: Uint8Array;
  /** Number of the segment, of all that ever were; its data's start in it; its data's length. */
  readonly segment: Float64Array;
  readonly start: Uint32Array;
  readonly length: Uint32Array;

  constructor(rows: number) {
    this.term = new Float64Array(rows);
    this.proposal = new Float64Array(rows);
    this.kind = new Uint8Array(rows);
    this.segment = new Float64Array(rows);
    this.start = new Uint32Array(rows);
    this.length = new Uint32Array(rows);
  }

  copy(from: Columns, first: number, rows: number): void {
    const end = first + rows;
    this.term.set(from.term.subarray(first, end));
    this.proposal.set(from.proposal.subarray(first, end));
    this.kind.set(from.kind.subarray(first, end));
    this.segment.set(from.segment.subarray(first, end));
    this.start.set(from.start.subarray(first, end));
    this.length.set(from.length.subarray(first, end));
  }
}

export class EntryTable {
  #columns = new Columns(ROWS_MIN);
  #capacity = ROWS_MIN;
  #head = 0;
  #size = 0;
  #payload_bytes = 0;
  readonly #segments: Buffer[] = [];
  #firstSegment = 0;
  /** Of the last segment. */
  #used_bytes = 0;

  get size(): number {
    return this.#size;
  }

  get payload_bytes(): number {
    return this.#payload_bytes;
  }

  /** `0 <= place < size`, as in all that follows. */
  term(place: number): Term {
    return this.#columns.term[this.#head + place] as Term;
  }

  dataLength(place: number): number {
    return this.#columns.length[this.#head + place] as number;
  }

  /** `index`: the one it has. Its data is a view. */
  read(place: number, index: LogIndex): Entry {
    const row = this.#head + place;
    const { term, kind, proposal, segment, start, length } = this.#columns;
    const size = length[row] as number;
    const from = start[row] as number;
    return {
      term: term[row] as Term,
      index,
      kind: KINDS[kind[row] as number] as EntryKind,
      data:
        size === 0
          ? NO_DATA
          : (this.#segments[(segment[row] as number) - this.#firstSegment] as Buffer).subarray(from, from + size),
      proposal: proposal[row] as number,
    };
  }

  push({ term, kind, data, proposal }: Entry): void {
    if (this.#head + this.#size === this.#capacity) this.#makeRoom();
    const row = this.#head + this.#size++;
    const columns = this.#columns;
    columns.term[row] = term;
    columns.proposal[row] = proposal;
    columns.kind[row] = KINDS.indexOf(kind);
    columns.start[row] = this.#store(data);
    columns.segment[row] = this.#firstSegment + this.#segments.length - 1;
    columns.length[row] = data.length;
    this.#payload_bytes += data.length;
  }

  /** Keeps the first `size`. */
  truncate(size: number): void {
    assert(size <= this.#size, 'a log is cut, not made longer');
    for (let place = size; place < this.#size; place++) this.#payload_bytes -= this.dataLength(place);
    this.#size = size;
    // What was cut may be on its way to somebody: its bytes are not written over.
  }

  dropFirst(count: number): void {
    assert(count <= this.#size, 'no more entries are dropped than there are');
    for (let place = 0; place < count; place++) this.#payload_bytes -= this.dataLength(place);
    this.#head += count;
    this.#size -= count;
    const first =
      this.#size === 0 ? this.#firstSegment + this.#segments.length - 1 : (this.#columns.segment[this.#head] as number);
    if (first > this.#firstSegment) {
      this.#segments.splice(0, first - this.#firstSegment);
      this.#firstSegment = first;
    }
    if (this.#capacity > ROWS_MIN && this.#size * 4 < this.#capacity) this.#move(this.#size * 2);
  }

  /** Where the data begin in the last segment. */
  #store(data: Uint8Array): number {
    let last = this.#segments.at(-1);
    if (last === undefined || this.#used_bytes + data.length > last.length) {
      last = Buffer.allocUnsafeSlow(Math.max(SEGMENT_BYTES, data.length));
      this.#segments.push(last);
      this.#used_bytes = 0;
    }
    const start = this.#used_bytes;
    last.set(data, start);
    this.#used_bytes += data.length;
    return start;
  }

  /** What was dropped at the front leaves room, if it is enough; else there is half as much again. */
  #makeRoom(): void {
    this.#move(this.#head * 2 > this.#capacity ? this.#capacity : this.#capacity + (this.#capacity >> 1));
  }

  #move(rows: number): void {
    const capacity = Math.max(rows, ROWS_MIN);
    const columns = new Columns(capacity);
    columns.copy(this.#columns, this.#head, this.#size);
    this.#columns = columns;
    this.#capacity = capacity;
    this.#head = 0;
  }
}
