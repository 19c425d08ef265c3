/**
 * The controllers of the control plane, one folder each. In: a Client and shared informers. Out: writes through the
 * same Client. They run on one member at a time (leader election is the composer's) and keep no state of their own that
 * a restart could lose. They never see the store or the API server.
 */
import { startAll, stopAll, type Service } from '../../platform/service.js';
import { createClusterRoleAggregationController } from './clusterroleaggregation/clusterroleaggregation.js';
import type { ControllerContext } from './context.js';
import { createTokenCleaner } from './bootstrap/token-cleaner.js';
import { createCrdRegistrationController } from './crdregistration/crdregistration.js';
import type { Discovery } from './discovery.js';
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
import { createNamespaceDefaultsController } from './serviceaccount/defaults.js';
import {
  createClaimProtectionController,
  createClassProtectionController,
  createVolumeProtectionController,
} from './volumeprotection/volumeprotection.js';

export type { ControllerContext, EventSink } from './context.js';
export type { Discovery } from './discovery.js';

export interface ControllersOptions {
  readonly context: ControllerContext;
  readonly discovery: Discovery;
  /** PEM. */
  readonly clusterAuthority: () => string;
  readonly clusterCidr: string;
  readonly nodeBits: number;
  /** Silence after which a node counts as unreachable. */
  readonly nodeGrace_ms: number;
}

/** How a controller registers: one row in CONTROLLERS. */
export interface ControllerEntry {
  /** As kube-controller-manager names it, where it has one. */
  readonly name: string;
  /** Who reports its events; absent: the process that runs it. */
  readonly component?: string;
  readonly create: (context: ControllerContext, options: ControllersOptions) => Service;
}

export const CONTROLLERS: readonly ControllerEntry[] = [
  {
    name: 'namespace-defaults-controller',
    create: (context, { clusterAuthority }) => createNamespaceDefaultsController(context, { clusterAuthority }),
  },
  {
    name: 'node-ipam-controller',
    component: 'cidrAllocator',
    create: (context, { clusterCidr, nodeBits }) => createNodeSubnetController(context, { clusterCidr, nodeBits }),
  },
  {
    name: 'node-lifecycle-controller',
    component: 'node-controller',
    create: (context, { nodeGrace_ms }) => createNodeLifecycleController(context, { grace_ms: nodeGrace_ms }),
  },
  { name: 'taint-eviction-controller', component: 'taint-eviction-controller', create: createTaintEvictionController },
  { name: 'replicaset-controller', component: 'replicaset-controller', create: createReplicaSetController },
  { name: 'deployment-controller', component: 'deployment-controller', create: createDeploymentController },
  { name: 'endpointslice-controller', component: 'endpoint-slice-controller', create: createEndpointSliceController },
  { name: 'endpoints-controller', component: 'endpoint-controller', create: createEndpointsController },
  {
    name: 'endpointslice-mirroring-controller',
    component: 'endpoint-slice-mirroring-controller',
    create: createEndpointSliceMirroringController,
  },
  { name: 'disruption-controller', component: 'controllermanager', create: createDisruptionController },
  { name: 'stale-disruption-targets-controller', create: createStaleTargetsController },
  { name: 'clusterrole-aggregation-controller', create: createClusterRoleAggregationController },
  { name: 'crd-registration-controller', create: createCrdRegistrationController },
  { name: 'pod-garbage-collector-controller', create: createPodGcController },
  { name: 'persistentvolumeclaim-protection-controller', create: createClaimProtectionController },
  { name: 'persistentvolume-protection-controller', create: createVolumeProtectionController },
  { name: 'volumeattributesclass-protection-controller', create: createClassProtectionController },
  { name: 'token-cleaner-controller', create: createTokenCleaner },
  {
    name: 'garbage-collector-controller',
    component: 'garbage-collector-controller',
    create: createGarbageCollector,
  },
  { name: 'namespace-controller', create: createNamespaceController },
];

/** The controllers of the table as one service; the informers of the context are its own to start and stop. */
export function createControllers(
  options: ControllersOptions,
  entries: readonly ControllerEntry[] = CONTROLLERS,
): Service {
  const { context } = options;
  const contextFor = ({ component }: ControllerEntry): ControllerContext =>
    component === undefined ? context : { ...context, events: context.events.as?.(component) ?? context.events };
  const controllers = entries.map((entry) => entry.create(contextFor(entry), options));
  return {
    name: 'controllers',
    async start() {
      await context.informers.start();
      // In parallel: one whose caches take long must not hold up the others.
      await Promise.all(controllers.map((controller) => startAll([controller])));
    },
    async stop() {
      await Promise.all(controllers.map((controller) => stopAll([controller])));
      await context.informers.stop();
    },
  };
}
