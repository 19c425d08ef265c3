/**
 * What the API server asks of others: who somebody is, what they may do, what a write must become, how to reach a pod.
 * Implemented by `auth/`, `admission/`, `streaming/` here and by nodelink; handed to `createApiServer` as factories,
 * since most of them read objects through the very server they serve. Nothing here knows a transport or a kind.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Kind, Scheme } from '../../apimachinery/kind.js';
import type { ObjectService, UserInfo } from '../../apimachinery/object-service.js';
import type { GroupVersionKind, KubeObject, ResourceId } from '../../apimachinery/object.js';
import type { PodCommandRequest, PodStream, PodStreamRequest } from '../../apimachinery/pod-streams.js';
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Compare, Op } from '../store/store.js';

// ---- Reading ------------------------------------------------------------------------------------------------------

/**
 * Reads from this member's watch cache, without authorization: for authorizers, admission and handlers. Objects are
 * shared and frozen; copy before changing. The synchronous reads may lag behind the store by what is in flight.
 */
export interface ObjectReader {
  get(resource: ResourceId, ref: ObjectRef): KubeObject | undefined;
  list(resource: ResourceId, options?: { readonly namespace?: string }): readonly KubeObject[];
  /** Linearizable; undefined when it does not exist. */
  getFresh(resource: ResourceId, ref: ObjectRef): Promise<KubeObject | undefined>;
  /** Grows whenever any object of the resource changed: what a derived index keys its validity on. */
  changes(resource: ResourceId): number;
}

interface ObjectRef {
  /** Absent for cluster-scoped resources. */
  readonly namespace?: string;
  readonly name: string;
}

/**
 * What the factories of the ports below are given. Usable from the server's `start` on, not while it is constructed.
 */
