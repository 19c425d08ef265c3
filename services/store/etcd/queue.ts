/**
 * The line in front of a lock or an election: one key for each candidate under the name, held by a lease, ordered by
 * creation. Who is first holds it. The creation revision of its key is what a holder fences with: a lock alone proves
 * nothing to those it protects (Jepsen, etcd 3.4.3).
 */
import { status } from '@grpc/grpc-js';
import type { KvBackend } from '../backend/backend.js';
import type { KeyValue, Revision } from '../store.js';
import { EtcdError, toEtcdError } from './errors.js';

export interface Place {
  readonly key: Buffer;
  /** At which the key was created. */
  readonly revision: Revision;
}

export interface TakenPlace extends Place {
  /** The lease stood in the line before. */
  readonly existed: boolean;
  /** Of the store when the place was taken or found. */
  readonly storeRevision: Revision;
}

/**
 * etcd's own Lock and Election are clients of its KV, and say so little of what went wrong: every refusal has the code
 * UNKNOWN.
 */
export function toQueueError(error: unknown): EtcdError {
  const found = toEtcdError(error);
  return PLAIN.has(found.code) ? found : new EtcdError(status.UNKNOWN, found.details);
}

/** What a client acts on stays what it is. */
const PLAIN: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.PERMISSION_DENIED,
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
]);

export const prefixOf = (name: Uint8Array): Buffer => Buffer.concat([name, Buffer.from('/')]);

/** The end of all keys with a prefix. The prefix ends in a slash, so its last byte can grow. */
export function prefixEnd(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1] = (end.at(-1) ?? 0) + 1;
  return end;
}

/** Takes the lease's place in the line, or finds the one it has; `value` is set when the place is new. */
export async function enqueue(
  backend: KvBackend,
  prefix: Buffer,
  candidate: { lease: bigint; value: Uint8Array },
): Promise<TakenPlace> {
  const key = Buffer.concat([prefix, Buffer.from(candidate.lease.toString(16))]);
  const { succeeded, revision, results } = await backend.kvTxn({
    compare: [{ target: 'createRevision', key, op: '=', value: 0 }],
    success: [{ kind: 'put', key, value: candidate.value, lease: candidate.lease }],
    failure: [{ kind: 'range', request: { key } }],
  });
  if (succeeded) return { key, revision, existed: false, storeRevision: revision };
  const [found] = results;
  const present = found?.kind === 'range' ? found.range.kvs[0] : undefined;
  return { key, revision: present?.createRevision ?? revision, existed: true, storeRevision: revision };
}

/** Resolves when nobody stands before `place`. Rejects when the place itself is gone, its lease having ended. */
export async function waitTurn(backend: KvBackend, prefix: Buffer, place: Place, signal: AbortSignal): Promise<void> {
  for (;;) {
    const before = await backend.range({
      key: prefix,
      rangeEnd: prefixEnd(prefix),
      sortTarget: 'createRevision',
      sortOrder: 'descend',
      maxCreateRevision: place.revision - 1,
      limit: 1,
      keysOnly: true,
    });
    const [last] = before.kvs;
    if (last === undefined) break;
    await waitDeleted(backend, last, before.revision, signal);
  }
  const own = await backend.range({ key: place.key });
  if (own.kvs[0]?.createRevision !== place.revision)
    throw new EtcdError(status.UNAVAILABLE, 'etcdserver: session expired');
}

async function waitDeleted(backend: KvBackend, kv: KeyValue, seen: Revision, signal: AbortSignal): Promise<void> {
  const startRevision = (seen + 1) as Revision;
  for await (const batch of backend.watch({ key: kv.key, startRevision }, { signal })) {
    if (batch.events.some((event) => event.kind === 'delete')) return;
  }
  throw new EtcdError(status.CANCELLED, 'the call was cancelled');
}

/** Leaves the line: removes the key if it is still the same one. */
export async function leave(backend: KvBackend, place: Place): Promise<void> {
  await backend.kvTxn({
    compare: [{ target: 'createRevision', key: place.key, op: '=', value: place.revision }],
    success: [{ kind: 'delete', key: place.key }],
    failure: [],
  });
}
