/** etcdserverpb.Lease. */
import { LeaseService } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { LeaseServer } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { LIMITS } from '../limits.js';
import { StoreError } from '../store.js';
import { failStream } from './errors.js';
import type { EtcdContext } from './context.js';
import { nearestSafe } from './int64.js';
import type { LeaderMonitor } from './leader-monitor.js';
import { StreamWriter } from './stream-writer.js';

export function leaseService(context: EtcdContext, leader: LeaderMonitor): LeaseServer {
  const { backend } = context;
  return {
    leaseGrant: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'lease-grant' });
      const { id, ttl_s } = await backend.leaseGrant({
        id: request.ID,
        ttl_s: Math.max(nearestSafe(request.TTL), LIMITS.clientLeaseTtlMin_s),
      });
      return { header: context.header(), ID: id, TTL: ttl_s, error: '' };
    }),

    leaseRevoke: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'lease-revoke' });
      await revokeAllowed(context, identity, request.ID);
      await backend.leaseRevoke(request.ID);
      return { header: context.header() };
    }),

    leaseKeepAlive(call) {
      leader.follow(call);
      const identity = context.identityOf(call);
      // Renewals that were under way together are answered in one piece.
      const writer = new StreamWriter({
        call,
        serialize: LeaseService.leaseKeepAlive.responseSerialize,
        onDrain: () => undefined,
      });
      let pending = 0;
      let ended = false;
      const finish = () => {
        if (ended && pending === 0) writer.end();
      };
      call.on('data', ({ ID }) => {
        pending++;
        void (async () => {
          try {
            context.require(identity, { kind: 'lease-keep-alive' });
            const TTL = await renew(context, ID);
            writer.write({ header: context.header(), ID, TTL });
          } catch (error) {
            failStream(call, error);
          }
          pending--;
          finish();
        })();
      });
      call.on('end', () => {
        ended = true;
        finish();
      });
      // A client that goes away is no fault of ours.
      call.on('error', () => undefined);
    },

    leaseTimeToLive: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'lease-read' });
      const info = await backend.leaseInfo(request.ID, { keys: request.keys });
      const keys = info.keys.map((key) => Buffer.from(key));
      for (const key of keys) context.require(identity, { kind: 'read', key, rangeEnd: Buffer.alloc(0) });
      return { header: context.header(), ID: request.ID, TTL: info.ttl_s, grantedTTL: info.grantedTtl_s, keys };
    }),

    leaseLeases: context.unary(async (_request, identity) => {
      context.require(identity, { kind: 'lease-read' });
      return { header: context.header(), leases: (await backend.leases()).map((ID) => ({ ID })) };
    }),
  };
}

/** Revoking a lease deletes its keys: who does it must be allowed to write each of them. */
async function revokeAllowed(
  context: EtcdContext,
  identity: Parameters<EtcdContext['allows']>[0],
  id: bigint,
): Promise<void> {
  const everything = { kind: 'write', key: Buffer.from([0]), rangeEnd: Buffer.from([0]) } as const;
  if (context.allows(identity, everything)) return;
  for (const key of (await context.backend.leaseInfo(id)).keys)
    context.require(identity, { kind: 'write', key, rangeEnd: Buffer.alloc(0) });
}

/** 0: there is no such lease. It is not an error on this stream. */
async function renew(context: EtcdContext, id: bigint): Promise<number> {
  try {
    return (await context.backend.leaseKeepAlive(id)).ttl_s;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'lease-not-found') return 0;
    throw error;
  }
}
