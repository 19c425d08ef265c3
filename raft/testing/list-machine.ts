/** For tests of raft/: a state machine whose "disk" outlives it. */
import type { Slices } from '../../platform/slices.js';
import type {
  CommittedEntry,
  LogIndex,
  Membership,
  SnapshotMeta,
  SnapshotReader,
  SnapshotWriter,
  StateMachine,
  Term,
} from '../contract.js';

/** What survives a crash. */
export class ListDisk {
  index = 0;
  term = 0;
  membership: Membership | undefined;
  list: readonly string[] = [];
}

/** Replicates a list of strings; the result of a command is the list's length after it. */
export class ListMachine implements StateMachine {
  readonly list: string[];
  readonly #disk: ListDisk;
  #applied: { index: number; term: number };

  constructor(disk: ListDisk) {
    this.#disk = disk;
    this.list = [...disk.list];
    this.#applied = { index: disk.index, term: disk.term };
  }

  get durableIndex(): LogIndex {
    return this.#disk.index as LogIndex;
  }

  get durableMembership(): Membership | undefined {
    return this.#disk.membership;
  }

  // eslint-disable-next-line require-yield -- nothing here takes long
  *applySlices(entries: readonly CommittedEntry[]): Slices<readonly unknown[]> {
    return entries.map(({ index, term, data }) => {
      if (index <= this.#applied.index) throw new Error(`entry ${index} was applied twice`);
      this.#applied = { index, term };
      if (data.length > 0) this.list.push(Buffer.from(data).toString());
      return this.list.length;
    });
  }

  persist(applied: LogIndex, membership: Membership): Promise<void> {
    const term = this.#applied.index === applied ? this.#applied.term : 1;
    Object.assign(this.#disk, { index: applied, term, membership, list: [...this.list] });
    return Promise.resolve();
  }

  openSnapshot(): Promise<SnapshotReader> {
    const { index, term, membership, list } = this.#disk;
    if (membership === undefined) throw new Error('nothing is durable yet');
    const meta: SnapshotMeta = { index: index as LogIndex, term: term as Term, membership };
    async function* chunks(): AsyncIterable<Uint8Array> {
      for (const item of list) yield Buffer.from(item);
    }
    return Promise.resolve({ meta, chunks, close: () => Promise.resolve() });
  }

  receiveSnapshot(meta: SnapshotMeta): Promise<SnapshotWriter> {
    const items: string[] = [];
    return Promise.resolve({
      write: (chunk) => {
        items.push(Buffer.from(chunk).toString());
        return Promise.resolve();
      },
      commit: () => {
        this.list.splice(0, this.list.length, ...items);
        this.#applied = { index: meta.index, term: meta.term };
        return this.persist(meta.index, meta.membership);
      },
      abort: () => Promise.resolve(),
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
