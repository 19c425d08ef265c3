/** Terms of a log's entries while a batch is put together: each write sees what those before it leave behind. */
import type { MemoryStorage } from '../core/log/memory-storage.js';
import type { LogIndex, Term } from '../core/types/ids.js';
import type { LogWrite } from './log.js';

interface Run {
  readonly first: LogIndex;
  readonly entries: readonly { readonly term: Term }[];
}

export class BatchTerms {
  readonly #view: Pick<MemoryStorage, 'term'>;
  /**
   * What the batch has put behind the view so far. Each begins behind where the one before it begins, and takes the
   * place of its end.
   */
  #runs: Run[] = [];

  constructor(view: Pick<MemoryStorage, 'term'>) {
    this.#view = view;
  }

  /** Returns the term before the write's first entry. Undefined: it has no entries, or that one is compacted. */
  add({ entries, snapshot }: LogWrite): Term | undefined {
    if (snapshot !== undefined) this.#runs = [{ first: snapshot.index, entries: [snapshot] }];
    const first = entries[0]?.index;
    if (first === undefined) return undefined;
    // What is replaced is never looked at again, so that all writes together cost no more than each once.
    while ((this.#runs.at(-1)?.first ?? -1) >= first) this.#runs.pop();
    const before = this.at(first - 1);
    this.#runs.push({ first, entries });
    return before;
  }

  at(index: LogIndex): Term | undefined {
    const run = this.#runs.findLast(({ first }) => first <= index);
    return run === undefined ? this.#view.term(index) : run.entries[index - run.first]?.term;
  }
}
