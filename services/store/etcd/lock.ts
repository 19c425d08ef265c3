/** v3lockpb.Lock. */
import type { LockServer } from '../../../proto/gen/etcd/v3lockpb/lock.js';
import type { EtcdContext } from './context.js';
import { enqueue, leave, prefixEnd, prefixOf, toQueueError, waitTurn } from './queue.js';

export function lockService(context: EtcdContext): LockServer {
  const { backend } = context;
  return {
    lock(call, callback) {
      const aborter = new AbortController();
      call.on('cancelled', () => aborter.abort());
      void (async () => {
        const prefix = prefixOf(call.request.name);
        context.require(
          context.identityOf(call),
          { kind: 'write', key: prefix, rangeEnd: prefixEnd(prefix) },
          { kind: 'read', key: prefix, rangeEnd: prefixEnd(prefix) },
        );
        const lease = call.request.lease === 0n ? (await backend.leaseGrant({ ttl_s: 60 })).id : call.request.lease;
        const place = await enqueue(backend, prefix, { lease, value: Buffer.alloc(0) });
        try {
          await waitTurn(backend, prefix, place, aborter.signal);
        } catch (error) {
          await leave(backend, place);
          throw error;
        }
        return place.key;
      })().then(
        (key) => callback(null, { header: context.header(), key }),
        (error: unknown) => callback(toQueueError(error)),
      );
    },
    unlock: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'write', key: request.key, rangeEnd: Buffer.alloc(0) });
      const { revision } = await backend
        .kvTxn({ compare: [], success: [{ kind: 'delete', key: request.key }], failure: [] })
        .catch((error: unknown) => {
          throw toQueueError(error);
        });
      return { header: context.header(revision) };
    }),
  };
}
