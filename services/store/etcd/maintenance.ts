/** etcdserverpb.Maintenance. */
import { status } from '@grpc/grpc-js';
import { AlarmRequest_AlarmAction } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { MaintenanceServer, StatusResponse } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { nodeIdOf } from './cluster.js';
import { EtcdError, unimplemented } from './context.js';
import type { EtcdContext } from './context.js';

/** The etcd whose API this is: clients look at it before they use what came later. */
const ETCD_VERSION = '3.5.16';

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
      const { hash, revision, compactRevision } = await backend.hash(Math.max(0, request.revision));
      return { header: context.header(), hash, compactRevision, hashRevision: revision };
    }),
    moveLeader: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'maintain' });
      const target = nodeIdOf(request.targetID);
      if (context.member === undefined || target === undefined) throw new EtcdError(status.NOT_FOUND, 'etcdserver: bad leader transferee');
      const raft = await context.member.raftStatus();
      if (raft.leader !== raft.id) throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: not leader');
      if (!raft.membership.voters.includes(target)) throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: bad leader transferee');
      await context.member.transferLeadership(target);
      return { header: context.header() };
    }),
    alarm: context.unary((request, identity) => {
      context.require(identity, { kind: request.action === AlarmRequest_AlarmAction.GET ? 'status' : 'maintain' });
      if (request.action === AlarmRequest_AlarmAction.ACTIVATE) throw unimplemented('alarms are raised by the members alone');
      return { header: context.header(), alarms: [] };
    }),
    defragment: context.unary(() => {
      throw unimplemented('space is given back as history is compacted: there is nothing to defragment');
    }),
    snapshot(call) {
      call.destroy(unimplemented('snapshots are taken with `navarch snapshot save`'));
    },
    downgrade: context.unary(() => {
      throw unimplemented('there is no etcd to downgrade to');
    }),
  };
}

async function statusOf(context: EtcdContext): Promise<StatusResponse> {
  const { backend } = context;
  const [store, raft] = await Promise.all([backend.status(), context.member?.raftStatus()]);
  return {
    header: context.header(store.revision),
    version: ETCD_VERSION,
    dbSize: store.dbSize_bytes,
    dbSizeInUse: store.dbSize_bytes,
    leader: raft === undefined ? context.backend.head.memberId : BigInt(raft.leader ?? 0),
    raftIndex: raft?.commitIndex ?? store.appliedIndex,
    raftTerm: store.term,
    raftAppliedIndex: store.appliedIndex,
    errors: raft !== undefined && raft.leader === undefined ? ['etcdserver: no leader'] : [],
    isLearner: raft?.role === 'learner',
    storageVersion: '3.5.0',
    dbSizeQuota: 0,
    downgradeInfo: undefined,
  };
}
