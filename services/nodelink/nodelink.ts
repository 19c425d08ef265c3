/**
 * nodelink: the members' end of the worker stream.
 *
 * In: Register, Renew, Session and Tunnel calls of workers on the members' gRPC port; the API's pods, Services
 * and what pods refer to (NODE_OBJECTS) through shared informers. Out: Node, Lease, pod status, Events and the final
 * deletion of pods, through an SDK client; pod streams for the API server's fronts (PodStreamer). A worker is who its
 * certificate says; it is sent its own pods and what they refer to, and may write the status of its own pods, and
 * nothing else. It must never read per node from the API, nor believe a worker about another node's objects.
 */
import { status as GrpcStatus } from '@grpc/grpc-js';
import type { UntypedHandleCall, sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { NODE_OBJECTS } from '../../apimachinery/node-objects/table.js';
import type { NodeObjectTable } from '../../apimachinery/node-objects/table.js';
import { apiErrors } from '../../apimachinery/status.js';
import type { PodStream, PodStreamer, PodStreamRequest } from '../../apimachinery/pod-streams.js';
import type { Clock } from '../../platform/clock.js';
import { Containment } from '../../platform/containment.js';
import type { Part } from '../../platform/containment.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import { requestKeyDigest } from '../../platform/pki/x509.js';
import type { Service } from '../../platform/service.js';
import { NodeServiceService } from '../../proto/gen/navarch/node/v1/node.js';
import type {
  NodeServiceServer,
  RegisterRequest,
  RegisterResponse,
  RenewRequest,
  RenewResponse,
  SessionRequest,
  SignServingRequest,
  SignServingResponse,
  TunnelRequest,
  TunnelResponse,
} from '../../proto/gen/navarch/node/v1/node.js';
import type { Client } from '../../sdk/client.js';
import type { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { Catalog, type CatalogListener } from './catalog.js';
import { nodeOfCertificate } from './identity.js';
import { judgeKey, keyOfCall, NameInUseError, NodeKeys } from './node-keys.js';
import type { JoinTokens, MemberDirectory, NodeCertificates } from './ports.js';
import { refusalOf, register } from './registration.js';
import type { IdentifiedCall } from './identity.js';
import { hostOf, servingNames } from './serving-names.js';
import { NodeSession } from './session.js';
import type { SessionCall } from './session.js';
import { Tunnels } from './tunnels.js';
import type { ServerDuplexStream } from '@grpc/grpc-js';

export interface NodelinkOptions {
  /** With the rights of the system: nodelink itself keeps workers to their own objects. */
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly certificates: NodeCertificates;
  readonly tokens: JoinTokens;
  readonly members: MemberDirectory;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** What faults of sessions and tunnels are counted for; absent: they are logged. */
  readonly part?: Part;
  /**
   * How often a worker's Lease is renewed; several times in the silence after which a node counts as dead. 10,000 when
   * absent.
   */
  readonly leaseRenewal_ms?: number;
  /** What a node is sent besides its pods; absent: NODE_OBJECTS. Workers are started with the same. */
  readonly objects?: NodeObjectTable;
  /** Who calls; absent: the client certificate that TLS has verified. */
  readonly identify?: (call: IdentifiedCall) => string | undefined;
}

export interface Nodelink extends Service, PodStreamer {
  /** To be added to the members' gRPC server: `server.addService(definition, implementation)`. */
  readonly definition: typeof NodeServiceService;
  readonly implementation: NodeServiceServer & Record<string, UntypedHandleCall>;
  /** Workers with a session here now. */
  nodes(): readonly string[];
}

export function createNodelink(options: NodelinkOptions): Nodelink {
  return new NodelinkService(options);
}

/** As kubelet does, with the 40 s of the node lifecycle controller in mind. */
const LEASE_RENEWAL_MS = 10_000;
/** grpc-js sends a status for the stream's 'error' event; destroying the stream would send none. */
const refuse = (call: { emit(event: 'error', error: Error): boolean }, error: Error) => void call.emit('error', error);
const refusal = (code: number, details: string) => Object.assign(new Error(details), { code, details });

const DEAF: CatalogListener = {
  pod: () => undefined,
  podGone: () => undefined,
  object: () => undefined,
  node: () => undefined,
};

const noSession = (node: string) => apiErrors.serviceUnavailable(`node "${node}" has no session with this member now`);

class NodelinkService implements Nodelink {
  readonly name = 'nodelink';
  readonly definition = NodeServiceService;
  readonly implementation: NodeServiceServer & Record<string, UntypedHandleCall>;
  readonly #options: NodelinkOptions;
  readonly #catalog: Catalog;
  readonly #tunnels: Tunnels;
  readonly #part: Part;
  readonly #keys: NodeKeys;
  readonly #sessions = new Map<string, NodeSession>();
  #unlisten: (() => void) | undefined;
  #stopped = false;

  constructor(options: NodelinkOptions) {
    this.#options = options;
    this.#part = options.part ?? new Containment(options).part('nodelink');
    this.#catalog = new Catalog(options.informers, options.objects ?? NODE_OBJECTS);
    this.#keys = new NodeKeys(options.client);
    this.#tunnels = new Tunnels(options.random, options.clock, this.#part);
    this.implementation = {
      register: (call, callback) => this.#answer(callback, () => this.#register(call, callback)),
      renew: (call, callback) => this.#answer(callback, () => this.#renew(call, callback)),
      signServing: (call, callback) => this.#answer(callback, () => this.#signServing(call, callback)),
      session: (call) => this.#session(call),
      tunnel: (call) => this.#tunnel(call),
    };
  }

  start(): Promise<void> {
    this.#catalog.start();
    this.#unlisten = this.#options.members.onChange(() => {
      for (const session of this.#sessions.values()) session.members(this.#options.members.endpoints());
    });
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    this.#unlisten?.();
    this.#catalog.stop();
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
    return Promise.resolve();
  }

  nodes(): readonly string[] {
    return [...this.#sessions.keys()];
  }

  reach(node: string): Promise<void> {
    return this.#sessions.get(node) === undefined ? Promise.reject(noSession(node)) : Promise.resolve();
  }

  open(node: string, request: PodStreamRequest, options: { readonly signal: AbortSignal }): Promise<PodStream> {
    const session = this.#sessions.get(node);
    if (session === undefined) return Promise.reject(noSession(node));
    return this.#tunnels.open(node, request, {
      signal: options.signal,
      send: (message) => session.openTunnel(message),
    });
  }

  /** A fault of one call answers that call. */
  #answer(callback: (error: Error) => void, work: () => Promise<void>): void {
    this.#part.child('node-call', (error) => callback(refusal(GrpcStatus.INTERNAL, String(error)))).contain(work);
  }

  #identify(call: IdentifiedCall): string | undefined {
    return (this.#options.identify ?? nodeOfCertificate)(call);
  }

  async #register(
    call: ServerUnaryCall<RegisterRequest, RegisterResponse>,
    callback: sendUnaryData<RegisterResponse>,
  ): Promise<void> {
    await register(call.request, { ...this.#options, keys: this.#keys }).then(
      (answer) => callback(null, answer),
      (error: Error) => callback(error),
    );
  }

  async #renew(
    call: ServerUnaryCall<RenewRequest, RenewResponse>,
    callback: sendUnaryData<RenewResponse>,
  ): Promise<void> {
    const node = this.#identify(call);
    if (node === undefined)
      return callback(refusal(GrpcStatus.UNAUTHENTICATED, 'a certificate is renewed with the certificate of a node'));
    try {
      const key = keyOfCall(call);
      if (key !== undefined) await this.#keys.change(node, key, await requestKeyDigest(call.request.csr));
      callback(null, await this.#options.certificates.signNodeCertificate(call.request.csr, node));
    } catch (error) {
      callback(refusalOf(error));
    }
  }

  async #signServing(
    call: ServerUnaryCall<SignServingRequest, SignServingResponse>,
    callback: sendUnaryData<SignServingResponse>,
  ): Promise<void> {
    const node = this.#identify(call);
    if (node === undefined)
      return callback(
        refusal(GrpcStatus.UNAUTHENTICATED, "a serving certificate is signed for the holder of a node's certificate"),
      );
    if (this.#isForeign(node, keyOfCall(call)))
      return callback(refusal(GrpcStatus.PERMISSION_DENIED, new NameInUseError(node).message));
    const { certificates, members } = this.#options;
    const names = servingNames(node, call.getPeer(), [
      ...certificates.reservedNames(),
      ...members.endpoints().map((endpoint) => hostOf(endpoint)),
    ]);
    if (names.length === 0)
      return callback(
        refusal(
          GrpcStatus.FAILED_PRECONDITION,
          `node "${node}" has neither a name nor an address that is not a member's`,
        ),
      );
    try {
      callback(null, await certificates.signServingCertificate(call.request.csr, node, names));
    } catch (error) {
      callback(refusalOf(error));
    }
  }

  #session(call: SessionCall): void {
    const node = this.#identify(call);
    if (node === undefined || this.#stopped) {
      refuse(
        call,
        node === undefined
          ? refusal(GrpcStatus.UNAUTHENTICATED, 'a session needs the certificate of a node')
          : refusal(GrpcStatus.UNAVAILABLE, 'this member is stopping'),
      );
      return;
    }
    const key = keyOfCall(call);
    let session: NodeSession | undefined;
    const over = () => {
      unlisten();
      if (session === undefined) return;
      session.close();
      if (this.#sessions.get(node) === session) this.#sessions.delete(node);
    };
    const evict = () => {
      refuse(call, refusal(GrpcStatus.PERMISSION_DENIED, new NameInUseError(node).message));
      over();
    };
    const part = this.#part.child('node-session', over);
    // The name may be given to another host while this one is connected.
    const unlisten = this.#catalog.listen(
      node,
      { ...DEAF, node: (found) => void (key !== undefined && judgeKey(found, key) === 'foreign' && evict()) },
      part,
    );
    if (this.#isForeign(node, key)) {
      evict();
      return;
    }
    call.on(
      'data',
      part.guard((request: SessionRequest) => {
        try {
          if (session === undefined) session = this.#hello(node, { call, request, part, key });
          else session.receive(request.message);
        } catch (error) {
          refuse(call, refusal(GrpcStatus.INVALID_ARGUMENT, error instanceof Error ? error.message : String(error)));
          over();
        }
      }),
    );
    for (const end of ['end', 'cancelled', 'error']) call.on(end, part.guard(over));
  }

  #isForeign(node: string, key: string | undefined): boolean {
    return key !== undefined && judgeKey(this.#catalog.node(node), key) === 'foreign';
  }

  #hello(
    node: string,
    { call, request, part, key }: { call: SessionCall; request: SessionRequest; part: Part; key: string | undefined },
  ): NodeSession {
    if (request.message?.$case !== 'hello') throw new Error('a session begins with Hello');
    if (request.message.value.nodeName !== node)
      throw new Error(`the certificate is of node "${node}", the session of "${request.message.value.nodeName}"`);
    const { client, clock, logger, members } = this.#options;
    // The worker knows best which of its streams is alive: the newest replaces the one before.
    this.#sessions.get(node)?.close();
    const session = new NodeSession({
      node,
      key,
      call,
      part,
      client,
      catalog: this.#catalog,
      clock,
      logger,
      welcome: { memberId: members.id, endpoints: members.endpoints() },
      leaseRenewal_ms: this.#options.leaseRenewal_ms ?? LEASE_RENEWAL_MS,
    });
    this.#sessions.set(node, session);
    return session;
  }

  #tunnel(call: ServerDuplexStream<TunnelRequest, TunnelResponse>): void {
    const node = this.#identify(call);
    if (node === undefined) {
      refuse(call, refusal(GrpcStatus.UNAUTHENTICATED, 'a tunnel needs the certificate of a node'));
      return;
    }
    call.on('error', () => undefined);
    const part = this.#part.child('node-tunnel', () => call.end());
    call.once(
      'data',
      part.guard((first: TunnelRequest) => {
        const id = first.frame?.$case === 'tunnelId' ? first.frame.value : '';
        if (!this.#tunnels.accept(node, id, call))
          refuse(call, refusal(GrpcStatus.NOT_FOUND, 'nobody waits for this tunnel'));
      }),
    );
  }
}
