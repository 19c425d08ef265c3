/**
 * The controllers of the control plane, one folder each. In: a Client and shared informers. Out: writes through the same
 * Client. They run on one member at a time (leader election is the composer's) and keep no state of their own that a restart
 * could lose. They never see the store or the API server.
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
import { createClaimProtectionController, createClassProtectionController, createVolumeProtectionController } from './volumeprotection/volumeprotection.js';

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

/** All controllers as one service; the informers of the context are its own to start and stop. */
export function createControllers(options: ControllersOptions): Service {
  const { context } = options;
  const as = (component: string): ControllerContext => ({ ...context, events: context.events.as?.(component) ?? context.events });
  const controllers: Service[] = [
    createNamespaceDefaultsController(context, { clusterAuthority: options.clusterAuthority }),
    createNodeSubnetController(as('cidrAllocator'), { clusterCidr: options.clusterCidr, nodeBits: options.nodeBits }),
    createNodeLifecycleController(as('node-controller'), { grace_ms: options.nodeGrace_ms }),
    createTaintEvictionController(as('taint-eviction-controller')),
    createReplicaSetController(as('replicaset-controller')),
    createDeploymentController(as('deployment-controller')),
    createEndpointSliceController(as('endpoint-slice-controller')),
    createEndpointsController(as('endpoint-controller')),
    createEndpointSliceMirroringController(as('endpoint-slice-mirroring-controller')),
    createDisruptionController(as('controllermanager'), { discovery: options.discovery }),
    createStaleTargetsController(context),
    createClusterRoleAggregationController(context),
    createCrdRegistrationController(context),
    createPodGcController(context),
    createClaimProtectionController(context),
    createVolumeProtectionController(context),
    createClassProtectionController(context),
    createTokenCleaner(context),
    createGarbageCollector(as('garbage-collector-controller'), { discovery: options.discovery }),
    createNamespaceController(context, { discovery: options.discovery }),
  ];
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
