/**
 * The etcd v3 API of a store: services to register on a gRPC server that others share. In: etcd's requests; each is
 * authorized, also operation by operation inside transactions, turned into the store's own operations, and answered
 * with etcd's codes and texts. It keeps no state but the watches of open streams.
 */
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import {
  AuthService,
  ClusterService,
  LeaseService,
  MaintenanceService,
} from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { ElectionService } from '../../../proto/gen/etcd/v3electionpb/election.js';
import { LockService } from '../../../proto/gen/etcd/v3lockpb/lock.js';
import { systemClock } from '../../../platform/clock.js';
import type { Clock } from '../../../platform/clock.js';
import type { KvBackend } from '../backend/backend.js';
import { LIMITS } from '../limits.js';
import { authService } from './auth.js';
import type { EtcdAuthorizer } from './authorize.js';
import { clusterService } from './cluster.js';
import { EtcdContext } from './context.js';
import { failStream, toEtcdError } from './errors.js';
import type { EtcdMember } from './context.js';
import { electionService } from './election.js';
import { kvDefinition, kvService } from './kv.js';
import { LeaderMonitor } from './leader-monitor.js';
import { leaseService } from './lease.js';
import { lockService } from './lock.js';
import { maintenanceService } from './maintenance.js';
import { RefusedRequest, withLimits } from './requests.js';
import { watchDefinition } from './watch-response.js';
import { watchService } from './watch.js';

export type { EtcdAuthorizer, EtcdIdentity, EtcdOperation } from './authorize.js';
export type { EtcdMember } from './context.js';

export interface EtcdServicesOptions {
  readonly backend: KvBackend;
  /** Absent: a store without peers; the Cluster service is empty. */
  readonly member?: EtcdMember;
  readonly authorize: EtcdAuthorizer;
  /** How often a watch that asked for it hears of progress. etcd's default is 10 minutes. */
  readonly progressInterval_ms?: number;
  /** Operations of one transaction. Default: 128, as etcd. */
  readonly txnOps_max?: number;
  /** Longest request that is taken. Default: 1.5 MiB, as etcd. */
  readonly request_bytes?: number;
  /** Told when a call begins, and when its answer is made: for whoever measures what holds the thread. */
  readonly onWork?: (work: string) => void;
  /** Whether clients reach the members by TLS. */
  readonly tls: boolean;
  readonly clock?: Clock;
}

export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

const PROGRESS_INTERVAL_MS = 10 * 60_000;

export function etcdServices(options: EtcdServicesOptions): readonly GrpcService[] {
  const context = new EtcdContext({
    backend: options.backend,
    member: options.member,
    authorize: options.authorize,
    progressInterval_ms: options.progressInterval_ms ?? PROGRESS_INTERVAL_MS,
    ...(options.txnOps_max === undefined ? {} : { txnOps_max: options.txnOps_max }),
    scheme: options.tls ? 'https://' : 'http://',
    clock: options.clock ?? systemClock,
    ...(options.onWork === undefined ? {} : { onWork: options.onWork }),
  });
  const limits = { request_bytes: options.request_bytes ?? LIMITS.request_bytes, txnOps: context.txnOps_max };
  const leader = new LeaderMonitor(options.member, options.clock ?? systemClock);
  const services: readonly GrpcService[] = [
    { definition: kvDefinition, implementation: kvService(context) },
    { definition: watchDefinition, implementation: watchService(context, leader) },
    { definition: LeaseService, implementation: leaseService(context, leader) },
    { definition: ClusterService, implementation: clusterService(context) },
    { definition: MaintenanceService, implementation: maintenanceService(context) },
    { definition: AuthService, implementation: authService(context) },
    { definition: LockService, implementation: lockService(context) },
    { definition: ElectionService, implementation: electionService(context) },
  ];
  return services.map(({ definition, implementation }) => ({
    definition: withLimits(definition, limits),
    implementation: forSomebody(context, implementation),
  }));
}

type AnyHandler = (
  call: Parameters<EtcdContext['requireSomebody']>[0] & {
    readonly request?: unknown;
    getPath(): string;
    emit(event: 'error', error: Error): unknown;
  },
  callback?: (error: Error) => void,
) => void;

/** The services' methods, none of which is answered to nobody; what somebody may do each of them asks itself. */
export function forSomebody(
  context: EtcdContext,
  implementation: UntypedServiceImplementation,
): UntypedServiceImplementation {
  const guarded = Object.entries(implementation).map(([name, handler]): [string, AnyHandler] => [
    name,
    (call, callback) => {
      try {
        context.onWork(call.getPath());
        context.requireSomebody(call);
        if (call.request instanceof RefusedRequest) throw call.request.error;
      } catch (error) {
        if (callback === undefined) failStream(call, error);
        else callback(toEtcdError(error));
        return;
      }
      (handler as unknown as AnyHandler).call(implementation, call, callback);
    },
  ]);
  return Object.fromEntries(guarded) as unknown as UntypedServiceImplementation;
}
