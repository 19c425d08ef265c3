/** `metadata.managedFields` as sets: reading, writing, order, and the bound on its length. */
import type { Work } from '../../platform/work.js';
import type { ManagedFieldsEntry } from '../object.js';
import { isObject } from '../value.js';
import { formatFieldsV1Work, parseFieldsV1 } from './field-set.js';
import type { FieldSet } from './field-set.js';

/** Who writes, and when. */
export interface FieldOwner {
  readonly manager: string;
  /** The version the fields are named in, as `apps/v1`. */
  readonly apiVersion: string;
  /** RFC 3339, whole seconds. Empty for an applier who never changed the object. */
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

/** What is wrong with the list, in kube-apiserver's words; undefined for nothing. */
export function flawOf(entries: readonly ManagedFieldsEntry[] | undefined): string | undefined {
  for (const [index, entry] of (entries ?? []).entries()) {
    const { operation, apiVersion = '', fieldsType = '', fieldsV1 } = entry;
    if (operation !== 'Apply' && operation !== 'Update') return 'operation must be `Apply` or `Update`';
    if (apiVersion === '') return 'apiVersion must not be empty';
    if (fieldsType === '') return `missing fieldsType in managed fields entry ${index}`;
    if (fieldsType !== 'FieldsV1')
      return `invalid fieldsType ${JSON.stringify(fieldsType)} in managed fields entry ${index}`;
    if (fieldsV1 !== undefined && !isObject(fieldsV1)) return `error decoding set of managed fields entry ${index}`;
  }
  return undefined;
}

/** The list must be without flaw. */
export function readManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers {
  const managers: Managers = new Map();
  for (const entry of entries ?? []) {
    const operation = entry.operation === 'Apply' ? 'Apply' : 'Update';
    const owner: FieldOwner = {
      manager: entry.manager ?? '',
      apiVersion: entry.apiVersion ?? '',
      time: entry.time ?? '',
      ...(entry.subresource === undefined || entry.subresource === '' ? {} : { subresource: entry.subresource }),
    };
    managers.set(identityOf(owner, operation), { ...owner, operation, set: parseFieldsV1(entry.fieldsV1) });
  }
  return managers;
}

/**
 * Appliers first, then by time and name, as kube-apiserver sorts them; managers that own nothing are left out. In
 * slices.
 */
export function* writeManagersWork(managers: Managers): Work<ManagedFieldsEntry[]> {
  const ordered = [...managers.values()]
    .filter((manager) => !manager.set.isEmpty)
    .sort(
      (a, b) =>
        compareText(a.operation, b.operation) ||
        compareText(a.time, b.time) ||
        compareText(a.manager, b.manager) ||
        compareText(a.apiVersion, b.apiVersion) ||
        compareText(a.subresource ?? '', b.subresource ?? ''),
    );
  const entries: ManagedFieldsEntry[] = [];
  for (const manager of ordered) {
    entries.push({
      manager: manager.manager,
      operation: manager.operation,
      apiVersion: manager.apiVersion,
      ...(manager.time === '' ? {} : { time: manager.time }),
      fieldsType: 'FieldsV1',
      fieldsV1: yield* formatFieldsV1Work(manager.set),
      ...(manager.subresource === undefined ? {} : { subresource: manager.subresource }),
    });
  }
  return entries;
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const UPDATERS_MAX = 10;
const ANCIENT = 'ancient-changes';

/**
 * Clients that name themselves anew with each write must not make an object grow: the oldest updaters of one version
 * become one (managedfields, capManagersManager).
 */
export function boundUpdaters(managers: Managers): Managers {
  const updaters = [...managers.values()]
    .filter((manager) => manager.operation === 'Update')
    .sort((a, b) => compareText(a.time, b.time) || compareText(identityOf(a, 'Update'), identityOf(b, 'Update')));
  const result: Managers = new Map(managers);
  const firstOf = new Map<string, Manager>();
  let excess = updaters.length - UPDATERS_MAX;
  for (const updater of updaters) {
    if (excess <= 0) break;
    const first = firstOf.get(updater.apiVersion);
    if (first === undefined) {
      firstOf.set(updater.apiVersion, updater);
      continue;
    }
    const bucket: FieldOwner = { manager: ANCIENT, apiVersion: updater.apiVersion, time: updater.time };
    const id = identityOf(bucket, 'Update');
    const before = result.get(id);
    if (before === undefined) result.delete(identityOf(first, 'Update'));
    result.delete(identityOf(updater, 'Update'));
    result.set(id, { ...bucket, operation: 'Update', set: updater.set.union((before ?? first).set) });
    excess -= 1;
  }
  return result;
}
