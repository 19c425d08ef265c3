import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32, crc32Table } from '../../../platform/crc32.js';
import { StoreError } from '../store.js';
import type { Revision } from '../store.js';
import { decodeCommand, encodeCommand } from './commands.js';
import { KvState } from './kv-state.js';
import type { Command, CommandResult, KvOp, KvPut, KvRange, KvTxn } from './operations.js';

const bytes = (text: string) => Buffer.from(text);
const put = (key: string, value: string, lease = 0n): Command => ({
  kind: 'put',
  put: { kind: 'put', key: bytes(key), value: bytes(value), lease },
});
const del = (key: string): KvOp => ({ kind: 'delete', key: bytes(key) });
const txn = (success: KvOp[], rest: Partial<KvTxn> = {}): Command => ({
  kind: 'txn',
  txn: { compare: [], failure: [], success, ...rest },
});
const putOp = (key: string, value: string): KvOp => ({ kind: 'put', key: bytes(key), value: bytes(value) });

const KEEPS_VALUE: KvPut = { kind: 'put', key: bytes('b'), value: bytes(''), ignoreValue: true };

function run(state: KvState, command: Command, term = 1): CommandResult {
  const result = state.applyBytes(encodeCommand(command), term);
  if (result instanceof StoreError) throw result;
  return result;
}

const all = { key: bytes('\0'), rangeEnd: bytes('\0') };
const show = (state: KvState, request: Partial<KvRange> = {}) =>
  state
    .range({ ...all, ...request })
    .kvs.map((kv) => `${Buffer.from(kv.key).toString()}=${Buffer.from(kv.value).toString()}`);

describe('nested transactions', () => {
  it('judges inner guards on the state before the whole, as etcd does', () => {
    const state = new KvState();
    const inner: KvTxn = {
      compare: [{ target: 'version', key: bytes('a'), op: '=', value: 0 }],
      success: [putOp('seen', 'empty')],
      failure: [putOp('seen', 'written')],
    };
    const result = run(state, txn([putOp('a', '1'), { kind: 'txn', txn: inner }]));
    expect(show(state)).toEqual(['a=1', 'seen=empty']);
    expect(result.kind === 'txn' && result.txn.revision).toBe(2);
    expect(state.range(all).kvs.map((kv) => kv.modRevision)).toEqual([2, 2]);
  });

  it('lets only one branch write, so that both may write the same key, but not the same as their surroundings', () => {
    const state = new KvState();
    const inner: KvTxn = { compare: [], success: [putOp('k', '1')], failure: [putOp('k', '2')] };
    run(state, txn([{ kind: 'txn', txn: inner }]));
    expect(show(state)).toEqual(['k=1']);
    expect(() => run(state, txn([putOp('k', '0'), { kind: 'txn', txn: inner }]))).toThrow('duplicate key');
    expect(() =>
      run(
        state,
        txn([
          { kind: 'delete', ...all },
          { kind: 'txn', txn: inner },
        ]),
      ),
    ).toThrow('duplicate key');
    expect(show(state)).toEqual(['k=1']);
  });

  it('fails whole on a compacted read deep inside, on every member alike (etcd #18667)', () => {
    const state = new KvState();
    for (const value of ['1', '2', '3']) run(state, put('a', value));
    run(state, { kind: 'compact', revision: 4 });
    const inner: KvTxn = {
      compare: [],
      success: [{ kind: 'range', request: { key: bytes('a'), revision: 2 as Revision } }],
      failure: [],
    };
    const before = state.hash(0);
    expect(() => run(state, txn([putOp('b', '1'), { kind: 'txn', txn: inner }]))).toThrow(
      'required revision has been compacted',
    );
    expect(state.hash(0)).toEqual(before);
  });

  it.each<[string, string, KvOp[]]>([
    ['a value beside ignoreValue', 'value is provided', [{ ...KEEPS_VALUE, value: bytes('x') }]],
    [
      'a lease beside ignoreLease',
      'lease is provided',
      [{ kind: 'put', key: bytes('b'), value: bytes('x'), ignoreLease: true, lease: 9n }],
    ],
    [
      'no key, deep inside',
      'key is not provided',
      [{ kind: 'txn', txn: { compare: [], success: [], failure: [del('')] } }],
    ],
    [
      'too many operations inside',
      'too many operations',
      [{ kind: 'txn', txn: { compare: [], success: [], failure: Array.from({ length: 2049 }, () => del('c')) } }],
    ],
  ])('%s is told before a key that is written twice, as by etcd', (_name, message, ops) => {
    expect(() => run(new KvState(), txn([putOp('a', '1'), putOp('a', '2'), ...ops]))).toThrow(message);
  });

  it('what is wrong with a put is told before what is wrong with a read, a missing key before a missing lease', () => {
    const future: KvOp = { kind: 'range', request: { key: bytes('a'), revision: 99 as Revision } };
    expect(() => run(new KvState(), txn([future, { ...KEEPS_VALUE, lease: 9n }]))).toThrow('key not found');
    expect(() =>
      run(new KvState(), txn([future, { kind: 'put', key: bytes('b'), value: bytes(''), lease: 9n }])),
    ).toThrow('requested lease not found');
    expect(() => run(new KvState(), { kind: 'put', put: { ...KEEPS_VALUE, lease: 9n } })).toThrow(
      'requested lease not found',
    );
  });

  it('refuses nesting without end', () => {
    let nested: KvTxn = { compare: [], success: [], failure: [] };
    for (let i = 0; i < 100; i++) nested = { compare: [], success: [{ kind: 'txn', txn: nested }], failure: [] };
    expect(new KvState().applyBytes(encodeCommand({ kind: 'txn', txn: nested }), 1)).toMatchObject({ code: 'invalid' });
  });
});

