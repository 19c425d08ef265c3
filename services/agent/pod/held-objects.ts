/** The objects besides pods that a member has sent, by reference; those that may lie on disk are kept there too. */
import { nodeObjectKind, referenceKey } from '../../../apimachinery/node-objects/references.js';
import type { ObjectReference } from '../../../apimachinery/node-objects/references.js';
import type { NodeObjectTable } from '../../../apimachinery/node-objects/table.js';
import { wireKindOf } from '../../../apimachinery/node-objects/wire.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { KnownObject } from '../../../proto/gen/navarch/node/v1/node.js';
import type { ConfigMap, Secret } from '../pod-spec/types.js';
import type { CheckpointedObject, Checkpoints } from './checkpoints.js';

interface Held {
  readonly reference: ObjectReference;
  readonly object: KubeObject;
}

export class HeldObjects {
  readonly #table: NodeObjectTable;
  readonly #checkpoints: Checkpoints;
  readonly #held = new Map<string, Held>();

  constructor(table: NodeObjectTable, checkpoints: Checkpoints) {
    this.#table = table;
    this.#checkpoints = checkpoints;
  }

  get(reference: ObjectReference): KubeObject | undefined {
    return this.#held.get(referenceKey(reference))?.object;
  }

  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.get({ kind: 'ConfigMap', namespace, name });
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.get({ kind: 'Secret', namespace, name });
  }

  /** `object` undefined: there is none of that name. */
  apply(reference: ObjectReference, object: KubeObject | undefined): void {
    const onDisk = nodeObjectKind(this.#table, reference.kind)?.onDisk === true;
    if (object === undefined) this.#held.delete(referenceKey(reference));
    else this.#held.set(referenceKey(reference), { reference, object });
    if (onDisk && object === undefined) this.#checkpoints.removeObject(reference);
    if (onDisk && object !== undefined) this.#checkpoints.saveObject(reference, object);
  }

  /** From disk: what a member has sent meanwhile is newer. */
  restore(objects: readonly CheckpointedObject[]): void {
    for (const { kind, object } of objects) {
      const reference = { kind, namespace: object.metadata?.namespace ?? '', name: object.metadata?.name ?? '' };
      if (this.get(reference) === undefined) this.#held.set(referenceKey(reference), { reference, object });
    }
  }

  known(): KnownObject[] {
    return [...this.#held.values()].map(
      ({ reference: { kind, namespace, name }, object: { metadata } }): KnownObject => ({
        ...wireKindOf(kind),
        namespace,
        name,
        uid: metadata?.uid ?? '',
        resourceVersion: metadata?.resourceVersion ?? '',
      }),
    );
  }
}
