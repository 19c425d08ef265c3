/** What a pod's worker needs around it: handed in once by the agent, shared by all pods of the node. */
import type { Resources } from '../../../apimachinery/kinds/pod/resources.js';
import type { TokenNeed } from '../../../apimachinery/node-objects/tokens.js';
import type { Clock } from '../../../platform/clock.js';
import type { Part } from '../../../platform/containment.js';
import type { Logger } from '../../../platform/log.js';
import type { Random } from '../../../platform/random.js';
import type { PodCgroups } from '../cgroups/pod-cgroups.js';
import type { ProbeResult } from '../probes/prober.js';
import type { ContainerRecord, Runtime } from '../runtime/runtime.js';
import type { Volumes } from '../volumes/volumes.js';
import type { AdmittedPods, NodeObject } from './admission.js';
import type { NodeFacts } from './container-spec.js';
import type { HeldObjects } from './held-objects.js';
import type { Images } from './images.js';
import type { PodKey } from '../pod-spec/spec.js';
import type { Container, Handler, PodStatus, Quantities } from '../pod-spec/types.js';

export interface PodEvent {
  readonly key: PodKey;
  /** As `spec.containers{web}`; empty for the pod itself. */
  readonly fieldPath: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export interface Token {
  readonly token: string;
  readonly expires_ms: number;
}

export interface PodEnvironment {
  /** What the pods are parts of. */
  readonly part: Part;
  readonly runtime: Runtime;
  readonly volumes: Volumes;
  readonly images: Images;
  readonly cgroups: PodCgroups;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly node: NodeFacts;
  readonly nodeName: string;
  readonly hostIP: string;
  readonly logRoot: string;
  allocatable(): Quantities;
  /** Undefined before a member has sent it. */
  nodeObject(): NodeObject | undefined;
  /** What the other pods that were admitted take, and how many they are. */
  takenByOthers(uid: string): AdmittedPods;
  /** What the node's other pods have asked for together. */
  requestedByOthers(uid: string): Resources;
  /** What members have sent besides pods. */
  readonly objects: Pick<HeldObjects, 'get' | 'configMap' | 'secret'>;
  serviceEnvironment(uid: string): Readonly<Record<string, string>>;
  /** Asks a member for a token bound to the pod; rejects when none can be had now. */
  requestToken(key: PodKey, need: TokenNeed): Promise<Token>;
  /** Probes and hooks: exec in the container, or a connection to the pod. Never rejects. */
  runHandler(
    handler: Handler,
    container: Container,
    record: ContainerRecord,
    podIP: string,
    timeout_s: number,
  ): Promise<ProbeResult>;
  reportStatus(key: PodKey, status: PodStatus): void;
  reportTerminated(key: PodKey): void;
  event(event: PodEvent): void;
}
