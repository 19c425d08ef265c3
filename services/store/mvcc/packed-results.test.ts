/**
 * Issue 6, row 31: what a transaction that writes gives back of very many keys is held as pages, and means the same.
 */
import { expect, it } from 'vitest';
import { finish } from '../../../platform/slices.js';
import { PAGE_KVS } from './encoded-kvs.js';
import { KvState } from './kv-state.js';
import type { CommandResult, KvTxn } from './operations.js';
import { isPacked, pagesOf, unpackResult } from './packed-results.js';
import { StoreError } from '../store.js';

const bytes = (text: string) => Buffer.from(text);
const ALL = { key: bytes('k'), rangeEnd: bytes('l') };

function filled(count: number): KvState {
  const state = new KvState();
  for (let i = 0; i < count; i++)
    state.apply({ kind: 'put', put: { kind: 'put', key: bytes(`k${i}`), value: bytes(`v${i}`) } }, 1);
  return state;
}

function run(count: number, txn: KvTxn, form: 'whole' | 'packed'): CommandResult {
  const result = finish(filled(count).run({ kind: 'txn', txn }, { term: 1, form }));
  if (result instanceof StoreError) throw result;
  return result;
}

const put = { kind: 'put', key: bytes('other'), value: bytes('x'), prevKv: true } as const;
const range = { kind: 'range', request: ALL } as const;
const remove = { kind: 'delete', ...ALL, prevKv: true } as const;

it.each<[string, KvTxn]>([
  ['a range beside a put', { compare: [], success: [put, range], failure: [] }],
  [
    'a range in descending order, and one with a limit',
    {
      compare: [],
      success: [
        put,
        { kind: 'range', request: { ...ALL, sortOrder: 'descend' } as typeof ALL },
        { kind: 'range', request: { ...ALL, limit: PAGE_KVS + 2 } },
      ],
      failure: [],
    },
  ],
  ['what was deleted', { compare: [], success: [range, remove, range], failure: [] }],
  [
    'both, inside another',
    {
      compare: [],
      success: [put, { kind: 'txn', txn: { compare: [], success: [range, remove], failure: [] } }],
      failure: [],
    },
  ],
])('%s', (_name, txn) => {
  for (const count of [0, 1, PAGE_KVS, PAGE_KVS + 1, 2 * PAGE_KVS + 1]) {
    const [packed, whole] = [run(count, txn, 'packed'), run(count, txn, 'whole')];
    expect(unpackResult(packed)).toEqual(whole);
    expect(isPacked(packed)).toBe(count > PAGE_KVS);
    // No list of objects is longer than a page.
    if (count > PAGE_KVS) expect([...pagesOf(packed)].every((page) => page.count === PAGE_KVS)).toBe(true);
  }
});
