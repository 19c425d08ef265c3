/**
 * What a resource does that no row of the scheme can say, in one record; and all records together, as the registry asks
 * them.
 */
import { InvariantError } from '../../../platform/assert.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { Completion } from '../cacher/resource-cache.js';
import type { ParentMutation, ResourceHandler, WriteChange, WriteGuard, WriteHook } from '../ports.js';

/** How the deletion of one resource differs from the rule: namespaces wait for their content. */
export interface DeletionRule {
  /** True while something besides metadata.finalizers holds the object. */
  held(object: KubeObject): boolean;
  /** Changes the draft that is marked for deletion. */
  begin?(draft: KubeObject): void;
}

/** How a subresource is served: by a handler, or by a change of its parent. */
export interface SubresourceRecord {
  readonly handler?: ResourceHandler;
  readonly mutation?: ParentMutation;
}

/** Records of one resource add up: hooks run in the order in which they came, and everything else may be given once. */
export interface ResourceRecord {
  readonly resource: ResourceKey;
  /** The resource is not stored. */
  readonly handler?: ResourceHandler;
  readonly subresources?: Readonly<Record<string, SubresourceRecord>>;
  /** Take part in the transactions of the resource. */
  readonly hooks?: readonly WriteHook[];
  readonly deletion?: DeletionRule;
  /** Fills in what stored objects lack. */
  readonly completion?: Completion;
}

export interface ResourceKey {
  readonly group: string;
  readonly resource: string;
}

export const NO_GUARD: WriteGuard = { compare: [], ops: [] };

const keyOf = ({ group, resource }: ResourceKey, subresource?: string): string =>
  subresource === undefined ? `${group}/${resource}` : `${group}/${resource}/${subresource}`;

export class ResourceRecords {
  readonly #handlers = new Map<string, ResourceHandler>();
  readonly #mutations = new Map<string, ParentMutation>();
  readonly #hooks = new Map<string, WriteHook[]>();
  readonly #deletions = new Map<string, DeletionRule>();

  /** Throws InvariantError where two records claim what only one can have. */
  add({ resource, handler, subresources = {}, hooks = [], deletion }: ResourceRecord): void {
    if (handler !== undefined) this.#serve(keyOf(resource), { handler });
    for (const [name, served] of Object.entries(subresources)) this.#serve(keyOf(resource, name), served);
    if (deletion !== undefined)
      putOnce(this.#deletions, { key: keyOf(resource), value: deletion, what: 'deletion rule' });
    this.#hooks.set(keyOf(resource), [...(this.#hooks.get(keyOf(resource)) ?? []), ...hooks]);
  }

  handler(resource: ResourceKey, subresource?: string): ResourceHandler | undefined {
    return this.#handlers.get(keyOf(resource, subresource));
  }

  mutation(resource: ResourceKey, subresource: string): ParentMutation | undefined {
    return this.#mutations.get(keyOf(resource, subresource));
  }

  deletion(resource: ResourceKey): DeletionRule | undefined {
    return this.#deletions.get(keyOf(resource));
  }

  /**
   * What all hooks of the resource want to hold and to happen in the transaction. Later ones see what earlier ones
   * changed.
   */
  async guard(resource: ResourceKey, change: WriteChange): Promise<WriteGuard> {
    const hooks = this.#hooks.get(keyOf(resource)) ?? [];
    const [only] = hooks;
    if (only === undefined) return NO_GUARD;
    if (hooks.length === 1) return only.before(change);
    const guards: WriteGuard[] = [];
    for (const hook of hooks) guards.push(await hook.before(change));
    return { compare: guards.flatMap(({ compare }) => compare), ops: guards.flatMap(({ ops }) => ops) };
  }

  #serve(key: string, { handler, mutation }: SubresourceRecord): void {
    if (handler !== undefined && mutation !== undefined)
      throw new InvariantError(`${key} has a handler and a mutation of its parent`);
    if (this.#handlers.has(key) || this.#mutations.has(key))
      throw new InvariantError(`${key} is served by two records`);
    if (handler !== undefined) this.#handlers.set(key, handler);
    if (mutation !== undefined) this.#mutations.set(key, mutation);
  }
}

function putOnce<T>(
  map: Map<string, T>,
  { key, value, what }: { readonly key: string; readonly value: T; readonly what: string },
): void {
  if (map.has(key)) throw new InvariantError(`${key} has two records with a ${what}`);
  map.set(key, value);
}
