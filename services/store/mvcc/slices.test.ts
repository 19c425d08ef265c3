/** Issue 6, row 31: what touches many keys runs in slices, on every member alike, and nobody sees it half done. */
import { describe, expect, it } from 'vitest';
import { finish } from '../../../platform/slices.js';
import type { Slices } from '../../../platform/slices.js';
import { encodeCommand } from './commands.js';
import { KvState } from './kv-state.js';
import type { Command, KvOp, KvRange, KvTxn } from './operations.js';

const KEYS = 2000;
const SLICE = 50;
const LEASE = 7n;
const bytes = (text: string) => Buffer.from(text);
const prefix = { key: bytes('k'), rangeEnd: bytes('l') };
const keyOf = (i: number) => `k${String(i).padStart(6, '0')}`;
const put = (key: string, value: string, lease = 0n): KvOp => ({
  kind: 'put',
  key: bytes(key),
  value: bytes(value),
  lease,
});
const txn = (...success: KvOp[]): Command => ({ kind: 'txn', txn: { compare: [], success, failure: [] } });
const range = (request: Partial<KvRange> = {}): KvOp => ({ kind: 'range', request: { ...prefix, ...request } });

/** Keys with a lease, some of them deleted: those are visited too. */
function filled(): KvState {
  const state = new KvState({ slice_keys: SLICE });
  state.apply({ kind: 'lease-grant', id: LEASE, ttl_s: 60 }, 1);
  for (let i = 0; i < KEYS; i++) state.apply(txn(put(keyOf(i), `v${i % 7}`, LEASE)), 1);
  for (let i = 0; i < KEYS; i += 4) state.apply(txn({ kind: 'delete', key: bytes(keyOf(i)) }), 1);
  return state;
}

const COMMANDS: readonly (readonly [string, Command])[] = [
  ['a transaction with a range', txn(put('x', '1'), range())],
  ['twenty ranges that count', txn(put('x', '1'), ...Array.from({ length: 20 }, () => range({ countOnly: true })))],
  ['a sorted range', txn(put('x', '1'), range({ sortTarget: 'value', sortOrder: 'descend' }))],
  ['a bounded range', txn(put('x', '1'), range({ minModRevision: 5 }))],
  ['a range with a limit', txn(put('x', '1'), range({ limit: 3 }))],
  [
    'a guard over a range',
    {
      kind: 'txn',
      txn: { compare: [{ target: 'version', op: '<', value: 9, ...prefix }], success: [put('x', '1')], failure: [] },
    },
  ],
  ['the deletion of a range', txn({ kind: 'delete', ...prefix })],
  ['the deletion of a range with what was there', txn({ kind: 'delete', prevKv: true, ...prefix })],
  [
    'two deletions and a put',
    txn({ kind: 'delete', key: bytes('k'), rangeEnd: bytes(keyOf(1000)) }, put('x', '1'), {
      kind: 'delete',
      key: bytes(keyOf(1000)),
      rangeEnd: bytes('l'),
    }),
  ],
  [
    'a nested transaction',
    txn({ kind: 'txn', txn: { compare: [], success: [{ kind: 'delete', ...prefix }, range()], failure: [] } }),
  ],
  ['the end of a lease', { kind: 'lease-revoke', id: LEASE }],
  ['the end of a lease by its time', { kind: 'leases-expire', term: 1, ended: [{ id: LEASE, renewals: 0 }] }],
];

function inSlices<T>(slices: Slices<T>, between: () => void): { value: T; count: number } {
  for (let count = 1; ; count++) {
    const slice = slices.next();
    if (slice.done === true) return { value: slice.value, count };
    between();
  }
}

describe.each(COMMANDS)('%s', (_, command) => {
  it('gives the same result and the same state as in one piece', () => {
    const [whole, sliced] = [filled(), filled()];
    const expected = whole.apply(command, 1);
    const { value, count } = inSlices(
      sliced.runBytes(encodeCommand(command), { term: 1, form: 'whole' }),
      () => undefined,
    );
    expect(value).toEqual(expected);
    // Each slice is short: as many of them as there are keys to visit.
    expect(count).toBeGreaterThanOrEqual(KEYS / SLICE);
    expect(sliced.hash(0)).toEqual(whole.hash(0));
    expect(sliced.mvcc.digest).toBe(whole.mvcc.digest);
  });

  it('shows nothing of itself until it is done', () => {
    const state = filled();
    const look = () => ({
      range: state.range(prefix),
      count: state.range({ ...prefix, countOnly: true }).count,
      revision: state.mvcc.revision,
      log: state.mvcc.logLength,
    });
    const before = look();
    let looked = 0;
    inSlices(state.run(command, { term: 1, form: 'whole' }), () => {
      if (looked++ % 10 === 0) expect(look()).toEqual(before);
    });
  });

  it('leaves the same state where nobody waits for what it reads', () => {
    const [waiting, other] = [filled(), filled()];
    waiting.apply(command, 1);
    finish(other.run(command, { term: 1, form: 'none' }));
    expect(other.hash(0)).toEqual(waiting.hash(0));
    expect(other.mvcc.digest).toBe(waiting.mvcc.digest);
  });
});

