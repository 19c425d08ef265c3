/**
 * What the store ought to do, written once more and as plainly as possible: maps, and all history kept. It is fed every
 * committed command in the order of the log, and tells what the answer must be, what each revision saw, and which
 * events each revision made. Only commands that the workload sends are known; no code is shared with the store but the
 * decoding.
 */
import { decodeCommand } from '../../../services/store/mvcc/commands.js';
import type {
  Command,
  CommandResult,
  KvCompare,
  KvDelete,
  KvOp,
  KvOpResult,
  KvPut,
  KvRange,
  KvTxn,
} from '../../../services/store/mvcc/operations.js';
import { StoreError } from '../../../services/store/store.js';
import type { KeyValue, StoreEvent } from '../../../services/store/store.js';

export interface ModelKv {
  readonly key: string;
  readonly value: string;
  readonly create: number;
  readonly mod: number;
  readonly version: number;
  readonly lease: bigint;
}

export interface ModelEvent {
  readonly key: string;
  /** Undefined: deleted. */
  readonly kv: ModelKv | undefined;
  readonly prev: ModelKv | undefined;
}

interface Version {
  readonly mod: number;
  readonly kv: ModelKv | undefined;
}

const text = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** A key-value pair in one line; the form in which all answers are compared. */
export const lineOf = (kv: ModelKv | undefined): string =>
  kv === undefined ? '-' : `${kv.key}=${kv.value}@${kv.create},${kv.mod},${kv.version},${kv.lease}`;

export const modelKvOf = (kv: KeyValue): ModelKv => ({
  key: text(kv.key),
  value: text(kv.value),
  create: kv.createRevision,
  mod: kv.modRevision,
  version: kv.version,
  lease: kv.lease,
});

export class Model {
  revision = 1;
  compactRevision = 0;
  readonly #keys = new Map<string, ModelKv>();
  readonly #history = new Map<string, Version[]>();
  readonly #leases = new Map<bigint, { ttl_s: number; renewals: number; readonly keys: Set<string> }>();
  /** Events by revision. */
  readonly #events: ModelEvent[][] = [];
  /** Values that were put, and how often. */
  readonly values = new Map<string, number>();

  /** The answer that every member must give. */
  apply(data: Uint8Array, term: number): string {
    if (data.length === 0) return '';
    const command = decodeCommand(data);
    switch (command.kind) {
      case 'put':
        return this.#refusal([command.put]) ?? this.#commit((events) => this.#put(events, command.put));
      case 'txn':
        return this.#txn(command.txn);
      case 'compact':
        return this.#compact(command.revision);
      default:
        return this.#leaseCommand(command, term);
    }
  }

  /**
   * Takes over what a revision did as a member tells it, where nobody saw the commands: real processes. Returns what is
   * wrong with it by itself: a revision left out or told twice, a key put twice in it, a deletion of nothing.
   */
  record(revision: number, told: readonly StoreEvent[]): string | undefined {
    if (revision !== this.revision + 1) return `revision ${revision} follows revision ${this.revision}`;
    const events: ModelEvent[] = [];
    for (const event of told) {
      const key = text(event.kind === 'put' ? event.kv.key : event.key);
      if (events.some((other) => other.key === key)) return `revision ${revision} changes ${key} twice`;
      const prev = this.#keys.get(key);
      if (event.kind === 'delete') {
        if (prev === undefined) return `revision ${revision} deletes ${key}, which is not there`;
        this.#set(events, { key, kv: undefined, prev });
        continue;
      }
      this.#put(events, { kind: 'put', key: event.kv.key, value: event.kv.value, lease: event.kv.lease });
      const wanted = this.#keys.get(key);
      const { create, mod, version } = modelKvOf(event.kv);
      if (wanted === undefined || wanted.create !== create || wanted.mod !== mod || wanted.version !== version) {
        return `revision ${revision} puts ${lineOf(modelKvOf(event.kv))}, it should be ${lineOf(wanted)}`;
      }
    }
    this.revision = revision;
    this.#events[revision] = events;
    return undefined;
  }

  /** The events of a revision, in their order. */
  eventsAt(revision: number): readonly ModelEvent[] {
    return this.#events[revision] ?? [];
  }

