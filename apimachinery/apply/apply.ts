/**
 * Server-side apply (KEP-555), after the ideas of structured-merge-diff: who owns which field of an object.
 *
 * In: the object before, what a client wants, the kind's schema, and who asks. Out: the object with its new
 * `managedFields`. Nothing here changes its arguments. It does not default, validate or store; the registry does so after.
 * Paths are compared as they are named in each manager's version; kinds served in several shapes convert before.
 */
import { ApiError } from '../status.js';
import type { StatusCause } from '../status.js';
import type { KubeObject, ManagedFieldsEntry } from '../object.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema/schema.js';
import { cloneJson, isObject, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';
import { appliedFields, compareObjects, presentFields } from './compare.js';
import { FieldSet, formatPath } from './field-set.js';
import { identityOf, readManagers, writeManagers } from './managers.js';
import type { FieldOwner, Manager, Managers } from './managers.js';
import { mergeApplied, removePaths } from './merge.js';

export type { FieldOwner } from './managers.js';

export interface KindFacts {
  readonly schema: Schema;
  readonly resolver: SchemaResolver;
}

export interface ApplyRequest<T extends KubeObject = KubeObject> {
  /** Undefined when the object does not exist yet. */
  readonly live: KubeObject | undefined;
  /** What the client applies, already decoded by schema. */
  readonly config: T;
  readonly owner: FieldOwner;
  readonly force?: boolean;
  /** Fields the endpoint does not let a client set, as `['status']`: they are neither merged nor owned. */
  readonly resetFields?: readonly string[];
}

/** Manager of what an object had before anyone's fields were tracked. */
const BEFORE_FIRST_APPLY = 'before-first-apply';

/** Returns a fresh object. Throws ApiError Conflict with one cause for each field that others own with another value. */
export function applyPatch<T extends KubeObject>(request: ApplyRequest<T>, kind: KindFacts): T {
  const { owner } = request;
  const config = cloneJson(request.config) as JsonObject;
  for (const field of request.resetFields ?? []) delete config[field];
  const applied = appliedFields(config, kind.schema, kind.resolver);
  const live = (request.live ?? {}) as JsonObject;
  const managers = managersBeforeApply(request.live, kind);
  const id = identityOf(owner, 'Apply');
  const previous = managers.get(id);
  const others = new Map([...managers].filter(([other]) => other !== id));

  const merged = mergeApplied(live, config, kind.schema, kind.resolver) as JsonObject;
  if (previous !== undefined) {
    const owned = [...others.values()].reduce((all, manager) => all.union(manager.set), new FieldSet());
    removePaths(merged, previous.set.difference(applied), { others: owned, kept: applied }, kind.schema, kind.resolver);
  }
  const { changed, removed } = compareObjects(live, merged, kind.schema, kind.resolver);
  if (request.force !== true) refuseConflicts(others, changed);
  const result = takeFrom(others, changed, removed);
  const same = previous !== undefined && previous.set.equals(applied) && previous.apiVersion === owner.apiVersion;
  result.set(id, same ? previous : { ...owner, operation: 'Apply', set: applied });
  return withManagedFields(merged, writeManagers(result)) as T;
}

function managersBeforeApply(live: KubeObject | undefined, kind: KindFacts): Managers {
  const entries = live?.metadata?.managedFields;
  if (live === undefined || (entries !== undefined && entries.length > 0)) return readManagers(entries);
  const owner: FieldOwner = { manager: BEFORE_FIRST_APPLY, apiVersion: live.apiVersion ?? '', time: live.metadata?.creationTimestamp ?? '' };
  const set = presentFields(live as JsonObject, kind.schema, kind.resolver);
  return new Map([[identityOf(owner, 'Update'), { ...owner, operation: 'Update', set }]]);
}

/** What was changed or removed belongs to its last writer alone. */
function takeFrom(managers: Managers, changed: FieldSet, removed: FieldSet): Managers {
  const result: Managers = new Map();
  for (const [id, manager] of managers) {
    const set = manager.set.difference(changed).difference(removed, true);
    if (!set.isEmpty) result.set(id, set.equals(manager.set) ? manager : { ...manager, set });
  }
  return result;
}

export interface UpdateRequest {
  /** Undefined for a create. */
  readonly before: KubeObject | undefined;
  /** What will be stored, defaults and admission included. Its own managedFields, when it has any, are taken as the client's. */
  readonly after: KubeObject;
  readonly owner: FieldOwner;
}

/**
 * `managedFields` for a create, update or patch. When no field changed hands the list of `before` comes back as it is, and
 * costs one comparison.
 */
export function trackUpdate(request: UpdateRequest, kind: KindFacts): readonly ManagedFieldsEntry[] {
  const { before, after, owner } = request;
  const sent = after.metadata?.managedFields;
  if (isReset(sent)) return [];
  const base = sent === undefined || sent.length === 0 ? before?.metadata?.managedFields ?? [] : sent;
  const { changed, removed } = compareObjects((before ?? {}) as JsonObject, after as JsonObject, kind.schema, kind.resolver);
  if (changed.isEmpty && removed.isEmpty) return jsonEqual(base, before?.metadata?.managedFields ?? []) ? before?.metadata?.managedFields ?? [] : base;
  const managers = readManagers(base);
  const id = identityOf(owner, 'Update');
  const own = managers.get(id);
  managers.delete(id);
  const result = takeFrom(managers, changed, removed);
  const set = (own?.set ?? new FieldSet()).union(changed).difference(removed, true);
  result.set(id, own?.set.equals(set) === true ? own : { ...owner, operation: 'Update', set });
  return writeManagers(result);
}

/** `managedFields: [{}]` is how a client asks to forget all owners. */
function isReset(entries: readonly ManagedFieldsEntry[] | undefined): boolean {
  return entries?.length === 1 && Object.keys(entries[0] ?? {}).length === 0;
}

/** The same object with the given managers; an empty list leaves no field behind. */
export function withManagedFields<T extends KubeObject>(object: T, entries: readonly ManagedFieldsEntry[]): T {
  const { managedFields: _old, ...metadata } = isObject(object.metadata) ? object.metadata : {};
  return { ...object, metadata: entries.length === 0 ? metadata : { ...metadata, managedFields: [...entries] } };
}

interface Conflict {
  readonly manager: Manager;
  readonly path: string;
}

function refuseConflicts(others: Managers, changed: FieldSet): void {
  const conflicts: Conflict[] = [];
  for (const manager of others.values()) {
    for (const path of manager.set.intersection(changed).paths()) conflicts.push({ manager, path: formatPath(path) });
  }
  if (conflicts.length === 0) return;
  const causes: StatusCause[] = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict', message: `conflict with ${describe(manager)}`, field: path,
  }));
  throw new ApiError({
    kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason: 'Conflict', code: 409,
    message: conflictMessage(conflicts), details: { causes },
  });
}

function describe(manager: Manager): string {
  const name = `${JSON.stringify(manager.manager)}${manager.subresource === undefined ? '' : ` with subresource ${JSON.stringify(manager.subresource)}`}`;
  return manager.operation === 'Update' ? `${name} using ${manager.apiVersion}` : name;
}

function conflictMessage(conflicts: readonly Conflict[]): string {
  const [only] = conflicts;
  if (only !== undefined && conflicts.length === 1) return `Apply failed with 1 conflict: conflict with ${describe(only.manager)}: ${only.path}`;
  const byManager = new Map<string, string[]>();
  for (const { manager, path } of conflicts) {
    const name = describe(manager);
    byManager.set(name, [...(byManager.get(name) ?? []), path]);
  }
  const blocks = [...byManager].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, paths]) => `conflicts with ${name}:\n- ${paths.join('\n- ')}`);
  return `Apply failed with ${conflicts.length} conflicts: ${blocks.join('\n')}`;
}