it('a compaction of much history is noted in slices', () => {
  const state = new KvState({ slice_keys: 50 });
  for (let i = 0; i < 3000; i++) state.apply(txn(put('a', `${i}`)), 1);
  const { count } = inSlices(
    state.run({ kind: 'compact', revision: 3000 }, { term: 1, form: 'none' }),
    () => undefined,
  );
  expect(count).toBeGreaterThan(2);
  while (state.mvcc.scrub(100));
  expect(state.mvcc.logLength).toBe(2);
});

describe('reads', () => {
  const requests: readonly (readonly [string, Partial<KvRange>])[] = [
    ['all', {}],
    ['a limit', { limit: 10 }],
    ['a limit that is all', { limit: 1500 }],
    ['keys', { keysOnly: true }],
    ['a count', { countOnly: true }],
    ['backwards', { sortOrder: 'descend' }],
    ['by value', { sortTarget: 'value', sortOrder: 'ascend' }],
    ['by version, cut', { sortTarget: 'version', limit: 3 }],
    ['within bounds', { minModRevision: 900, maxModRevision: 1200 }],
  ];

  it.each(requests)('answer as at the moment they began, whatever is written between the slices: %s', (_, options) => {
    const state = filled();
    const request = { ...prefix, ...options };
    const expected = state.range(request);
    const { value, count } = inSlices(state.rangeSlices(request), () => {
      state.apply(
        txn(put(keyOf(1), 'later'), put(`${keyOf(2)}x`, 'later'), { kind: 'delete', key: bytes(keyOf(1999)) }),
        1,
      );
    });
    expect(value).toEqual(expected);
    expect(count).toBeGreaterThan(1);
  });

  it('hand over the first part of a long result while they read the rest', () => {
    const state = filled();
    const spilled: unknown[] = [];
    const { kvs, spilled: count } = finish(state.rangeSlices(prefix, (page) => spilled.push(...page)));
    expect(count).toBe(spilled.length);
    expect([...spilled, ...kvs]).toEqual(state.range(prefix).kvs);
    expect(kvs.length).toBeLessThanOrEqual(500);
  });

  it('a transaction that only reads is read at one revision', () => {
    const state = filled();
    const reading: KvTxn = {
      compare: [{ target: 'version', op: '=', key: bytes('x'), value: 0 }],
      success: [range(), { kind: 'txn', txn: { compare: [], success: [range({ countOnly: true })], failure: [] } }],
      failure: [],
    };
    const expected = state.apply({ kind: 'txn', txn: reading }, 1);
    const { value } = inSlices(
      state.readSlices(reading),
      () => void state.apply(txn(put('x', '1'), put(`${keyOf(2)}x`, 'later')), 1),
    );
    expect({ kind: 'txn', txn: value }).toEqual(expected);
  });
});

it('a transaction of many puts and deletions is checked without comparing each with each', () => {
  const half = 20_000;
  const ops = (name: string): KvOp[] =>
    Array.from({ length: half }, (_, i) =>
      name === 'put' ? put(`p${i}`, '') : { kind: 'delete', key: bytes(`d${i}`) },
    );
  const nested: KvTxn = {
    compare: [],
    failure: [],
    success: [
      { kind: 'txn', txn: { compare: [], success: ops('put').slice(0, 2000), failure: [] } },
      { kind: 'txn', txn: { compare: [], success: ops('delete').slice(0, 2000), failure: [] } },
    ],
  };
  const times_us = Array.from({ length: 10 }, () => {
    const before = process.cpuUsage();
    expect(new KvState().apply({ kind: 'txn', txn: nested }, 1)).toMatchObject({ kind: 'txn' });
    return process.cpuUsage(before).user;
  });
  // Some ten milliseconds; each with each, four million comparisons, hundreds.
  expect(Math.min(...times_us)).toBeLessThan(100_000);
  const conflict: KvTxn = {
    ...nested,
    success: [...nested.success, { kind: 'delete', key: bytes('p1'), rangeEnd: bytes('p10') }],
  };
  expect(new KvState().apply({ kind: 'txn', txn: conflict }, 1)).toMatchObject({
    code: 'invalid',
    message: 'etcdserver: duplicate key given in txn request',
  });
});
