/** Test support: an ObjectReader over a plain map, for what reads objects without a server around it. */
import type { KubeObject, ResourceId } from '../../apimachinery/object.js';
import type { ObjectReader } from './ports.js';

export class MapReader implements ObjectReader {
  readonly #objects = new Map<string, KubeObject[]>();
  #changes = 0;

  put(resource: string, object: KubeObject): void {
    const others = (this.#objects.get(resource) ?? []).filter(
      (o) => o.metadata?.name !== object.metadata?.name || o.metadata?.namespace !== object.metadata?.namespace,
    );
    this.#objects.set(resource, [...others, object]);
    this.#changes++;
  }

  /** Forgets all objects of the resource. */
  remove(resource: string): void {
    this.#objects.delete(resource);
    this.#changes++;
  }

  get(resource: ResourceId, ref: { namespace?: string; name: string }): KubeObject | undefined {
    return this.list(resource).find((o) => o.metadata?.name === ref.name && o.metadata.namespace === ref.namespace);
  }

  list(resource: ResourceId, options: { namespace?: string } = {}): readonly KubeObject[] {
    const all = this.#objects.get(resource.resource) ?? [];
    return options.namespace === undefined ? all : all.filter((o) => o.metadata?.namespace === options.namespace);
  }

  getFresh(resource: ResourceId, ref: { namespace?: string; name: string }): Promise<KubeObject | undefined> {
    return Promise.resolve(this.get(resource, ref));
  }

  changes(): number {
    return this.#changes;
  }
}
