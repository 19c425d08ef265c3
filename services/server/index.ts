/**
 * A server: API server and nodelink, and, when elected, scheduler and controllers, on a store that is a member in this
 * process or lies elsewhere; one process of a cluster, or one of several in a test. Composes the services and starts
 * them in the order in which they need each other; holds no logic of its own.
 */
import type { Dialer } from '../../apimachinery/dialer.js';
import type { UserInfo } from '../../apimachinery/object-service.js';
import type { MutableScheme } from '../../apimachinery/scheme/scheme.js';
import type { Clock } from '../../platform/clock.js';
import { Containment } from '../../platform/containment.js';
import { answeringUnreadable } from '../../platform/grpc/unreadable.js';
import type { Logger } from '../../platform/log.js';
import { nodeCertificates } from './workers/node-certificates.js';
import type { ClusterPki } from '../../platform/pki/cluster-pki.js';
import type { Random } from '../../platform/random.js';
import { startAll, stopAll, type Service } from '../../platform/service.js';
import type { Client } from '../../sdk/client.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { clientOf } from '../../sdk/object-client.js';
import {
  createApiServer,
  type ApiServer,
  type ApiServerContext,
  type Authenticator,
  type TlsProvider,
} from '../apiserver/index.js';
import { StartProgress } from '../apiserver/rest/start-checks.js';
import { createAdmission } from '../apiserver/admission/index.js';
import { ANONYMOUS, ClusterAuthenticator } from '../apiserver/auth/authenticator.js';
import { authorizedObjects } from '../apiserver/auth/authorized-objects.js';
import { RbacAuthorizer } from '../apiserver/auth/rbac-authorizer.js';
import { DEFAULT_ISSUER, ServiceAccountTokens } from '../apiserver/auth/service-account-tokens.js';
import { rotatingServerCredentials } from '../apiserver/grpc/credentials.js';
import { createDialer } from '../apiserver/dialer/index.js';
import { createObjectFront } from '../apiserver/grpc/front.js';
import { createStreamingFront } from '../apiserver/streaming/index.js';
import { actedOn, CONTROLLERS } from '../controllers/index.js';
import { createNodelink, type Nodelink } from '../nodelink/nodelink.js';
import { EtcdHttp } from '../store/etcd/http.js';
import { etcdServices } from '../store/etcd/index.js';
import { writeService } from '../store/stream/write-stream.js';
import { ApiEndpoints } from './presence/api-endpoints.js';
import { bootstrapCluster } from './objects/bootstrap.js';
import type { MemberCertificates } from './certificates.js';
import { memberOf, type Backing } from './backing.js';
import { createClusterService } from './cluster/cluster-service.js';
import { createElected, type ElectedParts } from './elected/elected.js';
import { authorizeEtcd } from './etcd-roles.js';
import { createExternalClusterService } from './cluster/external-cluster-service.js';
import { GrpcServer, type GrpcEndpoint, type GrpcServerOptions } from './grpc-server.js';
import { LeaderCalls } from './cluster/leader-calls.js';
import { hostPort, type MemberAddress } from './identity.js';
import { MemberDirectory } from './presence/member-directory.js';
import { memberMetrics } from './member-metrics.js';
import { BootstrapJoinTokens } from './workers/join-tokens.js';
import type { ClusterNetwork } from './network.js';
import { Presence } from './presence/presence.js';
import { TRUSTED_USERS } from './system-users.js';

