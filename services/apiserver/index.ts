/**
 * The API server: Kubernetes' API over our store.
 *
 * In: requests by REST (here) and by gRPC (`grpc/`), calls of components in this process. Out: transactions on the
 * store; lists and watches off the watch cache; streams to nodes. `registry/` is the one way to read and write objects,
 * `cacher/` what it reads from, `rest/` HTTP, `crd/` rows that CustomResourceDefinitions
 * make, `records/` what built-in resources do that no row can say; `ports.ts` names what others
 * provide: identity, rights, admission, streams to pods. It must never hold state of its own that is not in the store,
 * know the scheduler or a controller, or answer a linearizable read before the cache has caught up.
 */
import type { PodStreamer } from '../../apimachinery/pod-streams.js';
import type { UserInfo } from '../../apimachinery/object-service.js';
import { builtInScheme } from '../../apimachinery/scheme/builtin.js';
import type { MutableScheme } from '../../apimachinery/scheme/scheme.js';
import type { Clock } from '../../platform/clock.js';
import { Collections } from '../../platform/collections.js';
import { HoldWatch } from '../../platform/hold-watch.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import type { Store } from '../store/store.js';
import { Cacher } from './cacher/cacher.js';
import { DefinitionCleanup } from './crd/definitions.js';
import { LiveScheme } from './crd/live-scheme.js';
import type {
  Admission,
  ApiServerContext,
  Authenticator,
  Authorizer,
  ObjectReader,
  StreamingFront,
  TlsProvider,
} from './ports.js';
import { builtInRecords, type ReviewParts, type ServiceNetwork } from './records/index.js';
import { connectAdmission } from './registry/connect.js';
import { objectReader } from './registry/reader.js';
import { Registry } from './registry/registry.js';
import { documents } from './rest/documents.js';
import { openIdDocument, type OpenIdIssuer } from './rest/open-id.js';
import { FlowControl } from './rest/flow.js';
import type { FlowClass } from './rest/flow.js';
import { RestFront } from './rest/front.js';
import type { HealthCheck } from './rest/health.js';
import type { StartProgress } from './rest/start-checks.js';
import { RecentCheck } from './rest/recent-check.js';
import { RestMetrics } from './rest/metrics.js';
import { HttpsServer } from './rest/server.js';
import { serveUpgrade } from './rest/upgrade.js';

import { HeavyWork } from './work/heavy-work.js';
import { YamlPool } from './work/yaml-pool.js';

export * from './ports.js';

