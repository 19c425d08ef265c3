/**
 * A machine's storage: what is written is seen at once, and survives a loss of power only once it was synced. `live` is
 * what the running process sees, `durable` what a loss of power leaves, `promised` what would be left if the disk kept
 * its promises (against which the others are judged).
 *
 * Batches are atomic, as LevelDB's are: one that was torn by a crash is dropped whole when its journal is read again.
 */
import { DiskError } from '../../../platform/disk/disk.js';
import type {
  DiskFolder,
  DiskNote,
  DiskOperation,
  DiskSnapshot,
  KeyRange,
  KeyValueDisk,
  Row,
} from '../../../platform/disk/disk.js';
import type { Random } from '../../../platform/random.js';
import { Journal } from './journal.js';
import type { Change } from './journal.js';
import type { Process } from './process.js';
import { apply, changeOf, inRange, keyOf, nameOf } from './rows.js';
import type { Rows } from './rows.js';

interface Batch {
  readonly changes: readonly Change[];
  /** As they reach the platter, when something goes wrong on the way. */
  readonly actual: readonly Change[];
  /** Nobody waits for it. */
  readonly isUnsynced: boolean;
  /** The disk said that it is durable and it is not: a loss of power takes it. */
  isLost: boolean;
}

class Image {
  /** Of the log alone. */
  readonly journal: Journal | undefined;
  live: Rows = new Map();
  durable: Rows = new Map();
  promised: Rows = new Map();
  /** Written and not synced, oldest first. */
  pending: Batch[] = [];
  /** From the first batch on that is promised and not durable: that one, and all after it. */
  limbo: Batch[] = [];

  constructor(journal?: Journal) {
    this.journal = journal;
  }
}

export interface DiskTrouble {
  /** Duration of a write with its sync. */
  latency_ms(): number;
  isHung: boolean;
  /** The process ends right after so many writes, before it can do anything else. */
  endAfter: number | undefined;
  end(): void;
  isFull: boolean;
  /** The next write fails: before it reached the disk, or at its sync. */
  failNext: 'write' | 'sync' | undefined;
  /** The next sync is answered but not done, on the disk with this in its name. */
  loseNextSync: string | undefined;
  /**
   * The next batch puts one of its entries in another's place, or the next that replaces some puts one of them nowhere.
   */
  misdirectNext: 'elsewhere' | 'nowhere' | undefined;
  /** Chance that an unsynced batch is lost although a later one was synced (google/leveldb #193). */
  rotationLoss: number;
}

export interface DiskEvents {
  /** Something that was promised is gone: a hole, or merely an older state. */
  onLoss(): void;
  onFault(kind: string): void;
}

/** The log's own disk: of its state the last writes are no loss, since the log has them. */
const LOG_PATH = '/raft/log';
const CLEAR_KEYS = 16;
const NOTE_VERSIONS = 8;
const NO_NOTE = Buffer.alloc(0);
const PAGE_ROWS = 200;

export class SimStorage {
  readonly trouble: DiskTrouble;
  readonly #random: Random;
  readonly #events: DiskEvents;
  #texts = new Map<string, string>();
  readonly #images = new Map<string, Image>();
  /** By a part of the path: what was looked for, until images come or go. */
  readonly #found = new Map<string, Image>();
  #textsInFlight: { path: string; text: string }[] = [];
  /**
   * What was written to a note since power was there, the last one last: any of them may be what a loss of power
   * leaves.
   */
  #notes = new Map<string, Buffer[]>();
  /** When the last note was written, if that is the one which is there. */
  #noted_ms: number | undefined;
  #held: (() => void)[] = [];
  #heldSince_ms: number | undefined;

  constructor(random: Random, trouble: DiskTrouble, events: DiskEvents) {
    this.#random = random;
    this.trouble = trouble;
    this.#events = events;
  }

  folder(process: Process, path: string): DiskFolder {
    return new SimFolder(this, process, path);
  }

