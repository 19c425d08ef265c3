/** The state on a key-value disk: written in durable atomic batches, read back record by record, loaded whole at start. */
import type { DiskOperation, KeyValueDisk } from '../../../platform/disk/disk.js';
import { KvState } from '../mvcc/kv-state.js';
import { decodeRecord } from '../mvcc/record.js';
import type { AddedRecord } from '../mvcc/mvcc.js';
import type { RecordSource } from '../mvcc/record.js';
import { StoreError } from '../store.js';
import {
  decodeLease, decodeMeta, encodeLease, encodeMeta, leaseChecksum, leaseIdOf, leaseKey, LEASES, META_KEY, recordKey, recordPlace, RECORDS,
} from './layout.js';
import type { Meta } from './layout.js';

/** What one durable batch holds, taken from the state at one moment. */
export interface Checkpoint {
  readonly meta: Meta;
  readonly operations: readonly DiskOperation[];
  readonly records: readonly AddedRecord[];
}

export class StateDisk implements RecordSource {
  readonly disk: KeyValueDisk;

  constructor(disk: KeyValueDisk) {
    this.disk = disk;
  }

  load(main: number, sub: number): Uint8Array | undefined {
    return this.disk.getSync(recordKey(main, sub));
  }

  /** Undefined when the state is new. */
  async meta(): Promise<Meta | undefined> {
    const data = await this.disk.get(META_KEY);
    return data === undefined ? undefined : decodeMeta(data);
  }

  /** Everything that must be on disk for `applied`. Synchronous: no entry is applied in between. */
  static checkpoint(state: KvState, applied: Pick<Meta, 'index' | 'term' | 'membership'>): Checkpoint {
    const { mvcc, leases, alarms } = state;
    const { added, removed } = mvcc.takeChanges();
    const operations: DiskOperation[] = [];
    for (const { main, sub, bytes } of added) operations.push({ type: 'put', key: recordKey(main, sub), value: bytes });
    for (const { main, sub } of removed) operations.push({ type: 'del', key: recordKey(main, sub) });
    for (const id of leases.takeDirty()) {
      const lease = leases.get(id);
      const key = leaseKey(id);
      if (lease === undefined) {
        operations.push({ type: 'del', key });
        leases.seal(id, undefined);
      } else {
        const value = encodeLease(lease);
        operations.push({ type: 'put', key, value });
        leases.seal(id, leaseChecksum(id, value));
      }
    }
    const digests = { records: mvcc.digest, leases: leases.digest };
    const { index, term, membership } = applied;
    const meta = { index, term, membership, revision: mvcc.revision, compactRevision: mvcc.compactRevision, digests, alarms: alarms.all };
    operations.push({ type: 'put', key: META_KEY, value: encodeMeta(meta) });
    return { meta, operations, records: added };
  }

  /** One batch, one fsync: the applied index never stands apart from what it covers (etcd 3.5.0 to 3.5.2). */
  write(checkpoint: Checkpoint): Promise<void> {
    return this.disk.write(checkpoint.operations);
  }

  /** Reads and checks everything; values stay on disk. */
  async loadState(meta: Meta | undefined, hotValues_bytes: number | undefined): Promise<KvState> {
    const state = new KvState({ source: this, durable: true, ...(hotValues_bytes === undefined ? {} : { hotValues_bytes }) });
    if (meta === undefined) return state;
    state.mvcc.restoreRevisions(meta.revision, meta.compactRevision);
    for (const alarm of meta.alarms) state.alarms.raise(alarm);
    for await (const rows of this.disk.pages(LEASES)) {
      for (const [key, value] of rows) {
        const id = leaseIdOf(key);
        state.leases.restore(id, decodeLease(value));
        state.leases.seal(id, leaseChecksum(id, value));
      }
    }
    for await (const rows of this.disk.pages(RECORDS)) {
      for (const [key, value] of rows) {
        const { main, sub } = recordPlace(key);
        state.mvcc.restore(decodeRecord(main, sub, value));
      }
    }
    const { records, leases } = meta.digests;
    if (state.mvcc.digest !== records || state.leases.digest !== leases) {
      throw new StoreError('corrupt', 'the state on disk is not whole: something that was written is missing, or something that was removed is back');
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
    return this.disk.close();
  }
}

