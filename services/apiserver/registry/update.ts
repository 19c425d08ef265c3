/**
 * Changes of an object that exists: read, compute, validate, write if it is still what was read. The first attempt
 * computes from the watch cache, which is nearly always the newest; whatever that refuses is computed again from the
 * store before it is believed.
 */
import type { Kind } from '../../../apimachinery/kind.js';
import type { KubeObject, ObjectMeta } from '../../../apimachinery/object.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import { upgradeStored } from '../../../apimachinery/scheme/stored.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { jsonEqual } from '../../../apimachinery/value.js';
import { CachedObject, encodeWithVersion } from '../cacher/cached-object.js';
import type { Location } from '../cacher/cached-object.js';
import type { WriteGuard } from '../ports.js';
import { step } from './context.js';
import type { Call } from './context.js';
import { modified } from './metadata.js';
import { prepareUpdate } from './prepare.js';
import type { NamedTarget } from './target.js';
import { put, readFresh, remove } from './transaction.js';

/** Attempts against others who keep writing the same object, before the client is told to come back. */
const ATTEMPTS_MAX = 32;

export interface Change {
  /** A changed copy of the object, from which server-owned metadata is restored afterwards. Runs once per attempt. */
  draft(old: KubeObject, base: CachedObject): KubeObject | Promise<KubeObject>;
  /** Instead of 404: what a PUT or apply does when there is nothing. */
  readonly whenMissing?: () => Promise<CachedObject>;
  /** The client named the version it changes: a conflict is its own to resolve. */
  readonly conditional: boolean;
  readonly fieldsTracked?: boolean;
  readonly trusted?: boolean;
  readonly options: Readonly<Record<string, unknown>>;
}

export async function updateExisting(call: Call, target: NamedTarget, change: Change): Promise<CachedObject> {
  const {
    registry,
    options: { signal },
  } = call;
  const { kind, key } = target;
  const location = registry.cacher.of(kind).locate(key);
  let base = registry.cacher.of(kind).get(key);
  let certain = base === undefined;
  if (base === undefined) base = await readFresh(registry, location, signal);
  let guardAttempt = 0;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (base === undefined) {
      if (change.whenMissing !== undefined) return change.whenMissing();
      throw apiErrors.notFound(kind, target.name);
    }
    const result = await tryOnce(call, target, change, { base, certain, guardAttempt });
    if (result.kind === 'done') return result.object;
    if (result.kind === 'guard') guardAttempt++;
    else if (change.conditional && result.conflict) throw modified(kind, target.name);
    if (result.kind === 'again') base = result.base;
    certain = true;
  }
  throw apiErrors.conflict(kind, target.name, 'the object keeps being modified by others; please try again');
}

type Attempt =
  | { readonly kind: 'done'; readonly object: CachedObject }
  | { readonly kind: 'again'; readonly base: CachedObject | undefined; readonly conflict: boolean }
  | { readonly kind: 'guard' };

async function tryOnce(
  call: Call,
  target: NamedTarget,
  change: Change,
  from: { readonly base: CachedObject; readonly certain: boolean; readonly guardAttempt: number },
): Promise<Attempt> {
  const {
    registry,
    options: { signal },
  } = call;
  const { kind } = target;
  const { base, certain } = from;
  const bytes = base.json.length;
  await step(call, 'reading', bytes);
  const old = base.as(kind).object;
  let object: KubeObject;
  let guard: WriteGuard;
  try {
    await step(call, 'changing', bytes);
    const draft = await change.draft(old, base);
    ({ object, guard } = await prepareUpdate(call, target, draft, old, {
      options: change.options,
      bytes,
      attempt: from.guardAttempt,
      fieldsTracked: change.fieldsTracked === true,
      trusted: change.trusted === true,
    }));
  } catch (error) {
    if (certain) throw error;
    const fresh = await readFresh(registry, base.location, signal);
    if (fresh?.revision === base.revision) throw error;
    return { kind: 'again', base: fresh, conflict: false };
  }
  await step(call, 'comparing', bytes);
  if (unchanged(object, old)) {
    if (certain) return { kind: 'done', object: base };
    const fresh = await readFresh(registry, base.location, signal);
    if (fresh?.revision === base.revision) return { kind: 'done', object: base };
    return { kind: 'again', base: fresh, conflict: false };
  }
  await step(call, 'encoding', bytes);
  if (call.dryRun) return { kind: 'done', object: unwritten(base.location, base.revision, object) };
  const write = { location: base.location, expectedRevision: base.revision, guard, signal };
  const outcome = mayGo(call, kind, object)
    ? await remove(registry, write, unwritten(base.location, base.revision, toStored(kind, object)))
    : await put(registry, write, toStored(kind, object));
  if (outcome.kind === 'written') return { kind: 'done', object: outcome.object };
  if (outcome.kind === 'guard') return { kind: 'guard' };
  return { kind: 'again', base: outcome.current, conflict: true };
}

/** Nothing holds an object that is being deleted: the update that took the last finalizer removes it. */
function mayGo(call: Call, kind: Kind, object: KubeObject): boolean {
  const meta = object.metadata ?? {};
  return (
    meta.deletionTimestamp !== undefined &&
    (meta.finalizers?.length ?? 0) === 0 &&
    (meta.deletionGracePeriodSeconds ?? 0) === 0 &&
    !isHeld(call, kind, object)
  );
}

export function isHeld(call: Call, kind: Kind, object: KubeObject): boolean {
  return call.registry.records.deletion(kind)?.held(object) ?? false;
}

/**
 * A write that changes nothing is none: no new version, no event. When a manager last wrote does not count by itself.
 */
function unchanged(object: KubeObject, old: KubeObject): boolean {
  const { metadata, ...rest } = object;
  const { metadata: oldMetadata, ...oldRest } = old;
  return jsonEqual(rest, oldRest) && jsonEqual(comparable(metadata), comparable(oldMetadata));
}

function comparable({ managedFields = [], ...metadata }: ObjectMeta = {}): unknown {
  return { ...metadata, resourceVersion: '', managedFields: managedFields.map((entry) => ({ ...entry, time: '' })) };
}

/**
 * The object as its storage version has it. A conversion names that version itself: it may be of another group
 * (events).
 */
export function toStored(kind: Kind, object: KubeObject): KubeObject {
  if (kind.conversion !== undefined) {
    const stored = kind.conversion.toStorage(object);
    upgradeStored(stored);
    return stored;
  }
  if (kind.storageVersion === kind.version) return object;
  return { ...object, apiVersion: apiVersionOf({ group: kind.group, version: kind.storageVersion }) };
}

/** What a dry run answers, or the last state of an object: never stored under this form. */
export function unwritten(location: Location, revision: number, object: KubeObject): CachedObject {
  const json = encodeWithVersion(object, revision);
  return new CachedObject(location, revision, {
    json,
    object: { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } },
  });
}
