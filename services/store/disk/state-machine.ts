/**
 * The store's state machine as raft/ wants it: applies committed commands to the state, tells the watches, and keeps
 * the state on disk. Nothing here decides anything: what commands mean is `mvcc/`'s, when to write is the driver's.
 */
import { assert } from '../../../platform/assert.js';
import type { Clock } from '../../../platform/clock.js';
import { finish } from '../../../platform/slices.js';
import type { Slices } from '../../../platform/slices.js';
import type { DiskFolder, DiskSnapshot } from '../../../platform/disk/disk.js';
import { systemFolder } from '../../../platform/disk/system-disk.js';
import type {
  CommittedEntry,
  LogIndex,
  Membership,
  SnapshotMeta,
  SnapshotReader,
  SnapshotWriter,
  StateMachine,
  Term,
} from '../../../raft/contract.js';
import { isHash } from '../mvcc/commands.js';
import type { KvState } from '../mvcc/kv-state.js';
import { WatchHub } from '../watch/hub.js';
import type { WatchHubOptions } from '../watch/hub.js';
import { StateDirectory } from './directory.js';
import { openSnapshot, openView, StateReceiver } from './snapshot.js';
import type { Meta } from './layout.js';
import { StateDisk } from './state-disk.js';
import { DiskError } from '../../../platform/disk/disk.js';
import { StoreError } from '../store.js';

export interface KvStateMachineOptions extends WatchHubOptions {
  readonly clock: Clock;
  /** Where the state lies, made when it is not there: a path on the file system, or a folder of another kind. */
  readonly directory: string | DiskFolder;
  readonly hotValues_bytes?: number;
  readonly slice_keys?: number;
  /** Whether long lists in results are packed (packed-results). */
  readonly packs?: boolean;
  /** Told of each entry that was applied, before its events go out. */
  readonly onEntry?: (entry: CommittedEntry, result: unknown) => void;
}

/** Records looked at in one go while compacted history is removed: a millisecond's work. */
const SCRUB_RECORDS = 1000;
const FOUNDING_TERM = 1 as Term;

export class KvStateMachine implements StateMachine {
  readonly hub: WatchHub;
  /** Called when a snapshot has replaced the state. */
  onReplaced: ((state: KvState) => void) | undefined;
  /** Called when the state on disk turned out to be unreadable: the member must stop. */
  onBroken: ((error: Error) => void) | undefined;
  /** Called when a command that concerns hashes was applied. */
  onHash: ((data: Uint8Array, term: Term) => void) | undefined;
  readonly #options: KvStateMachineOptions;
  readonly #directory: StateDirectory;
  #disk: StateDisk;
  #state: KvState;
  #durableIndex: LogIndex;
  #durableMembership: Membership | undefined;
  #applied: { index: LogIndex; term: Term };
  #scrubbing = false;
  #isApplying = false;
  #closed = false;
  /** Writes and the switch to a snapshot follow one another. */
  #writing: Promise<void> = Promise.resolve();

  private constructor(
    options: KvStateMachineOptions,
    parts: {
      directory: StateDirectory;
      disk: StateDisk;
      state: KvState;
      applied: { index: LogIndex; term: Term; membership: Membership | undefined };
    },
  ) {
    this.#options = options;
    this.#directory = parts.directory;
    this.#disk = parts.disk;
    this.#state = parts.state;
    this.#applied = parts.applied;
    this.#durableIndex = parts.applied.index;
    this.#durableMembership = parts.applied.membership;
    this.hub = new WatchHub(parts.state.mvcc, { ...options, onFailure: (error) => this.onBroken?.(error) });
    this.#startScrub();
  }

  static async open(options: KvStateMachineOptions): Promise<KvStateMachine> {
    const folder = typeof options.directory === 'string' ? systemFolder(options.directory) : options.directory;
    const directory = await StateDirectory.open(folder);
    const disk = new StateDisk(await directory.openDisk(directory.current).catch(refuse));
    try {
      await directory.tidy();
      const meta = await disk.meta();
      const state = await disk.loadState(meta, options);
      const applied = {
        index: meta?.index ?? (0 as LogIndex),
        term: meta?.term ?? (0 as Term),
        membership: meta?.membership,
      };
      return new KvStateMachine(options, { directory, disk, state, applied });
    } catch (error) {
      await disk.close();
      return refuse(error);
    }
  }

  get state(): KvState {
    return this.#state;
  }

  get appliedIndex(): LogIndex {
    return this.#applied.index;
  }

  get durableIndex(): LogIndex {
    return this.#durableIndex;
  }

  get durableMembership(): Membership | undefined {
    return this.#durableMembership;
  }

  /** All at once: for what is applied before anybody is served. */
  apply(entries: readonly CommittedEntry[]): readonly unknown[] {
    return finish(this.applySlices(entries, () => true));
  }

