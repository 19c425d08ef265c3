/** What all services of the etcd front share: the backend, answers' headers and identities. */
import { status } from '@grpc/grpc-js';
import type { handleUnaryCall, ServerDuplexStream, ServerUnaryCall, ServerWritableStream } from '@grpc/grpc-js';
import { systemClock } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import type { ResponseHeader } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { Membership, MembershipChange, NodeId, RaftStatus } from '../../../raft/contract.js';
import type { KvBackend } from '../backend/backend.js';
import { LIMITS } from '../limits.js';
import type { Answer } from './answers.js';
import type { EtcdAuthorizer, EtcdIdentity, EtcdOperation } from './authorize.js';
import { EtcdError, toEtcdError } from './errors.js';
import { sendAnswer } from './long-answers.js';

/** The member behind the store, where there is one. */
export interface EtcdMember {
  raftStatus(): Promise<RaftStatus> | RaftStatus;
  transferLeadership(to: NodeId): Promise<unknown>;
  changeMembership(change: MembershipChange): Promise<Membership>;
  /** Has the leader judge and make a change. Absent: it cannot be asked from here. */
  askLeader?(raft: RaftStatus, change: { readonly kind: 'remove' | 'promote'; readonly id: NodeId }): Promise<void>;
}

/** Any server call of gRPC. */
export type Call =
  | Pick<ServerUnaryCall<unknown, unknown>, 'getAuthContext'>
  | Pick<ServerWritableStream<unknown, unknown>, 'getAuthContext'>
  | Pick<ServerDuplexStream<unknown, unknown>, 'getAuthContext'>;

export class EtcdContext {
  readonly backend: KvBackend;
  readonly member: EtcdMember | undefined;
  readonly progressInterval_ms: number;
  readonly txnOps_max: number;
  /** `https://` or `http://`: how clients reach addresses that name no scheme. */
  readonly scheme: string;
  /** Told what begins, or goes on, on this thread. */
  readonly onWork: (work: string) => void;
  readonly #authorize: EtcdAuthorizer;
  readonly #clock: Clock;
  /** By connection: to parse a certificate takes longer than to serve a put. */
  readonly #identities = new WeakMap<
    object,
    { readonly identity: EtcdIdentity | undefined; readonly until_ms: number }
  >();
  #header: ResponseHeader = { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 };

  constructor(options: {
    backend: KvBackend;
    member: EtcdMember | undefined;
    authorize: EtcdAuthorizer;
    progressInterval_ms: number;
    scheme: string;
    txnOps_max?: number;
    clock?: Clock;
    onWork?: (work: string) => void;
  }) {
    this.backend = options.backend;
    this.member = options.member;
    this.progressInterval_ms = options.progressInterval_ms;
    this.txnOps_max = options.txnOps_max ?? LIMITS.clientTxnOps;
    this.scheme = options.scheme;
    this.onWork = options.onWork ?? (() => undefined);
    this.#authorize = options.authorize;
    this.#clock = options.clock ?? systemClock;
  }

  /** Answers at one revision share one object. */
  header(revision: number = this.backend.revision): ResponseHeader {
    const { clusterId, memberId, term } = this.backend.head;
    const last = this.#header;
    if (last.revision === revision && last.raftTerm === term && last.memberId === memberId) return last;
    this.#header = { clusterId, memberId, revision, raftTerm: term };
    return this.#header;
  }

  identityOf(call: Call): EtcdIdentity | undefined {
    const session = sessionOf(call);
    const known = (session === undefined ? undefined : this.#identities.get(session)) ?? readIdentity(call);
    if (session !== undefined) this.#identities.set(session, known);
    // The connection may outlive its certificate.
    return this.#clock.now() < known.until_ms ? known.identity : undefined;
  }

  /** Throws etcd's refusal for a caller that is nobody, where nobody may do anything. */
  requireSomebody(call: Call): void {
    const identity = this.identityOf(call);
    if (identity === undefined) this.require(identity);
  }

  allows(identity: EtcdIdentity | undefined, operation: EtcdOperation): boolean {
    return this.#authorize(identity, operation);
  }

  /**
   * Throws etcd's refusal unless the identity may do all of it. A request that does nothing is not answered to
   * everybody either.
   */
  require(identity: EtcdIdentity | undefined, ...operations: readonly EtcdOperation[]): void {
    for (const operation of operations.length === 0 ? [USE] : operations) {
      if (!this.#authorize(identity, operation))
        throw new EtcdError(status.PERMISSION_DENIED, 'etcdserver: permission denied');
    }
  }

  /** A unary handler whose answer may be long. */
  long<Q>(handle: (request: Q, identity: EtcdIdentity | undefined) => Promise<Answer>): handleUnaryCall<Q, Answer> {
    return (call, callback) => {
      handle(call.request, this.identityOf(call))
        .then((answer) => {
          this.onWork(`${call.getPath()}: answer`);
          return sendAnswer(call, answer, callback, { clock: this.#clock });
        })
        .catch((error: unknown) => callback(toEtcdError(error)));
    };
  }

  /** A unary handler out of a function that may throw. */
  unary<Q, R>(handle: (request: Q, identity: EtcdIdentity | undefined) => R | Promise<R>): handleUnaryCall<Q, R> {
    return (call, callback) => {
      let answer: R | Promise<R>;
      try {
        answer = handle(call.request, this.identityOf(call));
      } catch (error) {
        callback(toEtcdError(error));
        return;
      }
      if (answer instanceof Promise)
        answer.then(
          (value) => callback(null, value),
          (error: unknown) => callback(toEtcdError(error)),
        );
      else callback(null, answer);
    };
  }
}

/**
 * The HTTP/2 session that a call came in on: its certificate cannot change. gRPC does not offer it; where its insides
 * look different, the certificate is read for each call.
 */
function sessionOf(call: Call): object | undefined {
  const { session } = (call as { call?: { stream?: { session?: unknown } } }).call?.stream ?? {};
  return typeof session === 'object' && session !== null ? session : undefined;
}

const USE: EtcdOperation = { kind: 'use' };

function readIdentity(call: Call): { readonly identity: EtcdIdentity | undefined; readonly until_ms: number } {
  const certificate = call.getAuthContext().sslPeerCertificate;
  const subject = certificate?.subject as { CN?: string | string[]; O?: string | string[] } | undefined;
  if (certificate === undefined || subject === undefined) return { identity: undefined, until_ms: Infinity };
  return {
    identity: { name: list(subject.CN)[0] ?? '', roles: list(subject.O) },
    until_ms: Date.parse(certificate.valid_to),
  };
}

const list = (value: string | string[] | undefined): string[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];