  /** What a range of this form must answer at a revision. */
  rangeAt(request: KvRange, revision: number): string {
    const end = request.rangeEnd === undefined ? undefined : text(request.rangeEnd);
    const start = text(request.key);
    const found: ModelKv[] = [];
    for (const key of end === undefined ? [start] : this.#history.keys()) {
      if (end !== undefined && (key < start || (end !== '\0' && key >= end))) continue;
      const kv = this.#history.get(key)?.findLast(({ mod }) => mod <= revision)?.kv;
      if (kv !== undefined) found.push(kv);
    }
    found.sort((a, b) => (a.key < b.key ? -1 : 1));
    const limit = request.limit ?? 0;
    const kvs = request.countOnly === true ? [] : limit > 0 ? found.slice(0, limit) : found;
    return `${found.length}:${kvs.map(lineOf).join(' ')}`;
  }

  #commit(write: (events: ModelEvent[]) => string): string {
    const events: ModelEvent[] = [];
    const answer = write(events);
    if (events.length > 0) {
      this.revision++;
      this.#events[this.revision] = events;
    }
    return `${answer}#${this.revision}`;
  }

  #put(events: ModelEvent[], put: KvPut): string {
    const key = text(put.key);
    const value = text(put.value);
    const prev = this.#keys.get(key);
    const mod = this.revision + 1;
    const lease = put.lease ?? 0n;
    const kv =
      prev === undefined
        ? { key, value, create: mod, mod, version: 1, lease }
        : { key, value, create: prev.create, mod, version: prev.version + 1, lease };
    this.values.set(value, (this.values.get(value) ?? 0) + 1);
    if (prev !== undefined && prev.lease !== 0n) this.#leases.get(prev.lease)?.keys.delete(key);
    if (lease !== 0n) this.#leases.get(lease)?.keys.add(key);
    this.#set(events, { key, kv, prev });
    return `put ${put.prevKv === true ? lineOf(prev) : '-'}`;
  }

  #delete(events: ModelEvent[], op: KvDelete): string {
    const start = text(op.key);
    const end = op.rangeEnd === undefined ? undefined : text(op.rangeEnd);
    const doomed = [...this.#keys.values()].filter(({ key }) =>
      end === undefined ? key === start : key >= start && key < end,
    );
    doomed.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const prev of doomed) {
      if (prev.lease !== 0n) this.#leases.get(prev.lease)?.keys.delete(prev.key);
      this.#set(events, { key: prev.key, kv: undefined, prev });
    }
    return `delete ${doomed.length} ${op.prevKv === true ? doomed.map(lineOf).join(' ') : ''}`;
  }

  #set(events: ModelEvent[], event: ModelEvent): void {
    const { key, kv } = event;
    if (kv === undefined) this.#keys.delete(key);
    else this.#keys.set(key, kv);
    const version = { mod: this.revision + 1, kv };
    const versions = this.#history.get(key);
    if (versions === undefined) this.#history.set(key, [version]);
    else versions.push(version);
    events.push(event);
  }

  #refusal(ops: readonly KvOp[]): string | undefined {
    for (const op of ops) {
      if (op.kind === 'put' && (op.lease ?? 0n) !== 0n && !this.#leases.has(op.lease ?? 0n)) return '!lease-not-found';
      const revision = op.kind === 'range' ? (op.request.revision ?? 0) : 0;
      if (revision > this.revision) return '!future-revision';
      if (revision > 0 && revision < this.compactRevision) return '!compacted';
    }
    return undefined;
  }

  #txn(txn: KvTxn): string {
    const succeeded = txn.compare.every((compare) => this.#holds(compare));
    const ops = succeeded ? txn.success : txn.failure;
    const refusal = this.#refusal(ops);
    if (refusal !== undefined) return refusal;
    return this.#commit((events) => {
      const answers = ops.map((op) => {
        if (op.kind === 'put') return this.#put(events, op);
        if (op.kind === 'delete') return this.#delete(events, op);
        if (op.kind !== 'range') throw new Error('the workload sends no nested transactions');
        const now = op.request.revision ?? (events.length > 0 ? this.revision + 1 : this.revision);
        return `range ${this.rangeAt(op.request, now)}`;
      });
      return `txn ${String(succeeded)} [${answers.join('; ')}]`;
    });
  }

  #holds(compare: KvCompare): boolean {
    const kv = this.#keys.get(text(compare.key));
    const numbers = { version: kv?.version ?? 0, createRevision: kv?.create ?? 0, modRevision: kv?.mod ?? 0 };
    if (compare.target === 'lease' || compare.op !== '=')
      throw new Error('the workload compares for equality, and no leases');
    if (compare.target === 'value') return kv !== undefined && kv.value === text(compare.value);
    return numbers[compare.target] === compare.value;
  }

  #compact(revision: number): string {
    if (revision <= this.compactRevision) return '!compacted';
    if (revision > this.revision) return '!future-revision';
    this.compactRevision = revision;
    return `done#${this.revision}`;
  }

  #leaseCommand(command: Exclude<Command, { kind: 'put' | 'txn' | 'compact' }>, term: number): string {
    const lease = 'id' in command ? this.#leases.get(command.id) : undefined;
    switch (command.kind) {
      case 'lease-grant':
        if (lease !== undefined) return '!lease-exists';
        this.#leases.set(command.id, { ttl_s: Math.max(command.ttl_s, 1), renewals: 0, keys: new Set() });
        this.onLease?.('renewed', command.id, command.ttl_s);
        return `lease ${Math.max(command.ttl_s, 1)}#${this.revision}`;
      case 'lease-keep-alive':
        if (lease === undefined) return '!lease-not-found';
        lease.renewals++;
        this.onLease?.('renewed', command.id, lease.ttl_s);
        return `lease ${lease.ttl_s}#${this.revision}`;
      case 'lease-revoke':
        return lease === undefined ? '!lease-not-found' : this.#endLease(command.id);
      case 'lease-expire':
        return this.#expire([command], command.term === term);
      case 'leases-expire':
        return this.#expire(command.ended, command.term === term);
      case 'lease-checkpoint':
        return `done#${this.revision}`;
      // Not the clients' commands: what members say to each other changes nothing that the model knows.
      case 'hash-ask':
      case 'hash-tell':
      case 'alarm':
        return `done#${this.revision}`;
      default:
        return command satisfies never;
    }
  }

  /** Told of each lease that was granted or renewed, and of each that ends by itself. */
  onLease: ((what: 'renewed' | 'expired', id: bigint, ttl_s: number) => void) | undefined;

  #expire(ended: readonly { readonly id: bigint; readonly renewals: number }[], isOfTerm: boolean): string {
    for (const { id, renewals } of ended) {
      const lease = this.#leases.get(id);
      if (!isOfTerm || lease?.renewals !== renewals) continue;
      this.onLease?.('expired', id, lease.ttl_s);
      this.#endLease(id);
    }
    return `done#${this.revision}`;
  }

  #endLease(id: bigint): string {
    const keys = [...(this.#leases.get(id)?.keys ?? [])].sort();
    const answer = this.#commit((events) => {
      for (const key of keys) this.#set(events, { key, kv: undefined, prev: this.#keys.get(key) });
      return 'done';
    });
    this.#leases.delete(id);
    return answer;
  }
}

