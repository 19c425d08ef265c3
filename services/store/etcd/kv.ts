/** etcdserverpb.KV. */
import { KVService } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { KVServer } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { revisionOf } from '../errors.js';
import type { RangeResult } from '../store.js';
import { failStream } from './context.js';
import type { EtcdContext } from './context.js';
import { fromDelete, fromKeyValue, fromRange, fromTxn, operationsOf, toDelete, toPut, toRange, toTxn, writeOperations } from './convert.js';
import { serializePutResponse } from './put-response.js';

const STREAM_KVS = 500;

export const kvDefinition = { ...KVService, put: { ...KVService.put, responseSerialize: serializePutResponse } };

export function kvService(context: EtcdContext): KVServer {
  const { backend } = context;
  return {
    range: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'read', key: request.key, rangeEnd: request.rangeEnd });
      const range = await backend.range(toRange(request));
      return fromRange(range, context.header(range.revision));
    }),

    rangeStream(call) {
      void (async () => {
        context.require(context.identityOf(call), { kind: 'read', key: call.request.key, rangeEnd: call.request.rangeEnd });
        const range = await backend.range(toRange(call.request));
        const header = context.header(range.revision);
        for (const rangeResponse of parts(range)) {
          const more = call.write({ rangeResponse: { header, ...rangeResponse } });
          if (!more && !call.cancelled) await new Promise<void>((resolve) => void call.once('drain', resolve).once('cancelled', resolve));
          if (call.cancelled) return;
        }
        call.end();
      })().catch((error: unknown) => failStream(call, error));
    },

    put: context.unary(async (request, identity) => {
      const put = toPut(request);
      context.require(identity, ...writeOperations(put));
      const { revision, prevKv } = await backend.put(put);
      return { header: context.header(revision), prevKv: prevKv === undefined ? undefined : fromKeyValue(prevKv) };
    }),

    deleteRange: context.unary(async (request, identity) => {
      const op = toDelete(request);
      context.require(identity, ...writeOperations(op));
      const txn = await backend.kvTxn({ compare: [], success: [op], failure: [] });
      const [result] = txn.results;
      return fromDelete(result?.kind === 'delete' ? result : { deleted: 0, prevKvs: [] }, context.header(txn.revision));
    }),

    txn: context.unary(async (request, identity) => {
      const txn = toTxn(request, context.txnOps_max);
      context.require(identity, ...operationsOf(txn));
      const result = await backend.kvTxn(txn);
      return fromTxn(result, context.header(result.revision));
    }),

    compact: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'compact' });
      await backend.compact(revisionOf(Math.max(0, request.revision)));
      return { header: context.header() };
    }),
  };
}

/** A range in parts; the last alone says how many there are. */
function* parts(range: RangeResult): Generator<{ kvs: ReturnType<typeof fromKeyValue>[]; more: boolean; count: number }> {
  for (let at = 0; at === 0 || at < range.kvs.length; at += STREAM_KVS) {
    const last = at + STREAM_KVS >= range.kvs.length;
    yield { kvs: range.kvs.slice(at, at + STREAM_KVS).map(fromKeyValue), more: last && range.more, count: last ? range.count : 0 };
  }
}
