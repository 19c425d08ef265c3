/**
 * A CRD's openAPIV3Schema when it is written, in the words of kube-apiserver: structure first, then defaults; rules are
 * looked at only when both are sound, for what they would say otherwise helps nobody.
 */
import { finish, SLICE_UNITS } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { resolverOf } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { InvariantError } from '../../platform/assert.js';
import type { FieldError } from '../status.js';
import { fieldErrors } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { defaultErrors } from './default-errors.js';
import { ruleErrors, TotalCost } from './rule-errors.js';
import { shapeErrors, unstructured, wordErrors } from './schema-rules.js';
import type { ForbiddenDefaults } from './schema-rules.js';
import { statusRootErrors } from './go-structs.js';
import { schemaOfProps } from './schema.js';
import { entriesOf, listOf, structuralErrors } from './structural.js';

const ERRORS_MAX = 100;
/** Deeper schemas are refused before they are walked. */
const DEPTH_MAX = 100;
/** One schema, without those below it and without its rules. */
const SCHEMA_UNITS = 50;
const META_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);
/** A CRD's schema has no references. */
const RESOLVER = resolverOf({
  definition: (ref) => {
    throw new InvariantError(`a custom resource's schema refers to ${ref}`);
  },
});

export function validateSchemaProps(props: unknown, path: string, options: SchemaOptions = {}): FieldError[] {
  return finish(validateSchemaWork(props, path, options));
}

export interface SchemaOptions {
  /** The version, or one of those that share the schema, has a status subresource. */
  readonly hasStatus?: boolean;
}

/** The same in slices. */
export function* validateSchemaWork(props: unknown, path: string, options: SchemaOptions = {}): Work<FieldError[]> {
  if (!isObject(props)) return [];
  if (depthOf(props) > DEPTH_MAX)
    return [fieldErrors.forbidden(path, `must not be nested more than ${DEPTH_MAX} schemas deep`)];
  yield SLICE_UNITS;
  const errors = options.hasStatus === true ? statusRootErrors(props, path) : [];
  if (props['nullable'] === true)
    errors.push(fieldErrors.forbidden(`${path}.nullable`, 'nullable cannot be true at the root'));
  const schema = schemaOfProps(props);
  yield SLICE_UNITS;
  const why = whyNotConvertible(props);
  const convertible = why === undefined;
  yield SLICE_UNITS;
  const structural = convertible ? yield* structuralErrors(props, path) : [];
  // A schema may be wrong in more places than a call may have arguments.
  errors.push(...structural.slice(0, ERRORS_MAX));
  yield SLICE_UNITS;
  const defaults = structural.length > 0 || !convertible ? [] : yield* defaultErrors(schema, path, RESOLVER);
  errors.push(...defaults.slice(0, ERRORS_MAX));
  const walk = new Walk(structural.length === 0 && defaults.length === 0 && convertible);
  yield* walk.visit(props, {
    path,
    schema,
    isRoot: true,
    inMeta: false,
    forbidden: undefined,
    uncorrelatable: undefined,
    cardinality: 1,
  });
  const found = [...errors, ...walk.schemaErrors, ...walk.ruleErrors];
  if (found.length === 0 && why !== undefined) return [fieldErrors.invalid(path, '', why)];
  return [...found, ...walk.total.errors(path)].slice(0, ERRORS_MAX);
}

function depthOf(value: unknown, depth = 0): number {
  if (!isObject(value) || depth > DEPTH_MAX) return depth;
  const below = [
    value['items'],
    value['additionalProperties'],
    value['not'],
    ...['properties', 'definitions', 'dependencies'].flatMap((word) =>
      entriesOf(value[word]).map(([, child]) => child),
    ),
    ...['items', 'allOf', 'anyOf', 'oneOf'].flatMap((word) => listOf(value[word])),
  ];
  return below.reduce<number>((deepest, child) => Math.max(deepest, depthOf(child, depth + 1)), depth);
}

