/**
 * Numbers at the edges of 64 bits, asked of etcd and of ours: every field of a request that holds one. Ours counts in
 * safe integers; what is beyond them is answered as by etcd.
 */
import fc from 'fast-check';
import { describe } from 'vitest';
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { Compare } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { all, sideBySide } from './testing/side-by-side.js';
import { bytes, ops } from './testing/subject.js';
import type { Plain, Subject } from './testing/subject.js';

const SAFE = 2n ** 53n - 1n;
const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);
const EDGES = [
  MAX,
  MAX - 1n,
  2n ** 62n,
  SAFE + 2n,
  SAFE + 1n,
  SAFE,
  2n ** 32n,
  1n,
  0n,
  -1n,
  -(2n ** 32n),
  -SAFE,
  -SAFE - 1n,
  -SAFE - 2n,
  -(2n ** 62n),
  MIN + 1n,
  MIN,
];
const UNSIGNED = [2n ** 64n - 1n, 2n ** 64n - 2n, 2n ** 63n, MAX, SAFE + 2n, SAFE + 1n, SAFE];
const int64 = fc.oneof(fc.constantFrom(...EDGES), fc.bigInt(MIN, MAX), fc.bigInt(-5n, 5n));

const BOUNDS = ['minModRevision', 'maxModRevision', 'minCreateRevision', 'maxCreateRevision'] as const;
const RESULTS = [
  Compare_CompareResult.EQUAL,
  Compare_CompareResult.GREATER,
  Compare_CompareResult.LESS,
  Compare_CompareResult.NOT_EQUAL,
];
const TARGETS = {
  version: Compare_CompareTarget.VERSION,
  createRevision: Compare_CompareTarget.CREATE,
  modRevision: Compare_CompareTarget.MOD,
  lease: Compare_CompareTarget.LEASE,
} as const;

function guards(key: string, value: bigint): Compare[] {
  return (Object.keys(TARGETS) as (keyof typeof TARGETS)[]).flatMap(($case) =>
    RESULTS.map((result): Compare => ({
      key: bytes(key),
      target: TARGETS[$case],
      result,
      targetUnion: { $case, value },
      rangeEnd: bytes(''),
    })),
  );
}

const range = { rangeEnd: bytes('e0') };
async function fill(s: Subject): Promise<void> {
  await s.del('e/', range);
  for (const key of ['a', 'b', 'b', 'c']) await s.put(`e/${key}`, key);
}

