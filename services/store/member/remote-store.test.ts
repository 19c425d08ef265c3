/** The two ends of a member's port in one thread: long results come ahead in pages, and are whole at the other side. */
import { MessageChannel } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import { finish } from '../../../platform/slices.js';
import { decodeKvs, encodeKvs, KVS_FIELD, PAGE_KVS } from '../mvcc/encoded-kvs.js';
import type { KvsField } from '../mvcc/encoded-kvs.js';
import { revisionOf } from '../errors.js';
import type { CommandResult, KvTxn } from '../mvcc/operations.js';
import { isPacked, unpackResult } from '../mvcc/packed-results.js';
import type { MemberCore } from './core.js';
import { MemberHost } from './host.js';
import { PagesAhead } from './pages-ahead.js';
import { RemoteStore } from './remote-store.js';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const kvOf = (i: number) => ({
  key: Buffer.from(`key${i}`),
  value: Buffer.from(`value${i}`),
  createRevision: revisionOf(i + 1),
  modRevision: revisionOf(i + 2),
  version: 1,
  lease: BigInt(i),
});
const COUNT = 3 * PAGE_KVS + 7;
const KVS = Array.from({ length: COUNT }, (_, i) => kvOf(i));
const RANGE = { count: COUNT, more: false, revision: revisionOf(9) };

const packed = <F extends KvsField>(field: F) => ({
  packed: encodeKvs(KVS.slice(0, 3 * PAGE_KVS), field),
  spilled: 3 * PAGE_KVS,
});
const [LAST, PACKED_RANGE] = [KVS.slice(3 * PAGE_KVS), packed(KVS_FIELD.range)];
const LONG_RANGE = { kind: 'range', range: { ...RANGE, kvs: LAST, ...PACKED_RANGE } } as const;
const PACKED: CommandResult = {
  kind: 'txn',
  txn: {
    succeeded: true,
    revision: revisionOf(9),
    results: [
      LONG_RANGE,
      { kind: 'put' },
      { kind: 'delete', deleted: COUNT, prevKvs: LAST, ...packed(KVS_FIELD.delete) },
      {
        kind: 'txn',
        txn: {
          succeeded: false,
          revision: revisionOf(9),
          results: [LONG_RANGE, { kind: 'range', range: { ...RANGE, kvs: [] } }],
        },
      },
    ],
  },
};

/** A store whose core answers as it is told. */
function storeOn(core: Partial<MemberCore>, pages?: PagesAhead): RemoteStore {
  const { port1, port2 } = new MessageChannel();
  const host = new MemberHost(port2, systemClock, {
    onClosed: () => undefined,
    ...(pages === undefined ? {} : { pages }),
  });
  const store = new RemoteStore({ port: port1, clock: systemClock, random: systemRandom, onFatal: () => undefined });
  host.serve({ head: { clusterId: 1n, memberId: 1n, term: 1 }, revision: revisionOf(9), ...core } as MemberCore);
  open.push(() => {
    port1.close();
    port2.close();
  });
  return store;
}

it('a range is read again from the beginning: what came ahead of an earlier attempt is void', async () => {
  const store = storeOn({
    range: (_request, options) => {
      options?.spill?.([kvOf(77_777)], 0);
      for (let at = 0; at < 3 * PAGE_KVS; at += PAGE_KVS) options?.spill?.(KVS.slice(at, at + PAGE_KVS), 1);
      return Promise.resolve({ ...RANGE, kvs: KVS.slice(3 * PAGE_KVS), spilled: 3 * PAGE_KVS });
    },
  });
  expect(await store.range({ key: Buffer.from('a'), rangeEnd: Buffer.from('z') })).toEqual({ ...RANGE, kvs: KVS });
  const { kvs } = await store.rangeEncoded({ key: Buffer.from('a'), rangeEnd: Buffer.from('z') });
  expect(kvs.map(({ count }) => count)).toEqual([PAGE_KVS, PAGE_KVS, PAGE_KVS, 7]);
  expect(decodeKvs(kvs)).toEqual(KVS);
});

it('results of a transaction have each its own pages', async () => {
  const store = storeOn({
    proposeBytes: () => Promise.resolve(PACKED),
    longWork: (slices) => Promise.resolve(finish(slices)),
  });
  const txn: KvTxn = {
    compare: [],
    success: [{ kind: 'put', key: Buffer.from('a'), value: Buffer.from('b') }],
    failure: [],
  };
  const whole = unpackResult(PACKED);
  expect(isPacked(PACKED)).toBe(true);
  expect(await store.kvTxn(txn)).toEqual(whole.kind === 'txn' ? whole.txn : undefined);
});

/** Issue 6, row 31: many such transactions at once, of clients that take nothing, held as many results. */
it('the answer of a transaction is not kept beside too much that clients have not taken; the outcome is unknown then, and there is room again later', async () => {
  const pages = new PagesAhead(1, 1000);
  const store = storeOn(
    { proposeBytes: () => Promise.resolve(PACKED), longWork: (slices) => Promise.resolve(finish(slices)) },
    pages,
  );
  const txn: KvTxn = {
    compare: [],
    success: [{ kind: 'put', key: Buffer.from('a'), value: Buffer.from('b') }],
    failure: [],
  };
  const first = await store.kvTxnEncoded(txn);
  expect(pages.total_bytes).toBeGreaterThan(1000);
  await expect(store.kvTxn(txn)).rejects.toMatchObject({
    code: 'unknown-outcome',
    message: expect.stringContaining('was applied, but its answer is too long') as string,
  });
  first.release?.();
  const whole = unpackResult(PACKED);
  expect(await store.kvTxn(txn)).toEqual(whole.kind === 'txn' ? whole.txn : undefined);
});
