/** The state in a LevelDB: written in synchronous atomic batches, read back record by record, loaded whole at start. */
import { ClassicLevel } from 'classic-level';

import { KvState } from '../mvcc/kv-state.js';
import { decodeRecord } from '../mvcc/record.js';
import type { Record, RecordSource } from '../mvcc/record.js';
import { StoreError } from '../store.js';
import {
  decodeLease, decodeMeta, encodeLease, encodeMeta, leaseIdOf, leaseKey, LEASES, META_KEY, recordKey, recordPlace, RECORDS,
} from './layout.js';
import type { Meta } from './layout.js';

const BINARY = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
const LOAD_RECORDS = 2000;

export type StateLevel = ClassicLevel<Buffer, Buffer>;
type Operation = { type: 'put'; key: Buffer; value: Buffer } | { type: 'del'; key: Buffer };

/** What one durable batch holds, taken from the state at one moment. */
export interface Checkpoint {
  readonly meta: Meta;
  readonly operations: readonly Operation[];
  readonly records: readonly Record[];
}

export class StateDisk implements RecordSource {
  readonly level: StateLevel;

  private constructor(level: StateLevel) {
    this.level = level;
  }

  static async open(directory: string): Promise<StateDisk> {
    const level: StateLevel = new ClassicLevel<Buffer, Buffer>(directory, { ...BINARY, writeBufferSize: 8 * 1024 * 1024, cacheSize: 16 * 1024 * 1024 });
    try {
      await level.open();
    } catch (error) {
      const { code, message = String(error) } = ((error as Error).cause ?? {}) as { code?: string; message?: string };
      if (code === 'LEVEL_LOCKED') throw new StoreError('invalid', `${directory} is in use by another process: one data directory serves one member`);
      throw new StoreError(code === 'LEVEL_CORRUPTION' ? 'corrupt' : 'unavailable', `${directory} cannot be opened: ${message}`);
    }
    return new StateDisk(level);
  }

  load(main: number, sub: number): Uint8Array | undefined {
    return this.level.getSync(recordKey(main, sub));
  }

  /** Undefined when the state is new. */
  async meta(): Promise<Meta | undefined> {
    const data = await this.level.get(META_KEY);
    return data === undefined ? undefined : decodeMeta(data);
  }

  /** Everything that must be on disk for `applied`. Synchronous: no entry is applied in between. */
  static checkpoint(state: KvState, applied: Pick<Meta, 'index' | 'term' | 'membership'>): Checkpoint {
    const { mvcc, leases } = state;
    const meta = { ...applied, revision: mvcc.revision, compactRevision: mvcc.compactRevision };
    const { added, removed } = mvcc.takeChanges();
    const operations: Operation[] = [];
    for (const record of added) {
      if (record.bytes === undefined) throw new StoreError('corrupt', 'a record that is not on disk yet has lost its bytes');
      operations.push({ type: 'put', key: recordKey(record.main, record.sub), value: record.bytes });
    }
    for (const { main, sub } of removed) operations.push({ type: 'del', key: recordKey(main, sub) });
    for (const id of leases.takeDirty()) {
      const lease = leases.get(id);
      const key = leaseKey(id);
      operations.push(lease === undefined ? { type: 'del', key } : { type: 'put', key, value: encodeLease(lease.ttl_s, lease.remaining_s) });
    }
    operations.push({ type: 'put', key: META_KEY, value: encodeMeta(meta) });
    return { meta, operations, records: added };
  }

  /** One batch, one fsync: the applied index never stands apart from what it covers (etcd 3.5.0 to 3.5.2). */
  async write(checkpoint: Checkpoint): Promise<void> {
    // A chained batch takes each record as it is; an array of operations would be normalized and copied first, eight times slower.
    const batch = this.level.batch();
    for (const operation of checkpoint.operations) {
      if (operation.type === 'put') batch.put(operation.key, operation.value);
      else batch.del(operation.key);
    }
    await batch.write({ sync: true });
  }

  /** Reads and checks everything; values stay on disk. */
  async loadState(meta: Meta | undefined, hotValues_bytes: number | undefined): Promise<KvState> {
    const state = new KvState({ source: this, durable: true, ...(hotValues_bytes === undefined ? {} : { hotValues_bytes }) });
    if (meta === undefined) return state;
    state.mvcc.restoreRevisions(meta.revision, meta.compactRevision);
    for await (const [key, value] of this.level.iterator(LEASES)) {
      const { ttl_s, remaining_s } = decodeLease(value);
      state.leases.restore(leaseIdOf(key), ttl_s, remaining_s);
    }
    const iterator = this.level.iterator({ ...RECORDS, highWaterMarkBytes: 1024 * 1024 });
    try {
      for (let rows = await iterator.nextv(LOAD_RECORDS); rows.length > 0; rows = await iterator.nextv(LOAD_RECORDS)) {
        for (const [key, value] of rows) {
          const { main, sub } = recordPlace(key);
          state.mvcc.restore(decodeRecord(main, sub, value));
        }
      }
    } finally {
      await iterator.close();
    }
    if (state.leases.size > 0) {
      state.mvcc.scan('', undefined, meta.revision, (record) => {
        if (record.lease !== 0n) state.leases.get(record.lease)?.keys.add(record.key);
        return true;
      });
    }
    return state;
  }

  close(): Promise<void> {
    return this.level.close();
  }
}

