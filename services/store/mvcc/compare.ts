/**
 * Guards of a transaction. A key that is not there compares as version, revisions and lease 0; its value as nothing.
 */
import type { Slices } from '../../../platform/slices.js';
import { intervalOf, valueOf } from './range.js';
import type { Mvcc } from './mvcc.js';
import type { KvCompare } from './operations.js';
import type { Record } from './record.js';

/** On the state that `revision` sees. A range is visited until one of its keys fails. */
export function* holds(mvcc: Mvcc, compare: KvCompare, revision: number): Slices<boolean> {
  const interval = intervalOf(compare.key, compare.rangeEnd);
  if (interval.single) return holdsFor(mvcc, compare, mvcc.at(interval.start, revision));
  let isEmpty = true;
  let isMet = true;
  yield* mvcc.scan(interval.start, interval.end, {
    revision,
    visit: (record) => {
      isEmpty = false;
      isMet = holdsFor(mvcc, compare, record);
      return isMet;
    },
  });
  return isEmpty ? holdsFor(mvcc, compare, undefined) : isMet;
}

function holdsFor(mvcc: Mvcc, compare: KvCompare, record: Record | undefined): boolean {
  switch (compare.target) {
    case 'version':
      return ordered(compare.op, order(record?.version ?? 0, compare.value));
    case 'createRevision':
      return ordered(compare.op, order(record?.create ?? 0, compare.value));
    case 'modRevision':
      return ordered(compare.op, order(record?.main ?? 0, compare.value));
    case 'lease':
      return ordered(compare.op, order(record?.lease ?? 0n, compare.value));
    case 'value':
      return record !== undefined && ordered(compare.op, Buffer.compare(valueOf(mvcc, record), compare.value));
    default:
      return compare satisfies never;
  }
}

const order = <T extends number | bigint>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);

function ordered(op: KvCompare['op'], difference: number): boolean {
  switch (op) {
    case '=':
      return difference === 0;
    case '!=':
      return difference !== 0;
    case '<':
      return difference < 0;
    case '>':
      return difference > 0;
    default:
      return op satisfies never;
  }
}