export interface ServerOptions {
  readonly address: MemberAddress;
  /** Interface that the listeners bind; the address is what others dial. */
  readonly listenHost: string;
  readonly backing: Backing;
  /** What may be elected here; scheduler and all controllers when absent. */
  readonly elects?: ElectedParts;
  readonly pki: ClusterPki;
  readonly certificates: MemberCertificates;
  readonly network: ClusterNetwork;
  /** Silence after which a node counts as unreachable. Kubernetes: 40 s. */
  readonly nodeGrace_ms: number;
  /** How long pods stay on an unreachable node unless they say otherwise. Kubernetes: 300 s. */
  readonly defaultTolerationSeconds?: number;
  /** Operations of one transaction of an etcd client. Default: 128, as etcd. */
  readonly txnOps_max?: number;
  /** Longest request of etcd's clients. */
  readonly request_bytes?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface Server extends Service {
  readonly apiServer: ApiServer;
  readonly nodelink: Nodelink;
  /** How this server reaches Services, pods, nodes and urls for what others configure. */
  readonly dialer: Dialer;
  /** Bound ports, once started. */
  readonly ports: { readonly api: number; readonly grpc: number };
  /** A client in this process, with the rights of the given identity taken on trust. */
  clientFor(user: UserInfo): Client;
}

export function createServer(options: ServerOptions): Server {
  return new MemberServer(options);
}

function tlsProvider(certificates: MemberCertificates, pki: ClusterPki): TlsProvider {
  return {
    current: () => ({
      // The authority goes along, so that a host with a join token can check it against the token's pin.
      certificate: certificates.serving.current.certificate + pki.clusterAuthority.certificate,
      key: certificates.serving.current.privateKey,
      clientCa: pki.clusterAuthority.certificate,
    }),
    onChange: (callback) => certificates.serving.onChange(callback),
  };
}

/** As in Kubernetes: 10 s of 40 s. */
const LEASE_RENEWALS_IN_GRACE = 4;
/**
 * How often a server says that it is there. Members hear each other by Raft: theirs is for those that hold no store.
 */
const PRESENCE_MS = { member: 10_000, external: 2_000 } as const;

class MemberServer implements Server {
  readonly name: string;
  readonly apiServer: ApiServer;
  readonly nodelink: Nodelink;
  readonly dialer: Dialer;
  readonly #options: ServerOptions;
  readonly #informers: InformerFactory;
  readonly #presence: Presence;
  readonly #directory: MemberDirectory;
  readonly #grpc: GrpcServer;
  readonly #endpoints: ApiEndpoints;
  readonly #elected: readonly Service[];
  readonly #progress = new StartProgress();
  /** Only of what workers can provoke: any other broken invariant ends a member. */
  readonly #containment: Containment;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#containment = new Containment(options);
    const { backing, clock, random, logger, address, pki, network } = options;
    const member = memberOf(backing);
    this.name = backing.kind === 'member' ? 'member' : 'server';
    const tls = tlsProvider(options.certificates, pki);
    this.apiServer = this.#createApiServer(tls);
    const systemClient = this.clientFor(TRUSTED_USERS.nodelink);
    this.#informers = new InformerFactory({ client: systemClient, clock, random, logger });
    const identity = `${address.name}_${random.uuid()}`;
    this.#presence = new Presence({
      client: this.clientFor(TRUSTED_USERS.apiserver),
      name: address.name,
      identity,
      grpcAddress: hostPort(address.host, address.grpcPort),
      renewal_ms: PRESENCE_MS[backing.kind],
      saysGoodbye: backing.kind === 'external',
      clock,
      logger,
    });
    this.#directory = new MemberDirectory({ member, presence: this.#presence, address, clock });
    this.nodelink = createNodelink({
      part: this.#containment.part('nodelink'),
      client: systemClient,
      informers: this.#informers,
      clock,
      random,
      logger: logger.child({ component: 'nodelink' }),
      certificates: nodeCertificates(pki, () => options.certificates.serving.current.certificate, { clock, random }),
      tokens: new BootstrapJoinTokens(systemClient, clock),
      members: this.#directory,
      leaseRenewal_ms: options.nodeGrace_ms / LEASE_RENEWALS_IN_GRACE,
    });
    this.dialer = createDialer({ reader: this.apiServer.reader, streamer: this.nodelink, clock, random });
    this.#grpc = new GrpcServer({
      host: options.listenHost,
      port: address.grpcPort,
      credentials: rotatingServerCredentials(tls),
      endpoints: this.#grpcEndpoints(),
      clock,
      authenticates: (authorization) => knowsCaller(this.apiServer.authenticator, authorization),
      logger: logger.child({ component: 'grpc' }),
      ...this.#clientHttp(),
    });
    this.#endpoints = new ApiEndpoints({
      client: this.clientFor(TRUSTED_USERS.apiserver),
      member,
      presence: this.#presence,
      name: address.name,
      host: address.host,
      port: address.apiPort,
      clock,
      logger,
    });
    this.#elected = createElected({
      parts: options.elects ?? { scheduler: true, controllers: CONTROLLERS },
      clientFor: (user) =>
        clientOf(authorizedObjects(this.apiServer.registry.as(user), { user, authorizer: this.apiServer.authorizer })),
      identity,
      network,
      clusterAuthority: () => pki.clusterAuthority.certificate,
      nodeGrace_ms: options.nodeGrace_ms,
      clock,
      random,
      logger,
    });
  }

  get ports(): { readonly api: number; readonly grpc: number } {
    return { api: this.apiServer.address?.port ?? 0, grpc: this.#grpc.port };
  }

  clientFor(user: UserInfo): Client {
    return clientOf(this.apiServer.registry.as(user));
  }

  async start(): Promise<void> {
    const { clock, logger, network, address, pki } = this.#options;
    const { backing } = this.#options;
    if (backing.kind === 'external') await backing.start();
    await startAll([this.apiServer, this.#informers, this.nodelink, this.#directory, this.#grpc]);
    // Until a leader is known nothing can be written: wait for it here, and let everything above find a store that
    // works.
    for (let attempt = 0; ; attempt++) {
      try {
        await bootstrapCluster(this.apiServer.registry.as(TRUSTED_USERS.apiserver), {
          network,
          apiPort: address.apiPort,
          clientAuthority: pki.clusterAuthority.certificate,
          clock,
          served: builtInKinds(this.apiServer.scheme),
          progress: this.#progress,
        });
        break;
      } catch (error) {
        if (attempt >= BOOTSTRAP_ATTEMPTS_MAX) throw error;
        logger.warn({ error: String(error) }, 'the first objects of the cluster could not be written; trying again');
        await clock.sleep(BOOTSTRAP_RETRY_MS);
      }
    }
    await startAll([this.#presence, this.#endpoints, ...this.#elected]);
    this.#progress.done('presence', 'endpoints');
  }

  async stop(): Promise<void> {
    // Together: each waits for the store to take back its lease, and a store without a quorum lets all of them wait.
    await Promise.allSettled([this.#presence, ...this.#elected].map((service) => service.stop()));
    await stopAll([this.apiServer, this.#informers, this.nodelink, this.#directory, this.#grpc, this.#endpoints]);
    this.#options.certificates.stop();
    const { backing } = this.#options;
    await (backing.kind === 'member' ? backing.member.stop() : backing.stop());
  }

  #createApiServer(tls: TlsProvider): ApiServer {
    const { clock, random, logger, address, pki, network, backing, listenHost } = this.#options;
    const tokens = new ServiceAccountTokens({ key: pki.serviceAccountKey, clock, random });
    const audiences = [DEFAULT_ISSUER];
    let rbac: RbacAuthorizer | undefined;
    let authenticator: ClusterAuthenticator | undefined;
    const rights = (context: ApiServerContext) => (rbac ??= new RbacAuthorizer(context.reader));
    const identities = (context: ApiServerContext) =>
      (authenticator ??= new ClusterAuthenticator({
        reader: context.reader,
        authorizer: rights(context),
        tokens,
        audiences,
        clock,
        logger,
      }));
    return createApiServer({
      store: backing.kind === 'member' ? backing.member.store : backing.store,
      clock,
      random,
      logger: logger.child({ component: 'apiserver' }),
      listen: { host: listenHost, port: address.apiPort, tls },
      serverAddress: hostPort(address.host, address.apiPort),
      progress: this.#progress,
      authorizer: rights,
      authenticator: identities,
      admission: (context) =>
        createAdmission(context, rights(context), {
          hasController: actedOn(),
          ...(this.#options.defaultTolerationSeconds === undefined
            ? {}
            : { tolerationSeconds: this.#options.defaultTolerationSeconds }),
        }),
      reviews: (context) => ({ rbac: rights(context), authenticator: identities(context), tokens, audiences }),
      network,
      streamer: {
        reach: (node) => this.nodelink.reach(node),
        open: (node, request, call) => this.nodelink.open(node, request, call),
      },
      streaming: createStreamingFront(),
      openId: {
        issuer: tokens.issuer,
        address: `https://${hostPort(address.host, address.apiPort)}`,
        algorithm: tokens.algorithm,
        keySet: () => tokens.keySet(),
      },
      ...(backing.kind === 'member'
        ? { metrics: async () => memberMetrics(await backing.member.raftStatus(), this.#containment.faults()) }
        : {}),
    });
  }

  /** What etcd answers over HTTP/1.1 where it takes its clients; a server without a store has no such port. */
  #clientHttp(): Partial<Pick<GrpcServerOptions, 'http'>> {
    const { backing } = this.#options;
    if (backing.kind !== 'member') return {};
    const { member } = backing;
    const http = new EtcdHttp({
      status: () => member.store.status(),
      raftStatus: () => member.raftStatus(),
      confirm: () => member.store.readRevision(),
      authorize: authorizeEtcd,
      resident_bytes: () => process.memoryUsage.rss(),
      metrics: async () => memberMetrics(await member.raftStatus(), this.#containment.faults()),
    });
    return { http: (request) => http.answer(request) };
  }

  #grpcEndpoints(): GrpcEndpoint[] {
    const { clock, random, logger, address, pki, backing, txnOps_max, request_bytes } = this.#options;
    const apiAddress = hostPort(address.host, address.apiPort);
    const objects = createObjectFront({
      as: (user) => this.apiServer.registry.as(user),
      authenticator: this.apiServer.authenticator,
      authorizer: this.apiServer.authorizer,
      heavy: this.apiServer.heavy,
      clock,
      logger: logger.child({ component: 'grpc' }),
    });
    const common = [objects as unknown as GrpcEndpoint, this.nodelink].map(answeringUnreadable);
    if (backing.kind === 'external') {
      const members = createExternalClusterService({
        backing,
        name: address.name,
        clusterId: pki.clusterId,
        apiAddress,
        grpcAddress: hostPort(address.host, address.grpcPort),
        clock,
      });
      return [...common, answeringUnreadable(members)];
    }
    const { member } = backing;
    const leaderCalls = new LeaderCalls(pki, { clock, random });
    return [
      ...etcdServices({
        backend: member.store,
        member: { ...member, askLeader: (raft, change) => leaderCalls.ask(raft, change) },
        authorize: authorizeEtcd,
        tls: true,
        ...(txnOps_max === undefined ? {} : { txnOps_max }),
        ...(request_bytes === undefined ? {} : { request_bytes }),
        onWork: (work) => this.apiServer.heavy.note(work),
      }),
      answeringUnreadable(
        writeService({
          backend: member.store,
          authorize: authorizeEtcd,
          clock,
          ...(request_bytes === undefined ? {} : { request_bytes }),
        }),
      ),
      ...common,
      answeringUnreadable(createClusterService({ member, pki, apiAddress, clock, logger })),
    ];
  }
}

async function knowsCaller(authenticator: Authenticator, authorization: string): Promise<boolean> {
  const user = await authenticator.authenticate({ headers: { authorization }, path: '/' });
  return user !== undefined && user.name !== ANONYMOUS.name;
}

const BOOTSTRAP_ATTEMPTS_MAX = 60;
const BOOTSTRAP_RETRY_MS = 500;

const builtInKinds = (scheme: MutableScheme) => scheme.kinds().filter((kind) => scheme.isBuiltIn(kind));