export interface ApiServerOptions {
  readonly store: Store;
  /** The built-in kinds when absent. */
  readonly scheme?: MutableScheme;
  readonly authenticator: (context: ApiServerContext) => Authenticator;
  readonly authorizer: (context: ApiServerContext) => Authorizer;
  readonly admission: (context: ApiServerContext) => Admission;
  /** Called once, after the three above. Absent: reviews and tokens of accounts are not served. */
  readonly reviews?: (context: ApiServerContext) => ReviewParts;
  /** Absent: Services and Nodes get no addresses. */
  readonly network?: ServiceNetwork;
  readonly streamer: PodStreamer;
  readonly streaming: StreamingFront;
  /** Absent: nobody learns how service-account tokens are verified. */
  readonly openId?: OpenIdIssuer;
  /** Absent: no socket; `handle` of the front is the only way in. */
  readonly listen?: { readonly host: string; readonly port: number; readonly tls: TlsProvider };
  /** Host and port that clients are told; what it listens on when absent. */
  readonly serverAddress?: string;
  readonly flow?: Partial<Record<FlowClass, number>>;
  /** Besides `ping`, `etcd`, `shutdown` and `progress`. */
  readonly health?: readonly HealthCheck[];
  /**
   * Absent: health says nothing of what is done once at the start. Whoever hands it in reports the parts that he does.
   */
  readonly progress?: StartProgress;
  /** More for `/metrics`, in the text format: of what stands beside the API server in its process. */
  readonly metrics?: () => Promise<string>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ApiServer extends Service {
  readonly registry: Registry;
  readonly scheme: MutableScheme;
  readonly reader: ObjectReader;
  readonly front: RestFront;
  /** What the ports were made with, for whoever composes more on top (gRPC front, token handlers). */
  readonly context: ApiServerContext;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  /** What other fronts on this registry share their large requests with. */
  readonly heavy: HeavyWork;
  /** Once started; undefined without `listen`. */
  readonly address: { readonly host: string; readonly port: number } | undefined;
}

/** Wires the parts; nothing runs before `start`, which waits until the store can be read. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const { store, clock, random, logger } = options;
  const builtIn = options.scheme ?? builtInScheme();
  const cacher = new Cacher({ store, clock, logger, kinds: builtIn.kinds() });
  const scheme = new LiveScheme(builtIn, cacher, logger);
  const reader = objectReader(scheme, cacher);
  // The registry needs admission, which needs a context that needs the registry: the last step is taken on first use.
  const context: ApiServerContext = {
    reader,
    scheme,
    clock,
    random,
    logger,
    as: (user: UserInfo) => registry.as(user),
  };
  const admission = options.admission(context);
  const registry: Registry = new Registry({ scheme, store, cacher, clock, random, admission });
  const cleanup = new DefinitionCleanup({ reader, scheme, clock, logger, as: (user) => registry.as(user) });
  const [authenticator, authorizer] = [options.authenticator(context), options.authorizer(context)];
  const { network } = options;
  const reviews = options.reviews?.(context);
  const records = builtInRecords({
    ...context,
    scheme,
    store,
    fresh: () => cacher.fresh(),
    ...(network === undefined ? {} : { network }),
    ...(reviews === undefined ? {} : { reviews }),
  });
  for (const record of records) registry.register(record);
  const flow = new FlowControl(options.flow);
  const collections = new Collections();
  const holds = new HoldWatch({ clock, logger, collected_ms: () => collections.total_ms });
  const heavy = new HeavyWork({ clock, holds });
  const yaml = new YamlPool(clock);
  const connect = connectAdmission(admission);
  const published = documents(scheme, () => new Promise((resolve) => clock.immediate(resolve)));
  const stopping = new AbortController();
  const front = new RestFront({
    scheme,
    reader,
    authenticator,
    authorizer,
    streamer: options.streamer,
    flow,
    heavy,
    yaml,
    connect,
    clock,
    random,
    logger,
    as: (user) => registry.as(user),
    metrics: new RestMetrics({
      flow,
      cacher,
      more: async () => `${await holds.metrics()}${(await options.metrics?.()) ?? ''}`,
    }),
    health: healthChecks({
      store,
      cacher,
      clock,
      stopping: stopping.signal,
      more: [...(options.progress?.checks() ?? []), ...(options.health ?? [])],
    }),
    serverAddress:
      options.serverAddress ?? (options.listen === undefined ? '' : `${options.listen.host}:${options.listen.port}`),
    documents: async (path, request, pace) =>
      (options.openId === undefined ? undefined : openIdDocument(path, options.openId)) ??
      published(path, request, pace),
    fresh: () => cacher.fresh(),
  });
  const upgrade = {
    front,
    scheme,
    connect,
    reader,
    streamer: options.streamer,
    streaming: options.streaming,
    flow,
    logger,
  };
  const server =
    options.listen === undefined
      ? undefined
      : new HttpsServer({
          ...options.listen,
          front,
          clock,
          logger,
          upgrade: (rest, connection) => serveUpgrade(rest, connection, upgrade),
        });
  return {
    name: 'apiserver',
    registry,
    scheme,
    reader,
    front,
    context,
    authenticator,
    authorizer,
    heavy,
    get address() {
      return server?.address;
    },
    async start() {
      await collections.start();
      await holds.start();
      await cacher.start();
      options.progress?.done('admission', 'cache', 'documents');
      await cleanup.start();
      options.progress?.done('definitions');
      await server?.start();
    },
    async stop() {
      stopping.abort();
      await server?.stop();
      front.close();
      await cleanup.stop();
      await cacher.stop();
      await yaml.stop();
      await holds.stop();
      await collections.stop();
    },
  };
}

interface HealthParts {
  readonly store: Store;
  readonly cacher: Cacher;
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  readonly more: readonly HealthCheck[];
}

/**
 * That the store answers and has a leader. A consistent read would stand behind all that is being applied, which is no
 * reason to start a member again.
 */
async function checkLeader(store: Store): Promise<void> {
  if ((await store.status()).leaderId === undefined) throw new Error('the store has no leader');
}

/** By the names that clients know: the store is asked in etcd's place. */
function healthChecks({ store, cacher, clock, stopping, more }: HealthParts): HealthCheck[] {
  const alive = new RecentCheck(() => checkLeader(store), clock);
  const readable = new RecentCheck(() => cacher.fresh(), clock);
  return [
    { name: 'ping', check: () => undefined },
    { name: 'etcd', of: ['livez', 'healthz'], check: () => alive.check() },
    { name: 'etcd', of: ['readyz'], check: () => readable.check() },
    { name: 'etcd-readiness', of: ['readyz'], check: () => readable.check() },
    ...more,
    {
      name: 'shutdown',
      of: ['readyz'],
      check() {
        if (stopping.aborted) throw new Error('process is shutting down');
      },
    },
  ];
}
