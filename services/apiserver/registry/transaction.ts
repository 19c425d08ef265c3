/** Writes of one object: one store transaction each, guarded by what the write was computed from. */
import { STORED_LIMITS } from '../../../apimachinery/codec/limits.js';
import { scanJson } from '../../../apimachinery/codec/scan.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { CachedObject, encodeForStore, spliceVersion } from '../cacher/cached-object.js';
import type { Location } from '../cacher/cached-object.js';
import type { WriteGuard } from '../ports.js';
import type { Compare, KeyValue, Op } from '../../store/store.js';
import type { RegistryContext } from './context.js';
import { storeCall } from './store-errors.js';

/** What a write that did not happen ran into: the object as it is now (undefined: absent), or a guard of a hook. */
export type WriteOutcome =
  | { readonly kind: 'written'; readonly object: CachedObject }
  | { readonly kind: 'changed'; readonly current: CachedObject | undefined }
  | { readonly kind: 'guard' };

export interface Write {
  readonly location: Location;
  /** 0: the object must not exist. */
  readonly expectedRevision: number;
  readonly guard: WriteGuard;
  readonly signal?: AbortSignal | undefined;
}

/** Fewer bytes cannot hold as much. */
const GROWTH_BYTES_MIN = 60 * 1024;

function checkGrowth(value: Uint8Array): void {
  if (value.length >= GROWTH_BYTES_MIN) scanJson(value, STORED_LIMITS);
}

export async function put(registry: RegistryContext, write: Write, object: KubeObject): Promise<WriteOutcome> {
  const value = encodeForStore(object);
  checkGrowth(value);
  const key = Buffer.from(write.location.key);
  const result = await transact(registry, write, [{ kind: 'put', key, value }, ...write.guard.ops]);
  if (result.kind !== 'written') return result;
  const json = spliceVersion(value, result.revision);
  const meta = { ...object.metadata, resourceVersion: String(result.revision) };
  const written = new CachedObject(write.location, result.revision, { json, object: { ...object, metadata: meta } });
  registry.cacher.expect(written);
  return { kind: 'written', object: written };
}

/** Removes the object; what comes back is its last state as of the removal. */
export async function remove(registry: RegistryContext, write: Write, last: CachedObject): Promise<WriteOutcome> {
  const key = Buffer.from(write.location.key);
  const result = await transact(registry, write, [{ kind: 'delete', key }, ...write.guard.ops]);
  return result.kind === 'written' ? { kind: 'written', object: last.at(result.revision) } : result;
}

/** The newest state in the store. */
export async function readFresh(
  registry: RegistryContext,
  location: Location,
  signal?: AbortSignal,
): Promise<CachedObject | undefined> {
  const range = await storeCall(
    registry.store.range({ key: Buffer.from(location.key) }, signal === undefined ? {} : { signal }),
  );
  return fromStore(registry, location, range.kvs[0]);
}

type Transacted = { readonly kind: 'written'; readonly revision: number } | Exclude<WriteOutcome, { kind: 'written' }>;

async function transact(registry: RegistryContext, write: Write, success: readonly Op[]): Promise<Transacted> {
  const key = Buffer.from(write.location.key);
  const compare: Compare[] = [
    { target: 'modRevision', key, op: '=', value: write.expectedRevision },
    ...write.guard.compare,
  ];
  const request = { compare, success, failure: [{ kind: 'range' as const, request: { key } }] };
  const result = await storeCall(
    registry.store.txn(request, write.signal === undefined ? {} : { signal: write.signal }),
  );
  if (result.succeeded) return { kind: 'written', revision: result.revision };
  const [read] = result.results;
  const kv = read?.kind === 'range' ? read.range.kvs[0] : undefined;
  if ((kv?.modRevision ?? 0) === write.expectedRevision) return { kind: 'guard' };
  return { kind: 'changed', current: fromStore(registry, write.location, kv) };
}

function fromStore(registry: RegistryContext, location: Location, kv: KeyValue | undefined): CachedObject | undefined {
  return kv === undefined ? undefined : registry.cacher.decode(location, kv);
}
