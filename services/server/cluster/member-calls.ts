/** Calls of navarch.cluster.v1 on any of several members: plain promises, errors in words. */
import { credentials, Metadata, status, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { systemClock } from '../../../platform/clock.js';
import {
  ClusterServiceClient,
  type GetStatusResponse,
  type JoinResponse,
  type Member,
} from '../../../proto/gen/navarch/cluster/v1/cluster.js';
import { serverNameOptions } from '../../../sdk/grpc/server-name.js';
import { UserError } from '../../../platform/user-error.js';

export interface Access {
  /** host:port of gRPC listeners. */
  readonly endpoints: readonly string[];
  readonly ca: string;
  readonly certificate: string;
  readonly privateKey: string;
}

export interface MemberView {
  readonly endpoint: string;
  readonly status: GetStatusResponse | undefined;
  readonly error: string;
}

const ASK_MS = 3_000;
const CHANGE_MS = 20_000;

type Call<R> = (
  client: ClusterServiceClient,
  deadline: { deadline: number },
  done: (error: ServiceError | null, answer: R) => void,
) => void;

function callOnce<R>(
  endpoint: string,
  channel: ChannelCredentials,
  options: { readonly timeout_ms: number; readonly call: Call<R> },
): Promise<R> {
  const client = new ClusterServiceClient(endpoint, channel, serverNameOptions(endpoint));
  return new Promise<R>((resolve, reject) => {
    options.call(client, { deadline: systemClock.now() + options.timeout_ms }, (error, answer) => {
      client.close();
      if (error === null) resolve(answer);
      else reject(error);
    });
  });
}

const channelOf = (access: Access) =>
  credentials.createSsl(Buffer.from(access.ca), Buffer.from(access.privateKey), Buffer.from(access.certificate));
const textOf = (error: unknown) => {
  const { details, message } = error as ServiceError;
  return details === undefined || details === '' ? message : details;
};

/** Each member's own view; one that does not answer has no status. */
export function askMembers(access: Access): Promise<MemberView[]> {
  return Promise.all(
    access.endpoints.map((endpoint) =>
      callOnce<GetStatusResponse>(endpoint, channelOf(access), {
        timeout_ms: ASK_MS,
        call: (client, deadline, done) => client.getStatus({}, new Metadata(), deadline, done),
      }).then(
        (found): MemberView => ({ endpoint, status: found, error: '' }),
        (error: unknown): MemberView => ({ endpoint, status: undefined, error: textOf(error) }),
      ),
    ),
  );
}

/** The membership as the first member that answers knows it, the leader first, and how all of them are. */
export async function listMembers(
  access: Access,
): Promise<{ readonly members: readonly Member[]; readonly views: readonly MemberView[] }> {
  const views = await askMembers(access);
  const first = views.find((view) => view.status?.role === 'leader') ?? views.find((view) => view.status !== undefined);
  if (first === undefined)
    throw new UserError(`no member answers: ${views.map((view) => `${view.endpoint}: ${view.error}`).join('; ')}`);
  const { members } = await callOnce(first.endpoint, channelOf(access), {
    timeout_ms: ASK_MS,
    call: (client, deadline, done: (error: ServiceError | null, answer: { members: Member[] }) => void) =>
      client.listMembers({}, new Metadata(), deadline, done),
  });
  const unasked = members
    .flatMap((member) => member.clientAddresses.slice(0, 1))
    .filter((endpoint) => !access.endpoints.includes(endpoint));
  return { members, views: [...views, ...(await askMembers({ ...access, endpoints: unasked }))] };
}

/** By name, or by id for members that share one or have none. */
export function memberNamed(members: readonly Member[], name: string): Member {
  const found = members.find((member) => member.name === name) ?? members.find((member) => String(member.id) === name);
  if (found === undefined)
    throw new UserError(`no member is named "${name}"; there are ${members.map((member) => member.name).join(', ')}`);
  return found;
}

export type Change = { readonly kind: 'remove' | 'promote' | 'transfer'; readonly id: number };

const HANDOVERS_MAX = 3;

/** Asks the leader, and its successor when it hands over first. Throws UserError with the leader's reason. */
export async function askLeader(access: Access, views: readonly MemberView[], change: Change): Promise<void> {
  let seen = views;
  for (let attempt = 0; ; attempt++) {
    try {
      await askLeaderOnce(access, seen, change);
      return;
    } catch (error) {
      if ((error as Partial<ServiceError>).code !== status.ABORTED || attempt >= HANDOVERS_MAX)
        throw error instanceof UserError ? error : new UserError(textOf(error));
    }
    seen = (await listMembers(access)).views;
  }
}

async function askLeaderOnce(access: Access, views: readonly MemberView[], change: Change): Promise<void> {
  const leader = views.find((view) => view.status?.role === 'leader');
  if (leader === undefined) {
    const seen = views.map((view) => `${view.endpoint}: ${view.status?.role ?? view.error}`).join('; ');
    throw new UserError(
      `the cluster has no leader, and without one its membership cannot change (${seen}). When a majority is gone for good: navarch cluster recover`,
    );
  }
  await callOnce<object>(leader.endpoint, channelOf(access), { timeout_ms: CHANGE_MS, call: callOf(change) });
}

function callOf({ kind, id }: Change): Call<object> {
  switch (kind) {
    case 'remove':
      return (client, deadline, done) => client.removeMember({ id }, new Metadata(), deadline, done);
    case 'promote':
      return (client, deadline, done) => client.promoteMember({ id }, new Metadata(), deadline, done);
    case 'transfer':
      return (client, deadline, done) => client.transferLeadership({ to: id }, new Metadata(), deadline, done);
    default:
      return kind satisfies never;
  }
}

export interface Newcomer {
  readonly id: number;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddresses: readonly string[];
}

/** Shows the member secret to one member. Rejects with gRPC's error. */
export function requestJoin(
  endpoint: string,
  trust: { readonly ca: string; readonly secret: string },
  newcomer: Newcomer,
): Promise<JoinResponse> {
  const member = {
    ...newcomer,
    clientAddresses: [...newcomer.clientAddresses],
    apiAddresses: [],
    learner: true,
    joining: true,
  };
  return callOnce<JoinResponse>(endpoint, credentials.createSsl(Buffer.from(trust.ca)), {
    timeout_ms: CHANGE_MS,
    call: (client, deadline, done) =>
      client.join({ memberSecret: trust.secret, member }, new Metadata(), deadline, done),
  });
}

/** Asking again changes nothing: a wrong token, a name that is taken. */
export function isFinalRefusal(error: unknown): boolean {
  const final: readonly unknown[] = [
    status.UNAUTHENTICATED,
    status.INVALID_ARGUMENT,
    status.ALREADY_EXISTS,
    status.FAILED_PRECONDITION,
    status.PERMISSION_DENIED,
  ];
  return final.includes((error as Partial<ServiceError>).code);
}

export const reasonOf = textOf;
