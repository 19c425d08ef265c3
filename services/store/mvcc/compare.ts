/** Guards of a transaction. A key that is not there compares as version, revisions and lease 0; its value as nothing. */
import { recordsIn, intervalOf, valueOf } from './range.js';
import type { Mvcc } from './mvcc.js';
import type { KvCompare } from './operations.js';
import type { Record } from './record.js';

export function holds(mvcc: Mvcc, compare: KvCompare): boolean {
  const interval = intervalOf(compare.key, compare.rangeEnd);
  const records = recordsIn(mvcc, interval, mvcc.revision);
  if (records.length === 0) return compare.target !== 'value' && holdsFor(mvcc, compare, undefined);
  return records.every((record) => holdsFor(mvcc, compare, record));
}

function holdsFor(mvcc: Mvcc, compare: KvCompare, record: Record | undefined): boolean {
  switch (compare.target) {
    case 'version': return ordered(compare.op, order(record?.version ?? 0, compare.value));
    case 'createRevision': return ordered(compare.op, order(record?.create ?? 0, compare.value));
    case 'modRevision': return ordered(compare.op, order(record?.main ?? 0, compare.value));
    case 'lease': return ordered(compare.op, order(record?.lease ?? 0n, compare.value));
    case 'value': return record !== undefined && ordered(compare.op, Buffer.compare(valueOf(mvcc, record), compare.value));
    default: return compare satisfies never;
  }
}

const order = <T extends number | bigint>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);

function ordered(op: KvCompare['op'], difference: number): boolean {
  switch (op) {
    case '=': return difference === 0;
    case '!=': return difference !== 0;
    case '<': return difference < 0;
    case '>': return difference > 0;
    default: return op satisfies never;
  }
}
