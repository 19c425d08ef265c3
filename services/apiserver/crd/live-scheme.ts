/**
 * The scheme as the CustomResourceDefinitions in this member's watch cache make it. Each look-up first asks whether any
 * of them changed, which costs the comparison of a number: rows are never older than the cache, and nobody has to be
 * told.
 */
import { kindsOfDefinition } from '../../../apimachinery/scheme/custom-kinds.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { GroupVersionKind, KubeObject, ResourceId } from '../../../apimachinery/object.js';
import type { Schema } from '../../../apimachinery/schema.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import { InvariantError, present } from '../../../platform/assert.js';
import type { Logger } from '../../../platform/log.js';
import type { Cacher } from '../cacher/cacher.js';
import { isEstablished } from './conditions.js';

export const DEFINITIONS: ResourceId = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  resource: 'customresourcedefinitions',
};

interface Rows {
  /** Changes with everything rows are made from. */
  readonly mark: string;
  readonly kinds: readonly Kind[];
}

export class LiveScheme implements MutableScheme {
  readonly #base: MutableScheme;
  readonly #cacher: Cacher;
  readonly #logger: Logger;
  readonly #definitions: Kind;
  readonly #rows = new Map<string, Rows>();
  #seen = -1;

  constructor(base: MutableScheme, cacher: Cacher, logger: Logger) {
    this.#base = base;
    this.#cacher = cacher;
    this.#logger = logger;
    this.#definitions = present(base.byResource(DEFINITIONS), 'the scheme has no CustomResourceDefinitions');
  }

  get generation(): number {
    return this.#live().generation;
  }

  byResource(id: ResourceId): Kind | undefined {
    return this.#live().byResource(id);
  }

  byKind(id: GroupVersionKind): Kind | undefined {
    return this.#live().byKind(id);
  }

  kinds(): readonly Kind[] {
    return this.#live().kinds();
  }

  definition(ref: string): Schema {
    return this.#base.definition(ref);
  }

  ofGroupVersion(group: string, version: string): readonly Kind[] {
    return this.#live().ofGroupVersion(group, version);
  }

  groupVersions(): readonly string[] {
    return this.#live().groupVersions();
  }

  isBuiltIn(id: ResourceId): boolean {
    return this.#base.isBuiltIn(id);
  }

  add(kind: Kind, definitions?: Readonly<Record<string, Schema>>): void {
    this.#base.add(kind, definitions);
  }

  remove(id: ResourceId): boolean {
    return this.#base.remove(id);
  }

  #live(): MutableScheme {
    const cache = this.#cacher.of(this.#definitions);
    if (cache.changes === this.#seen) return this.#base;
    this.#seen = cache.changes;
    const found = new Map<string, KubeObject>();
    for (const { object } of cache.select({}))
      if (isEstablished(object)) found.set(object.metadata?.name ?? '', object);
    for (const name of [...this.#rows.keys()]) if (!found.has(name)) this.#forget(name);
    for (const [name, definition] of found) this.#learn(name, definition);
    return this.#base;
  }

  #learn(name: string, definition: KubeObject): void {
    const { uid = '', generation = 0, deletionTimestamp = '' } = definition.metadata ?? {};
    const mark = `${uid} ${generation} ${deletionTimestamp}`;
    const old = this.#rows.get(name);
    if (old?.mark === mark) return;
    const kinds = kindsOfDefinition(definition);
    // Watches of a version that is served no more have nothing to say; the others go on.
    const served = new Set(kinds.map(({ version }) => version));
    for (const kind of old?.kinds ?? []) if (!served.has(kind.version)) this.#base.remove(kind);
    try {
      for (const kind of kinds) this.#base.add(kind);
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      this.#logger.error(
        { definition: name, error: error.message },
        'a custom resource definition claims a built-in kind',
      );
    }
    this.#rows.set(name, { mark, kinds });
  }

  #forget(name: string): void {
    for (const kind of this.#rows.get(name)?.kinds ?? []) {
      this.#base.remove(kind);
      this.#cacher.of(kind).endWatches();
    }
    this.#rows.delete(name);
  }
}