export interface ApiServerContext {
  readonly reader: ObjectReader;
  /** The registry as a given identity; nothing is authorized a second time, admission runs. */
  as(user: UserInfo): ObjectService;
  readonly scheme: Scheme;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

// ---- Authentication -----------------------------------------------------------------------------------------------

/** One object for all requests of one connection, so that a WeakMap can remember what it was found to be. */
export interface PeerCertificate {
  readonly der: Uint8Array;
  /** The TLS handshake proved the key and found a chain to the client CA. Never trust one that is not. */
  readonly verified: boolean;
}

export interface AuthenticationRequest {
  readonly peerCertificate?: PeerCertificate;
  /**
   * Names in lower case. `authorization` carries bearer tokens, `impersonate-*` impersonation: each of its lines is one
   * value.
   */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly path: string;
  readonly remoteAddress?: string;
  /**
   * What the request is for: some may impersonate for some requests only. Absent: for those none of their rights
   * counts.
   */
  readonly asked?: AskedAttributes;
}

/**
 * Who asks. Undefined: nobody that is known; the front answers 401. Whether somebody without credentials is
 * `system:anonymous` is decided here too. May throw an ApiError (an impersonation that is refused: Forbidden).
 */
export interface Authenticator {
  authenticate(request: AuthenticationRequest): Promise<UserInfo | undefined>;
}

// ---- Authorization ------------------------------------------------------------------------------------------------

export type AuthorizationAttributes =
  | {
      readonly kind: 'resource';
      readonly user: UserInfo;
      /**
       * get list watch create update patch delete deletecollection, and special ones (approve, sign, bind, escalate).
       */
      readonly verb: string;
      readonly group: string;
      readonly version: string;
      readonly resource: string;
      readonly subresource?: string;
      readonly namespace?: string;
      readonly name?: string;
      readonly fieldSelector?: string;
      readonly labelSelector?: string;
    }
  | {
      readonly kind: 'nonResource';
      readonly user: UserInfo;
      /** The HTTP method in lower case. */
      readonly verb: string;
      readonly path: string;
    };

/** What somebody asks for, whoever it is. */
export type AskedAttributes = AuthorizationAttributes extends infer One
  ? One extends unknown
    ? Omit<One, 'user'>
    : never
  : never;

export interface Decision {
  readonly allowed: boolean;
  /** Shown to the user when refused; may be empty. */
  readonly reason: string;
}

/** For streams (exec, attach, portforward) `create` is asked about too when the HTTP method means another verb. */
export interface Authorizer {
  authorize(attributes: AuthorizationAttributes): Promise<Decision>;
}

// ---- Admission ----------------------------------------------------------------------------------------------------

export type AdmissionOperation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface AdmissionAttributes {
  /** The row of the resource that is addressed. */
  readonly kind: Kind;
  /** The type of `object`: the resource's kind, or that of a subresource's body (Scale, Eviction, PodExecOptions). */
  readonly objectKind: GroupVersionKind;
  readonly subresource?: string;
  readonly operation: AdmissionOperation;
  readonly namespace?: string;
  /** '' on a create whose name is still to be generated. */
  readonly name: string;
  /**
   * The new object: `mutate` changes it in place or puts another in its place; `validate` never does. Undefined on
   * DELETE. On updates by patch it is the patched object.
   */
  object: KubeObject | undefined;
  /** The true stored object on UPDATE and DELETE (CVE-2021-25735), frozen. */
  readonly oldObject: KubeObject | undefined;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions as they will be shown to webhooks. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Adds a `Warning` header to the answer. */
  warn(message: string): void;
}

/**
 * Refuses by throwing an ApiError. With `dryRun` nothing but `object` may change. Runs again when a write is retried.
 */
export interface Admission {
  mutate(attributes: AdmissionAttributes): Promise<void>;
  validate(attributes: AdmissionAttributes): Promise<void>;
}

// ---- Handlers that are no plain objects ---------------------------------------------------------------------------

export interface ResourceCall {
  readonly user: UserInfo;
  readonly kind: Kind;
  readonly subresource?: string;
  readonly namespace?: string;
  /** The parent's, for a subresource; '' on the create of a virtual resource without a name. */
  readonly name: string;
  readonly dryRun: boolean;
  readonly signal?: AbortSignal;
  warn(message: string): void;
}

/**
 * Serves a resource or subresource that is not stored: SubjectAccessReview, TokenReview, serviceaccounts/token,
 * pods/eviction. Bodies are decoded, validated against their schema and admitted before a handler sees them; the verbs
 * that are absent are answered 405. What comes back needs no apiVersion or kind: the registry fills them in.
 */
export interface ResourceHandler {
  /** It finds all that is wrong with a body of the right types: what the schema calls required is not asked for. */
  readonly judgesBody?: true;
  create?(call: ResourceCall, object: KubeObject): Promise<KubeObject>;
  get?(call: ResourceCall): Promise<KubeObject>;
  list?(call: ResourceCall): Promise<readonly KubeObject[]>;
}

/**
 * A subresource whose write changes the parent object: pods/binding, certificatesigningrequests/approval. The registry
 * reads the parent, lets `apply` change the draft, validates, admits and writes; it repeats all of it when the parent
 * changed meanwhile. `apply` throws an ApiError to refuse.
 */
export interface ParentMutation {
  apply(draft: KubeObject, body: KubeObject, call: ResourceCall): void;
  /** What the client gets: the parent as written (default) or a Status with `status: Success`. */
  readonly answer?: 'parent' | 'success';
}

// ---- Allocation ---------------------------------------------------------------------------------------------------

export interface WriteChange {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
  /** Changed in place on CREATE and UPDATE; on DELETE the object that goes. */
  readonly draft: KubeObject;
  readonly old: KubeObject | undefined;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** 0 at first; one more each time `compare` did not hold and another choice is asked for. */
  readonly attempt: number;
}

/** What must hold and happen in the very transaction that writes the object. */
export interface WriteGuard {
  readonly compare: readonly Compare[];
  readonly ops: readonly Op[];
}

/**
 * Takes part in the writes of one resource: cluster IPs and node ports of Services, pod subnets of Nodes. It chooses
 * values, and claims them by keys of its own inside the object's transaction, so that several members need no
 * coordination. Runs after mutating admission and `prepareFor...`, before validation.
 */
export interface WriteHook {
  before(change: WriteChange): Promise<WriteGuard>;
}

// ---- Streams ------------------------------------------------------------------------------------------------------

/** An upgrade that has been authenticated, authorized, admitted (CONNECT) and resolved to a pod on a node. */
export interface UpgradeRequest extends Omit<PodCommandRequest, 'kind'> {
  /** Of a port-forward the container is '', and the command empty. */
  readonly kind: PodCommandRequest['kind'] | 'port-forward';
  readonly user: UserInfo;
  /** Of a port-forward by WebSocket channels (`ports=80&ports=81`); empty when the streams name them. */
  readonly ports: readonly number[];
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** Rejects with an ApiError when the pod's node cannot be asked for streams now. */
  reach(): Promise<void>;
  /** The pod's PodStreamer, bound to its node. */
  open(request: PodStreamRequest, options: { readonly signal: AbortSignal }): Promise<PodStream>;
}

/**
 * Speaks WebSocket (v5.channel.k8s.io, v4, SPDY/3.1+portforward.k8s.io) and SPDY/3.1 on the client's socket. Owns the
 * socket from the call on, and ends it. Answers `101` only when the far end has been reached (CVE-2018-1002105); before
 * that a failure is an HTTP answer with a Status. Resolves when the connection is over.
 */
export interface StreamingFront {
  serve(upgrade: UpgradeRequest): Promise<void>;
}

// ---- TLS ----------------------------------------------------------------------------------------------------------

/** PEM. */
export interface TlsMaterial {
  /** The server's certificate and its intermediates. */
  readonly certificate: string;
  readonly key: string;
  /** CAs whose client certificates count as verified. */
  readonly clientCa: string;
}

export interface TlsProvider {
  current(): TlsMaterial;
  /** Calls back after a rotation; returns how to stop that. */
  onChange(callback: () => void): () => void;
}
