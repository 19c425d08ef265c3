/**
 * Attacks on the store's port: what callers leave unfinished before anybody knows who they are (issue 6, row 2), and
 * requests that are small and touch very many keys (row 31).
 */
import { connect as connectHttp2, constants, type ClientHttp2Session } from 'node:http2';
import { systemClock } from '../../platform/clock.js';
import {
  DeleteRangeRequest,
  LeaseGrantRequest,
  LeaseRevokeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { Connection, frame } from '../bench/grpc-wire.js';
import type { Target } from './flood-tools.js';
import { bounded, credentialsOf, grpcAttack, headersOf, TURN_MS, type Attack } from './flood-tools.js';

const { NGHTTP2_CANCEL } = constants;
const MIB = 2 ** 20;
const PREFIX = '/flood/many/';
const PUTS_IN_TXN = 100;
const FILLERS = 8;

const everything = (more: Partial<RangeRequest> = {}): RangeRequest =>
  RangeRequest.fromPartial({ key: Buffer.from(PREFIX), rangeEnd: Buffer.from('/flood/many0'), ...more });
const txnOf = (ranges: readonly RangeRequest[]): Buffer =>
  frame(
    TxnRequest.encode(
      TxnRequest.fromPartial({
        success: ranges.map((value) => ({ request: { $case: 'requestRange' as const, value } })),
      }),
    ).finish(),
  );

/** A call with the administrator's certificate; rejects for everything but success. */
function ask(connection: Connection, path: string, message: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.unary(path, frame(message), (error) => (error === undefined ? resolve() : reject(error)));
  });
}

async function putMany(
  connection: Connection,
  from: { readonly prefix: string; readonly lease?: bigint },
  count: number,
): Promise<void> {
  let next = 0;
  const filler = async () => {
    while (next < count) {
      const first = next;
      next += PUTS_IN_TXN;
      const puts = Array.from({ length: Math.min(PUTS_IN_TXN, count - first) }, (_, i) => ({
        request: {
          $case: 'requestPut' as const,
          value: PutRequest.fromPartial({
            key: Buffer.from(`${from.prefix}${first + i}`),
            value: Buffer.from('x'),
            lease: from.lease ?? 0n,
          }),
        },
      }));
      await ask(
        connection,
        '/etcdserverpb.KV/Txn',
        TxnRequest.encode(TxnRequest.fromPartial({ success: puts })).finish(),
      );
    }
  };
  await Promise.all(Array.from({ length: FILLERS }, filler));
}

/** So many keys, for what ranges over them. */
export async function fillStore(target: Target, count: number): Promise<void> {
  const connection = await connected(target);
  await putMany(connection, { prefix: PREFIX }, count);
  connection.close();
}

async function connected({ member, tls }: Target): Promise<Connection> {
  const { cert = '', key = '' } = credentialsOf(tls);
  const connection = new Connection(member.endpoint, { ca: tls.ca, cert, key });
  await connection.ready();
  return connection;
}

/** One session for a turn; `open` works on it once it is there. */
function sessionAttack(open: (session: ClientHttp2Session, count: () => void) => void): Attack {
  return ({ member, tls }, count) =>
    new Promise((resolve) => {
      const session = connectHttp2(`https://${member.endpoint}`, { ca: tls.ca, ...credentialsOf(tls) });
      session.on('error', () => undefined);
      bounded(session, resolve);
      session.on('connect', () => {
        open(session, count);
        systemClock.after(TURN_MS, () => session.destroy());
      });
    });
}

/** Messages of 15 MiB that say so and never end. */
const unfinished = sessionAttack((session, count) => {
  const part = Buffer.alloc(MIB, 1);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(15 * MIB, 1);
  for (let i = 0; i < 40 && !session.destroyed; i++) {
    count();
    const stream = session.request(headersOf('/etcdserverpb.KV/Put'));
    stream.on('error', () => undefined);
    stream.write(head);
    for (let sent = 0; sent < 14; sent++) stream.write(part);
  }
});

const STREAMS = 10_000;
const BURST = 100;

/** A burst in each turn of the event loop: the other attackers share it. */
const manyStreams = sessionAttack((session, count) => {
  let opened = 0;
  const burst = () => {
    for (let i = 0; i < BURST && !session.destroyed; i++) {
      count();
      const stream = session.request(headersOf('/etcdserverpb.Watch/Watch'));
      stream.on('error', () => stream.close(NGHTTP2_CANCEL));
    }
    opened += BURST;
    if (opened < STREAMS && !session.destroyed) systemClock.immediate(burst);
  };
  burst();
});

