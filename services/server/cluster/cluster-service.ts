/** navarch.cluster.v1 on a member: how it is, who belongs to the cluster, and what a new member must know. */
import { timingSafeEqual } from 'node:crypto';
import { status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import type { ClusterPki } from '../../../platform/pki/cluster-pki.js';
import {
  ClusterServiceService,
  type ClusterServiceServer,
  type GetHashRequest,
  type GetHashResponse,
  type GetStatusResponse,
  type JoinRequest,
  type JoinResponse,
  type ListMembersResponse,
  type Member,
  type PromoteMemberRequest,
  type PromoteMemberResponse,
  type RemoveMemberRequest,
  type RemoveMemberResponse,
  type TransferLeadershipRequest,
  type TransferLeadershipResponse,
} from '../../../proto/gen/navarch/cluster/v1/cluster.js';
import type { NodeId, PeerInfo, RaftStatus } from '../../../raft/contract.js';
import { agreedLevel, toldLevel } from '../../../raft/driver/levels.js';
import { StoreError } from '../../store/store.js';
import type { StoreMember } from '../../store/member/start.js';
import { VERSION } from '../../../platform/version.js';
import type { GrpcEndpoint } from '../grpc-server.js';

export interface ClusterServiceOptions {
  readonly member: StoreMember;
  readonly pki: ClusterPki;
  /** host:port of this member's REST listener; those of others are not known here. */
  readonly apiAddress: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Certificates of these groups may ask and act; those of members too, by the name of their certificate. */
const ADMINISTRATORS = new Set(['system:masters']);

type Call = Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext'>;

function isAdministrator(call: Call): boolean {
  const subject: { O?: string | string[] } | undefined = call.getAuthContext().sslPeerCertificate?.subject;
  return [subject?.O ?? []].flat().some((group) => ADMINISTRATORS.has(group));
}

export class Refusal extends Error {
  readonly code: number;
  readonly details: string;
  constructor(code: number, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

function sameSecret(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A handler for administrators, or, when it is `open`, for everybody. */
export function clusterUnary<Q, R>(
  handle: (request: Q) => Promise<R>,
  { open = false }: { readonly open?: boolean } = {},
) {
  return (call: ServerUnaryCall<Q, R>, callback: sendUnaryData<R>): void => {
    if (!open && !isAdministrator(call)) {
      callback(
        new Refusal(
          status.PERMISSION_DENIED,
          "a certificate of the group system:masters is needed: use the one in the administrator's kubeconfig",
        ),
      );
      return;
    }
    handle(call.request).then(
      (answer) => callback(null, answer),
      (error: unknown) =>
        callback(error instanceof Refusal ? error : new Refusal(status.UNAVAILABLE, (error as Error).message)),
    );
  };
}

export function createClusterService(options: ClusterServiceOptions): GrpcEndpoint {
  const { member, clock, logger } = options;
  const started_ms = clock.monotonic();

  const implementation: ClusterServiceServer = {
    join: clusterUnary((request: JoinRequest) => join(options, request), { open: true }),
    getStatus: clusterUnary(() => statusOf(options, clock.monotonic() - started_ms)),
    listMembers: clusterUnary(async (): Promise<ListMembersResponse> => ({
      members: (await member.members()).map((peer) => toMember(peer)),
    })),
    transferLeadership: clusterUnary(
      async (request: TransferLeadershipRequest): Promise<TransferLeadershipResponse> => {
        const raft = await member.raftStatus();
        const to = request.to === 0 ? heirOf(raft) : (request.to as NodeId);
        if (to === undefined)
          throw new Refusal(status.FAILED_PRECONDITION, 'no other member with a vote is alive: nobody can take over');
        logger.info({ to }, 'leadership is handed over on request');
        await member.transferLeadership(to);
        return {};
      },
    ),
    removeMember: clusterUnary(async ({ id }: RemoveMemberRequest): Promise<RemoveMemberResponse> => {
      await removeMember(options, id as NodeId);
      return {};
    }),
    promoteMember: clusterUnary(async ({ id }: PromoteMemberRequest): Promise<PromoteMemberResponse> => {
      await promoteMember(options, id as NodeId);
      return {};
    }),
    getHash: clusterUnary(async (request: GetHashRequest): Promise<GetHashResponse> => {
      const found = await member.hash(request.revision);
      return { revision: found.revision, compactRevision: found.compactRevision, hash: found.hash };
    }),
  };
  return {
    definition: ClusterServiceService,
    implementation: implementation as unknown as GrpcEndpoint['implementation'],
  };
}

function toMember(peer: PeerInfo, apiAddresses: readonly string[] = []): Member {
  return {
    id: peer.id,
    name: peer.name,
    peerAddress: peer.peerAddress,
    clientAddresses: [...peer.clientAddresses],
    apiAddresses: [...apiAddresses],
    learner: peer.learner,
    joining: peer.joining ?? false,
  };
}

/** What only the leader can judge: others do not know who is alive. */
async function statusOfLeader(member: StoreMember): Promise<RaftStatus> {
  const raft = await member.raftStatus();
  if (raft.role === 'leader') return raft;
  const leader = raft.membership.peers.find((peer) => peer.id === raft.leader);
  throw leader === undefined
    ? new Refusal(status.UNAVAILABLE, 'the cluster has no leader now, and without one its membership cannot change')
    : new Refusal(
        status.FAILED_PRECONDITION,
        `this member does not lead; ask ${leader.name} at ${leader.clientAddresses[0] ?? leader.peerAddress}`,
      );
}

const isAlive = (raft: RaftStatus, id: NodeId) => id === raft.id || raft.progress[id]?.active === true;

/** The living voter whose log is furthest. */
function heirOf(raft: RaftStatus): NodeId | undefined {
  const heirs = raft.membership.voters.filter((id) => id !== raft.id && isAlive(raft, id));
  return heirs.toSorted((a, b) => (raft.progress[b]?.match ?? 0) - (raft.progress[a]?.match ?? 0))[0];
}

function peerOf(raft: RaftStatus, id: NodeId): PeerInfo {
  const peer = raft.membership.peers.find((one) => one.id === id);
  if (peer === undefined) throw new Refusal(status.NOT_FOUND, `member ${id} does not belong to the cluster`);
  return peer;
}

/**
 * A member is not removed when those that are left could not go on without it (etcd's strict reconfiguration check).
 */
async function removeMember(options: ClusterServiceOptions, id: NodeId): Promise<void> {
  const { member, logger } = options;
  const raft = await statusOfLeader(member);
  const { name } = peerOf(raft, id);
  const left = raft.membership.voters.filter((voter) => voter !== id);
  const alive = left.filter((voter) => isAlive(raft, voter));
  if (raft.membership.voters.includes(id) && alive.length < Math.floor(left.length / 2) + 1) {
    throw new Refusal(
      status.FAILED_PRECONDITION,
      left.length === 0
        ? `${name} is the last member with a vote and cannot be removed`
        : `without ${name}, ${alive.length} of ${left.length} members would be alive, which is no majority: repair or replace the dead ones first`,
    );
  }
  if (id === raft.id) {
    const heir = heirOf(raft);
    // Removed while it leads, it could not tell whether it happened: its successor is asked.
    if (heir !== undefined) await member.transferLeadership(heir);
    throw new Refusal(status.ABORTED, `${name} led the cluster and has handed over; ask its successor`);
  }
  await member.changeMembership({ kind: 'remove', id });
  logger.info({ member: name }, 'a member was removed');
}

const PROMOTION_LAG_ENTRIES = 1000;

async function promoteMember(options: ClusterServiceOptions, id: NodeId): Promise<void> {
  const { member, logger } = options;
  const raft = await statusOfLeader(member);
  const { name } = peerOf(raft, id);
  if (raft.membership.voters.includes(id)) throw new Refusal(status.FAILED_PRECONDITION, `${name} has a vote already`);
  const behind = raft.commitIndex - (raft.progress[id]?.match ?? 0);
  if (!isAlive(raft, id))
    throw new Refusal(
      status.FAILED_PRECONDITION,
      `${name} is not there: a dead member with a vote would weaken the cluster`,
    );
  if (behind > PROMOTION_LAG_ENTRIES)
    throw new Refusal(
      status.FAILED_PRECONDITION,
      `${name} is ${behind} entries behind; promote it once it has caught up`,
    );
  await member.changeMembership({ kind: 'promote', id });
  logger.info({ member: name }, 'a learner was given a vote');
}

async function statusOf(options: ClusterServiceOptions, uptime_ms: number): Promise<GetStatusResponse> {
  const raft = await options.member.raftStatus();
  const store = await options.member.store.status();
  const self = raft.membership.peers.find((peer) => peer.id === raft.id);
  return {
    member: self === undefined ? undefined : toMember(self, [options.apiAddress]),
    clusterId: raft.clusterId,
    role: raft.role,
    term: raft.term,
    leaderId: raft.leader ?? 0,
    commitIndex: raft.commitIndex,
    appliedIndex: raft.appliedIndex,
    revision: store.revision,
    compactRevision: store.compactRevision,
    dbSizeBytes: store.dbSize_bytes,
    residentBytes: process.memoryUsage.rss(),
    version: VERSION,
    uptimeMs: Math.round(uptime_ms),
    externalStore: undefined,
    commandLevels: {
      inForce: agreedLevel(raft.membership),
      members: raft.membership.peers.map((peer) => ({ name: peer.name, understood: toldLevel(peer) })),
    },
  };
}

/**
 * Hands the secrets to a host that shows the member secret, and adds it as a learner: it is promoted once it has caught
 * up.
 */
async function join(options: ClusterServiceOptions, request: JoinRequest): Promise<JoinResponse> {
  const { member, pki, logger } = options;
  if (!sameSecret(request.memberSecret, pki.memberSecret)) {
    throw new Refusal(
      status.UNAUTHENTICATED,
      'the member token is wrong; print it with `navarch token --member` on a member',
    );
  }
  const { member: wanted } = request;
  if (wanted === undefined || wanted.name === '' || wanted.peerAddress === '' || wanted.id === 0) {
    throw new Refusal(status.INVALID_ARGUMENT, 'a member joins with its id, name and peer address');
  }
  const { membership } = await member.raftStatus();
  const known = membership.peers;
  if (membership.removed?.includes(wanted.id as NodeId) === true) {
    throw new Refusal(
      status.FAILED_PRECONDITION,
      `this data directory belonged to a member that was removed; empty it, and join anew`,
    );
  }
  const namesake = known.find((peer) => peer.name === wanted.name && peer.id !== wanted.id);
  if (namesake !== undefined) {
    throw new Refusal(
      status.ALREADY_EXISTS,
      `a member named "${wanted.name}" with another identity belongs to the cluster already; remove it first, or choose another name`,
    );
  }
  if (!known.some((peer) => peer.id === wanted.id)) {
    // One at a time: each is sent the whole state, and each promotion changes what a majority is.
    const other = known.find((peer) => peer.joining === true);
    if (other !== undefined)
      throw new Refusal(
        status.UNAVAILABLE,
        `${other.name} is joining; the next one has to wait until it has caught up`,
      );
    const peer: PeerInfo = {
      id: wanted.id as NodeId,
      name: wanted.name,
      peerAddress: wanted.peerAddress,
      clientAddresses: wanted.clientAddresses,
      learner: true,
      joining: true,
    };
    try {
      await member.changeMembership({ kind: 'add-learner', peer });
    } catch (error) {
      throw new Refusal(
        error instanceof StoreError ? status.UNAVAILABLE : status.FAILED_PRECONDITION,
        `the member could not be added: ${(error as Error).message}`,
      );
    }
    logger.info({ member: wanted.name, address: wanted.peerAddress }, 'a member joins as a learner');
  }
  const { peerAuthority, clusterAuthority, frontProxyAuthority, serviceAccountKey, workerSecret, memberSecret } = pki;
  return {
    clusterId: pki.clusterId,
    members: (await member.members()).map((peer) => toMember(peer)),
    secrets: { peerAuthority, clusterAuthority, frontProxyAuthority, serviceAccountKey, workerSecret, memberSecret },
  };
}