describe('put and compare options', () => {
  it('keeps value or lease when asked, and refuses when there is none', () => {
    const state = new KvState();
    run(state, { kind: 'lease-grant', id: 7n, ttl_s: 10 });
    const keep = (more: object): Command => ({
      kind: 'put',
      put: { kind: 'put', key: bytes('a'), value: bytes(''), ...more },
    });
    expect(() => run(state, keep({ ignoreValue: true }))).toThrow('key not found');
    run(state, put('a', 'v', 7n));
    run(state, keep({ ignoreValue: true }));
    expect(state.range({ key: bytes('a') }).kvs[0]).toMatchObject({ lease: 0n, version: 2, value: bytes('v') });
    run(state, put('a', 'v', 7n));
    run(state, keep({ ignoreLease: true }));
    expect(state.range({ key: bytes('a') }).kvs[0]).toMatchObject({ lease: 7n, version: 4, value: bytes('') });
  });

  it('compares every key of a range', () => {
    const state = new KvState();
    run(state, put('a1', 'x'));
    run(state, put('a2', 'x'));
    const holds = (value: string) => {
      const result = run(
        state,
        txn([], {
          compare: [{ target: 'value', key: bytes('a'), rangeEnd: bytes('b'), op: '=', value: bytes(value) }],
        }),
      );
      return result.kind === 'txn' && result.txn.succeeded;
    };
    expect(holds('x')).toBe(true);
    run(state, put('a2', 'y'));
    expect(holds('x')).toBe(false);
  });
});

describe('range options', () => {
  const state = new KvState();
  for (const [key, value] of [
    ['a', '3'],
    ['b', '1'],
    ['c', '2'],
    ['b', '0'],
  ] as const)
    run(state, put(key, value));

  it('sorts by any field, both ways, and cuts afterwards', () => {
    expect(show(state, { sortOrder: 'descend' })).toEqual(['c=2', 'b=0', 'a=3']);
    expect(show(state, { sortTarget: 'value' })).toEqual(['b=0', 'c=2', 'a=3']);
    expect(show(state, { sortTarget: 'modRevision', sortOrder: 'descend', limit: 1 })).toEqual(['b=0']);
    expect(show(state, { sortTarget: 'createRevision' })).toEqual(['a=3', 'b=0', 'c=2']);
    expect(show(state, { sortTarget: 'version', sortOrder: 'descend' })).toEqual(['b=0', 'a=3', 'c=2']);
  });

  it('filters by revisions what it returns, not what it counts', () => {
    const { kvs, count, more } = state.range({ ...all, minModRevision: 4, limit: 1 });
    expect([kvs.length, count, more]).toEqual([1, 3, true]);
    expect(show(state, { maxCreateRevision: 3 })).toEqual(['a=3', 'b=0']);
  });
});

