/** Test support: what the fake object service does to single objects. */
import { encodeJson } from '../../apimachinery/json-value.js';
import type { KubeObject, ObjectMeta, UnknownObject } from '../../apimachinery/object.js';
import { apiErrors } from '../../apimachinery/status.js';

export function withMetadata(object: KubeObject, changes: Partial<ObjectMeta>): UnknownObject {
  return { ...object, metadata: { ...object.metadata, ...changes } };
}

/** The object without its own status, with that of `old`. */
export function withoutStatusOf(object: UnknownObject, old: UnknownObject): UnknownObject {
  const { status: _, ...rest } = object;
  return Object.hasOwn(old, 'status') ? { ...rest, status: old['status'] } : rest;
}

/** The object with what a write to its status may change: annotations, too, as most kinds of Kubernetes have it. */
export function withStatusOf(old: UnknownObject, next: UnknownObject): UnknownObject {
  const annotations = next.metadata?.annotations;
  return {
    ...old,
    metadata: { ...old.metadata, ...(annotations === undefined ? {} : { annotations }) },
    ...(Object.hasOwn(next, 'status') ? { status: next['status'] } : {}),
  };
}

/** Anything besides metadata and status differs: the generation moves on. */
export function changedSpec(old: UnknownObject, next: UnknownObject): boolean {
  const essence = ({ metadata: _, status: __, ...rest }: UnknownObject) => encodeJson(rest);
  return essence(old) !== essence(next);
}

interface PodLike extends KubeObject {
  spec?: { nodeName?: string };
  status?: { conditions?: { type: string }[] };
}

/** What `pods/binding` does: the node's name, and the condition PodScheduled. */
export function bindPod(pod: KubeObject, binding: KubeObject, now: string): UnknownObject {
  const bound: PodLike = structuredClone(pod);
  const node = (binding as { target?: { name?: string } }).target?.name;
  const id = { group: '', resource: 'pods' };
  const name = pod.metadata?.name ?? '';
  if (node === undefined || node === '') throw apiErrors.badRequest('target.name is required');
  if (pod.metadata?.deletionTimestamp !== undefined)
    throw apiErrors.conflict(id, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  if (bound.spec?.nodeName !== undefined && bound.spec.nodeName !== '') {
    throw apiErrors.conflict(id, name, `pod ${name} is already assigned to node "${bound.spec.nodeName}"`);
  }
  bound.spec = { ...bound.spec, nodeName: node };
  const others = bound.status?.conditions?.filter((condition) => condition.type !== 'PodScheduled') ?? [];
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now };
  bound.status = { ...bound.status, conditions: [...others, scheduled] };
  return { ...bound };
}
