/**
 * Whether a pod that comes to this node may start here: the scheduler looked before it chose, whoever writes
 * `spec.nodeName` did not. The checks, their order, reasons and messages are those of kubelet's admission. Pure.
 */
import { hostPortsOf, portsConflict, type HostPort } from '../../../apimachinery/kinds/pod/host-ports.js';
import { requiredNodeMatches } from '../../../apimachinery/kinds/pod/node-requirements.js';
import { podRequests, type Resources } from '../../../apimachinery/kinds/pod/resources.js';
import { tolerates } from '../../../apimachinery/kinds/pod/tolerations.js';
import { parseQuantity } from '../../../apimachinery/quantity.js';
import { OS_LABEL } from '../../../apimachinery/well-known.js';
import type { Taint } from '../../../apimachinery/gen/types.js';
import { amountOf, nanoOf, type Room } from './allocation.js';
import { specOf } from '../pod-spec/spec.js';
import type { Pod } from '../pod-spec/types.js';

/** Of the node's other pods that have been admitted and have not ended. */
export interface AdmittedPods extends Pick<Room, 'requested'> {
  /** Pods that `requested` is the sum of. */
  readonly pods: number;
  readonly hostPorts: readonly HostPort[];
}

/** The node's object, as far as the cluster decides about it. */
export interface NodeObject {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
}

export interface AdmissionView extends Room, AdmittedPods {
  /** Undefined before a member has sent it: then a pod is not judged by it. */
  readonly node: NodeObject | undefined;
}

export interface Refusal {
  /** As `OutOfcpu`. */
  readonly reason: string;
  readonly message: string;
}

/** What is compared first is named first; of other resources those that the node has. */
const FIRST = ['cpu', 'memory', 'ephemeral-storage'] as const;
const NANO = 1_000_000_000n;
const OS = 'linux';

/** Undefined: the pod may start. */
export function admissionRefusal(pod: Pod, view: AdmissionView): Refusal | undefined {
  return systemRefusal(pod) ?? roomRefusal(pod, view) ?? placeRefusal(pod, view);
}

/** What no Linux worker can do. */
function systemRefusal(pod: Pod): Refusal | undefined {
  const { os, securityContext } = specOf(pod);
  const labels = pod.metadata?.labels ?? {};
  if (Object.hasOwn(labels, OS_LABEL) && labels[OS_LABEL] !== OS) {
    return {
      reason: 'PodOSSelectorNodeLabelDoesNotMatch',
      message: `Failed to admit pod as the \`${OS_LABEL}\` label doesn't match node label`,
    };
  }
  if (os !== undefined && os.name !== OS)
    return { reason: 'PodOSNotSupported', message: "Failed to admit pod as the OS field doesn't match node OS" };
  // A worker that could would say so in its node's status.features.
  if (securityContext?.supplementalGroupsPolicy === 'Strict') {
    return {
      reason: 'SupplementalGroupsPolicyNotSupported',
      message: 'SupplementalGroupsPolicy=Strict is not supported in this node',
    };
  }
  return undefined;
}

function roomRefusal(pod: Pod, { allocatable, requested, pods }: AdmissionView): Refusal | undefined {
  const podsMax = parseQuantity(allocatable['pods']);
  if (podsMax !== undefined && nanoOf(podsMax) < BigInt(pods + 1) * NANO)
    return outOf('pods', { wanted: NANO, used: BigInt(pods) * NANO, capacity: podsMax.nano });
  const wishes: Resources = podRequests(pod);
  for (const name of new Set([...FIRST, ...wishes.keys()])) {
    const capacity = parseQuantity(allocatable[name])?.nano;
    const [wanted, used] = [nanoOf(wishes.get(name)), nanoOf(requested.get(name))];
    if (capacity !== undefined && wanted > 0n && wanted + used > capacity)
      return outOf(name, { wanted, used, capacity });
  }
  return undefined;
}

function placeRefusal(pod: Pod, { node, hostPorts }: AdmissionView): Refusal | undefined {
  if (node !== undefined && !requiredNodeMatches(pod, node))
    return predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");
  if (hostPortsOf(pod).some((port) => hostPorts.some((taken) => portsConflict(port, taken)))) {
    return predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports");
  }
  // Taints of other effects are the scheduler's.
  const isTainted =
    node?.taints.some((taint) => taint.effect === 'NoExecute' && !tolerates(specOf(pod).tolerations, taint)) ?? false;
  return isTainted ? predicate('TaintToleration', "node(s) had taints that the pod didn't tolerate") : undefined;
}

function predicate(reason: string, what: string): Refusal {
  return { reason, message: `Predicate ${reason} failed: ${what}` };
}

function outOf(
  name: string,
  { wanted, used, capacity }: { readonly wanted: bigint; readonly used: bigint; readonly capacity: bigint },
): Refusal {
  const shown = (nano: bigint) => amountOf(name, nano);
  return {
    reason: `OutOf${name}`,
    message: `Node didn't have enough resource: ${name}, requested: ${shown(wanted)}, used: ${shown(used)}, capacity: ${shown(capacity)}`,
  };
}
