/**
 * Every controller, one row each: its name in kube-controller-manager (as `--controllers` takes it), the account in kube-system
 * under which it writes (its rights are those of the cluster role `system:controller:<account>`), and the component that its
 * Events name. To add a controller: its folder, and a row here.
 */
import type { Service } from '../../platform/service.js';
import { createTokenCleaner } from './bootstrap/token-cleaner.js';
import { createClusterRoleAggregationController } from './clusterroleaggregation/clusterroleaggregation.js';
import type { ControllerContext } from './context.js';
import { createCrdRegistrationController } from './crdregistration/crdregistration.js';
import { createDeploymentController } from './deployment/deployment.js';
import type { Discovery } from './discovery.js';
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
  createClaimProtectionController, createClassProtectionController, createVolumeProtectionController,
} from './volumeprotection/volumeprotection.js';

/** What the cluster is, for those controllers that ask. */
export interface ClusterFacts {
  /** PEM. */
  readonly clusterAuthority: () => string;
  readonly clusterCidr: string;
  readonly nodeBits: number;
  /** Silence after which a node counts as unreachable. */
  readonly nodeGrace_ms: number;
}

/** What the composer adds. */
export interface ControllerParts extends ClusterFacts {
  readonly discovery: Discovery;
}

export interface ControllerRow {
  readonly name: string;
  readonly account: string;
  /** Absent: the manager's own, `controllermanager`. */
  readonly component?: string;
  create(context: ControllerContext, parts: ControllerParts): Service;
}

export const CONTROLLERS: readonly ControllerRow[] = [
  { name: 'serviceaccount-controller', account: 'service-account-controller', create: createServiceAccountController },
  { name: 'root-ca-certificate-publisher-controller', account: 'root-ca-cert-publisher', create: createRootCaPublisher },
  { name: 'node-ipam-controller', account: 'node-controller', component: 'cidrAllocator', create: createNodeSubnetController },
  {
    name: 'node-lifecycle-controller', account: 'node-controller', component: 'node-controller',
    create: (context, { nodeGrace_ms }) => createNodeLifecycleController(context, { grace_ms: nodeGrace_ms }),
  },
  { name: 'taint-eviction-controller', account: 'node-controller', component: 'taint-eviction-controller', create: createTaintEvictionController },
  { name: 'replicaset-controller', account: 'replicaset-controller', component: 'replicaset-controller', create: createReplicaSetController },
  { name: 'deployment-controller', account: 'deployment-controller', component: 'deployment-controller', create: createDeploymentController },
  {
    name: 'endpointslice-controller', account: 'endpointslice-controller', component: 'endpoint-slice-controller',
    create: createEndpointSliceController,
  },
  { name: 'endpoints-controller', account: 'endpoint-controller', component: 'endpoint-controller', create: createEndpointsController },
  {
    name: 'endpointslice-mirroring-controller', account: 'endpointslicemirroring-controller',
    component: 'endpoint-slice-mirroring-controller', create: createEndpointSliceMirroringController,
  },
  { name: 'disruption-controller', account: 'disruption-controller', create: createDisruptionController },
  { name: 'stale-disruption-target-controller', account: 'disruption-controller', create: createStaleTargetsController },
  {
    name: 'clusterrole-aggregation-controller', account: 'clusterrole-aggregation-controller',
    create: createClusterRoleAggregationController,
  },
  { name: 'crd-registration-controller', account: 'crd-registration-controller', create: createCrdRegistrationController },
  { name: 'pod-garbage-collector-controller', account: 'pod-garbage-collector', create: createPodGcController },
  {
    name: 'persistentvolumeclaim-protection-controller', account: 'pvc-protection-controller', create: createClaimProtectionController,
  },
  { name: 'persistentvolume-protection-controller', account: 'pv-protection-controller', create: createVolumeProtectionController },
  {
    name: 'volumeattributesclass-protection-controller', account: 'volumeattributesclass-protection-controller',
    create: createClassProtectionController,
  },
  { name: 'token-cleaner-controller', account: 'token-cleaner', create: createTokenCleaner },
  {
    name: 'garbage-collector-controller', account: 'generic-garbage-collector', component: 'garbage-collector-controller',
    create: createGarbageCollector,
  },
  { name: 'namespace-controller', account: 'namespace-controller', create: createNamespaceController },
];

const ALL = '*';

/**
 * Which controllers a list such as `*,-disruption-controller` chooses, as kube-controller-manager reads it: `name` runs it, `-name`
 * does not, `*` stands for all that are not named. Throws with a message for the user.
 */
export function chosenControllers(list: readonly string[], rows: readonly ControllerRow[] = CONTROLLERS): readonly ControllerRow[] {
  const known = new Set(rows.map(({ name }) => name));
  const wrong = list.find((item) => item !== ALL && !known.has(item.replace(/^-/, '')));
  if (wrong !== undefined) {
    throw new Error(`"${wrong.replace(/^-/, '')}" is not a controller; there are: ${[...known].sort().join(', ')}`);
  }
  const named = (name: string) => list.includes(name) || (list.includes(ALL) && !list.includes(`-${name}`));
  return rows.filter(({ name }) => named(name));
}
