/** Conflicts of server-side apply: refused in kube-apiserver's words, one cause for each field. */
import { ApiError } from '../status.js';
import type { StatusCause } from '../status.js';
import { formatPath } from './field-set.js';
import type { FieldSet } from './field-set.js';
import type { Manager, Managers } from './managers.js';

interface Conflict {
  readonly manager: Manager;
  readonly path: string;
}

/** Throws Conflict when others own what would change, besides what is allowed. */
export function refuseConflicts(others: Managers, changed: FieldSet, allowed: FieldSet): void {
  const conflicts: Conflict[] = [];
  for (const manager of others.values()) {
    for (const path of manager.set.intersection(changed).difference(allowed).paths()) conflicts.push({ manager, path: formatPath(path) });
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