/** What prevents that a structural schema is made of it is mostly said by the walk, too. */
function whyNotConvertible(props: JsonObject): string | undefined {
  const own = unstructured(props);
  if (own !== undefined) return own;
  const below = [
    props['not'],
    ...['allOf', 'anyOf', 'oneOf'].flatMap((word) => listOf(props[word])),
    props['items'],
    ...entriesOf(props['properties']).map(([, child]) => child),
    props['additionalProperties'],
  ];
  for (const child of below) {
    const why = isObject(child) ? whyNotConvertible(child) : undefined;
    if (why !== undefined) return why;
  }
  return undefined;
}

interface Place {
  readonly path: string;
  /** Undefined in branches of logic, which have no rules. */
  readonly schema: Schema | undefined;
  readonly isRoot: boolean;
  readonly inMeta: boolean;
  readonly forbidden: ForbiddenDefaults;
  readonly uncorrelatable: string | undefined;
  readonly cardinality: number | undefined;
}

class Walk {
  readonly schemaErrors: FieldError[] = [];
  readonly ruleErrors: FieldError[] = [];
  readonly total = new TotalCost();
  readonly #withRules: boolean;

  constructor(withRules: boolean) {
    this.#withRules = withRules;
  }

  *visit(props: JsonObject, place: Place): Work<void> {
    if (this.schemaErrors.length + this.ruleErrors.length >= ERRORS_MAX) return;
    const before = this.schemaErrors.length;
    this.schemaErrors.push(...wordErrors(props, place.path, place));
    yield* this.#below(props, place);
    yield SCHEMA_UNITS;
    this.schemaErrors.push(...shapeErrors(props, place.path));
    const { schema } = place;
    if (schema?.validations === undefined || !this.#withRules || this.schemaErrors.length > before) return;
    this.ruleErrors.push(...(yield* ruleErrors(props, { ...place, schema, total: this.total })));
  }

  *#below(props: JsonObject, place: Place): Work<void> {
    const { path, schema } = place;
    const cardinality = timesOf(props, place.cardinality);
    const inner = { ...place, isRoot: false, cardinality };
    if (isObject(props['additionalProperties'])) {
      const forbidden = place.inMeta ? 'inside additionalProperties applying to object metadata' : place.forbidden;
      yield* this.visit(props['additionalProperties'], {
        ...inner,
        path: `${path}.additionalProperties`,
        schema: schema?.additionalProperties,
        forbidden,
      });
    }
    for (const [name, child] of entriesOf(props['properties'])) {
      const isMeta = (place.isRoot || props['x-kubernetes-embedded-resource'] === true) && META_FIELDS.has(name);
      yield* this.visit(child, {
        ...inner,
        path: `${path}.properties[${name}]`,
        schema: schema?.properties?.[name],
        inMeta: place.inMeta || isMeta,
        forbidden: isMeta && place.isRoot ? `in top-level ${name}` : place.forbidden,
      });
    }
    if (isObject(props['not'])) yield* this.visit(props['not'], { ...inner, path: `${path}.not`, schema: undefined });
    for (const word of ['allOf', 'oneOf', 'anyOf']) {
      for (const [index, branch] of listOf(props[word]).entries())
        if (isObject(branch))
          yield* this.visit(branch, { ...inner, path: `${path}.${word}[${index}]`, schema: undefined });
    }
    for (const word of ['definitions', 'dependencies']) {
      for (const [name, child] of entriesOf(props[word]))
        yield* this.visit(child, { ...inner, path: `${path}.${word}[${name}]`, schema: undefined });
    }
    for (const [index, item] of listOf(props['items']).entries())
      if (isObject(item)) yield* this.visit(item, { ...inner, path: `${path}.items[${index}]`, schema: undefined });
    if (!isObject(props['items'])) return;
    const uncorrelatable = place.uncorrelatable ?? (props['x-kubernetes-list-type'] === 'map' ? undefined : path);
    yield* this.visit(props['items'], { ...inner, path: `${path}.items`, schema: schema?.items, uncorrelatable });
  }
}

/** How often a part of the value may be in one object. */
function timesOf(props: JsonObject, outer: number | undefined): number | undefined {
  const isMap = props['type'] === 'object' && props['additionalProperties'] !== undefined;
  if (outer === undefined || (!isMap && props['type'] !== 'array')) return outer;
  const most = props[isMap ? 'maxProperties' : 'maxItems'];
  return typeof most === 'number' || typeof most === 'bigint' ? outer * Math.max(0, Number(most)) : undefined;
}
