/** `metadata.managedFields` as sets: reading, writing, order, and the bound on its length. */
import type { ManagedFieldsEntry } from '../object.js';
import { FieldSet, formatFieldsV1, parseFieldsV1 } from './field-set.js';

/** Who writes, and when. */
export interface FieldOwner {
  readonly manager: string;
  /** The version the fields are named in, as `apps/v1`. */
  readonly apiVersion: string;
  /** RFC 3339, whole seconds. */
  readonly time: string;
  readonly subresource?: string;
}

export interface Manager extends FieldOwner {
  readonly operation: 'Apply' | 'Update';
  readonly set: FieldSet;
}

/** Managers by identity. An applier is the same in whatever version it applies; an updater is one per version. */
export type Managers = Map<string, Manager>;

export function identityOf(owner: FieldOwner, operation: 'Apply' | 'Update'): string {
  const version = operation === 'Update' ? owner.apiVersion : '';
  return JSON.stringify([owner.manager, operation, owner.subresource ?? '', version]);
}

export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers {
  const managers: Managers = new Map();
  for (const entry of entries ?? []) {
    const operation = entry.operation === 'Apply' ? 'Apply' : 'Update';
    const owner: FieldOwner = {
      manager: entry.manager ?? '', apiVersion: entry.apiVersion ?? '', time: entry.time ?? '',
      ...(entry.subresource === undefined || entry.subresource === '' ? {} : { subresource: entry.subresource }),
    };
    const id = identityOf(owner, operation);
    const set = parseFieldsV1(entry.fieldsV1);
    managers.set(id, { ...owner, operation, set: managers.get(id)?.set.union(set) ?? set });
  }
  return managers;
}

const UPDATERS_MAX = 10;
const ANCIENT = 'ancient-changes';

/** Appliers first, then by time and name, as kube-apiserver sorts them; managers that own nothing are left out. */
export function writeManagers(managers: Managers): ManagedFieldsEntry[] {
  return boundUpdaters([...managers.values()].filter((manager) => !manager.set.isEmpty))
    .sort((a, b) => compareText(a.operation, b.operation) || compareText(a.time, b.time) || compareText(a.manager, b.manager)
      || compareText(a.apiVersion, b.apiVersion) || compareText(a.subresource ?? '', b.subresource ?? ''))
    .map((manager) => ({
      manager: manager.manager, operation: manager.operation, apiVersion: manager.apiVersion,
      ...(manager.time === '' ? {} : { time: manager.time }),
      fieldsType: 'FieldsV1', fieldsV1: formatFieldsV1(manager.set),
      ...(manager.subresource === undefined ? {} : { subresource: manager.subresource }),
    }));
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Clients that name themselves anew with each write must not make an object grow: the oldest become one. */
function boundUpdaters(managers: Manager[]): Manager[] {
  const updaters = managers.filter((manager) => manager.operation === 'Update').sort((a, b) => compareText(a.time, b.time));
  const excess = updaters.slice(0, Math.max(0, updaters.length - UPDATERS_MAX + 1));
  const first = excess[0];
  if (first === undefined || updaters.length <= UPDATERS_MAX) return managers;
  const set = excess.reduce((all, manager) => all.union(manager.set), new FieldSet());
  const time = excess.at(-1)?.time ?? '';
  return [...managers.filter((manager) => !excess.includes(manager)), { manager: ANCIENT, operation: 'Update', apiVersion: first.apiVersion, time, set }];
}
