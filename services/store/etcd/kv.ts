/** etcdserverpb.KV. */
import type { handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';
import { KVService } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type {
  DeleteRangeRequest,
  KVServer,
  RangeRequest,
  TxnRequest,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { revisionOf } from '../errors.js';
import { deleteAnswer, rangeAnswer, rangeAnswers, serializeAnswer, txnAnswer } from './answers.js';
import type { Answer } from './answers.js';
import { failStream } from './errors.js';
import type { EtcdContext } from './context.js';
import { fromKeyValue, operationsOf, toDelete, toPut, toRange, toTxn, writeOperations } from './convert.js';
import { nearestSafe } from './int64.js';
import { serializePutResponse } from './put-response.js';

/** What may be long is made of bytes, and not of objects for each key. */
export const kvDefinition = {
  ...KVService,
  range: { ...KVService.range, responseSerialize: serializeAnswer },
  rangeStream: { ...KVService.rangeStream, responseSerialize: serializeAnswer },
  put: { ...KVService.put, responseSerialize: serializePutResponse },
  deleteRange: { ...KVService.deleteRange, responseSerialize: serializeAnswer },
  txn: { ...KVService.txn, responseSerialize: serializeAnswer },
};

type KvServer = Pick<KVServer, 'put' | 'compact'> & {
  readonly range: handleUnaryCall<RangeRequest, Answer>;
  readonly rangeStream: handleServerStreamingCall<RangeRequest, Answer>;
  readonly deleteRange: handleUnaryCall<DeleteRangeRequest, Answer>;
  readonly txn: handleUnaryCall<TxnRequest, Answer>;
};

export function kvService(context: EtcdContext): KvServer {
  const { backend } = context;
  return {
    range: context.long(async (request, identity) => {
      context.require(identity, { kind: 'read', key: request.key, rangeEnd: request.rangeEnd });
      const range = await backend.rangeEncoded(toRange(request));
      return rangeAnswer(range, context.header(range.revision));
    }),

    rangeStream(call) {
      void (async () => {
        context.require(context.identityOf(call), {
          kind: 'read',
          key: call.request.key,
          rangeEnd: call.request.rangeEnd,
        });
        const range = await backend.rangeEncoded(toRange(call.request));
        try {
          for (const answer of rangeAnswers(range, context.header(range.revision))) {
            const more = call.write(answer);
            if (!more && !call.cancelled)
              await new Promise<void>((resolve) => void call.once('drain', resolve).once('cancelled', resolve));
            if (call.cancelled) return;
          }
          call.end();
        } finally {
          range.release?.();
        }
      })().catch((error: unknown) => failStream(call, error));
    },

    put: context.unary(async (request, identity) => {
      const put = toPut(request);
      context.require(identity, ...writeOperations(put));
      const { revision, prevKv } = await backend.put(put);
      return { header: context.header(revision), prevKv: prevKv === undefined ? undefined : fromKeyValue(prevKv) };
    }),

    deleteRange: context.long(async (request, identity) => {
      const op = toDelete(request);
      context.require(identity, ...writeOperations(op));
      const txn = await backend.kvTxnEncoded({ compare: [], success: [op], failure: [] });
      const [result] = txn.results;
      const answer = deleteAnswer(
        result?.kind === 'delete' ? result : { deleted: 0, prevKvs: [] },
        context.header(txn.revision),
      );
      return { ...answer, release: txn.release };
    }),

    txn: context.long(async (request, identity) => {
      const txn = toTxn(request, context.txnOps_max);
      context.require(identity, ...operationsOf(txn));
      const result = await backend.kvTxnEncoded(txn);
      return txnAnswer(result, context.header(result.revision));
    }),

    compact: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'compact' });
      await backend.compact(revisionOf(Math.max(0, nearestSafe(request.revision))));
      return { header: context.header() };
    }),
  };
}
