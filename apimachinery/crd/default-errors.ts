/** Whether the defaults of a CRD keep their own schema, its rules included, and have no unknown fields. */
import type { Work } from '../../platform/work.js';
import { prune } from '../schema/prune.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { customValueWork } from '../schema/custom-values.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { cloneJson, isObject, jsonEqual } from '../value.js';
import { checkRulesWork, OBJECT_COST_MAX } from './cel.js';
import type { Budget } from './cel.js';
import { withRootFields } from './decl-type.js';
import { embeddedErrors } from './embedded-errors.js';

const SCHEMA_UNITS = 10;
const DEFAULT_UNITS = 200;
const META_FIELDS = new Set(['apiVersion', 'kind', 'metadata']);

interface Place {
  readonly path: string;
  readonly resolver: SchemaResolver;
  readonly isRoot: boolean;
  /** All defaults of a schema share one. */
  readonly budget: Budget;
}

/**
 * Defaults of metadata are forbidden or checked elsewhere; those inside additionalProperties are not followed, as
 * upstream.
 */
export function* defaultErrors(schema: Schema, path: string, resolver: SchemaResolver): Work<FieldError[]> {
  return yield* visit(schema, { path, resolver, isRoot: true, budget: { left: OBJECT_COST_MAX } });
}

function* visit(schema: Schema, place: Place): Work<FieldError[]> {
  const { path, isRoot, budget } = place;
  if (budget.left < 0) return [];
  yield SCHEMA_UNITS;
  const errors =
    schema.default === undefined
      ? []
      : yield* ofDefault(isRoot ? asEmbedded(schema) : schema, { ...place, path: `${path}.default` });
  if (schema.items !== undefined)
    for (const error of yield* visit(schema.items, { ...place, path: `${path}.items`, isRoot: false }))
      errors.push(error);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    // Upstream shows what a default of metadata would make of it; that one is there is forbidden anyway.
    if ((isRoot || schema.embeddedResource === true) && META_FIELDS.has(name)) continue;
    for (const error of yield* visit(property, { ...place, path: `${path}.properties[${name}]`, isRoot: false }))
      errors.push(error);
  }
  return errors;
}

function* ofDefault(schema: Schema, { path, resolver, budget }: Place): Work<FieldError[]> {
  yield DEFAULT_UNITS;
  const value: unknown = schema.default;
  const unknown = hasUnknown(schema, value, resolver)
    ? [fieldErrors.invalid(path, value, 'must not have unknown fields')]
    : [];
  const embedded = yield* embeddedErrors(schema, value, resolver, path);
  if (embedded.length > 0) return [...unknown, ...embedded];
  const structural = yield* customValueWork(asStructural(schema), value, resolver, { base: path });
  if (structural.length > 0) return [...unknown, ...structural];
  const options = { isRoot: schema.embeddedResource === true, path };
  // As an update and as a create: the dearer of the two is charged.
  const [update, create] = [{ ...budget }, { ...budget }];
  const kept = yield* checkRulesWork(schema, resolver, { object: value, old: value }, { ...options, budget: update });
  const made =
    kept.length > 0
      ? []
      : yield* checkRulesWork(schema, resolver, { object: value, old: undefined }, { ...options, budget: create });
  budget.left = Math.min(update.left, create.left);
  return [...unknown, ...kept, ...made];
}

/** A default of the root is a whole object. */
const asEmbedded = (schema: Schema): Schema => ({ ...schema, embeddedResource: true });

const structurals = new WeakMap<Schema, Schema>();

/** Defaults are held against the structural schema: an int-or-string has no type there, only what its `anyOf` says. */
function asStructural(schema: Schema): Schema {
  let made = structurals.get(schema);
  if (made === undefined) {
    const { intOrString: _, properties, items, additionalProperties, ...rest } = schema;
    made = {
      ...rest,
      ...(properties === undefined
        ? {}
        : {
            properties: Object.fromEntries(
              Object.entries(properties).map(([name, property]) => [name, asStructural(property)]),
            ),
          }),
      ...(items === undefined ? {} : { items: asStructural(items) }),
      ...(additionalProperties === undefined ? {} : { additionalProperties: asStructural(additionalProperties) }),
    };
    structurals.set(schema, made);
  }
  return made;
}

/** Pruning works on objects: the value stands below one. */
function hasUnknown(schema: Schema, value: unknown, resolver: SchemaResolver): boolean {
  if (!isObject(value) && !Array.isArray(value)) return false;
  const holder = { value: cloneJson(value) };
  prune(
    holder,
    { type: 'object', properties: { value: schema.embeddedResource === true ? withRootFields(schema) : schema } },
    resolver,
  );
  return !jsonEqual(holder.value, value);
}
