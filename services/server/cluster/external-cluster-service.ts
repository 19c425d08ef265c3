/** navarch.cluster.v1 on a server that holds no store: how it is. What concerns members is asked of members. */
import { status } from '@grpc/grpc-js';
import type { Clock } from '../../../platform/clock.js';
import {
  ClusterServiceService,
  type ClusterServiceServer,
  type GetStatusResponse,
} from '../../../proto/gen/navarch/cluster/v1/cluster.js';
import type { StoreStatus } from '../../store/store.js';
import { VERSION } from '../../../platform/version.js';
import type { ExternalBacking } from '../backing.js';
import { clusterUnary, Refusal } from './cluster-service.js';
import type { GrpcEndpoint } from '../grpc-server.js';

export interface ExternalClusterServiceOptions {
  readonly backing: ExternalBacking;
  readonly name: string;
  readonly clusterId: string;
  /** host:port of the listeners. */
  readonly apiAddress: string;
  readonly grpcAddress: string;
  readonly clock: Clock;
}

/** A status is asked for by people who wait. */
const STORE_MS = 2_000;

export function createExternalClusterService(options: ExternalClusterServiceOptions): GrpcEndpoint {
  const { backing, clock } = options;
  const started_ms = clock.monotonic();
  const elsewhere = () =>
    Promise.reject(
      new Refusal(
        status.FAILED_PRECONDITION,
        `this server holds no store: its members are at ${backing.endpoints.join(', ')} (members of ours: ask one of them; etcd: etcdctl member list)`,
      ),
    );
  const implementation: ClusterServiceServer = {
    join: clusterUnary(elsewhere, { open: true }),
    getStatus: clusterUnary(() => statusOf(options, Math.round(clock.monotonic() - started_ms))),
    listMembers: clusterUnary(elsewhere),
    removeMember: clusterUnary(elsewhere),
    promoteMember: clusterUnary(elsewhere),
    transferLeadership: clusterUnary(elsewhere),
    getHash: clusterUnary(elsewhere),
  };
  return {
    definition: ClusterServiceService,
    implementation: implementation as unknown as GrpcEndpoint['implementation'],
  };
}

async function statusOf(
  { backing, name, clusterId, apiAddress, grpcAddress }: ExternalClusterServiceOptions,
  uptimeMs: number,
): Promise<GetStatusResponse> {
  const found: StoreStatus | Error = await backing.store
    .status({ signal: AbortSignal.timeout(STORE_MS) })
    .catch((error: Error) => error);
  const store = found instanceof Error ? undefined : found;
  return {
    member: {
      id: 0,
      name,
      peerAddress: '',
      clientAddresses: [grpcAddress],
      apiAddresses: [apiAddress],
      learner: false,
      joining: false,
    },
    clusterId,
    role: 'apiserver',
    term: store?.term ?? 0,
    leaderId: 0,
    commitIndex: store?.appliedIndex ?? 0,
    appliedIndex: store?.appliedIndex ?? 0,
    revision: store?.revision ?? 0,
    compactRevision: store?.compactRevision ?? 0,
    dbSizeBytes: store?.dbSize_bytes ?? 0,
    residentBytes: process.memoryUsage.rss(),
    version: VERSION,
    uptimeMs,
    externalStore: { endpoints: [...backing.endpoints], error: found instanceof Error ? found.message : '' },
    commandLevels: undefined,
  };
}
