/**
 * The state on a key-value disk: written in durable atomic batches, read back record by record, loaded whole at start.
 */
import type { DiskOperation, KeyValueDisk } from '../../../platform/disk/disk.js';
import type { Clock } from '../../../platform/clock.js';
import { Turns } from '../../../platform/slices.js';
import { LIMITS } from '../limits.js';
import { KvState } from '../mvcc/kv-state.js';
import { decodeRecord } from '../mvcc/record.js';
import type { RecordChanges } from '../mvcc/mvcc.js';
import type { Record, RecordSource } from '../mvcc/record.js';
import { StoreError } from '../store.js';
import {
  decodeLease,
  decodeMeta,
  encodeLease,
  encodeMeta,
  leaseChecksum,
  leaseIdOf,
  leaseKey,
  LEASES,
  META_KEY,
  recordKey,
  recordPlace,
  RECORDS,
} from './layout.js';
import type { Meta } from './layout.js';

/** What one durable batch holds, taken from the state at one moment. */
export interface Checkpoint {
  readonly meta: Meta;
  readonly records: RecordChanges;
  /** Leases, and last what the whole stands for. */
  readonly facts: readonly DiskOperation[];
}

export interface LoadOptions {
  readonly clock: Clock;
  readonly hotValues_bytes?: number;
  readonly slice_keys?: number;
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
    const records = mvcc.takeChanges();
    const facts: DiskOperation[] = [];
    for (const id of leases.takeDirty()) {
      const lease = leases.get(id);
      const key = leaseKey(id);
      if (lease === undefined) {
        facts.push({ type: 'del', key });
        leases.seal(id, undefined);
      } else {
        const value = encodeLease(lease);
        facts.push({ type: 'put', key, value });
        leases.seal(id, leaseChecksum(id, value));
      }
    }
    const digests = { records: mvcc.digest, leases: leases.digest };
    const { index, term, membership } = applied;
    const meta = {
      index,
      term,
      membership,
      revision: mvcc.revision,
      compactRevision: mvcc.compactRevision,
      digests,
      alarms: alarms.all,
    };
    facts.push({ type: 'put', key: META_KEY, value: encodeMeta(meta) });
    return { meta, records, facts };
  }

  /** One batch, one fsync: the applied index never stands apart from what it covers (etcd 3.5.0 to 3.5.2). */
  write(checkpoint: Checkpoint): Promise<void> {
    return this.disk.write(operationsOf(checkpoint));
  }

  /** Reads and checks everything; values stay on disk. */
  async loadState(meta: Meta | undefined, { hotValues_bytes, slice_keys, clock }: LoadOptions): Promise<KvState> {
    const state = new KvState({
      source: this,
      durable: true,
      ...(hotValues_bytes === undefined ? {} : { hotValues_bytes }),
      ...(slice_keys === undefined ? {} : { slice_keys }),
    });
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
      throw new StoreError(
        'corrupt',
        'the state on disk is not whole: something that was written is missing, or something that was removed is back',
      );
    }
    if (state.leases.size > 0) {
      const visit = (record: Record) => {
        if (record.lease !== 0n) state.leases.get(record.lease)?.keys.add(record.key);
        return true;
      };
      await new Turns({ clock, turn_ms: LIMITS.turn_ms }).do(
        state.mvcc.scan('', undefined, { revision: meta.revision, visit }),
      );
    }
    return state;
  }

  close(): Promise<void> {
    return this.disk.close();
  }
}

/** One after the other: there may be a million of them, and the disk takes them in turns with other work. */
function* operationsOf({ records: { added, removed }, facts }: Checkpoint): Generator<DiskOperation, void, undefined> {
  for (const { main, sub, bytes } of added) yield { type: 'put', key: recordKey(main, sub), value: bytes };
  for (const { main, sub } of removed) yield { type: 'del', key: recordKey(main, sub) };
  yield* facts;
}
