/**
 * Whether there is room for a pod that comes to this node: the scheduler looked before it chose, whoever writes `spec.nodeName` did not
 * (kubelet's admission, `OutOfcpu`). Pure.
 */
import { podRequests, type Resources } from '../../../apimachinery/kinds/pod/resources.js';
import { parseQuantity } from '../../../apimachinery/quantity.js';
import { amountOf, nanoOf, type Room } from './allocation.js';
import type { Pod } from './types.js';

export interface AdmissionRoom extends Room {
  /** Pods that `requested` is the sum of. */
  readonly pods: number;
}

export interface Refusal {
  /** As `OutOfcpu`. */
  readonly reason: string;
  readonly message: string;
}

/** What is compared first is named first; of other resources those that the node has. */
const FIRST = ['cpu', 'memory', 'ephemeral-storage'] as const;

/** Undefined: the pod may start. */
export function admissionRefusal(pod: Pod, { allocatable, requested, pods }: AdmissionRoom): Refusal | undefined {
  const podsMax = parseQuantity(allocatable['pods']);
  if (podsMax !== undefined && nanoOf(podsMax) < BigInt(pods + 1) * NANO) return outOf('pods', { wanted: NANO, used: BigInt(pods) * NANO, capacity: podsMax.nano });
  const wishes: Resources = podRequests(pod);
  for (const name of new Set([...FIRST, ...wishes.keys()])) {
    const capacity = parseQuantity(allocatable[name])?.nano;
    const [wanted, used] = [nanoOf(wishes.get(name)), nanoOf(requested.get(name))];
    if (capacity !== undefined && wanted > 0n && wanted + used > capacity) return outOf(name, { wanted, used, capacity });
  }
  return undefined;
}

const NANO = 1_000_000_000n;

function outOf(name: string, { wanted, used, capacity }: { readonly wanted: bigint; readonly used: bigint; readonly capacity: bigint }): Refusal {
  const shown = (nano: bigint) => amountOf(name, nano);
  return { reason: `OutOf${name}`, message: `Node didn't have enough resource: ${name}, requested: ${shown(wanted)}, used: ${shown(used)}, capacity: ${shown(capacity)}` };
}
