/** etcdserverpb.Maintenance. */
import { status } from '@grpc/grpc-js';
import type { Metadata } from '@grpc/grpc-js';
import { AlarmRequest_AlarmAction, AlarmType } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { AlarmRequest, MaintenanceServer, StatusResponse } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { ALARM_KINDS } from '../mvcc/alarms.js';
import type { Alarm } from '../mvcc/alarms.js';
import { nodeIdOf } from './cluster.js';
import { EtcdError, failStream, unimplemented } from './errors.js';
import type { EtcdContext } from './context.js';
import { nearestSafe } from './int64.js';

/** The etcd whose API this is: clients look at it before they use what came later. */
export const ETCD_VERSION = '3.5.16';

export function maintenanceService(context: EtcdContext): MaintenanceServer {
  const { backend } = context;
  return {
    status: context.unary(async (_request, identity) => {
      context.require(identity, { kind: 'status' });
      return statusOf(context);
    }),
    hash: context.unary(async (_request, identity) => {
      context.require(identity, { kind: 'status' });
      const { hash, revision } = await backend.hash(0);
      return { header: context.header(revision), hash };
    }),
    hashKv: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'status' });
      const { hash, revision, compactRevision } = await backend.hash(Math.max(0, nearestSafe(request.revision)));
      // As etcd says that nothing was compacted yet.
      return {
        header: context.header(),
        hash,
        compactRevision: compactRevision === 0 ? -1 : compactRevision,
        hashRevision: revision,
      };
    }),
    moveLeader: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'maintain' });
      const target = nodeIdOf(request.targetID);
      if (context.member === undefined || target === undefined)
        throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: bad leader transferee');
      const raft = await context.member.raftStatus();
      if (raft.leader !== raft.id) throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: not leader');
      if (!raft.membership.voters.includes(target))
        throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: bad leader transferee');
      await context.member.transferLeadership(target);
      return { header: context.header() };
    }),
    alarm: context.unary(async (request, identity) => {
      context.require(identity, { kind: request.action === AlarmRequest_AlarmAction.GET ? 'status' : 'maintain' });
      const alarms = await runAlarm(context, request);
      return {
        header: context.header(),
        alarms: alarms.map(({ member, kind }) => ({ memberID: member, alarm: ALARM_TYPES[kind] })),
      };
    }),
    defragment: context.unary(async (_request, identity) => {
      context.require(identity, { kind: 'maintain' });
      await backend.reclaim();
      return { header: context.header() };
    }),
    snapshot(call) {
      const abort = new AbortController();
      call.on('cancelled', () => abort.abort());
      void (async () => {
        context.require(context.identityOf(call), { kind: 'maintain' });
        for await (const blob of backend.saveSnapshot({
          signal: abort.signal,
          ...(isOurClient(call.metadata) ? {} : { format: 'etcd' as const }),
        })) {
          if (call.cancelled) return;
          const more = call.write({
            header: context.header(),
            remainingBytes: 0,
            blob: Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength),
            version: '',
          });
          if (!more) await new Promise<void>((resolve) => void call.once('drain', resolve).once('cancelled', resolve));
        }
        call.end();
      })().catch((error: unknown) => failStream(call, error));
    },
    downgrade: context.unary((_request, identity) => {
      context.require(identity, { kind: 'maintain' });
      throw unimplemented('there is no etcd to downgrade to');
    }),
  };
}

/** Our own client asks for our own form; everybody else's tools read etcd's. */
export const SNAPSHOT_FORMAT_KEY = 'navarch-snapshot-format';
const isOurClient = (metadata: Metadata) => metadata.get(SNAPSHOT_FORMAT_KEY)[0] === 'navarch';

const ALARM_TYPES = { nospace: AlarmType.NOSPACE, corrupt: AlarmType.CORRUPT, disk: AlarmType.NOSPACE } as const;

/** What is asked for, or what was changed. Member 0 means any; no type means all. */
async function runAlarm(
  { backend }: EtcdContext,
  { action, memberID, alarm }: AlarmRequest,
): Promise<readonly Alarm[]> {
  const raised = await backend.alarms();
  const matching = raised.filter(
    ({ member, kind }) =>
      (memberID === 0n || member === memberID) && (alarm === AlarmType.NONE || ALARM_TYPES[kind] === alarm),
  );
  switch (action) {
    case AlarmRequest_AlarmAction.GET:
      return matching;
    case AlarmRequest_AlarmAction.ACTIVATE: {
      const kind = ALARM_KINDS.find((one) => ALARM_TYPES[one] === alarm);
      if (kind === undefined) throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: no such alarm');
      const wanted = { member: memberID === 0n ? backend.head.memberId : memberID, kind };
      await backend.changeAlarm('raise', wanted);
      return [wanted];
    }
    case AlarmRequest_AlarmAction.DEACTIVATE:
      for (const one of matching) await backend.changeAlarm('clear', one);
      return matching;
    default:
      throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: no such action');
  }
}

async function statusOf(context: EtcdContext): Promise<StatusResponse> {
  const { backend } = context;
  const [store, raft] = await Promise.all([backend.status(), context.member?.raftStatus()]);
  const alarms = (store.alarms ?? []).map(
    ({ member, kind }) => `memberID:${member} alarm:${kind === 'corrupt' ? 'CORRUPT' : 'NOSPACE'} `,
  );
  return {
    header: context.header(store.revision),
    version: ETCD_VERSION,
    dbSize: store.dbAllocated_bytes ?? store.dbSize_bytes,
    dbSizeInUse: store.dbSize_bytes,
    leader: raft === undefined ? context.backend.head.memberId : BigInt(raft.leader ?? 0),
    raftIndex: raft?.commitIndex ?? store.appliedIndex,
    raftTerm: store.term,
    raftAppliedIndex: store.appliedIndex,
    errors: [...(raft !== undefined && raft.leader === undefined ? ['etcdserver: no leader'] : []), ...alarms],
    isLearner: raft?.role === 'learner',
    storageVersion: '3.5.0',
    dbSizeQuota: store.quota_bytes ?? 0,
    downgradeInfo: undefined,
  };
}
