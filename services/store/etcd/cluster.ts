/** etcdserverpb.Cluster. Members join by a token and a signed certificate, not by a URL: MemberAdd says so. */
import { status } from '@grpc/grpc-js';
import type { ClusterServer, Member } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { MembershipChange, NodeId, PeerInfo, RaftStatus } from '../../../raft/contract.js';
import { EtcdError, unimplemented } from './errors.js';
import type { EtcdContext } from './context.js';

export function clusterService(context: EtcdContext): ClusterServer {
  const members = async (): Promise<Member[]> => {
    if (context.member === undefined) return [];
    const { membership } = await context.member.raftStatus();
    const learners = new Set([...membership.learners, ...membership.learnersNext]);
    return membership.peers.map((peer) => toMember(peer, learners.has(peer.id), context.scheme));
  };
  const peer = async (id: bigint): Promise<PeerInfo> => {
    const { membership } = (await context.member?.raftStatus()) ?? { membership: undefined };
    const found = membership?.peers.find((one) => BigInt(one.id) === id);
    if (found === undefined) throw new EtcdError(status.NOT_FOUND, 'etcdserver: member not found');
    return found;
  };
  const change = async (wanted: MembershipChange) => {
    await context.member?.changeMembership(wanted);
    return { header: context.header(), members: await members() };
  };
  const askLeader = async (raft: RaftStatus, wanted: { readonly kind: 'remove' | 'promote'; readonly id: NodeId }) => {
    if (context.member?.askLeader === undefined)
      throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: not leader');
    await context.member.askLeader(raft, wanted);
    await membersUntil(wanted);
    return { header: context.header(), members: await members() };
  };
  /** The leader has it; this member may hear of it a moment later, and must not answer with what was before. */
  const membersUntil = async ({ kind, id }: { readonly kind: 'remove' | 'promote'; readonly id: NodeId }) => {
    await context.backend.readRevision();
    const { membership } = (await context.member?.raftStatus()) ?? { membership: undefined };
    if (membership === undefined) return;
    const isDone = kind === 'remove' ? !membership.peers.some((one) => one.id === id) : membership.voters.includes(id);
    if (!isDone)
      throw new EtcdError(
        status.UNAVAILABLE,
        'etcdserver: the leader has changed the members, this member has not heard of it yet',
      );
  };
  return {
    memberAdd: context.unary((_request, identity) => {
      context.require(identity, { kind: 'members-write' });
      throw unimplemented(
        'members are not added by URL: on the new host run `navarch server --join <member>:2379` with the token that `navarch token --member` prints on a member',
      );
    }),
    memberRemove: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'members-write' });
      const { id } = await peer(request.ID);
      const raft = await context.member?.raftStatus();
      // Only the leader knows who is alive, and so whether the others could go on.
      if (raft !== undefined && raft.role !== 'leader') return askLeader(raft, { kind: 'remove', id });
      if (raft !== undefined && !canLose(raft, id))
        throw new EtcdError(
          status.FAILED_PRECONDITION,
          'etcdserver: re-configuration failed due to not enough started members',
        );
      return change({ kind: 'remove', id });
    }),
    memberUpdate: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'members-write' });
      const found = await peer(request.ID);
      const [, peerAddress] = PEER_URL.exec(request.peerURLs[0] ?? '') ?? [];
      if (peerAddress === undefined)
        throw new EtcdError(status.INVALID_ARGUMENT, 'etcdserver: given member URLs are invalid');
      return change({ kind: 'update', peer: { ...found, peerAddress } });
    }),
    memberPromote: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'members-write' });
      const { id } = await peer(request.ID);
      const raft = await context.member?.raftStatus();
      if (raft?.membership.voters.includes(id) === true)
        throw new EtcdError(status.FAILED_PRECONDITION, 'etcdserver: can only promote a learner member');
      if (raft !== undefined && raft.role !== 'leader') return askLeader(raft, { kind: 'promote', id });
      if (raft !== undefined && (raft.progress[id]?.match ?? 0) < raft.commitIndex * IN_SYNC) {
        throw new EtcdError(
          status.FAILED_PRECONDITION,
          'etcdserver: can only promote a learner member which is in sync with leader',
        );
      }
      return change({ kind: 'promote', id });
    }),
    memberList: context.unary(async (request, identity) => {
      context.require(identity, { kind: 'members-read' });
      if (request.linearizable) await context.backend.readRevision();
      return { header: context.header(), members: await members() };
    }),
  };
}

const PEER_URL = /^https?:\/\/([^/\s]+:\d{1,5})\/?$/;
/** A learner that has this much of the leader's log is in sync (etcd). */
const IN_SYNC = 0.9;

/** Whether those that would be left and alive are a majority; of a leader's status. */
function canLose(raft: RaftStatus, id: NodeId): boolean {
  if (!raft.membership.voters.includes(id)) return true;
  const left = raft.membership.voters.filter((voter) => voter !== id);
  const alive = left.filter((voter) => voter === raft.id || raft.progress[voter]?.active === true);
  return alive.length >= Math.floor(left.length / 2) + 1;
}

const withScheme = (address: string, scheme: string) => (address.includes('://') ? address : `${scheme}${address}`);

function toMember(peer: PeerInfo, learner: boolean, scheme: string): Member {
  return {
    ID: BigInt(peer.id),
    name: peer.name,
    peerURLs: [withScheme(peer.peerAddress, 'https://')],
    clientURLs: peer.clientAddresses.map((address) => withScheme(address, scheme)),
    isLearner: learner,
  };
}

/** A member's id as etcd's clients give it; undefined when no member can have it. */
export const nodeIdOf = (id: bigint): NodeId | undefined =>
  id > 0n && id <= BigInt(Number.MAX_SAFE_INTEGER) ? (Number(id) as NodeId) : undefined;
