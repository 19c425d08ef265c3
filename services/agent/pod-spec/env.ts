/** Environment, command and downward API of a container: pure functions of the pod and of the objects it refers to. */
import type { ConfigMap, Container, EnvVar, Pod, Quantities, Secret } from './types.js';
import { resourceField } from './resources.js';
import { specOf } from './spec.js';

/** What a pod's variables and volumes are made from. `undefined` from a lookup: the object does not exist. */
export interface PodSources {
  configMap(namespace: string, name: string): ConfigMap | undefined;
  secret(namespace: string, name: string): Secret | undefined;
  readonly serviceEnvironment: Readonly<Record<string, string>>;
  readonly podIPs: readonly string[];
  readonly hostIP: string;
  readonly nodeName: string;
  readonly allocatable: Quantities;
}

/**
 * Something a container needs is missing or wrong: it waits with reason CreateContainerConfigError and this message.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Value of a `fieldRef` (Kubernetes: "Downward API"). Maps come out as lines of `key="escaped value"`. */
export function fieldValue(pod: Pod, fieldPath: string, sources: PodSources): string {
  const metadata = pod.metadata ?? {};
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/s.exec(fieldPath);
  if (keyed !== null) {
    const map = (keyed[1] === 'labels' ? metadata.labels : metadata.annotations) ?? {};
    return Object.hasOwn(map, keyed[2] ?? '') ? (map[keyed[2] ?? ''] ?? '') : '';
  }
  switch (fieldPath) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return mapLines(metadata.labels);
    case 'metadata.annotations':
      return mapLines(metadata.annotations);
    case 'spec.nodeName':
      return sources.nodeName;
    case 'spec.serviceAccountName':
      return pod.spec?.serviceAccountName ?? 'default';
    case 'status.hostIP':
    case 'status.hostIPs':
      return sources.hostIP;
    case 'status.podIP':
      return sources.podIPs[0] ?? '';
    case 'status.podIPs':
      return sources.podIPs.join(',');
    default:
      throw new ConfigError(`unsupported fieldPath: ${fieldPath}`);
  }
}

function mapLines(map: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(map ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join('\n');
}

/** `$(NAME)` from `known`; `$$(NAME)` is a literal `$(NAME)`; an unknown name stays as it is. */
export function expand(text: string, known: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (whole, name: string | undefined) => {
    if (whole === '$$') return '$';
    return known.get(name ?? '') ?? whole;
  });
}

const decode = (data: string | undefined) =>
  data === undefined ? undefined : Buffer.from(data, 'base64').toString('utf8');
const own = <T>(map: Readonly<Record<string, T>> | undefined, key: string): T | undefined =>
  map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;

/** A variable's value; undefined when an optional source is missing. */
function sourceValue(pod: Pod, container: Container, variable: EnvVar, sources: PodSources): string | undefined {
  const namespace = pod.metadata?.namespace ?? '';
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = variable.valueFrom ?? {};
  if (fieldRef !== undefined) return fieldValue(pod, fieldRef.fieldPath, sources);
  if (resourceFieldRef !== undefined) {
    const all = [...specOf(pod).containers, ...(specOf(pod).initContainers ?? [])];
    const target = all.find((candidate) => candidate.name === resourceFieldRef.containerName) ?? container;
    return resourceField(target, resourceFieldRef.resource, resourceFieldRef.divisor, sources.allocatable);
  }
  const ref = configMapKeyRef ?? secretKeyRef;
  if (ref === undefined) return '';
  const name = ref.name ?? '';
  const isSecret = configMapKeyRef === undefined;
  const object = isSecret ? sources.secret(namespace, name) : sources.configMap(namespace, name);
  const kind = isSecret ? 'secret' : 'configmap';
  if (object === undefined) {
    if (ref.optional === true) return undefined;
    throw new ConfigError(`${kind} "${name}" not found`);
  }
  const raw = own(object.data, ref.key);
  const value = isSecret ? decode(raw) : raw;
  if (value === undefined && ref.optional !== true) {
    throw new ConfigError(`couldn't find key ${ref.key} in ${isSecret ? 'Secret' : 'ConfigMap'} ${namespace}/${name}`);
  }
  return value;
}

const VARIABLE_NAME = /^[ -<>-~]+$/;

function addFrom(result: Map<string, string>, pod: Pod, container: Container, sources: PodSources): void {
  const namespace = pod.metadata?.namespace ?? '';
  for (const source of container.envFrom ?? []) {
    const ref = source.configMapRef ?? source.secretRef;
    if (ref === undefined) continue;
    const name = ref.name ?? '';
    const isSecret = source.configMapRef === undefined;
    const object = isSecret ? sources.secret(namespace, name) : sources.configMap(namespace, name);
    if (object === undefined) {
      if (ref.optional === true) continue;
      throw new ConfigError(`${isSecret ? 'secret' : 'configmap'} "${name}" not found`);
    }
    for (const [key, value] of Object.entries(object.data ?? {})) {
      const variable = `${source.prefix ?? ''}${key}`;
      if (VARIABLE_NAME.test(variable)) result.set(variable, isSecret ? (decode(value) ?? '') : value);
    }
  }
}

/** Later sources win: Services, then envFrom, then env in its order, each able to refer to what came before. */
export function environmentOf(pod: Pod, container: Container, sources: PodSources): Map<string, string> {
  const result = new Map<string, string>();
  addFrom(result, pod, container, sources);
  const services = new Map(Object.entries(sources.serviceEnvironment));
  const known = new Map([...services, ...result]);
  for (const variable of container.env ?? []) {
    const value =
      variable.valueFrom === undefined
        ? expand(variable.value ?? '', known)
        : sourceValue(pod, container, variable, sources);
    if (value === undefined) continue;
    result.set(variable.name, value);
    known.set(variable.name, value);
  }
  return new Map([...services, ...result]);
}