  *applySlices(
    entries: readonly CommittedEntry[],
    isAwaited: (entry: CommittedEntry) => boolean,
  ): Slices<readonly unknown[]> {
    const results: unknown[] = [];
    this.#isApplying = true;
    for (const entry of entries) {
      const { index, term, data } = entry;
      assert(index === this.#applied.index + 1, `entry ${index} does not follow ${this.#applied.index}`);
      results.push(
        data.length === 0
          ? undefined
          : yield* this.#state.runBytes(data, {
              term,
              form: isAwaited(entry) ? (this.#options.packs === true ? 'packed' : 'whole') : 'none',
            }),
      );
      this.#applied = { index, term };
      this.#options.onEntry?.(entry, results.at(-1));
      if (data.length > 0 && isHash(data)) this.onHash?.(data, term);
    }
    yield* this.hub.publish();
    this.#isApplying = false;
    this.#startScrub();
    return results;
  }

  /** Resolves when no command is half applied: reads of versions need not wait for that, those of leases do. */
  async settled(): Promise<void> {
    while (this.#isApplying && !this.#closed)
      await new Promise<void>((resolve) => this.#options.clock.immediate(resolve));
  }

  persist(applied: LogIndex, membership: Membership): Promise<void> {
    // A cluster is founded as if by a snapshot of nothing, in the first term (raft/driver/recovery.ts).
    if (this.#applied.index === 0) this.#applied = { index: applied, term: FOUNDING_TERM };
    assert(
      applied === this.#applied.index,
      `index ${applied} is to be made durable, ${this.#applied.index} is applied`,
    );
    // Taken now, so that it holds what `applied` says and nothing newer, however long the disk is busy.
    const { state } = this;
    const { term } = this.#applied;
    const checkpoint = StateDisk.checkpoint(state, { index: applied, term, membership });
    return this.#exclusive(async () => {
      // A snapshot has taken this state's place in the meantime: there is nothing left to write it to.
      if (state !== this.#state) return;
      await this.#disk.write(checkpoint);
      state.mvcc.markDurable(checkpoint.records.added);
      this.#durableIndex = checkpoint.meta.index;
      this.#durableMembership = membership;
    });
  }

  /** Gives back the space of what was removed; reads and writes go on. */
  async reclaim(): Promise<void> {
    await this.#disk.disk.reclaim?.();
  }

  /** About: what was written last may not be counted yet. */
  async diskSize_bytes(): Promise<number> {
    return (await this.#disk.disk.size_bytes?.()) ?? 0;
  }

  openSnapshot(): Promise<SnapshotReader & { readonly meta: Meta }> {
    return openSnapshot(this.#disk.disk);
  }

  /** The state as it is durable now, row by row. To be closed. */
  async openView(): Promise<DiskSnapshot & { readonly meta: Meta }> {
    return openView(this.#disk.disk);
  }

  async receiveSnapshot(meta: SnapshotMeta): Promise<SnapshotWriter> {
    const name = this.#directory.next();
    const disk = new StateDisk(await this.#directory.openDisk(name));
    return new StateReceiver({
      meta,
      disk,
      adopt: () => this.#exclusive(() => this.#adopt(disk, name)),
      discard: () => this.#directory.remove(name),
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writing.catch(() => undefined);
    await this.#disk.close();
  }

  async #adopt(disk: StateDisk, name: string): Promise<void> {
    const meta = await disk.meta();
    assert(meta !== undefined && meta.index > this.#applied.index, 'a snapshot takes the state forward');
    const state = await disk.loadState(meta, this.#options);
    const old = { disk: this.#disk, name: this.#directory.current };
    await this.#directory.switchTo(name);
    this.#disk = disk;
    this.#state = state;
    this.#applied = { index: meta.index, term: meta.term };
    this.#durableIndex = meta.index;
    this.#durableMembership = meta.membership;
    this.onReplaced?.(state);
    this.hub.reset(state.mvcc);
    this.#startScrub();
    await old.disk.close();
    await this.#directory.remove(old.name);
  }

  #exclusive(work: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => undefined);
    return done;
  }

  /** Removes compacted history a little at a time, between other work. */
  #startScrub(): void {
    if (this.#scrubbing || this.#closed || !this.#state.mvcc.scrub(SCRUB_RECORDS)) return;
    this.#scrubbing = true;
    this.#options.clock.immediate(() => {
      this.#scrubbing = false;
      this.#startScrub();
    });
  }
}

const REMEDY = 'rebuild this member from its peers with `navarch member repair`; nothing was changed';

/** What is damaged is never used, and whoever reads the message is told what to do. */
function refuse(error: unknown): never {
  if (error instanceof DiskError && error.code === 'in-use') throw new StoreError('invalid', error.message);
  if (error instanceof DiskError || (error instanceof StoreError && error.code === 'corrupt'))
    throw new StoreError('corrupt', `${error.message}: ${REMEDY}`);
  throw error;
}
