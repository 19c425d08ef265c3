/**
 * Values of a composed YAML document. Aliases become values of their own: what they copy counts like what is written
 * out. Anchors are looked up by name, keys by a Set.
 */
import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Alias, Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { int64Of } from '../int64.js';
import { apiErrors, isApiError } from '../status.js';
import { isObject, setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { tooDeep, ValueBudget } from './limits.js';
import type { DecodeLimits } from './limits.js';

const DUPLICATES_MAX = 100;
const REASON_LENGTH_MAX = 512;
const KEY_SHOWN_MAX = 256;

export function badYaml(why: string): Error {
  return apiErrors.badRequest(`couldn't parse the body as YAML: ${why.slice(0, REASON_LENGTH_MAX)}`);
}

/** Nothing stands in the map until the anchored value is complete: an alias inside it is refused. */
type Anchored = { readonly kind: 'open' } | { readonly kind: 'done'; readonly value: unknown };

export class YamlReader {
  readonly duplicates: string[] = [];
  readonly #text: string;
  readonly #limits: DecodeLimits;
  readonly #budget: ValueBudget;
  readonly #anchors = new Map<string, Anchored>();

  constructor(text: string, limits: DecodeLimits) {
    this.#text = text;
    this.#limits = limits;
    this.#budget = new ValueBudget(limits);
  }

  read(root: Node | null): unknown {
    return this.#value(root, 0);
  }

  #value(node: unknown, depth: number): unknown {
    if (depth > this.#limits.depthMax) throw tooDeep(this.#limits.depthMax);
    if (isAlias(node)) return this.#expand(node, depth);
    this.#budget.spend();
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, { kind: 'open' });
    const value = isMap(node) ? this.#map(node, depth) : isSeq(node) ? this.#list(node, depth) : scalarValue(node);
    if (anchor !== undefined) this.#anchors.set(anchor, { kind: 'done', value });
    return value;
  }

  #list(node: YAMLSeq, depth: number): unknown[] {
    return node.items.map((item) => {
      const value = this.#value(item, depth + 1);
      if (isObject(value)) this.#budget.spendItem();
      return value;
    });
  }

  #map(node: YAMLMap, depth: number): JsonObject {
    const object: JsonObject = {};
    // Keys that stand here themselves: those that `<<` brings give way to them.
    const own = new Set<string>();
    for (const pair of node.items as Pair[]) {
      if (isMergeKey(pair.key)) {
        this.#merge(object, pair.value, depth);
        continue;
      }
      const key = this.#key(pair.key);
      if (own.has(key)) this.#duplicate(pair.key, key);
      own.add(key);
      this.#budget.checkKeys(own.size);
      setOwn(object, key, this.#value(pair.value, depth + 1));
    }
    return object;
  }

  #key(node: unknown): string {
    const value = isAlias(node) ? this.#anchored(node) : scalarValue(node);
    if (isScalar(node) && node.anchor !== undefined) this.#anchors.set(node.anchor, { kind: 'done', value });
    if (value === null || typeof value === 'object')
      throw badYaml('keys of a map must be strings, numbers or booleans');
    return String(value as string | number | boolean | bigint);
  }

  /** https://yaml.org/type/merge.html */
  #merge(object: JsonObject, node: unknown, depth: number): void {
    const value = this.#value(node, depth + 1);
    for (const source of Array.isArray(value) ? value : [value]) {
      if (!isObject(source)) throw badYaml('map merge requires map or sequence of maps as the value');
      for (const key of Object.keys(source)) {
        if (!Object.hasOwn(object, key)) setOwn(object, key, source[key]);
      }
    }
  }

  #anchored(alias: Alias): unknown {
    const found = this.#anchors.get(alias.source);
    if (found === undefined) throw badYaml(`unknown anchor '${alias.source}' referenced`);
    if (found.kind === 'open') throw badYaml(`anchor '${alias.source}' value contains itself`);
    return found.value;
  }

  #expand(alias: Alias, depth: number): unknown {
    try {
      return this.#copy(this.#anchored(alias), depth);
    } catch (error) {
      throw isApiError(error, 'RequestEntityTooLarge') ? badYaml('document contains excessive aliasing') : error;
    }
  }

  #copy(value: unknown, depth: number): unknown {
    if (depth > this.#limits.depthMax) throw tooDeep(this.#limits.depthMax);
    this.#budget.spend();
    if (Array.isArray(value)) {
      return value.map((item: unknown) => {
        if (isObject(item)) this.#budget.spendItem();
        return this.#copy(item, depth + 1);
      });
    }
    if (!isObject(value)) return value;
    const copy: JsonObject = {};
    for (const key of Object.keys(value)) setOwn(copy, key, this.#copy(value[key], depth + 1));
    return copy;
  }

  #duplicate(node: unknown, key: string): void {
    if (this.duplicates.length >= DUPLICATES_MAX) return;
    const offset = isScalar(node) ? (node.range?.[0] ?? 0) : 0;
    const shown = isScalar(node) && typeof node.value !== 'string' ? key : JSON.stringify(key.slice(0, KEY_SHOWN_MAX));
    this.duplicates.push(`line ${this.#text.slice(0, offset).split('\n').length}: key ${shown} already set in map`);
  }
}

function isMergeKey(node: unknown): boolean {
  return (
    isScalar(node) &&
    (node.type === undefined || node.type === 'PLAIN') &&
    (node.value === '<<' || (typeof node.value === 'symbol' && node.value.description === '<<'))
  );
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw badYaml(`${value} has no form in JSON`);
  return value;
}

/** A value that is absent is null. */
function scalarValue(node: unknown): unknown {
  const value: unknown = isScalar(node) ? (node as Scalar).value : null;
  if (typeof value === 'number') return finite(value);
  if (typeof value === 'bigint') return int64Of(value) ?? finite(Number(value));
  if (typeof value === 'symbol') return value.description ?? '';
  return value ?? null;
}
