/** Deletion: at once, or marked and left to finalizers, to a grace period, or to whatever else holds the object. */
import type { Kind } from '../../../apimachinery/kind.js';
import type { DeleteOptions, DeleteResult } from '../../../apimachinery/object-service.js';
import type { KubeObject, ObjectMeta } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { cloneJson } from '../../../apimachinery/value.js';
import { toTime } from '../../../platform/clock.js';
import type { CachedObject } from '../cacher/cached-object.js';
import type { Call } from './context.js';
import { metaOf } from './metadata.js';
import { admitDelete, runHook } from './prepare.js';
import type { NamedTarget } from './target.js';
import { put, readFresh, remove } from './transaction.js';
import { isHeld, toStored, unwritten } from './update.js';

const ATTEMPTS_MAX = 32;
const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';

/** RFC 3339 has years of four digits. */
const LAST_MOMENT_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

export async function deleteObject(call: Call, target: NamedTarget, options: DeleteOptions): Promise<DeleteResult> {
  const {
    registry,
    options: { signal },
  } = call;
  const { kind, key } = target;
  const cache = registry.cacher.of(kind);
  let base = cache.get(key);
  let certain = base === undefined;
  base ??= await readFresh(registry, cache.locate(key), signal);
  let guardAttempt = 0;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (base === undefined) throw apiErrors.notFound(kind, target.name);
    const result = await tryOnce(call, target, options, { base, guardAttempt }).catch(async (error: unknown) => {
      if (certain) throw error;
      const fresh = await readFresh(registry, cache.locate(key), signal);
      if (fresh?.revision === base?.revision) throw error;
      return { kind: 'changed' as const, current: fresh };
    });
    if (result.kind === 'done') return result.result;
    if (result.kind === 'guard') guardAttempt++;
    else base = result.current;
    certain = true;
  }
  throw apiErrors.conflict(kind, target.name, 'the object keeps being modified by others; please try again');
}

type Attempt =
  | { readonly kind: 'done'; readonly result: DeleteResult }
  | { readonly kind: 'changed'; readonly current: CachedObject | undefined }
  | { readonly kind: 'guard' };

async function tryOnce(
  call: Call,
  target: NamedTarget,
  options: DeleteOptions,
  from: { readonly base: CachedObject; readonly guardAttempt: number },
): Promise<Attempt> {
  const {
    registry,
    options: { signal },
  } = call;
  const { kind } = target;
  const { base } = from;
  const old = base.as(kind).object;
  checkPreconditions(kind, target.name, old, options);
  await admitDelete(call, target, old, deleteOptionsBody(options));
  const draft = cloneJson(old);
  const pending = mark(call, kind, draft, options);
  if (pending === 'unchanged') return { kind: 'done', result: { handle: base.as(kind), gone: false } };
  const goes = pending === 'goes';
  if (call.dryRun)
    return { kind: 'done', result: { handle: unwritten(base.location, base.revision, draft), gone: goes } };
  const guard = goes
    ? await runHook(call, kind, { operation: 'DELETE', draft, old, attempt: from.guardAttempt })
    : { compare: [], ops: [] };
  const write = { location: base.location, expectedRevision: base.revision, guard, signal };
  const outcome = goes ? await remove(registry, write, base) : await put(registry, write, toStored(kind, draft));
  if (outcome.kind === 'written') {
    return {
      kind: 'done',
      result: {
        handle: goes ? unwritten(base.location, outcome.object.revision, draft) : outcome.object.as(kind),
        gone: goes,
      },
    };
  }
  return outcome;
}

function checkPreconditions(kind: Kind, name: string, object: KubeObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = options.preconditions ?? {};
  const meta = object.metadata ?? {};
  const refused = (why: string) => apiErrors.conflict({ group: kind.group, resource: kind.kind }, name, why);
  if (uid !== undefined && uid !== meta.uid) {
    throw refused(
      `the UID in the precondition (${uid}) does not match the UID in record (${meta.uid ?? ''}). The object might have been deleted and then recreated`,
    );
  }
  if (resourceVersion !== undefined && resourceVersion !== meta.resourceVersion) {
    throw refused(
      `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${meta.resourceVersion ?? ''}). ` +
        'The object might have been modified',
    );
  }
}

/**
 * Writes what deletion means into the draft; says whether the object goes at once, stays marked, or needs no change.
 */
function mark(call: Call, kind: Kind, draft: KubeObject, options: DeleteOptions): 'goes' | 'marked' | 'unchanged' {
  const meta = metaOf(draft);
  const before = JSON.stringify([meta.deletionTimestamp, meta.deletionGracePeriodSeconds, meta.finalizers]);
  applyPropagation(meta, options.propagationPolicy);
  const grace_s = gracePeriod(kind, draft, meta, options);
  const held = (meta.finalizers?.length ?? 0) > 0 || isHeld(call, kind, draft);
  const goes = grace_s === 0 && !held;
  if (goes && kind.strategy.defaultGracePeriodSeconds === undefined) return 'goes';
  const first = meta.deletionTimestamp === undefined;
  if (first || grace_s < (meta.deletionGracePeriodSeconds ?? 0)) {
    meta.deletionTimestamp = toTime(Math.min(call.registry.clock.now() + grace_s * 1000, LAST_MOMENT_MS));
    meta.deletionGracePeriodSeconds = grace_s;
  }
  if (first) {
    if (meta.generation !== undefined && meta.generation > 0) meta.generation += 1;
    call.registry.records.deletion(kind)?.begin?.(draft);
  }
  if (goes) return 'goes';
  return JSON.stringify([meta.deletionTimestamp, meta.deletionGracePeriodSeconds, meta.finalizers]) === before
    ? 'unchanged'
    : 'marked';
}

/**
 * Seconds until the removal. Kinds without graceful deletion, and objects nobody runs (their strategy says 0), go at
 * once. A second request can only shorten what the first one granted.
 */
function gracePeriod(kind: Kind, draft: KubeObject, meta: ObjectMeta, options: DeleteOptions): number {
  const usual_s = kind.strategy.defaultGracePeriodSeconds?.(draft) ?? 0;
  const asked_s = options.gracePeriodSeconds;
  if (meta.deletionTimestamp !== undefined) {
    const granted_s = meta.deletionGracePeriodSeconds ?? 0;
    return asked_s === undefined ? granted_s : Math.min(granted_s, Math.max(asked_s, 0));
  }
  if (usual_s === 0) return 0;
  if (asked_s === undefined) return usual_s;
  return asked_s < 0 ? 1 : asked_s;
}

function applyPropagation(meta: ObjectMeta, policy: DeleteOptions['propagationPolicy']): void {
  if (policy === undefined) return;
  const finalizers = (meta.finalizers ?? []).filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  if (policy === 'Orphan') finalizers.push(ORPHAN);
  if (policy === 'Foreground') finalizers.push(FOREGROUND);
  if (finalizers.length > 0) meta.finalizers = finalizers;
  else delete meta.finalizers;
}

function deleteOptionsBody(options: DeleteOptions): Record<string, unknown> {
  const { dryRun, ...rest } = options;
  return {
    apiVersion: 'meta.k8s.io/v1',
    kind: 'DeleteOptions',
    ...rest,
    ...(dryRun === true ? { dryRun: ['All'] } : {}),
  };
}
