/** Conflicts of server-side apply: refused in kube-apiserver's words, one cause for each field. */
import { ApiError, FIELD_ERRORS_MAX } from '../status.js';
import type { StatusCause } from '../status.js';
import { formatPath } from './field-set.js';
import type { FieldSet } from './field-set.js';
import type { Manager, Managers } from './managers.js';

/**
 * What is applied is a view of the object, as a Scale: the client knows the version and the path of its one field
 * alone.
 */
export interface AppliedView {
  readonly apiVersion: string;
  readonly path: string;
}

interface Conflict {
  readonly manager: Manager;
  readonly path: string;
}

/** Throws Conflict when others own what would change, besides what is allowed. */
export function refuseConflicts(
  others: Managers,
  changedFor: (manager: Manager) => FieldSet | undefined,
  { allowed, view }: { readonly allowed: FieldSet; readonly view?: AppliedView | undefined },
): void {
  // Of very many the first are told, and how many there are.
  const conflicts: Conflict[] = [];
  let count = 0;
  for (const manager of others.values()) {
    const changed = changedFor(manager);
    if (changed === undefined) continue;
    for (const path of manager.set.intersection(changed).difference(allowed).paths()) {
      count += 1;
      if (count > FIELD_ERRORS_MAX) continue;
      conflicts.push(
        view === undefined
          ? { manager, path: formatPath(path) }
          : { manager: { ...manager, apiVersion: view.apiVersion }, path: view.path },
      );
    }
  }
  if (count === 0) return;
  const causes: StatusCause[] = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${describe(manager)}`,
    field: path,
  }));
  throw new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason: 'Conflict',
    code: 409,
    message: conflictMessage(conflicts, count),
    details: { causes },
  });
}

function describe(manager: Manager): string {
  const name = `${JSON.stringify(manager.manager)}${manager.subresource === undefined ? '' : ` with subresource ${JSON.stringify(manager.subresource)}`}`;
  return manager.operation === 'Update' ? `${name} using ${manager.apiVersion}` : name;
}

function conflictMessage(conflicts: readonly Conflict[], count: number): string {
  const [only] = conflicts;
  if (only !== undefined && count === 1)
    return `Apply failed with 1 conflict: conflict with ${describe(only.manager)}: ${only.path}`;
  const byManager = new Map<string, string[]>();
  for (const { manager, path } of conflicts) {
    const name = describe(manager);
    const paths = byManager.get(name);
    if (paths === undefined) byManager.set(name, [path]);
    else paths.push(path);
  }
  const blocks = [...byManager]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, paths]) => `conflicts with ${name}:\n- ${paths.join('\n- ')}`);
  return `Apply failed with ${count} conflicts: ${blocks.join('\n')}`;
}
