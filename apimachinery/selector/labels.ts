/**
 * Label selectors: the text of a query (`app=web,tier in (a, b),!gone`) and the LabelSelector of objects, both compiled to
 * one predicate (k8s.io/apimachinery/pkg/labels). Matching allocates nothing: it runs for every event of every watcher.
 */
import { labelValue, qualifiedName } from '../names.js';
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
  readonly matchExpressions?: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[];
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
    return [...this.requirements].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(formatRequirement).join(',');
  }
}

export const everything = new LabelSelector([]);
export const nothing = new LabelSelector([], true);

function meets({ key, operator, values }: LabelRequirement, labels: Labels | undefined): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case '=': case 'in': return value !== undefined && values.includes(value);
    case '!=': case 'notin': return value === undefined || !values.includes(value);
    case 'exists': return value !== undefined;
    case '!': return value === undefined;
    case '>': return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) > BigInt(values[0] ?? 0);
    case '<': return value !== undefined && /^-?\d+$/.test(value) && BigInt(value) < BigInt(values[0] ?? 0);
  }
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'exists': return key;
    case '!': return `!${key}`;
    case 'in': case 'notin': return `${key} ${operator} (${[...values].sort((a, b) => (a < b ? -1 : 1)).join(',')})`;
    default: return `${key}${operator}${values[0] ?? ''}`;
  }
}

const TOKEN = /\s*(==|!=|[=,()!<>]|[^\s=,()!<>]+)/y;

/** Throws ApiError BadRequest. Absent and empty text selects everything. */
export function parseLabelSelector(text: string | undefined): LabelSelector {
  if (text === undefined || text.trim() === '') return everything;
  const tokens = tokenize(text);
  const requirements: LabelRequirement[] = [];
  let at = 0;
  for (;;) {
    const { requirement, next } = parseRequirement(tokens, at, text);
    requirements.push(checked(requirement, text));
    if (next === tokens.length) return new LabelSelector(requirements);
    if (tokens[next] !== ',') throw unparsable(text, `found '${tokens[next]}', expected: ',' or 'end of string'`);
    at = next + 1;
  }
}

function unparsable(text: string, why: string): Error {
  return apiErrors.badRequest(`unable to parse requirement: ${why} (in label selector ${JSON.stringify(text.slice(0, 256))})`);
}

function tokenize(text: string): string[] {
  const tokens: string[] = [];
  const end = text.trimEnd().length;
  for (let at = 0; at < end;) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) throw unparsable(text, `unexpected character at ${at}`);
    tokens.push(match[1] ?? '');
    at = TOKEN.lastIndex;
  }
  return tokens;
}

const isWord = (token: string | undefined): token is string => token !== undefined && !/^(==|!=|[=,()!<>])$/.test(token);

function parseRequirement(tokens: readonly string[], start: number, text: string): { requirement: LabelRequirement; next: number } {
  const negated = tokens[start] === '!';
  const at = negated ? start + 1 : start;
  const key = tokens[at];
  if (!isWord(key)) throw unparsable(text, `found '${key ?? ''}', expected: identifier`);
  const operator = tokens[at + 1];
  if (negated || operator === undefined || operator === ',') {
    return { requirement: { key, operator: negated ? '!' : 'exists', values: [] }, next: at + 1 };
  }
  if (operator === 'in' || operator === 'notin') {
    const close = tokens.indexOf(')', at + 2);
    if (tokens[at + 2] !== '(' || close === -1) throw unparsable(text, `found '${tokens[at + 2] ?? ''}', expected: '('`);
    const values = tokens.slice(at + 3, close).join(' ').split(',').map((value) => value.trim());
    return { requirement: { key, operator, values }, next: close + 1 };
  }
  if (!['=', '==', '!=', '<', '>'].includes(operator)) throw unparsable(text, `found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
  const value = tokens[at + 2];
  const kind = operator === '==' ? '=' : (operator as LabelOperator);
  if (isWord(value)) return { requirement: { key, operator: kind, values: [value] }, next: at + 3 };
  return { requirement: { key, operator: kind, values: [''] }, next: at + 2 };
}

function checked(requirement: LabelRequirement, text: string): LabelRequirement {
  const { key, operator, values } = requirement;
  const [badKey] = qualifiedName(key);
  if (badKey !== undefined) throw unparsable(text, `key: Invalid value: ${JSON.stringify(key)}: ${badKey}`);
  for (const value of values) {
    const [badValue] = labelValue(value);
    if (badValue !== undefined) throw unparsable(text, `values[${values.indexOf(value)}][${key}]: Invalid value: ${JSON.stringify(value)}: ${badValue}`);
    if ((operator === '<' || operator === '>') && !/^-?\d+$/.test(value)) throw unparsable(text, `for '${operator}' the value must be an integer`);
  }
  return requirement;
}

const OPERATORS: Readonly<Record<string, LabelOperator>> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };

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
      ...Object.entries(object.matchLabels ?? {}).map(([key, value]): LabelRequirement => ({ key, operator: '=', values: [value] })),
      ...(object.matchExpressions ?? []).map(({ key, operator, values }): LabelRequirement => {
        const known = Object.hasOwn(OPERATORS, operator) ? OPERATORS[operator] : undefined;
        if (known === undefined) throw apiErrors.badRequest(`${JSON.stringify(operator)} is not a valid label selector operator`);
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
  return new LabelSelector(Object.entries(map).map(([key, value]): LabelRequirement => ({ key, operator: '=', values: [value] })));
}