/** A member's answer in the model's words. */
export function answerOf(result: unknown): string {
  if (result === undefined) return '';
  if (result instanceof StoreError) return `!${result.code}`;
  const command = result as CommandResult;
  switch (command.kind) {
    case 'put':
      return `put ${command.prevKv === undefined ? '-' : lineOf(modelKvOf(command.prevKv))}#${command.revision}`;
    case 'txn':
      return `txn ${String(command.txn.succeeded)} [${command.txn.results.map(answerOfOp).join('; ')}]#${command.txn.revision}`;
    case 'lease':
      return `lease ${command.ttl_s}#${command.revision}`;
    case 'done':
      return `done#${command.revision}`;
    default:
      return command satisfies never;
  }
}

export const answerOfRange = (range: { readonly count: number; readonly kvs: readonly KeyValue[] }): string =>
  `${range.count}:${range.kvs.map((kv) => lineOf(modelKvOf(kv))).join(' ')}`;

function answerOfOp(result: KvOpResult): string {
  switch (result.kind) {
    case 'put':
      return `put ${result.prevKv === undefined ? '-' : lineOf(modelKvOf(result.prevKv))}`;
    case 'delete':
      return `delete ${result.deleted} ${result.prevKvs.map((kv) => lineOf(modelKvOf(kv))).join(' ')}`;
    case 'range':
      return `range ${answerOfRange(result.range)}`;
    case 'txn':
      return 'txn';
    default:
      return result satisfies never;
  }
}
