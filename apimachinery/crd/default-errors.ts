/** Whether the defaults of a CRD keep their own schema, its rules included, and have no unknown fields. */
import type { Work } from '../../platform/work.js';
import { prune } from '../schema/prune.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema/schema.js';
import { validateSchema } from '../schema/validate.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { cloneJson, isObject, jsonEqual } from '../value.js';
import { checkRulesWork, OBJECT_COST_MAX } from './cel.js';
import type { Budget } from './cel.js';
import { withRootFields } from './decl-type.js';

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

/** Defaults of metadata are forbidden or checked elsewhere; those inside additionalProperties are not followed, as upstream. */
export function* defaultErrors(schema: Schema, path: string, resolver: SchemaResolver): Work<FieldError[]> {
  return yield* visit(schema, { path, resolver, isRoot: true, budget: { left: OBJECT_COST_MAX } });
}

function* visit(schema: Schema, place: Place): Work<FieldError[]> {
  const { path, isRoot, budget } = place;
  if (budget.left < 0) return [];
  yield SCHEMA_UNITS;
  const errors = schema.default === undefined ? [] : yield* ofDefault(schema, { ...place, path: `${path}.default` });
  if (schema.items !== undefined) for (const error of yield* visit(schema.items, { ...place, path: `${path}.items`, isRoot: false })) errors.push(error);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if ((isRoot || schema.embeddedResource === true) && META_FIELDS.has(name)) continue;
    for (const error of yield* visit(property, { ...place, path: `${path}.properties[${name}]`, isRoot: false })) errors.push(error);
  }
  return errors;
}

function* ofDefault(schema: Schema, { path, resolver, budget }: Place): Work<FieldError[]> {
  yield DEFAULT_UNITS;
  const value: unknown = schema.default;
  const unknown = hasUnknown(schema, value, resolver) ? [fieldErrors.invalid(path, value, 'must not have unknown fields')] : [];
  const structural = validateSchema(schema, value, resolver).map((error) => ({ ...error, field: joined(path, error.field) }));
  if (structural.length > 0) return [...unknown, ...structural];
  const options = { isRoot: schema.embeddedResource === true, path };
  // As an update and as a create: the dearer of the two is charged.
  const [update, create] = [{ ...budget }, { ...budget }];
  const kept = yield* checkRulesWork(schema, resolver, { object: value, old: value }, { ...options, budget: update });
  const made = kept.length > 0 ? [] : yield* checkRulesWork(schema, resolver, { object: value, old: undefined }, { ...options, budget: create });
  budget.left = Math.min(update.left, create.left);
  return [...unknown, ...kept, ...made];
}

const joined = (path: string, field: string): string => (field === '' || field.startsWith('[') ? `${path}${field}` : `${path}.${field}`);

/** Pruning works on objects: the value stands below one. */
function hasUnknown(schema: Schema, value: unknown, resolver: SchemaResolver): boolean {
  if (!isObject(value) && !Array.isArray(value)) return false;
  const holder = { value: cloneJson(value) };
  prune(holder, { type: 'object', properties: { value: schema.embeddedResource === true ? withRootFields(schema) : schema } }, resolver);
  return !jsonEqual(holder.value, value);
}