interface Own {
  readonly prefix: string;
  readonly lease: bigint;
}

interface Removal {
  readonly attack: Attack;
  /**
   * Puts the keys that the first attack on this member takes away: what the flood itself costs is then no question of
   * data.
   */
  prepare(target: Target): Promise<void>;
}

/** Keys of its own are put first, and then taken away at once. */
function removal(name: string, keys: number, remove: (connection: Connection, own: Own) => Promise<void>): Removal {
  const prepared = new Map<string, Own>();
  let turn = 0;
  const put = async (connection: Connection, { member }: Target): Promise<Own> => {
    turn += 1;
    const own = {
      prefix: `/flood/${name}/${member.name}/${turn}/`,
      lease: BigInt(1_000_000 * (member.index + 1) + turn) + (name === 'leased' ? 1n << 40n : 0n),
    };
    await ask(
      connection,
      '/etcdserverpb.Lease/LeaseGrant',
      LeaseGrantRequest.encode(LeaseGrantRequest.fromPartial({ ID: own.lease, TTL: 600 })).finish(),
    );
    await putMany(connection, own, keys);
    return own;
  };
  return {
    async prepare(target) {
      const connection = await connected(target);
      prepared.set(target.member.name, await put(connection, target));
      connection.close();
    },
    async attack(target, count) {
      if (target.tls.cert === undefined) return;
      const connection = await connected(target);
      try {
        const own = prepared.get(target.member.name) ?? (await put(connection, target));
        prepared.delete(target.member.name);
        count();
        await remove(connection, own);
      } catch {
        // Refused, or cut off: that is what a member may do.
        count();
        await systemClock.sleep(100);
      } finally {
        connection.close();
      }
    },
  };
}

export interface StoreAttacks {
  readonly attacks: Readonly<Record<string, Attack>>;
  prepare(target: Target): Promise<void>;
}

/** `keys`: that a removal takes away; those that ranges look at are put by `fillStore`. */
export function storeAttacks(keys: number): StoreAttacks {
  const tooMany = frame(
    TxnRequest.encode(
      TxnRequest.fromPartial({
        success: Array.from({ length: 100_000 }, (_, i) => ({
          request: {
            $case: 'requestPut' as const,
            value: PutRequest.fromPartial({ key: Buffer.from(`${PREFIX}${i}`) }),
          },
        })),
      }),
    ).finish(),
  );
  const twenty = Array.from({ length: 20 }, () => everything({ countOnly: true }));
  const byPrefix = removal('prefix', keys, (connection, { prefix }) =>
    ask(
      connection,
      '/etcdserverpb.KV/DeleteRange',
      DeleteRangeRequest.encode(
        DeleteRangeRequest.fromPartial({ key: Buffer.from(prefix), rangeEnd: Buffer.from(`${prefix.slice(0, -1)}0`) }),
      ).finish(),
    ),
  );
  const byLease = removal('leased', keys, (connection, { lease }) =>
    ask(
      connection,
      '/etcdserverpb.Lease/LeaseRevoke',
      LeaseRevokeRequest.encode(LeaseRevokeRequest.fromPartial({ ID: lease })).finish(),
    ),
  );
  const attacks = {
    'store: messages unfinished': unfinished,
    'store: 10,000 streams': manyStreams,
    'store: a Txn with a range over all': grpcAttack(
      '/etcdserverpb.KV/Txn',
      () => txnOf([everything({ keysOnly: true })]),
      50,
    ),
    'store: a Txn of 20 counts': grpcAttack('/etcdserverpb.KV/Txn', () => txnOf(twenty), 50),
    'store: a Txn of 100,000 operations': grpcAttack('/etcdserverpb.KV/Txn', () => tooMany, 50),
    'store: counts': grpcAttack(
      '/etcdserverpb.KV/Range',
      () => frame(RangeRequest.encode(everything({ countOnly: true })).finish()),
      20,
    ),
    'store: a prefix deleted': byPrefix.attack,
    'store: a lease of many keys revoked': byLease.attack,
  };
  return {
    attacks,
    async prepare(target) {
      await byPrefix.prepare(target);
      await byLease.prepare(target);
    },
  };
}
