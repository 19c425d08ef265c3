/**
 * Durable storage as something that is handed in: a folder of small files and ordered key-value stores. The log and the
 * state are written against it; LevelDB on a file system is one implementation, the simulator's disk, which loses and
 * changes what a real one might, is the other. Formats and checksums are the users', so both run the same ones.
 */

/** Half-open, in the order of bytes. An absent bound is none. */
export interface KeyRange {
  readonly gte?: Buffer;
  readonly lt?: Buffer;
}

export type Row = readonly [key: Buffer, value: Buffer];

export type DiskOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

export interface DiskView {
  get(key: Buffer): Promise<Buffer | undefined>;
  /** All rows of the range in the order of their keys, some at a time. */
  pages(range?: KeyRange): AsyncIterable<readonly Row[]>;
}

/** The disk as it was at one moment. To be closed. */
export interface DiskSnapshot extends DiskView {
  close(): Promise<void>;
}

export interface KeyValueDisk extends DiskView {
  /** Blocks the thread: for single values that memory has let go. */
  getSync(key: Buffer): Buffer | undefined;
  snapshot(): DiskSnapshot;
  /**
   * One atomic batch. Resolves once it is durable. Rejects when that cannot be had: then nobody knows what the disk
   * holds, and only opening it again may find out. Long batches are taken in turns with other work of the thread: until
   * it has resolved, nothing they refer to may change.
   */
  write(operations: Iterable<DiskOperation>): Promise<void>;
  /** Removes a range bit by bit and without waiting for the disk: what is gone may be back after a crash. */
  clear(range: KeyRange): Promise<void>;
  /** Space that its files take, about. Absent where there are none. */
  size_bytes?(): Promise<number>;
  /**
   * Gives the space of what was removed back to the machine, without stopping others. Absent where there is none to
   * give.
   */
  reclaim?(): Promise<void>;
  close(): Promise<void>;
}

export interface DiskTuning {
  readonly writeBuffer_bytes?: number;
  readonly cache_bytes?: number;
  /** Files that may be open, and mapped into memory, at a time. */
  readonly openFiles_max?: number;
}

/**
 * A few bytes that are replaced in place and never synced: they outlive the process, and after a loss of power they may
 * be older, torn or gone. For what is good to know and need not be true of the last moment.
 */
export interface DiskNote {
  /** As it was left; empty when there was none. */
  read(): Promise<Buffer>;
  /** Always with the same length. Resolves once the operating system has it. */
  write(bytes: Buffer): Promise<void>;
  close(): Promise<void>;
}

export interface DiskFolder {
  /** For messages to people. */
  readonly path: string;
  /** Names of what is inside; none when the folder is not there yet. */
  list(): Promise<readonly string[]>;
  /** Undefined when there is no such file. */
  readText(name: string): Promise<string | undefined>;
  /**
   * Replaces a small file, atomically and durably; makes the folder, for its owner's eyes alone, when it is not there.
   */
  replaceText(name: string, text: string): Promise<void>;
  /** A folder inside this one; nothing is made yet. */
  folder(name: string): DiskFolder;
  /** Opens or makes the store. Rejects with DiskError. */
  openDisk(name: string, tuning?: DiskTuning): Promise<KeyValueDisk>;
  /** Opens or makes a note. */
  openNote(name: string): Promise<DiskNote>;
  /** Removes a file or a store that is not open. */
  remove(name: string): Promise<void>;
}

export type DiskErrorCode = 'in-use' | 'unreadable';

/** A store that cannot be opened, or whose files are damaged. */
export class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly code: DiskErrorCode;

  constructor(code: DiskErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
