/**
 * How a host becomes a member of a cluster that runs: it shows the member secret, is added as a learner, is given the
 * cluster's secrets, and waits for the leader to send it the state. Its id is random and written down first, so that a
 * second try is the same member.
 */
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import { readClusterPki, writeClusterPki, type ClusterPki } from '../../../platform/pki/cluster-pki.js';
import type { Random } from '../../../platform/random.js';
import type { ClusterSecrets, JoinResponse } from '../../../proto/gen/navarch/cluster/v1/cluster.js';
import type { NodeId } from '../../../raft/contract.js';
import { UserError } from '../../../platform/user-error.js';
import { fetchAuthority, parseJoinToken } from '../../../platform/pki/join-token.js';
import { hostPort, type MemberAddress } from '../identity.js';
import { isFinalRefusal, reasonOf, requestJoin } from '../cluster/member-calls.js';
import {
  endpointsOf,
  knownMember,
  markRecovered,
  peerOfKnown,
  writeMemberFile,
  type MemberFile,
} from './member-file.js';

export interface JoinOptions {
  readonly self: MemberAddress;
  readonly dataDir: string;
  readonly pkiDir: string;
  /** Members to ask; those of the member file when empty. */
  readonly endpoints: readonly string[];
  /** As `navarch token --member` prints it; undefined: the secrets are here already. */
  readonly token: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const RETRY_MS = 1_000;
const JOIN_MS = 600_000;

/** 53 random bits, never 0. */
export function randomMemberId(random: Random): NodeId {
  return (random.int(2 ** 21) * 2 ** 32 + random.int(2 ** 32) || 1) as NodeId;
}

/** Resolves once the cluster has added this member and its secrets are on disk. Throws UserError. */
export async function joinCluster(
  options: JoinOptions,
  stored: MemberFile | undefined,
): Promise<{ readonly file: MemberFile; readonly pki: ClusterPki }> {
  const { self, dataDir, pkiDir, random } = options;
  if (stored !== undefined && stored.name !== self.name) {
    throw new UserError(
      `${dataDir} belongs to the member "${stored.name}", not to "${self.name}"; give the right --data-dir or --name`,
    );
  }
  const id = stored?.id ?? randomMemberId(random);
  const pending: MemberFile = {
    ...stored,
    name: self.name,
    clusterId: stored?.clusterId ?? '',
    id,
    pkiDir,
    joining: true,
  };
  await writeMemberFile(dataDir, pending);
  const local = await readClusterPki(pkiDir);
  const answer = await askPatiently(options, pending, local);
  const pki = pkiOf(answer);
  // The same authority under another id: the cluster was recovered from a survivor since.
  const isRecovered = local !== undefined && local.clusterAuthority.certificate === pki.clusterAuthority.certificate;
  if (local !== undefined && local.clusterId !== pki.clusterId && !isRecovered) {
    throw new UserError(
      `${pkiDir} holds the secrets of the cluster ${local.clusterId}, and this one is ${pki.clusterId}; give another --pki-dir`,
    );
  }
  if (local?.clusterId !== pki.clusterId) {
    if (local !== undefined) await markRecovered(pkiDir, local.clusterId);
    await writeClusterPki(pkiDir, pki);
  }
  const members = answer.members.map((member) => knownMember(peerOfKnown({ ...member, id: member.id as NodeId })));
  const file: MemberFile = { ...pending, clusterId: pki.clusterId, members };
  await writeMemberFile(dataDir, file);
  return { file, pki };
}

/** Members may be starting, electing, or busy with another newcomer: that is waited out. */
async function askPatiently(
  options: JoinOptions,
  file: MemberFile,
  local: ClusterPki | undefined,
): Promise<JoinResponse> {
  const { self, clock, logger, random } = options;
  const endpoints = options.endpoints.length > 0 ? options.endpoints : endpointsOf(file.members ?? [], file.id);
  if (endpoints.length === 0) throw new UserError('where is the cluster? Give --join host:port of a member', 2);
  const newcomer = {
    id: file.id ?? 0,
    name: self.name,
    peerAddress: hostPort(self.host, self.peerPort),
    clientAddresses: [hostPort(self.host, self.grpcPort)],
  };
  const until_ms = clock.monotonic() + JOIN_MS;
  for (let attempt = 0; ; attempt++) {
    const endpoint = endpoints[attempt % endpoints.length] ?? '';
    try {
      return await requestJoin(endpoint, await trustOf(endpoint, options.token, local), newcomer);
    } catch (error) {
      if (isFinalRefusal(error)) throw new UserError(`the cluster does not take this member: ${reasonOf(error)}`);
      if (isForgery(error) || clock.monotonic() > until_ms)
        throw error instanceof UserError ? error : new UserError(`could not join: ${reasonOf(error)}`);
      logger.info({ endpoint, reason: reasonOf(error) }, 'could not join yet; trying again');
      await clock.sleep(RETRY_MS * (0.5 + random.next()));
    }
  }
}

const isForgery = (error: unknown) =>
  error instanceof UserError && (error.exitCode === 2 || error.message.includes('is not the one this token is for'));

async function trustOf(
  endpoint: string,
  text: string | undefined,
  local: ClusterPki | undefined,
): Promise<{ ca: string; secret: string }> {
  if (text === undefined) {
    if (local === undefined)
      throw new UserError(
        'a new member joins with --token-file: a file with what `navarch token --member` prints on a member, or - for standard input',
        2,
      );
    return { ca: local.clusterAuthority.certificate, secret: local.memberSecret };
  }
  const token = parseJoinToken(text);
  if (token.kind !== 'member')
    throw new UserError(
      'this token is for workers; a member joins with the one that `navarch token --member` prints',
      2,
    );
  return { ca: await fetchAuthority(endpoint, token), secret: token.secret };
}

function pkiOf({ clusterId, secrets }: JoinResponse): ClusterPki {
  const { peerAuthority, clusterAuthority, frontProxyAuthority, ...rest } = secrets ?? ({} as Partial<ClusterSecrets>);
  const { serviceAccountKey, workerSecret, memberSecret } = rest;
  if (
    peerAuthority === undefined ||
    clusterAuthority === undefined ||
    frontProxyAuthority === undefined ||
    serviceAccountKey === undefined ||
    workerSecret === undefined ||
    memberSecret === undefined ||
    clusterId === ''
  ) {
    throw new UserError(
      "the member that was asked told only a part of the cluster's secrets; does it run the same version?",
    );
  }
  return {
    clusterId,
    peerAuthority,
    clusterAuthority,
    frontProxyAuthority,
    serviceAccountKey,
    workerSecret,
    memberSecret,
  };
}
