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
  readonly node: string;
  readonly object: KubeObject;
}

/** Throws NotFound, and BadRequest for a pod that has no node yet. */
export async function podTarget(reader: ObjectReader, namespace: string, name: string): Promise<PodTarget> {
  const object = await reader.getFresh(PODS, { namespace, name });
  if (object === undefined) throw apiErrors.notFound(PODS, name);
  const node = specOf(object)['nodeName'];
  if (typeof node !== 'string' || node === '') throw apiErrors.badRequest(`pod ${name} does not have a host assigned`);
  return { namespace, pod: name, uid: object.metadata?.uid ?? '', node, object };
}

/** The container that was asked for, or the only one. The errors are those kubectl's users know. */
export function containerOf(target: PodTarget, asked: string): string {
  const containers = namesIn(target.object, 'containers');
  const init = namesIn(target.object, 'initContainers');
  const ephemeral = namesIn(target.object, 'ephemeralContainers');
  if (asked !== '') {
    if ([...containers, ...init, ...ephemeral].includes(asked)) return asked;
    throw apiErrors.badRequest(`container ${asked} is not valid for pod ${target.pod}`);
  }
  const [only] = containers;
  if (only !== undefined && containers.length === 1) return only;
  const more = (what: string, names: readonly string[]) => (names.length === 0 ? '' : ` or one of the ${what} containers: [${names.join(' ')}]`);
  throw apiErrors.badRequest(
    `a container name must be specified for pod ${target.pod}, choose one of: [${containers.join(' ')}]${more('init', init)}${more('ephemeral', ephemeral)}`);
}

function specOf(object: KubeObject): Record<string, unknown> {
  const spec = (object as UnknownObject)['spec'];
  return isObject(spec) ? spec : {};
}

function namesIn(object: KubeObject, list: string): string[] {
  const containers = specOf(object)[list];
  if (!Array.isArray(containers)) return [];
  return containers.flatMap((container: unknown) => (isObject(container) && typeof container['name'] === 'string' ? [container['name']] : []));
}
