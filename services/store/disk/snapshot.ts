/**
 * A state as a stream of chunks: every row of its disk as length, key, length, value; at the end a row without a key
 * that holds the number of rows and a checksum of all of them. Chunks may be cut anywhere on the way.
 */
import type { DiskSnapshot, KeyValueDisk } from '../../../platform/disk/disk.js';
import type { SnapshotMeta, SnapshotReader, SnapshotWriter } from '../../../raft/contract.js';
import { ByteReader, ByteWriter } from '../bytes.js';
import { crc32 } from '../mvcc/checksum.js';
import { StoreError } from '../store.js';
import { decodeMeta, META_KEY } from './layout.js';
import { RowCheck } from './row-check.js';
import type { Meta } from './layout.js';
import type { StateDisk } from './state-disk.js';

const CHUNK_BYTES = 256 * 1024;
const BATCH_BYTES = 1024 * 1024;

/** Reads the state as it was durable when this was called; later writes do not show. */
export async function openView(disk: KeyValueDisk): Promise<DiskSnapshot & { readonly meta: Meta }> {
  const snapshot = disk.snapshot();
  const data = await snapshot.get(META_KEY);
  if (data === undefined) {
    await snapshot.close();
    throw new StoreError('invalid', 'there is no state to take a snapshot of yet');
  }
  return {
    meta: decodeMeta(data),
    get: (key) => snapshot.get(key),
    pages: (range) => snapshot.pages(range),
    close: () => snapshot.close(),
  };
}

/** The same as a stream. */
export async function openSnapshot(disk: KeyValueDisk): Promise<SnapshotReader & { readonly meta: Meta }> {
  const snapshot = await openView(disk);
  const { meta } = snapshot;

  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const writer = new ByteWriter(CHUNK_BYTES * 2);
    let rows = 0;
    let checksum = 0;
    const check = new RowCheck();
    for await (const batch of snapshot.pages()) {
      for (const [key, value] of batch) {
        check.row(key, value);
        rows++;
        checksum = crc32(value, crc32(key, checksum));
        writer.bytes(key).bytes(value);
        if (writer.length >= CHUNK_BYTES) yield writer.take();
      }
    }
    check.finish();
    yield writer.varint(0).varint(rows).u32(checksum).take();
  }

  return { meta, chunks, close: () => snapshot.close() };
}

/** Cuts such a stream, however it is chunked, into rows, and checks that all are there. */
export class StateRows {
  #pending: Buffer = Buffer.alloc(0);
  #rows = 0;
  #checksum = 0;
  #isComplete = false;

  /** The last row has come and all of them match its checksum. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Bytes that do not make a row, or follow the last one. */
  get rest_bytes(): number {
    return this.#pending.length;
  }

  /** Fails with 'corrupt'. Rows are views of the chunk. */
  take(chunk: Uint8Array, onRow: (key: Buffer, value: Buffer) => void): void {
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
    let taken = 0;
    for (let next = this.#row(taken, onRow); next !== undefined; next = this.#row(taken, onRow)) taken = next;
    this.#pending = this.#pending.subarray(taken);
  }

  /** Takes the row at `offset`; undefined when it has not come whole. */
  #row(offset: number, onRow: (key: Buffer, value: Buffer) => void): number | undefined {
    if (this.#isComplete || offset === this.#pending.length) return undefined;
    const reader = new ByteReader(this.#pending, offset);
    const keyLength = tryVarint(reader);
    if (keyLength === undefined) return undefined;
    if (keyLength === 0) return this.#end(reader);
    if (reader.remaining < keyLength) return undefined;
    const key = reader.raw(keyLength);
    const valueLength = tryVarint(reader);
    if (valueLength === undefined || reader.remaining < valueLength) return undefined;
    const value = reader.raw(valueLength);
    this.#rows++;
    this.#checksum = crc32(value, crc32(key, this.#checksum));
    onRow(key, value);
    return reader.offset;
  }

  #end(reader: ByteReader): number | undefined {
    const rows = tryVarint(reader);
    if (rows === undefined || reader.remaining < 4) return undefined;
    const checksum = reader.u32();
    if (rows !== this.#rows || checksum !== this.#checksum >>> 0)
      throw new StoreError('corrupt', 'the snapshot does not match its checksum');
    this.#isComplete = true;
    return reader.offset;
  }
}

/** Receives a state onto a disk of its own. `adopt` gets it once it is whole and matches `meta`. */
export class StateReceiver implements SnapshotWriter {
  readonly #meta: SnapshotMeta;
  readonly #disk: StateDisk;
  readonly #adopt: () => Promise<void>;
  readonly #discard: () => Promise<void>;
  readonly #rows = new StateRows();
  #batch: { type: 'put'; key: Buffer; value: Buffer }[] = [];
  #batch_bytes = 0;
  readonly #check = new RowCheck();
  #open = true;

  constructor(options: {
    meta: SnapshotMeta;
    disk: StateDisk;
    adopt: () => Promise<void>;
    discard: () => Promise<void>;
  }) {
    this.#meta = options.meta;
    this.#disk = options.disk;
    this.#adopt = options.adopt;
    this.#discard = options.discard;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#rows.take(chunk, (key, value) => {
      this.#check.row(key, value);
      this.#batch.push({ type: 'put', key, value });
      this.#batch_bytes += key.length + value.length;
    });
    if (this.#batch_bytes >= BATCH_BYTES) await this.#flush();
  }

  async commit(): Promise<void> {
    if (!this.#rows.isComplete || this.#rows.rest_bytes > 0)
      throw new StoreError('corrupt', 'the snapshot ends before its last row');
    const meta = this.#check.finish();
    if (meta.index !== this.#meta.index || meta.term !== this.#meta.term) {
      throw new StoreError('corrupt', `the snapshot holds index ${meta.index}, announced was ${this.#meta.index}`);
    }
    await this.#flush();
    this.#open = false;
    await this.#adopt();
  }

  async abort(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#disk.close();
    await this.#discard();
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batch_bytes = 0;
    await this.#disk.disk.write(batch);
  }
}

/** Undefined when the number has not come whole. */
function tryVarint(reader: ByteReader): number | undefined {
  try {
    return reader.varint();
  } catch (error) {
    if (reader.remaining === 0) return undefined;
    throw error;
  }
}
