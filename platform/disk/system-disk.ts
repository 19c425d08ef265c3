/** Disks on the machine's file system: folders are directories, stores are LevelDBs. */
import { constants } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { chmod, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { assert } from '../assert.js';
import { DiskError } from './disk.js';
import type {
  DiskFolder,
  DiskNote,
  DiskOperation,
  DiskSnapshot,
  DiskTuning,
  KeyRange,
  KeyValueDisk,
  Row,
} from './disk.js';

/** On Node.js `level` is LevelDB, which can do more than the package's types name: those fit browsers as well. */
interface LevelDb extends Level<Buffer, Buffer> {
  approximateSize(start: Buffer, end: Buffer): Promise<number>;
  compactRange(start: Buffer, end: Buffer): Promise<void>;
}
type Snapshot = ReturnType<LevelDb['snapshot']>;

const isLevelDb = (level: Level<Buffer, Buffer>): level is LevelDb =>
  'approximateSize' in level && 'compactRange' in level;

const BINARY = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
/** Operations of a batch that are taken in one turn of the event loop: a millisecond's work or two. */
const TURN_OPERATIONS = 1000;
const PAGE_ROWS = 1000;
const PAGE_BYTES = 1 << 20;

/** What a disk writes in one piece. */
const NOTE_BYTES_MAX = 512;

const FIRST_KEY = Buffer.alloc(0);
const LAST_KEY = Buffer.alloc(32, 0xff);

class LevelDisk implements KeyValueDisk {
  readonly #level: LevelDb;
  readonly #path: string;

  constructor(level: LevelDb, path: string) {
    this.#level = level;
    this.#path = path;
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.#level.get(key).catch((error: unknown) => unreadable(this.#path, error));
  }

  getSync(key: Buffer): Buffer | undefined {
    return this.#level.getSync(key);
  }

  async *pages(range: KeyRange = {}): AsyncIterable<readonly Row[]> {
    try {
      yield* pagesOf(this.#level, range, undefined);
    } catch (error) {
      unreadable(this.#path, error);
    }
  }

  snapshot(): DiskSnapshot {
    const level = this.#level;
    const snapshot = level.snapshot();
    return {
      get: (key) => level.get(key, { snapshot, ...BINARY }),
      pages: (range = {}) => pagesOf(level, range, snapshot),
      close: () => snapshot.close(),
    };
  }

  async write(operations: Iterable<DiskOperation>): Promise<void> {
    // A chained batch takes each operation as it is; an array would be normalized and copied first, eight times slower.
    const batch = this.#level.batch();
    let taken = 0;
    for (const operation of operations) {
      if (operation.type === 'put') batch.put(operation.key, operation.value);
      else batch.del(operation.key);
      if (++taken % TURN_OPERATIONS === 0) await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    await batch.write({ sync: true });
  }

  clear(range: KeyRange): Promise<void> {
    return this.#level.clear(range);
  }

  size_bytes(): Promise<number> {
    return this.#level.approximateSize(FIRST_KEY, LAST_KEY);
  }

  reclaim(): Promise<void> {
    return this.#level.compactRange(FIRST_KEY, LAST_KEY);
  }

  close(): Promise<void> {
    return this.#level.close();
  }
}

/**
 * LevelDB's own checksums, and tables that end too early (google/leveldb #333): what it says of them names no remedy.
 */
function unreadable(path: string, error: unknown): never {
  const { code, message } = error as { code?: string; message?: string };
  if (code !== 'LEVEL_CORRUPTION' && code !== 'LEVEL_IO_ERROR') throw error;
  throw new DiskError('unreadable', `${path} cannot be read (${message ?? code})`);
}

class FileNote implements DiskNote {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async read(): Promise<Buffer> {
    const buffer = Buffer.alloc(NOTE_BYTES_MAX);
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  }

  async write(bytes: Buffer): Promise<void> {
    await this.#file.write(bytes, 0, bytes.length, 0);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function* pagesOf(
  level: LevelDb,
  range: KeyRange,
  snapshot: Snapshot | undefined,
): AsyncGenerator<readonly Row[], void, undefined> {
  const at = snapshot === undefined ? {} : { snapshot };
  const iterator = level.iterator({ ...range, ...at, ...BINARY, highWaterMarkBytes: PAGE_BYTES });
  try {
    for (let rows = await iterator.nextv(PAGE_ROWS); rows.length > 0; rows = await iterator.nextv(PAGE_ROWS))
      yield rows;
  } finally {
    await iterator.close();
  }
}

class SystemFolder implements DiskFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async list(): Promise<readonly string[]> {
    return (await unlessMissing(readdir(this.path))) ?? [];
  }

  readText(name: string): Promise<string | undefined> {
    return unlessMissing(readFile(join(this.path, name), 'utf8'));
  }

  async replaceText(name: string, text: string): Promise<void> {
    await this.#make();
    const temporary = join(this.path, `${name}.new`);
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(this.path, name));
    // A rename alone may be lost (etcd #6368).
    const directory = await open(this.path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  folder(name: string): DiskFolder {
    return new SystemFolder(join(this.path, name));
  }

  async openDisk(name: string, tuning: DiskTuning = {}): Promise<KeyValueDisk> {
    await this.#make();
    const path = join(this.path, name);
    const level = new Level<Buffer, Buffer>(path, {
      ...BINARY,
      compression: false,
      ...(tuning.writeBuffer_bytes === undefined ? {} : { writeBufferSize: tuning.writeBuffer_bytes }),
      ...(tuning.cache_bytes === undefined ? {} : { cacheSize: tuning.cache_bytes }),
      ...(tuning.openFiles_max === undefined ? {} : { maxOpenFiles: tuning.openFiles_max }),
    });
    assert(isLevelDb(level), 'the package level stands for LevelDB');
    try {
      await level.open();
    } catch (error) {
      const cause = (error as { cause?: { code?: string; message?: string } }).cause;
      if (cause?.code === 'LEVEL_LOCKED')
        throw new DiskError('in-use', `${path} is in use by another process: one data directory serves one member`);
      throw new DiskError('unreadable', `${path} cannot be opened (${cause?.message ?? String(error)})`);
    }
    return new LevelDisk(level, path);
  }

  async openNote(name: string): Promise<DiskNote> {
    await this.#make();
    return new FileNote(await open(join(this.path, name), constants.O_RDWR | constants.O_CREAT, 0o600));
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.path, name), { recursive: true, force: true });
  }

  async #make(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    await chmod(this.path, 0o700);
  }
}

async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export function systemFolder(path: string): DiskFolder {
  return new SystemFolder(path);
}
