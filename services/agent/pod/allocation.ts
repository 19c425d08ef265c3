/**
 * In-place resize (KEP-1287): what of a pod's wished resources the node has set aside for it. A wish is taken over when
 * it fits, whole pod at a time; until then the pod goes on as it was, and says why it waits.
 */
import { addInto, podRequests, resourcesOf, type Resources } from '../../../apimachinery/kinds/pod/resources.js';
import { parseQuantity, type ParsedQuantity } from '../../../apimachinery/quantity.js';
import { containersOf, specOf } from '../pod-spec/spec.js';
import type { RoledContainer } from '../pod-spec/spec.js';
import type { Container, Pod, Quantities } from '../pod-spec/types.js';

type Wish = NonNullable<Container['resources']>;

export interface Room {
  readonly allocatable: Quantities;
  /** Of the node's other pods together. */
  readonly requested: Resources;
}

/** Why a resize waits: Infeasible on this node, or Deferred until others leave. */
export interface PendingResize {
  readonly reason: 'Infeasible' | 'Deferred';
  readonly message: string;
}

const RESIZABLE = ['cpu', 'memory'] as const;
const NANO = 1_000_000_000n;
export const nanoOf = (quantity: ParsedQuantity | undefined): bigint => quantity?.nano ?? 0n;
/** As kubelet's messages have it: thousandths of a CPU, bytes. */
export const amountOf = (name: string, nano: bigint): bigint => (name === 'cpu' ? nano / 1_000_000n : nano / NANO);

export function requestsOf(pods: Iterable<Pod>): Resources {
  const sum = new Map<string, ParsedQuantity>();
  for (const pod of pods) addInto(sum, podRequests(pod));
  return sum;
}

/** Names among cpu and memory whose request or limit differs, whatever the way they are written. */
export function changedResources(a: Wish | undefined, b: Wish | undefined): ReadonlySet<string> {
  const changed = new Set<string>();
  for (const side of ['requests', 'limits'] as const) {
    const [x, y] = [resourcesOf(a?.[side]), resourcesOf(b?.[side])];
    for (const name of RESIZABLE) if (x.get(name)?.nano !== y.get(name)?.nano) changed.add(name);
  }
  return changed;
}

/** Whether a change of these asks for a restart of the container. */
export function resizeRestarts({ resizePolicy = [] }: Container, changed: ReadonlySet<string>): boolean {
  return resizePolicy.some(
    ({ resourceName, restartPolicy }) => restartPolicy === 'RestartContainer' && changed.has(resourceName),
  );
}

export class Allocation {
  readonly #allocated = new Map<string, Wish>();
  #pending: PendingResize | undefined;

  get pending(): PendingResize | undefined {
    return this.#pending;
  }

  /** Takes over what the pod wishes, if there is room. True when that is a change. */
  admit(pod: Pod, room: Room): boolean {
    const resized = this.#containers(pod).filter(
      ({ container }) => changedResources(this.#of(pod, container), container.resources).size > 0,
    );
    this.#pending = resized.length === 0 ? undefined : refusal(pod, room);
    if (this.#pending !== undefined || resized.length === 0) return false;
    for (const { container } of resized) this.#allocated.set(container.name, container.resources ?? {});
    return true;
  }

  /** The pod with the resources that are set aside for it; the same object when they are what it wishes. */
  apply(pod: Pod): Pod {
    const { spec } = pod;
    if (
      spec === undefined ||
      this.#containers(pod).every(
        ({ container }) => changedResources(this.#of(pod, container), container.resources).size === 0,
      )
    )
      return pod;
    const allocated = (container: Container): Container => ({ ...container, resources: this.#of(pod, container) });
    return {
      ...pod,
      spec: {
        ...spec,
        containers: spec.containers.map(allocated),
        ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(allocated) }),
      },
    };
  }

  #containers(pod: Pod): readonly RoledContainer[] {
    return containersOf(specOf(pod)).filter(({ role }) => role !== 'ephemeral');
  }

  /** Known since the pod's start, or, after one of the agent, what its status says of a container that was made. */
  #of(pod: Pod, container: Container): Wish {
    const known = this.#allocated.get(container.name);
    if (known !== undefined) return known;
    const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
    const stored = statuses.find(({ name, containerID = '' }) => name === container.name && containerID !== '');
    const first = stored?.resources ?? container.resources ?? {};
    this.#allocated.set(container.name, first);
    return first;
  }
}

function refusal(pod: Pod, { allocatable, requested }: Room): PendingResize | undefined {
  const wished = podRequests(pod);
  const numbersOf = (name: string) => ({
    wanted: nanoOf(wished.get(name)),
    used: nanoOf(requested.get(name)),
    capacity: nanoOf(parseQuantity(allocatable[name])),
  });
  for (const name of RESIZABLE) {
    const { wanted, capacity } = numbersOf(name);
    if (wanted <= capacity) continue;
    return {
      reason: 'Infeasible',
      message: `Node didn't have enough capacity: ${name}, requested: ${amountOf(name, wanted)}, capacity: ${amountOf(name, capacity)}`,
    };
  }
  for (const name of RESIZABLE) {
    const { wanted, used, capacity } = numbersOf(name);
    if (wanted + used <= capacity) continue;
    const message = `Node didn't have enough resource: ${name}, requested: ${amountOf(name, wanted)}, used: ${amountOf(name, used)}, capacity: ${amountOf(name, capacity)}`;
    return { reason: 'Deferred', message };
  }
  return undefined;
}
