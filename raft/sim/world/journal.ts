/**
 * What a disk was given last, so that its end can go: when LevelDB opens a store whose journal is damaged at the end, it drops that
 * end without a word (google/leveldb #251), and the store is as it was some writes ago.
 */
/** Undefined: removed. */
export type Change = readonly [name: string, value: Buffer | undefined];

interface Done {
  readonly undo: readonly Change[];
  readonly at_ms: number;
}

const BATCHES_MAX = 32;

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

  /** How to undo everything since `from_ms` and so many writes before it; undefined when there were none before it. */
  cut(from_ms: number, count: number): readonly Change[] | undefined {
    const before = this.#done.filter(({ at_ms }) => at_ms < from_ms).length;
    if (before === 0) return undefined;
    const lost = this.#done.splice(Math.max(before - count, 0));
    return lost.reverse().flatMap(({ undo }) => undo);
  }
}