describe('leases', () => {
  it('ends only in the term of the leader that proposed it (etcd #15247)', () => {
    const state = new KvState();
    run(state, { kind: 'lease-grant', id: 1n, ttl_s: 10 }, 3);
    run(state, put('a', '1', 1n), 3);
    run(state, { kind: 'lease-expire', term: 3, id: 1n, renewals: 0 }, 4);
    expect(show(state)).toEqual(['a=1']);
    run(state, { kind: 'lease-expire', term: 4, id: 1n, renewals: 0 }, 4);
    expect(show(state)).toEqual([]);
  });

  it('ends with others by one command, each unless it was renewed, in the term of its leader alone', () => {
    const state = new KvState();
    for (const id of [1n, 2n, 3n]) {
      run(state, { kind: 'lease-grant', id, ttl_s: 10 }, 3);
      run(state, put(`k${id}`, '1', id), 3);
    }
    run(state, { kind: 'lease-keep-alive', id: 2n }, 3);
    const ended = [1n, 2n, 3n, 9n].map((id) => ({ id, renewals: 0 }));
    run(state, { kind: 'leases-expire', term: 3, ended }, 4);
    expect(show(state)).toEqual(['k1=1', 'k2=1', 'k3=1']);
    const { revision } = state.mvcc;
    run(state, { kind: 'leases-expire', term: 4, ended }, 4);
    expect([show(state), state.mvcc.revision]).toEqual([['k2=1'], revision + 2]);
  });

  it('outlives an end that was decided before a renewal and applied after it', () => {
    const state = new KvState();
    run(state, { kind: 'lease-grant', id: 1n, ttl_s: 10 });
    // The leader looks at the clock; a renewal that was on its way comes first in the log.
    const renewals = state.leases.get(1n)?.renewals ?? 0;
    run(state, { kind: 'lease-keep-alive', id: 1n });
    run(state, { kind: 'lease-expire', term: 1, id: 1n, renewals }, 1);
    expect(state.leases.has(1n)).toBe(true);
    run(state, { kind: 'lease-expire', term: 1, id: 1n, renewals: renewals + 1 }, 1);
    expect(state.leases.has(1n)).toBe(false);
  });

  it('lets go of a key that was put again without it', () => {
    const state = new KvState();
    run(state, { kind: 'lease-grant', id: 1n, ttl_s: 10 });
    run(state, put('a', '1', 1n));
    run(state, put('a', '2'));
    run(state, { kind: 'lease-revoke', id: 1n });
    expect(show(state)).toEqual(['a=2']);
  });
});

describe('commands', () => {
  it('refuses what is no command, and changes nothing', () => {
    const state = new KvState();
    const good = encodeCommand(put('key', 'value'));
    for (let length = 0; length < good.length; length++) {
      expect(state.applyBytes(good.subarray(0, length), 1)).toMatchObject({ code: 'invalid' });
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
        const result = state.applyBytes(data, 1);
        expect(result instanceof StoreError || 'kind' in result).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('comes back from bytes as it went in', () => {
    const request: KvRange = {
      key: bytes('a'),
      rangeEnd: bytes('b'),
      limit: 5,
      sortOrder: 'descend',
      sortTarget: 'value',
      minModRevision: 3,
      maxModRevision: 0,
      minCreateRevision: 0,
      maxCreateRevision: 2 ** 40,
      keysOnly: true,
    };
    const command = txn([{ kind: 'range', request }, del('x')], {
      compare: [
        { target: 'lease', key: bytes('k'), op: '<', value: -1n },
        { target: 'version', key: bytes('k'), op: '>', value: -5, rangeEnd: bytes('z') },
      ],
    });
    const back = decodeCommand(encodeCommand(command));
    expect(back).toMatchObject(command);
  });

  it('has the same checksum by table as by zlib', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(crc32Table(b, crc32Table(a))).toBe(crc32(b, crc32(a)));
      }),
    );
  });
});

// A model that is too simple to be wrong: the whole map at every revision.
const keys = ['a', 'b', 'c', 'd'];
const keyOf = fc.constantFrom(...keys);
const commandOf: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(keyOf, fc.string({ maxLength: 3 })).map(([k, v]) => put(k, v)) },
  { weight: 3, arbitrary: keyOf.map((k) => txn([del(k)])) },
  {
    weight: 2,
    arbitrary: fc.tuple(keyOf, fc.string({ maxLength: 3 })).map(([k, v]) => txn([del(k), putOp(`${k}!`, v)])),
  },
  { weight: 1, arbitrary: fc.nat(40).map((revision) => ({ kind: 'compact', revision }) as const) },
);

describe('history', () => {
  it('shows every revision since the compaction as it was, scrubbed or not, with the same hash', () => {
    fc.assert(
      fc.property(fc.array(commandOf, { maxLength: 60 }), (commands) => {
        const [lazy, eager] = [new KvState(), new KvState()];
        const model = new Map<number, string[]>();
        for (const command of commands) {
          const data = encodeCommand(command);
          const [a, b] = [lazy.applyBytes(data, 1), eager.applyBytes(data, 1)];
          expect(a instanceof StoreError).toBe(b instanceof StoreError);
          while (eager.mvcc.scrub(1));
          model.set(lazy.mvcc.revision, show(lazy));
        }
        const { revision, compactRevision } = lazy.mvcc;
        for (const [at, kvs] of model) {
          for (const state of [lazy, eager]) {
            if (at < compactRevision) expect(() => show(state, { revision: at as Revision })).toThrow('compacted');
            else expect(show(state, { revision: at as Revision })).toEqual(kvs);
          }
        }
        for (let at = Math.max(compactRevision, 1); at <= revision; at++) expect(lazy.hash(at)).toEqual(eager.hash(at));
      }),
      { numRuns: 300 },
    );
  });
});
