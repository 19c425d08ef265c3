/**
 * What a disk was given last, so that its end can go: when LevelDB opens a store whose journal is damaged at the end,
 * it drops that end without a word (google/leveldb #251), and the store is as it was some writes ago.
 */
import { END_KEY } from '../../log/records.js';

/** Undefined: removed. */
export type Change = readonly [name: string, value: Buffer | undefined];

interface Done {
  readonly undo: readonly Change[];
  readonly at_ms: number;
}

const BATCHES_MAX = 32;
/** Each write of the log tells its end. */
const END = END_KEY.toString('latin1');

export class Journal {
  #done: Done[] = [];

  /** To be called before `changes` are made to `rows`. */
  note(rows: ReadonlyMap<string, Buffer>, changes: readonly Change[], at_ms: number): void {
    const undo: Change[] = [];
    for (const [name] of changes) undo.push([name, rows.get(name)]);
    this.#done.push({ undo: undo.reverse(), at_ms });
    if (this.#done.length > BATCHES_MAX) this.#done.shift();
  }

  forget(): void {
    this.#done = [];
  }

  /**
   * How to undo everything since `from_ms`, the last write of the log before it, and some more: what a compaction
   * writes is no promise, and may go unnoticed. Undefined when there was no such write.
   */
  cut(from_ms: number, count: number): readonly Change[] | undefined {
    const last = this.#done.findLastIndex(({ undo, at_ms }) => at_ms < from_ms && undo.some(([name]) => name === END));
    if (last < 0) return undefined;
    const lost = this.#done.splice(Math.max(last - count, 0));
    return lost.reverse().flatMap(({ undo }) => undo);
  }
}
