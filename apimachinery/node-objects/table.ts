/**
 * The objects that a worker is sent besides its pods, and how they follow from a pod. Both ends of a worker's session
 * use this table: a member sends a node what its pods refer to and nothing else, so the table is also what a node may
 * read; a worker finds with it the pods that a changed object concerns.
 */
import { configMaps, secrets } from '../gen/resources.js';
import type { Volume } from '../gen/types.js';
import type { KubeObject, Resource } from '../object.js';

/** A field of core/v1 Volume that names its source, as `configMap`. */
export type VolumeType = Exclude<keyof Volume, 'name'>;

/** An object by kind and name, in the namespace of the object that names it unless the kind is cluster-scoped. */
export interface NamedObject {
  readonly kind: string;
  readonly name: string | undefined;
}

export interface NodeObjectKind<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>;
  /** Whether a worker keeps it on disk for a start without members. Never true for what must stay secret. */
  readonly onDisk: boolean;
  /** Objects that it names in turn, as a claim names its volume. Absent: none. */
  refersTo?(object: T): readonly NamedObject[];
}

export interface NodeObjectTable {
  /** Sent as JSON under the kind's name, which is unique in the table. */
  readonly kinds: readonly NodeObjectKind[];
  /** Objects that a volume names, by its type. Absent: none. */
  readonly volumes: { readonly [T in VolumeType]?: (source: NonNullable<Volume[T]>) => readonly NamedObject[] };
}

export const configMapNamed = (name: string | undefined): NamedObject => ({ kind: 'ConfigMap', name });
export const secretNamed = (name: string | undefined): NamedObject => ({ kind: 'Secret', name });

export const NODE_OBJECTS: NodeObjectTable = {
  kinds: [
    { resource: configMaps, onDisk: true },
    { resource: secrets, onDisk: false },
  ],
  volumes: {
    configMap: ({ name }) => [configMapNamed(name)],
    secret: ({ secretName }) => [secretNamed(secretName)],
    projected: ({ sources }) =>
      (sources ?? []).flatMap(({ configMap, secret }) => [configMapNamed(configMap?.name), secretNamed(secret?.name)]),
  },
};
