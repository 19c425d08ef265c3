/** Which container on which node a pod's streaming subresource means: shared by logs and upgrades. */
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import type { ObjectReader } from '../ports.js';

const PODS = { group: '', version: 'v1', resource: 'pods' };

export interface PodTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  /** Empty: the pod has no node yet. */
  readonly node: string;
  readonly object: KubeObject;
}

/** Throws NotFound. */
export async function podTarget(reader: ObjectReader, namespace: string, name: string): Promise<PodTarget> {
  const object = await reader.getFresh(PODS, { namespace, name });
  if (object === undefined) throw apiErrors.notFound(PODS, name);
  const node = specOf(object)['nodeName'];
  return { namespace, pod: name, uid: object.metadata?.uid ?? '', node: typeof node === 'string' ? node : '', object };
}

/** Throws BadRequest for a pod that has no node yet. */
export function nodeOf({ pod, node }: PodTarget): string {
  if (node === '') throw apiErrors.badRequest(`pod ${pod} does not have a host assigned`);
  return node;
}

/**
 * The container that was asked for, or the only one; judged before the pod's node. The errors are those kubectl's users
 * know.
 */
export function containerOf(target: PodTarget, asked: string): string {
  const containers = namesIn(target.object, 'containers');
  const all = [
    ...namesIn(target.object, 'initContainers'),
    ...containers,
    ...namesIn(target.object, 'ephemeralContainers'),
  ];
  if (asked !== '') {
    if (all.includes(asked)) return asked;
    throw apiErrors.badRequest(`container ${asked} is not valid for pod ${target.pod}`);
  }
  const [only] = containers;
  if (only !== undefined && containers.length === 1) return only;
  throw apiErrors.badRequest(
    `a container name must be specified for pod ${target.pod}, choose one of: [${all.join(' ')}]`,
  );
}

function specOf(object: KubeObject): Record<string, unknown> {
  const spec = (object as UnknownObject)['spec'];
  return isObject(spec) ? spec : {};
}

function namesIn(object: KubeObject, list: string): string[] {
  const containers = specOf(object)[list];
  if (!Array.isArray(containers)) return [];
  return containers.flatMap((container: unknown) =>
    isObject(container) && typeof container['name'] === 'string' ? [container['name']] : [],
  );
}
