/**
 * A role's rules by what they are about, so that a request looks at those that may concern it, and not at ten thousand.
 */
import type { PolicyRule, RequestAttributes } from './policy-rule.js';

const indexes = new WeakMap<readonly PolicyRule[], RuleIndex>();

export class RuleIndex {
  readonly #byResource = new Map<string, PolicyRule[]>();
  readonly #ofPaths: readonly PolicyRule[];

  private constructor(rules: readonly PolicyRule[]) {
    for (const rule of rules) {
      for (const resource of new Set(rule.resources)) {
        const list = this.#byResource.get(resource);
        if (list === undefined) this.#byResource.set(resource, [rule]);
        else list.push(rule);
      }
    }
    this.#ofPaths = rules.filter((rule) => (rule.nonResourceURLs ?? []).length > 0);
  }

  /** Made once for each role: objects of the cache do not change. */
  static of(rules: readonly PolicyRule[]): RuleIndex {
    let index = indexes.get(rules);
    if (index === undefined) {
      index = new RuleIndex(rules);
      indexes.set(rules, index);
    }
    return index;
  }

  /** Those that may allow the request, as far as its resource tells. */
  concerning(request: RequestAttributes): readonly PolicyRule[] {
    if (request.kind === 'path') return this.#ofPaths;
    const { resource, subresource } = request;
    return this.naming(subresource === '' ? resource : `${resource}/${subresource}`);
  }

  /** Those that name the resource, as `pods` or `pods/log`, or all. */
  naming(resource: string): readonly PolicyRule[] {
    const slash = resource.indexOf('/');
    const names = slash < 0 ? ['*', resource] : ['*', resource, `*/${resource.slice(slash + 1)}`];
    return [...new Set(names)].flatMap((name) => this.#byResource.get(name) ?? []);
  }

  get ofPaths(): readonly PolicyRule[] {
    return this.#ofPaths;
  }
}
