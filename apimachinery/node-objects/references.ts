/** Which objects a pod refers to: pure functions of the pod, the table, and the objects that name others in turn. */
import { InvariantError } from '../../platform/assert.js';
import type { Container, EphemeralContainer, Pod, Volume } from '../gen/types.js';
import type { KubeObject } from '../object.js';
import { NODE_OBJECTS, configMapNamed, secretNamed } from './table.js';
import type { NamedObject, NodeObjectKind, NodeObjectTable, VolumeType } from './table.js';

export interface ObjectReference {
  readonly kind: string;
  /** '' for a cluster-scoped kind. */
  readonly namespace: string;
  readonly name: string;
}

/** One text per object; kinds and namespaces hold no slash. */
export const referenceKey = ({ kind, namespace, name }: ObjectReference): string => `${kind}/${namespace}/${name}`;

export function nodeObjectKind(table: NodeObjectTable, kind: string): NodeObjectKind | undefined {
  return table.kinds.find(({ resource }) => resource.kind === kind);
}

/** What the pod itself names. Every kind of container counts (CVE-2023-2727), and every volume (CVE-2024-3177). */
export function referencesOf(pod: Pod, table: NodeObjectTable = NODE_OBJECTS): ObjectReference[] {
  const {
    initContainers = [],
    containers = [],
    ephemeralContainers = [],
    volumes = [],
    imagePullSecrets = [],
  } = pod.spec ?? {};
  const named = [
    ...[...initContainers, ...containers, ...ephemeralContainers].flatMap(namedByContainer),
    ...volumes.flatMap((volume) => namedByVolume(volume, table)),
    ...imagePullSecrets.map(({ name }) => secretNamed(name)),
  ];
  return resolve(named, pod.metadata?.namespace ?? '', table);
}

/** What an object names. */
export function referencesOfObject(
  kind: NodeObjectKind,
  object: KubeObject,
  table: NodeObjectTable,
): ObjectReference[] {
  return resolve(kind.refersTo?.(object) ?? [], object.metadata?.namespace ?? '', table);
}

/** `from` and all they lead to, each once. `find` returns undefined for an object that is not there. */
export function reachableFrom(
  from: readonly ObjectReference[],
  find: (reference: ObjectReference) => KubeObject | undefined,
  table: NodeObjectTable,
): ObjectReference[] {
  const found = new Map(from.map((reference) => [referenceKey(reference), reference]));
  // A Map's iteration also visits what is added meanwhile. Nothing is added twice, so circles end.
  for (const reference of found.values()) {
    const kind = nodeObjectKind(table, reference.kind);
    const object = kind?.refersTo === undefined ? undefined : find(reference);
    if (kind === undefined || object === undefined) continue;
    for (const next of referencesOfObject(kind, object, table)) {
      if (!found.has(referenceKey(next))) found.set(referenceKey(next), next);
    }
  }
  return [...found.values()];
}

function namedByContainer({ envFrom = [], env = [] }: Container | EphemeralContainer): NamedObject[] {
  return [
    ...envFrom.flatMap(({ configMapRef, secretRef }) => [
      configMapNamed(configMapRef?.name),
      secretNamed(secretRef?.name),
    ]),
    ...env.flatMap(({ valueFrom }) => [
      configMapNamed(valueFrom?.configMapKeyRef?.name),
      secretNamed(valueFrom?.secretKeyRef?.name),
    ]),
  ];
}

function namedByVolume(volume: Volume, table: NodeObjectTable): readonly NamedObject[] {
  return (Object.keys(table.volumes) as VolumeType[]).flatMap((type) => namedBySource(volume, type, table));
}

function namedBySource<T extends VolumeType>(volume: Volume, type: T, table: NodeObjectTable): readonly NamedObject[] {
  const source: Volume[T] = volume[type];
  return source === undefined || source === null ? [] : (table.volumes[type]?.(source) ?? []);
}

function resolve(named: readonly NamedObject[], namespace: string, table: NodeObjectTable): ObjectReference[] {
  const found = new Map<string, ObjectReference>();
  for (const { kind, name = '' } of named) {
    if (name === '') continue;
    const entry = nodeObjectKind(table, kind);
    if (entry === undefined)
      throw new InvariantError(`a pod refers to ${kind} "${name}", and the table of node objects has no such kind`);
    const reference = { kind, namespace: entry.resource.namespaced ? namespace : '', name };
    found.set(referenceKey(reference), reference);
  }
  return [...found.values()];
}