sideBySide('numbers of 64 bits', { thread: true }, (same) => {
  describe('KV', () => {
    for (const field of ['limit', 'revision', ...BOUNDS] as const) {
      same(`Range: ${field}`, async (s) => {
        await fill(s);
        // A store that never was compacted takes -1 inside of transactions, as nothing else below zero.
        if (field === 'revision') await s.compact(s.at(2));
        return all(
          EDGES.flatMap((value) =>
            [
              {},
              { countOnly: true },
              { keysOnly: true, sortOrder: RangeRequest_SortOrder.DESCEND },
              { limit: 1n, sortTarget: RangeRequest_SortTarget.MOD },
            ].flatMap((more) => [
              () => s.range('e/', { ...range, ...more, [field]: value }),
              () => s.txn({ success: [ops.range('e/', { ...range, ...more, [field]: value })] }),
            ]),
          ),
        );
      });
    }

    same('Range: all of them together', async (s) => {
      await fill(s);
      const asked = fc.sample(
        fc.record(
          {
            limit: int64,
            minModRevision: int64,
            maxModRevision: int64,
            minCreateRevision: int64,
            maxCreateRevision: int64,
          },
          { requiredKeys: [] },
        ),
        { seed: 6, numRuns: 150 },
      );
      return all(
        asked.flatMap((more) => [
          () => s.range('e/', { ...range, ...more }),
          () => s.txn({ success: [ops.range('e/', { ...range, ...more }), ops.put('e/d', '1')] }),
        ]),
      );
    });

    same('Compact', async (s) => {
      await fill(s);
      return all([
        ...EDGES.filter((value) => value !== 1n && value !== 0n).map((value) => () => s.compact(value)),
        () => s.compact(MAX, true),
      ]);
    });

    same('Put: lease', (s) =>
      all(
        EDGES.flatMap((lease) => [
          () => s.put('e/l', 'x', { lease }),
          () => s.put('e/none', 'x', { lease, ignoreLease: true }),
          () => s.txn({ success: [ops.put('e/l', 'x', { lease })] }),
        ]),
      ),
    );

    same('Txn: what is compared with', async (s) => {
      await fill(s);
      return all(
        EDGES.flatMap((value) =>
          ['e/b', 'e/none'].flatMap((key) => guards(key, value)).map((compare) => () => s.txn({ compare: [compare] })),
        ),
      );
    });
  });

  describe('Lease', () => {
    same('LeaseGrant: TTL', (s) =>
      all(
        EDGES.filter((value) => value > 2n || value < 0n).map(
          (TTL, i) => () => s.ask(s.lease, s.lease.leaseGrant, { ID: BigInt(1000 + i), TTL }),
        ),
      ),
    );

    same('ids', async (s) => {
      const { lease } = s;
      return all(
        EDGES.filter((value) => value !== 0n).flatMap((ID) => [
          () => s.ask(lease, lease.leaseRevoke, { ID }),
          () => s.ask(lease, lease.leaseTimeToLive, { ID, keys: true }),
          () => s.keepAlive(ID),
          () => s.ask(lease, lease.leaseGrant, { ID, TTL: 500n }),
          () => s.ask(lease, lease.leaseGrant, { ID, TTL: 500n }),
          () => s.put('e/leased', '1', { lease: ID, prevKv: true }),
          async () => ({
            ...((await s.ask(lease, lease.leaseTimeToLive, { ID, keys: true })) as object),
            TTL: undefined,
          }),
          () => s.keepAlive(ID),
          () => s.range('e/leased'),
          () => s.ask(lease, lease.leaseRevoke, { ID }),
          () => s.range('e/leased'),
        ]),
      );
    });
  });

  describe('Watch', () => {
    same('start_revision', async (s) => {
      const told: Plain[] = [];
      for (const startRevision of EDGES.filter((value) => value > 1n)) {
        const tape = s.openWatch();
        await tape.create({ key: bytes('e/w'), startRevision });
        await s.put('e/w', '1');
        told.push(await tape.tell());
      }
      return told;
    });

    same('watch_id: given, told and cancelled', async (s) => {
      const tape = s.openWatch();
      for (const watchId of [...EDGES, MAX, MIN]) await tape.create({ key: bytes('e/i'), watchId });
      await s.put('e/i', '1');
      for (const watchId of EDGES) await tape.cancel(watchId);
      return tape.tell();
    });
  });

  describe('the rest', () => {
    same('HashKV, MoveLeader, members, alarms', async (s) => {
      const { maintenance: m, cluster: c } = s;
      const peerURLs = ['http://127.0.0.1:1'];
      return all([
        ...EDGES.filter((value) => value > SAFE - 1n).map((revision) => () => s.ask(m, m.hashKv, { revision })),
        ...UNSIGNED.flatMap((ID) => [
          () => s.ask(m, m.moveLeader, { targetID: ID }),
          () => s.ask(c, c.memberRemove, { ID }),
          () => s.ask(c, c.memberUpdate, { ID, peerURLs }),
          () => s.ask(c, c.memberPromote, { ID }),
          async () => ({
            ...((await s.ask(m, m.alarm, { action: 1, memberID: ID, alarm: 2 })) as object),
            header: undefined,
          }),
          async () => ({
            ...((await s.ask(m, m.alarm, { action: 2, memberID: ID, alarm: 2 })) as object),
            header: undefined,
          }),
        ]),
      ]);
    });

    same('Lock and Election', async (s) => {
      const { lock, election: e, lease } = s;
      const name = bytes('edge');
      const told: Plain[] = [];
      for (const ID of EDGES.filter((value) => value !== 0n)) {
        told.push(
          await s.ask(lock, lock.lock, { name, lease: ID }),
          await s.ask(e, e.campaign, { name, lease: ID, value: bytes('x') }),
        );
        told.push(
          await s.ask(e, e.proclaim, { leader: { name, key: bytes('edge/k'), rev: ID, lease: ID }, value: bytes('x') }),
          await s.ask(e, e.resign, { leader: { name, key: bytes('edge/k'), rev: ID, lease: ID } }),
        );
        await s.ask(lease, lease.leaseGrant, { ID, TTL: 500n });
        told.push(
          await s.ask(lock, lock.lock, { name, lease: ID }),
          await s.ask(e, e.campaign, { name: bytes('chair'), lease: ID, value: bytes('x') }),
        );
        await s.ask(lease, lease.leaseRevoke, { ID });
      }
      return told;
    });
  });
});
