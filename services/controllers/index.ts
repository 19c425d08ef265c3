/**
 * The controllers of the control plane, one folder each. In: Clients and shared informers. Out: writes, each
 * controller's through a Client of its own account. They run on one member at a time (leader election is the
 * composer's) and keep no state of their own that a restart could lose. They never see the store or the API server.
 */
import { deployments, replicaSets } from '../../apimachinery/gen/resources.js';
import { groupResourceOf, type ResourceId } from '../../apimachinery/object.js';
import { startAll, stopAll, type Service } from '../../platform/service.js';
import type { Client } from '../../sdk/client.js';
import { ResourceCatalog } from '../../sdk/discovery/resource-catalog.js';
import type { ControllerContext } from './context.js';
import { discoveryOf } from './discovery.js';
import type { ClusterFacts, ControllerRow } from './row.js';
import { createTokenCleaner } from './bootstrap/token-cleaner.js';
import { createClusterRoleAggregationController } from './clusterroleaggregation/clusterroleaggregation.js';
import { createCrdRegistrationController } from './crdregistration/crdregistration.js';
import { createDeploymentController } from './deployment/deployment.js';
import { createDisruptionController } from './disruption/disruption.js';
import { createStaleTargetsController } from './disruption/stale-targets.js';
import { createEndpointsController } from './endpoints/endpoints.js';
import { createEndpointSliceController } from './endpointslice/endpointslice.js';
import { createEndpointSliceMirroringController } from './endpointslicemirroring/endpointslicemirroring.js';
import { createGarbageCollector } from './garbagecollector/garbagecollector.js';
import { createNamespaceController } from './namespace/namespace.js';
import { createTaintEvictionController } from './node/eviction.js';
import { createNodeLifecycleController } from './node/lifecycle.js';
import { createNodeSubnetController } from './node/subnets.js';
import { createPodGcController } from './podgc/podgc.js';
import { createReplicaSetController } from './replicaset/replicaset.js';
import { createRootCaPublisher, createServiceAccountController } from './serviceaccount/defaults.js';
import {
  createClaimProtectionController,
  createClassProtectionController,
  createVolumeProtectionController,
} from './volumeprotection/volumeprotection.js';

export { chosenControllers, type ControllerRow } from './row.js';

export interface ControllersOptions extends ClusterFacts {
  /** Of the manager: its client is what informers read with. */
  readonly context: ControllerContext;
  /** The client of an account in kube-system; the manager's own when absent. */
  readonly clientOf?: (account: string) => Client;
  /** All when absent. */
  readonly rows?: readonly ControllerRow[];
}

/** To add a controller: its folder, and a row here. */
export const CONTROLLERS: readonly ControllerRow[] = [
  { name: 'serviceaccount-controller', account: 'service-account-controller', create: createServiceAccountController },
  {
    name: 'root-ca-certificate-publisher-controller',
    account: 'root-ca-cert-publisher',
    create: createRootCaPublisher,
  },
  {
    name: 'node-ipam-controller',
    account: 'node-controller',
    component: 'cidrAllocator',
    create: createNodeSubnetController,
  },
  {
    name: 'node-lifecycle-controller',
    account: 'node-controller',
    component: 'node-controller',
    create: (context, { nodeGrace_ms }) => createNodeLifecycleController(context, { grace_ms: nodeGrace_ms }),
  },
  {
    name: 'taint-eviction-controller',
    account: 'node-controller',
    component: 'taint-eviction-controller',
    create: createTaintEvictionController,
  },
  {
    name: 'replicaset-controller',
    account: 'replicaset-controller',
    component: 'replicaset-controller',
    actsOn: [replicaSets],
    create: createReplicaSetController,
  },
  {
    name: 'deployment-controller',
    account: 'deployment-controller',
    component: 'deployment-controller',
    actsOn: [deployments],
    create: createDeploymentController,
  },
  {
    name: 'endpointslice-controller',
    account: 'endpointslice-controller',
    component: 'endpoint-slice-controller',
    create: createEndpointSliceController,
  },
  {
    name: 'endpoints-controller',
    account: 'endpoint-controller',
    component: 'endpoint-controller',
    create: createEndpointsController,
  },
  {
    name: 'endpointslice-mirroring-controller',
    account: 'endpointslicemirroring-controller',
    component: 'endpoint-slice-mirroring-controller',
    create: createEndpointSliceMirroringController,
  },
  { name: 'disruption-controller', account: 'disruption-controller', create: createDisruptionController },
  {
    name: 'stale-disruption-target-controller',
    account: 'disruption-controller',
    create: createStaleTargetsController,
  },
  {
    name: 'clusterrole-aggregation-controller',
    account: 'clusterrole-aggregation-controller',
    create: createClusterRoleAggregationController,
  },
  {
    name: 'crd-registration-controller',
    account: 'crd-registration-controller',
    create: createCrdRegistrationController,
  },
  { name: 'pod-garbage-collector-controller', account: 'pod-garbage-collector', create: createPodGcController },
  {
    name: 'persistentvolumeclaim-protection-controller',
    account: 'pvc-protection-controller',
    create: createClaimProtectionController,
  },
  {
    name: 'persistentvolume-protection-controller',
    account: 'pv-protection-controller',
    create: createVolumeProtectionController,
  },
  {
    name: 'volumeattributesclass-protection-controller',
    account: 'volumeattributesclass-protection-controller',
    create: createClassProtectionController,
  },
  { name: 'token-cleaner-controller', account: 'token-cleaner', create: createTokenCleaner },
  {
    name: 'garbage-collector-controller',
    account: 'generic-garbage-collector',
    component: 'garbage-collector-controller',
    create: createGarbageCollector,
  },
  { name: 'namespace-controller', account: 'namespace-controller', create: createNamespaceController },
];

const MANAGER = 'controllermanager';

/** Whether a controller acts on a kind, whatever its version. */
export function actedOn(
  rows: readonly ControllerRow[] = CONTROLLERS,
): (resource: Pick<ResourceId, 'group' | 'resource'>) => boolean {
  const kinds = new Set(rows.flatMap(({ actsOn = [] }) => actsOn.map(groupResourceOf)));
  return (resource) => kinds.has(groupResourceOf(resource));
}

/** As one service; the informers of the context are its own to start and stop. */
export function createControllers(options: ControllersOptions): Service {
  const { context, clientOf, rows = CONTROLLERS } = options;
  const { client, clock, random, logger, informers, events } = context;
  const catalog = new ResourceCatalog({ client, clock, random, logger });
  const parts = { ...options, discovery: discoveryOf(catalog) };
  const controllers = rows.map(({ account, component = MANAGER, create }) =>
    create({ ...context, client: clientOf?.(account) ?? client, events: events.as?.(component) ?? events }, parts),
  );
  return {
    name: 'controllers',
    async start() {
      await catalog.start();
      await informers.start();
      await catalog.whenKnown();
      // In parallel: one whose caches take long must not hold up the others.
      await Promise.all(controllers.map((controller) => startAll([controller])));
    },
    async stop() {
      await Promise.all(controllers.map((controller) => stopAll([controller])));
      await informers.stop();
      await catalog.stop();
    },
  };
}
