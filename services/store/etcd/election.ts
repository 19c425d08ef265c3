/** v3electionpb.Election. */
import { status } from '@grpc/grpc-js';
import type {
  ElectionServer,
  LeaderKey,
  LeaderRequest,
  LeaderResponse,
} from '../../../proto/gen/etcd/v3electionpb/election.js';
import { revisionOf } from '../errors.js';
import type { Revision } from '../store.js';
import { EtcdError, failStream } from './errors.js';
import type { EtcdContext } from './context.js';
import { fromKeyValue } from './convert.js';
import { nearestSafe } from './int64.js';
import { enqueue, leave, prefixEnd, prefixOf, toQueueError, waitTurn } from './queue.js';

export function electionService(context: EtcdContext): ElectionServer {
  const { backend } = context;
  const range = (name: Uint8Array) => ({ key: prefixOf(name), rangeEnd: prefixEnd(prefixOf(name)) });
  const first = async (name: Uint8Array) => {
    const { kvs, revision } = await backend.range({ ...range(name), sortTarget: 'createRevision', limit: 1 });
    return { kv: kvs[0], revision };
  };
  return {
    campaign(call, callback) {
      const aborter = new AbortController();
      call.on('cancelled', () => aborter.abort());
      const { name, lease, value } = call.request;
      void (async () => {
        context.require(context.identityOf(call), { kind: 'write', ...range(name) }, { kind: 'read', ...range(name) });
        const place = await enqueue(backend, prefixOf(name), { lease, value });
        if (place.existed) await backend.put({ kind: 'put', key: place.key, value, lease });
        try {
          await waitTurn(backend, prefixOf(name), place, aborter.signal);
        } catch (error) {
          await leave(backend, place);
          throw error;
        }
        return {
          header: context.header(place.storeRevision),
          leader: { name, key: place.key, rev: BigInt(place.revision), lease },
        };
      })().then(
        (answer) => callback(null, answer),
        (error: unknown) => callback(toQueueError(error)),
      );
    },

    proclaim: context.unary(async ({ leader, value }, identity) => {
      const { key, rev, lease } = required(leader);
      context.require(identity, { kind: 'write', key, rangeEnd: Buffer.alloc(0) });
      const { succeeded, revision } = await backend.kvTxn({
        compare: [{ target: 'createRevision', key, op: '=', value: nearestSafe(rev) }],
        success: [{ kind: 'put', key, value, lease }],
        failure: [],
      });
      if (!succeeded) throw new EtcdError(status.UNKNOWN, 'election: not leader');
      return { header: context.header(revision) };
    }),

    resign: context.unary(async ({ leader }, identity) => {
      const { key, rev } = required(leader);
      context.require(identity, { kind: 'write', key, rangeEnd: Buffer.alloc(0) });
      await leave(backend, { key, revision: revisionOf(nearestSafe(rev)) });
      return { header: context.header() };
    }),

    leader: context.unary(async ({ name }: LeaderRequest, identity): Promise<LeaderResponse> => {
      context.require(identity, { kind: 'read', ...range(name) });
      const { kv, revision } = await first(name);
      if (kv === undefined) throw new EtcdError(status.UNKNOWN, 'election: no leader');
      return { header: context.header(revision), kv: fromKeyValue(kv) };
    }),

    observe(call) {
      const aborter = new AbortController();
      call.on('cancelled', () => aborter.abort());
      const { name } = call.request;
      void (async () => {
        context.require(context.identityOf(call), { kind: 'read', ...range(name) });
        let told: Revision | undefined;
        const tell = async () => {
          const { kv, revision } = await first(name);
          if (kv !== undefined && kv.modRevision !== told) {
            told = kv.modRevision;
            call.write({ header: context.header(revision), kv: fromKeyValue(kv) });
          }
          return revision;
        };
        const start = (await tell()) + 1;
        for await (const _ of backend.watch(
          { ...range(name), startRevision: revisionOf(start) },
          { signal: aborter.signal },
        ))
          await tell();
        call.end();
      })().catch((error: unknown) => failStream(call, error));
    },
  };
}

function required(leader: LeaderKey | undefined): LeaderKey {
  if (leader === undefined) throw new EtcdError(status.UNKNOWN, '"leader" field must be provided');
  return leader;
}