  /** The process is gone. With `power` lost, so is what was not synced. */
  crash(power: boolean): void {
    for (const { path, text } of this.#textsInFlight) if (this.#random.int(2) === 0) this.#texts.set(path, text);
    this.#textsInFlight = [];
    this.#held = [];
    if (power)
      for (const [path, versions] of this.#notes)
        this.#notes.set(path, [versions[this.#random.int(versions.length)] ?? NO_NOTE]);
    if (power) this.#noted_ms = undefined;
    for (const image of this.#images.values()) this.#crashImage(image, power);
  }

  #crashImage(image: Image, power: boolean): void {
    const { pending } = image;
    if (power) {
      // The journal keeps a beginning of what was not synced.
      const kept = this.#random.int(pending.length + 1);
      if (kept < pending.length) this.#events.onFault(this.#random.int(2) === 0 ? 'torn write' : 'lost unsynced write');
      for (const batch of pending.slice(0, kept)) settle(image, batch);
      if (image.limbo.length > 0) this.#events.onFault('lost sync');
      if (image.limbo.length > 0) this.#events.onLoss();
      image.limbo = [];
      image.promised = new Map(image.durable);
      image.journal?.forget();
    } else {
      for (const batch of [...image.limbo, ...pending]) settle(image, batch);
      image.limbo = [];
    }
    image.pending = [];
    image.live = new Map(image.durable);
  }

  /** Releases what a hung disk held back. */
  unhang(): void {
    this.trouble.isHung = false;
    this.#heldSince_ms = undefined;
    const held = this.#held;
    this.#held = [];
    for (const done of held) done();
  }

  /** How long the oldest write has been waiting for a hung disk. */
  heldFor_ms(now_ms: number): number {
    return this.#heldSince_ms === undefined ? 0 : now_ms - this.#heldSince_ms;
  }

  /** Everything as it would be found after a loss of power now. */
  copy(): SimStorage {
    const copy = new SimStorage(this.#random, this.trouble, this.#events);
    copy.#texts = new Map(this.#texts);
    for (const [path, versions] of this.#notes) copy.#notes.set(path, [versions[0] ?? NO_NOTE]);
    for (const [path, { durable }] of this.#images) {
      const image = new Image();
      image.live = new Map(durable);
      image.durable = new Map(durable);
      image.promised = new Map(durable);
      copy.#images.set(path, image);
    }
    return copy;
  }

  /** Turns a bit of one durable value. False when there is none. */
  rot(disk: string): boolean {
    const image = this.#find(disk);
    const names = [...(image?.durable.keys() ?? [])];
    const name = names[this.#random.int(names.length)];
    const value = name === undefined ? undefined : image?.durable.get(name);
    if (image === undefined || name === undefined || value === undefined || value.length === 0) return false;
    const rotten = Buffer.from(value);
    const at = this.#random.int(rotten.length);
    rotten[at] = (rotten[at] ?? 0) ^ (1 << this.#random.int(8));
    image.durable.set(name, rotten);
    if (image.live.has(name)) image.live.set(name, rotten);
    return true;
  }

  /**
   * The end of the log is gone, and with it something that its witness tells of. Only while no process runs. False: the
   * witness is too young, and nothing was changed.
   */
  truncate(disk: string): boolean {
    const image = this.#find(disk);
    const undo = this.#noted_ms === undefined ? undefined : image?.journal?.cut(this.#noted_ms, this.#random.int(3));
    if (image === undefined || undo === undefined) return false;
    apply(image.durable, undo);
    image.live = new Map(image.durable);
    return true;
  }

  /** What the disk has promised to hold under the key. */
  promised(disk: string, key: Buffer): Buffer | undefined {
    return this.#find(disk)?.promised.get(nameOf(key));
  }

  /** A value that a loss of power now would take, although it was promised. */
  get hasLimbo(): boolean {
    return [...this.#images.values()].some(({ limbo }) => limbo.length > 0);
  }

  /** The disk comes round to what it had put off. */
  flushLimbo(): void {
    for (const image of this.#images.values()) {
      for (const batch of image.limbo) apply(image.durable, batch.actual);
      image.limbo = [];
    }
  }

  #find(suffix: string): Image | undefined {
    const known = this.#found.get(suffix);
    if (known !== undefined) return known;
    let found: Image | undefined;
    for (const [path, image] of this.#images) if (path.includes(suffix)) found = image;
    if (found !== undefined) this.#found.set(suffix, found);
    return found;
  }

  // For folders

  names(path: string): string[] {
    const inside = [...this.#texts.keys(), ...this.#images.keys()].filter((name) => name.startsWith(`${path}/`));
    return [...new Set(inside.map((name) => name.slice(path.length + 1).split('/')[0] ?? ''))];
  }

  text(path: string): string | undefined {
    return this.#texts.get(path);
  }

  replaceText(process: Process, change: { path: string; text: string }): Promise<void> {
    if (!process.isAlive) return never();
    if (this.trouble.isFull) return Promise.reject(noSpace());
    this.#textsInFlight.push(change);
    return this.#later(process, () => {
      this.#textsInFlight = this.#textsInFlight.filter((other) => other !== change);
      this.#texts.set(change.path, change.text);
    });
  }

  remove(path: string): void {
    this.#found.clear();
    for (const name of [...this.#texts.keys()])
      if (name === path || name.startsWith(`${path}/`)) this.#texts.delete(name);
    for (const name of [...this.#images.keys()])
      if (name === path || name.startsWith(`${path}/`)) this.#images.delete(name);
    for (const name of [...this.#notes.keys()])
      if (name === path || name.startsWith(`${path}/`)) this.#notes.delete(name);
  }

  open(process: Process, path: string): KeyValueDisk {
    let image = this.#images.get(path);
    if (image === undefined) {
      image = new Image(path.endsWith(LOG_PATH) ? new Journal() : undefined);
      this.#images.set(path, image);
      this.#found.clear();
    }
    return new SimDisk(this, process, image, path);
  }

  note(path: string): Buffer {
    return this.#notes.get(path)?.at(-1) ?? NO_NOTE;
  }

  writeNote(process: Process, path: string, bytes: Buffer): void {
    if (!process.isAlive) return;
    this.#noted_ms = process.world.now_ms;
    this.#notes.set(path, [...(this.#notes.get(path) ?? []).slice(-NOTE_VERSIONS), bytes]);
  }

  /** Resolves after the disk's time, unless the process has died; a hung disk keeps it until it is released. */
  #later(process: Process, done: () => void): Promise<void> {
    return new Promise((resolve) => {
      const finish = () =>
        process.run(() => {
          done();
          if (this.trouble.endAfter !== undefined && --this.trouble.endAfter <= 0) {
            this.trouble.endAfter = undefined;
            this.#events.onFault('crash at a write');
            this.trouble.end();
          } else {
            resolve();
          }
        });
      process.world.after(this.trouble.latency_ms(), () => {
        if (!this.trouble.isHung) return finish();
        this.#heldSince_ms ??= process.world.now_ms;
        this.#held.push(finish);
      });
    });
  }

  async write(
    process: Process,
    target: { image: Image; path: string },
    wanted: Iterable<DiskOperation>,
  ): Promise<void> {
    const operations = [...wanted];
    const { image, path } = target;
    const { trouble } = this;
    if (!process.isAlive) return never();
    if (trouble.isFull) {
      this.#events.onFault('ENOSPC');
      throw noSpace();
    }
    if (trouble.failNext === 'write') {
      trouble.failNext = undefined;
      this.#events.onFault('EIO on write');
      throw new Error('EIO: i/o error, write');
    }
    const changes = operations.map(changeOf);
    const misdirected = this.#misdirect(operations, { image, path });
    const batch: Batch = { changes, actual: misdirected?.map(changeOf) ?? changes, isUnsynced: false, isLost: false };
    image.pending.push(batch);
    apply(image.live, batch.actual);
    const isFailing = trouble.failNext === 'sync';
    if (isFailing) trouble.failNext = undefined;
    if (trouble.loseNextSync !== undefined && path.includes(trouble.loseNextSync)) {
      trouble.loseNextSync = undefined;
      batch.isLost = true;
    }
    await this.#later(process, () => {
      if (!isFailing) this.#sync(image, batch, process.world.now_ms);
    });
    if (!isFailing) return;
    this.#events.onFault('EIO on sync');
    throw new Error('EIO: i/o error, fsync');
  }

  #sync(image: Image, last: Batch, now_ms: number): void {
    const end = image.pending.indexOf(last);
    if (end < 0) return;
    const done = image.pending.splice(0, end + 1);
    for (const batch of done) {
      // Only what was not waited for can be lost at a rotation of the journal.
      if (
        batch !== last &&
        batch.changes.length > 0 &&
        this.#random.next() < this.trouble.rotationLoss &&
        batch.isUnsynced
      ) {
        this.#events.onFault('unsynced write lost at rotation');
        continue;
      }
      apply(image.promised, batch.changes);
      if (batch.isLost || image.limbo.length > 0) image.limbo.push(batch);
      if (batch.isLost) continue;
      image.journal?.note(image.durable, batch.actual, now_ms);
      apply(image.durable, batch.actual);
    }
  }

  clear(image: Image, range: KeyRange): void {
    const names = inRange(image.live, range);
    for (let at = 0; at < names.length; at += CLEAR_KEYS) {
      const changes = names.slice(at, at + CLEAR_KEYS).map((name) => [name, undefined] as const);
      image.pending.push({ changes, actual: changes, isUnsynced: true, isLost: false });
      apply(image.live, changes);
    }
  }

  #misdirect(
    operations: readonly DiskOperation[],
    { image, path }: { image: Image; path: string },
  ): readonly DiskOperation[] | undefined {
    const way = this.trouble.misdirectNext;
    if (way === undefined || !path.includes('raft')) return undefined;
    const isEntry = ({ type, key }: DiskOperation) => type === 'put' && key.length > 2;
    const at = operations.findIndex(
      (operation) => isEntry(operation) && (way === 'elsewhere' || image.live.has(nameOf(operation.key))),
    );
    const wrong = operations[at];
    if (wrong?.type !== 'put') return undefined;
    this.trouble.misdirectNext = undefined;
    this.#events.onFault(`write misdirected ${way}`);
    // It shows when it is read.
    this.trouble.endAfter ??= 1 + this.#random.int(30);
    // What lay in the right place stays there: nothing, or what was right once.
    if (way === 'nowhere') return operations.toSpliced(at, 1);
    const key = Buffer.from(wrong.key);
    key[key.length - 1] = (key[key.length - 1] ?? 0) ^ 1;
    return operations.with(at, { ...wrong, key });
  }
}

function settle(image: Image, batch: Batch): void {
  image.journal?.note(image.durable, batch.actual, Infinity);
  apply(image.durable, batch.actual);
  apply(image.promised, batch.changes);
}

/**
 * For a process that is gone. It may have been in the middle of something when it was killed, since what it waited for
 * came about at the same moment; nothing that it does then reaches the disk.
 */
const never = () => new Promise<never>(() => undefined);
const noSpace = () => Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });

class SimFolder implements DiskFolder {
  readonly path: string;
  readonly #storage: SimStorage;
  readonly #process: Process;

  constructor(storage: SimStorage, process: Process, path: string) {
    this.#storage = storage;
    this.#process = process;
    this.path = path;
  }

  list(): Promise<readonly string[]> {
    return Promise.resolve(this.#storage.names(this.path));
  }

  readText(name: string): Promise<string | undefined> {
    return Promise.resolve(this.#storage.text(`${this.path}/${name}`));
  }

  replaceText(name: string, text: string): Promise<void> {
    return this.#storage.replaceText(this.#process, { path: `${this.path}/${name}`, text });
  }

  folder(name: string): DiskFolder {
    return new SimFolder(this.#storage, this.#process, `${this.path}/${name}`);
  }

  openDisk(name: string): Promise<KeyValueDisk> {
    if (this.#storage.trouble.isFull)
      return Promise.reject(new DiskError('unreadable', `${this.path}/${name} cannot be opened (ENOSPC)`));
    return Promise.resolve(this.#storage.open(this.#process, `${this.path}/${name}`));
  }

  openNote(name: string): Promise<DiskNote> {
    const path = `${this.path}/${name}`;
    return Promise.resolve({
      read: () => Promise.resolve(this.#storage.note(path)),
      write: (bytes) => Promise.resolve(this.#storage.writeNote(this.#process, path, bytes)),
      close: () => Promise.resolve(),
    });
  }

  remove(name: string): Promise<void> {
    if (!this.#process.isAlive) return never();
    this.#storage.remove(`${this.path}/${name}`);
    return Promise.resolve();
  }
}

class SimDisk implements KeyValueDisk {
  readonly #storage: SimStorage;
  readonly #process: Process;
  readonly #image: Image;
  readonly #path: string;
  #isOpen = true;

  constructor(storage: SimStorage, process: Process, image: Image, path: string) {
    this.#storage = storage;
    this.#process = process;
    this.#image = image;
    this.#path = path;
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return Promise.resolve(this.getSync(key));
  }

  getSync(key: Buffer): Buffer | undefined {
    this.#checkOpen();
    return this.#image.live.get(nameOf(key));
  }

  pages(range: KeyRange = {}): AsyncIterable<readonly Row[]> {
    return this.#pagesOf(this.#image.live, range);
  }

  snapshot(): DiskSnapshot {
    this.#checkOpen();
    const rows = new Map(this.#image.live);
    return {
      get: (key) => Promise.resolve(rows.get(nameOf(key))),
      pages: (range = {}) => this.#pagesOf(rows, range),
      close: () => Promise.resolve(),
    };
  }

  async write(operations: Iterable<DiskOperation>): Promise<void> {
    this.#checkOpen();
    await this.#storage.write(this.#process, { image: this.#image, path: this.#path }, operations);
  }

  clear(range: KeyRange): Promise<void> {
    if (!this.#process.isAlive) return never();
    this.#checkOpen();
    this.#storage.clear(this.#image, range);
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.#isOpen = false;
    return Promise.resolve();
  }

  async *#pagesOf(rows: Rows, range: KeyRange): AsyncGenerator<readonly Row[], void, undefined> {
    const names = inRange(rows, range);
    for (let at = 0; at < names.length; at += PAGE_ROWS) {
      // Between two pages others have their turn, and a crash may come.
      await new Promise<void>((resolve) => this.#process.after(0.05, resolve));
      const page: Row[] = [];
      for (const name of names.slice(at, at + PAGE_ROWS)) {
        const value = rows.get(name);
        if (value !== undefined) page.push([keyOf(name), value]);
      }
      yield page;
    }
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new Error(`${this.#path} is closed`);
  }
}
