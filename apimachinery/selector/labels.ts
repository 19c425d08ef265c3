/**
 * Label selectors: the text of a query (label-text.ts) and the LabelSelector of objects, both compiled to one predicate
 * (k8s.io/apimachinery/pkg/labels). Matching allocates nothing: it runs for every event of every watcher.
 */
import { apiErrors } from '../status.js';

export type Labels = Readonly<Record<string, string>>;
export type LabelOperator = '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | '>' | '<';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** The shape of metav1.LabelSelector. */
export interface LabelSelectorObject {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export class LabelSelector {
  readonly requirements: readonly LabelRequirement[];
  readonly #nothing: boolean;

  constructor(requirements: readonly LabelRequirement[], nothing = false) {
    this.requirements = requirements;
    this.#nothing = nothing;
  }

  get isEverything(): boolean {
    return !this.#nothing && this.requirements.length === 0;
  }

  get isNothing(): boolean {
    return this.#nothing;
  }

  matches(labels: Labels | undefined): boolean {
    if (this.#nothing) return false;
    for (const requirement of this.requirements) {
      if (!meets(requirement, labels)) return false;
    }
    return true;
  }

  /** The text of a query that parses to the same selector; requirements in the order of their keys. */
  format(): string {
    return [...this.requirements]
      .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      .map(formatRequirement)
      .join(',');
  }
}

export const everything = new LabelSelector([]);
const nothing = new LabelSelector([], true);

function meets({ key, operator, values }: LabelRequirement, labels: Labels | undefined): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case '=':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case '>':
      return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) > BigInt(values[0] ?? 0);
    case '<':
      return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) < BigInt(values[0] ?? 0);
  }
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort((a, b) => (a < b ? -1 : 1)).join(',')})`;
    default:
      return `${key}${operator}${values[0] ?? ''}`;
  }
}

const OPERATORS: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

const compiled = new WeakMap<LabelSelectorObject, LabelSelector>();

/**
 * A LabelSelector of an object; compiled once for each object, which therefore must not change. Absent selects nothing,
 * empty everything (API conventions). Throws ApiError BadRequest for an operator that does not exist.
 */
export function labelSelectorOf(object: LabelSelectorObject | undefined | null): LabelSelector {
  if (object === undefined || object === null) return nothing;
  let selector = compiled.get(object);
  if (selector === undefined) {
    selector = new LabelSelector([
      ...Object.entries(object.matchLabels ?? {}).map(([key, value]): LabelRequirement => ({
        key,
        operator: '=',
        values: [value],
      })),
      ...(object.matchExpressions ?? []).map(({ key, operator, values }): LabelRequirement => {
        const known = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
        if (known === undefined)
          throw apiErrors.badRequest(`${JSON.stringify(operator)} is not a valid label selector operator`);
        return { key, operator: known, values: values ?? [] };
      }),
    ]);
    compiled.set(object, selector);
  }
  return selector;
}

/** `spec.selector` of services and replication controllers: a plain map. Absent selects nothing. */
export function labelSelectorOfMap(map: Labels | undefined): LabelSelector {
  if (map === undefined) return nothing;
  return new LabelSelector(
    Object.entries(map).map(([key, value]): LabelRequirement => ({ key, operator: '=', values: [value] })),
  );
}
