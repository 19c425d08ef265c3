/**
 * What a pod asks of a node (k8s.io/component-helpers/resource): the sum over its containers and sidecars, or the peak
 * while init containers run, whichever is more; pod-level resources (KEP-2837) in their place; the overhead on top.
 */
import { parseQuantity, type ParsedQuantity } from '../../quantity.js';
import { containersOf, isRestartableInit } from '../lib/containers.js';
import { entries, field, isRec, type Rec } from '../lib/value.js';

/** Resource name -> quantity. A Map, since names come from users. */
export type Resources = ReadonlyMap<string, ParsedQuantity>;

export type ResourceSide = 'requests' | 'limits';

/** A ResourceList as a map; what is no quantity is left out. */
export function resourcesOf(resourceList: unknown): Map<string, ParsedQuantity> {
  const result = new Map<string, ParsedQuantity>();
  for (const [name, value] of entries(resourceList)) {
    const quantity = parseQuantity(value);
    if (quantity !== undefined) result.set(name, quantity);
  }
  return result;
}

export function addInto(target: Map<string, ParsedQuantity>, more: Resources): void {
  for (const [name, quantity] of more) {
    const present = target.get(name);
    target.set(name, present === undefined ? quantity : { nano: present.nano + quantity.nano, format: present.format });
  }
}

function maxInto(target: Map<string, ParsedQuantity>, other: Resources): void {
  for (const [name, quantity] of other) {
    const present = target.get(name);
    if (present === undefined || present.nano < quantity.nano) target.set(name, quantity);
  }
}

const ofContainer = (container: Rec, side: ResourceSide): Resources =>
  resourcesOf(field(field(container, 'resources'), side));

/** Over all containers, without pod-level resources and overhead. Ephemeral containers ask for nothing. */
export function containerResources(podSpec: unknown, side: ResourceSide): Map<string, ParsedQuantity> {
  const running = new Map<string, ParsedQuantity>();
  const sidecars = new Map<string, ParsedQuantity>();
  const peak = new Map<string, ParsedQuantity>();
  for (const { role, container } of containersOf(podSpec)) {
    if (role === 'ephemeral') continue;
    const own = ofContainer(container, side);
    if (role === 'regular') {
      addInto(running, own);
    } else if (isRestartableInit(container)) {
      addInto(running, own);
      addInto(sidecars, own);
      maxInto(peak, sidecars);
    } else {
      const together = new Map(own);
      addInto(together, sidecars);
      maxInto(peak, together);
    }
  }
  maxInto(running, peak);
  return running;
}

/** Pod-level resources stand in place of the sum for these, and for hugepages. */
export function isPodLevelResource(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-');
}

function podResources(pod: unknown, side: ResourceSide): Map<string, ParsedQuantity> {
  const spec = field(pod, 'spec');
  const result = containerResources(spec, side);
  const podLevel = field(spec, 'resources');
  if (isRec(podLevel)) {
    for (const [name, quantity] of resourcesOf(field(podLevel, side)))
      if (isPodLevelResource(name)) result.set(name, quantity);
  }
  for (const [name, quantity] of resourcesOf(field(spec, 'overhead'))) {
    const present = result.get(name);
    if (present !== undefined) result.set(name, { nano: present.nano + quantity.nano, format: present.format });
    else if (side === 'requests') result.set(name, quantity);
  }
  return result;
}

/** What the scheduler reserves for a pod. */
export function podRequests(pod: unknown): Resources {
  return podResources(pod, 'requests');
}

/** What the pod may use at most. Overhead is added only to resources that have a limit. */
export function podLimits(pod: unknown): Resources {
  return podResources(pod, 'limits');
}
