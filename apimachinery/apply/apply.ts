/**
 * Server-side apply (KEP-555), after the ideas of structured-merge-diff: who owns which field of an object.
 *
 * In: the object before, what a client wants, the kind's schema, and who asks. Out: the object with its new
 * `managedFields`. Nothing here changes its arguments. It does not default, validate or store; the registry does so
 * after. Paths are compared as they are named in each manager's version (versions.ts).
 * Large objects are worked on in slices: each walk over one of them is a slice.
 */
import { apiErrors } from '../status.js';
import type { KubeObject, ManagedFieldsEntry } from '../object.js';
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { cloneJson, countValues, isObject, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';
import { appliedFields, compareObjects, compareObjectsWork } from './compare.js';
import type { Comparison } from './compare.js';
import { refuseConflicts } from './conflicts.js';
import type { AppliedView } from './conflicts.js';
import { FieldSet } from './field-set.js';
import { fieldsOfLastApplied, withLastApplied } from './last-applied.js';
import { boundUpdaters, flawOf, identityOf, readManagers, writeManagersWork } from './managers.js';
import type { FieldOwner, Manager, Managers } from './managers.js';
import { mergeAppliedWork } from './merge.js';
import { pruneWork } from './prune.js';
import { changesByVersion } from './versions.js';
import type { KindFacts } from './versions.js';

export type { FieldOwner } from './managers.js';

/** Names of fields from the object's root on, as `['metadata', 'labels']`. */
export type ResetPath = readonly [string, ...string[]];

export interface ApplyRequest<T extends KubeObject = KubeObject> {
  /** Undefined when the object does not exist yet. */
  readonly live: KubeObject | undefined;
  /** What the client applies, already decoded by schema. */
  readonly config: T;
  readonly owner: FieldOwner;
  readonly force?: boolean;
  /** Paths of fields the endpoint does not let a client set, as `['status']`: they are neither merged nor owned. */
  readonly resetFields?: readonly ResetPath[];
  /** The client knows the object by this alone: conflicts are told in its terms. */
  readonly view?: AppliedView;
}

/** Manager of what an object had before anyone's fields were tracked. */
const BEFORE_FIRST_APPLY = 'before-first-apply';

/**
 * Returns a fresh object. Throws ApiError Conflict with one cause for each field that others own with another value.
 */
export function applyPatch<T extends KubeObject>(request: ApplyRequest<T>, kind: KindFacts): T {
  return finish(applyPatchWork(request, kind));
}

/** The same in slices. */
export function* applyPatchWork<T extends KubeObject>(request: ApplyRequest<T>, kind: KindFacts): Work<T> {
  const walk = countValues(request.live) + countValues(request.config);
  const { owner } = request;
  const { schema, resolver } = kind;
  const config = cloneJson(request.config) as JsonObject;
  for (const path of request.resetFields ?? []) removeAt(config, path);
  yield walk;
  const applied = appliedFields(config, schema, resolver);
  yield walk;
  const live = (request.live ?? {}) as JsonObject;
  const managers = managersBeforeApply(request, kind);
  const id = identityOf(owner, 'Apply');
  const previous = managers.get(id);
  const others = new Map([...managers].filter(([other]) => other !== id));
  yield walk;
  let merged = yield* mergeAppliedWork(live, config, schema, resolver);
  yield walk;
  if (previous !== undefined) {
    const owned = [...others.values()].reduce((all, manager) => all.union(manager.set), applied);
    yield walk;
    merged = yield* pruneWork(merged, { last: previous.set, owned }, walk, kind);
    yield walk;
  }
  const difference = yield* compareObjectsWork(live, merged, schema, resolver);
  const changeOf = changesByVersion(
    { before: live as KubeObject, after: merged as KubeObject, apiVersion: owner.apiVersion, difference },
    kind,
  );
  if (request.force !== true) {
    const allowed =
      request.live === undefined ? new FieldSet() : fieldsOfLastApplied(owner.manager, request.live, kind);
    yield walk;
    refuseConflicts(others, (manager) => changeOf(manager)?.changed, { allowed, view: request.view });
  }
  yield walk;
  const result = takeFrom(others, changeOf);
  // Who changes nothing has no new time, and none at all when it applies for the first time.
  const time = jsonEqual(live, merged) ? (previous?.time ?? '') : owner.time;
  result.set(id, { ...owner, time, operation: 'Apply', set: applied });
  yield walk;
  const managed = withManagedFields(merged as T, yield* writeManagersWork(result));
  // Of an object's own apply, not of a part's.
  return owner.subresource === undefined ? withLastApplied(managed, request.config, owner.manager) : managed;
}

/** Those of the live object; one for all that it has when nobody was tracked. */
function managersBeforeApply({ live, owner: applier, resetFields }: ApplyRequest, kind: KindFacts): Managers {
  const entries = live?.metadata?.managedFields;
  const flaw = flawOf(entries);
  if (flaw !== undefined) throw apiErrors.internal(`failed to decode managed fields: ${flaw}`);
  if (live === undefined || (entries !== undefined && entries.length > 0)) return readManagers(entries);
  const owner: FieldOwner = { manager: BEFORE_FIRST_APPLY, apiVersion: applier.apiVersion, time: applier.time };
  const { changed } = withoutReset(compareObjects({}, live as JsonObject, kind.schema, kind.resolver), resetFields);
  return new Map(
    changed.isEmpty ? [] : [[identityOf(owner, 'Update'), { ...owner, operation: 'Update', set: changed }]],
  );
}

/** What was changed or removed belongs to its last writer alone. */
function takeFrom(managers: Managers, changeOf: (manager: Manager) => Comparison | undefined): Managers {
  const result: Managers = new Map();
  for (const [id, manager] of managers) {
    const change = changeOf(manager);
    if (change === undefined) continue;
    const set = manager.set.difference(change.changed).difference(change.removed);
    if (!set.isEmpty) result.set(id, set.equals(manager.set) ? manager : { ...manager, set });
  }
  return result;
}

export interface UpdateRequest {
  /** Undefined for a create. */
  readonly before: KubeObject | undefined;
  /**
   * What an object of the kind has when nothing was put in; `{}` when absent. Takes the place of `before` in a create.
   */
  readonly empty?: KubeObject;
  /** What the client wants stored, with defaults. Its own managedFields, when it has any, are taken as the client's. */
  readonly after: KubeObject;
  readonly owner: FieldOwner;
  /** Paths of fields the endpoint does not let a client set: nobody wins or loses them. */
  readonly resetFields?: readonly ResetPath[];
}

/**
 * `managedFields` for a create, update or patch. When no field changed hands the list of `before` comes back as it is,
 * and costs one comparison. An object that nobody is tracked on stays so until the first apply.
 */
export function trackUpdate(request: UpdateRequest, kind: KindFacts): readonly ManagedFieldsEntry[] {
  return finish(trackUpdateWork(request, kind));
}

/** The same in slices. */
export function* trackUpdateWork(request: UpdateRequest, kind: KindFacts): Work<readonly ManagedFieldsEntry[]> {
  const { before, after, owner } = request;
  const stored = before?.metadata?.managedFields ?? [];
  const base = startingPoint(stored, after.metadata?.managedFields, owner);
  if (before !== undefined && base.length === 0) return [];
  const walk = countValues(before) + countValues(after);
  yield walk;
  const difference = yield* comparison(request, kind);
  yield walk;
  if (difference.changed.isEmpty && difference.removed.isEmpty && jsonEqual(base, stored)) return stored;
  const managers = readManagers(base);
  yield walk;
  const changeOf = changesByVersion({ before: before ?? {}, after, apiVersion: owner.apiVersion, difference }, kind);
  const result = takeFrom(managers, changeOf);
  if (!difference.changed.isEmpty) {
    const id = identityOf(owner, 'Update');
    const own = managers.get(id);
    const set = (result.get(id)?.set ?? new FieldSet()).union(difference.changed);
    result.set(id, { ...owner, time: owner.time === '' ? (own?.time ?? '') : owner.time, operation: 'Update', set });
  }
  yield walk;
  return yield* writeManagersWork(boundUpdaters(result));
}

/**
 * The managers that a write starts from: a client may send its own, or ask to forget all, but not through a
 * subresource.
 */
function startingPoint(
  stored: readonly ManagedFieldsEntry[],
  sent: readonly ManagedFieldsEntry[] | undefined,
  owner: FieldOwner,
): readonly ManagedFieldsEntry[] {
  const kept = flawOf(stored) === undefined ? stored : [];
  if (owner.subresource !== undefined || sent === undefined || sent === stored) return kept;
  if (isReset(sent)) return [];
  return flawOf(sent) === undefined ? sent : kept;
}

function* comparison({ before, empty = {}, after, resetFields }: UpdateRequest, kind: KindFacts): Work<Comparison> {
  return withoutReset(
    yield* compareObjectsWork((before ?? empty) as JsonObject, after as JsonObject, kind.schema, kind.resolver),
    resetFields,
  );
}

/** Without what the endpoint does not let a client set. */
function withoutReset(difference: Comparison, resetFields: readonly ResetPath[] = []): Comparison {
  if (resetFields.length === 0) return difference;
  const reset = new FieldSet();
  for (const path of resetFields) reset.insert(path.map((field) => `f:${field}` as const));
  return { changed: difference.changed.difference(reset, true), removed: difference.removed.difference(reset, true) };
}

function removeAt(object: JsonObject, [field, ...below]: readonly string[]): void {
  if (field === undefined) return;
  const value = object[field];
  if (below.length === 0) delete object[field];
  else if (isObject(value)) removeAt(value, below);
}

/** `managedFields: []` and `[{}]` are how a client asks to forget all owners. */
function isReset(entries: readonly ManagedFieldsEntry[]): boolean {
  return entries.length === 0 || (entries.length === 1 && Object.keys(entries[0] ?? {}).length === 0);
}

/** The same object with the given managers; an empty list leaves no field behind. */
export function withManagedFields<T extends KubeObject>(object: T, entries: readonly ManagedFieldsEntry[]): T {
  const { managedFields: _old, ...metadata } = isObject(object.metadata) ? object.metadata : {};
  return { ...object, metadata: entries.length === 0 ? metadata : { ...metadata, managedFields: [...entries] } };
}
