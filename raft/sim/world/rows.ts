/** Rows of a disk by name: a key in a string of one character a byte, whose order is the order of the bytes. */
import type { DiskOperation, KeyRange } from '../../../platform/disk/disk.js';
import type { Change } from './journal.js';

export type Rows = Map<string, Buffer>;

export const nameOf = (key: Buffer) => key.toString('latin1');
export const keyOf = (name: string) => Buffer.from(name, 'latin1');

export const changeOf = (operation: DiskOperation): Change => [
  nameOf(operation.key),
  operation.type === 'put' ? operation.value : undefined,
];

export function apply(rows: Rows, changes: readonly Change[]): void {
  for (const [name, value] of changes) {
    if (value === undefined) rows.delete(name);
    else rows.set(name, value);
  }
}

/** The names of the range, in order. */
export function inRange(rows: Rows, range: KeyRange): string[] {
  const from = range.gte === undefined ? '' : nameOf(range.gte);
  const to = range.lt === undefined ? undefined : nameOf(range.lt);
  const names: string[] = [];
  for (const name of rows.keys()) if (name >= from && (to === undefined || name < to)) names.push(name);
  return names.sort(byBytes);
}

const byBytes = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
