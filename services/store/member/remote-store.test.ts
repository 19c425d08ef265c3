/** The two ends of a member's port in one thread: long results come ahead in pages, and are whole at the other side. */
import { MessageChannel } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import { decodeKvs, PAGE_KVS } from '../encoded-kvs.js';
import type { KvTxn } from '../mvcc/operations.js';
import { revisionOf } from '../errors.js';
import type { MemberCore } from './core.js';
import { MemberHost } from './host.js';
import { RemoteStore } from './remote-store.js';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const kvOf = (i: number) => ({ key: Buffer.from(`key${i}`), value: Buffer.from(`value${i}`), createRevision: revisionOf(i + 1), modRevision: revisionOf(i + 2), version: 1, lease: BigInt(i) });
const COUNT = 3 * PAGE_KVS + 7;
const KVS = Array.from({ length: COUNT }, (_, i) => kvOf(i));
const RANGE = { count: COUNT, more: false, revision: revisionOf(9) };

/** A store whose core answers as it is told. */
function storeOn(core: Partial<MemberCore>): RemoteStore {
  const { port1, port2 } = new MessageChannel();
  const host = new MemberHost(port2, systemClock, () => undefined);
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
  const results = [
    { kind: 'range', range: { ...RANGE, kvs: KVS } }, { kind: 'put' }, { kind: 'delete', deleted: COUNT, prevKvs: KVS },
    { kind: 'txn', txn: { succeeded: false, revision: revisionOf(9), results: [{ kind: 'range', range: { ...RANGE, kvs: KVS.slice(0, PAGE_KVS + 1) } }, { kind: 'range', range: { ...RANGE, kvs: [] } }] } },
  ] as const;
  const store = storeOn({
    proposeBytes: () => Promise.resolve({ kind: 'txn', txn: { succeeded: true, revision: revisionOf(9), results } }),
    longWork: (slices) => {
      for (;;) {
        const slice = slices.next();
        if (slice.done === true) return Promise.resolve(slice.value);
      }
    },
  });
  const txn: KvTxn = { compare: [], success: [{ kind: 'put', key: Buffer.from('a'), value: Buffer.from('b') }], failure: [] };
  expect(await store.kvTxn(txn)).toEqual({ succeeded: true, revision: revisionOf(9), results });
});
