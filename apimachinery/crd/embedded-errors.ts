/** Whole objects within custom resources: they have a version and a kind, and metadata that could be any object's (schema/objectmeta). */
import type { Work } from '../../platform/work.js';
import { validateEmbeddedMetadata } from '../kinds/metadata.js';
import { dns1035Label } from '../names.js';
import { FieldPath } from '../schema/path.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema/schema.js';
import { FIELD_ERRORS_MAX, fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';

const VALUE_UNITS = 5;

/** `base`: where the value lies, before all paths. */
export function* embeddedErrors(schema: Schema, value: unknown, resolver: SchemaResolver, base = ''): Work<FieldError[]> {
  const errors: FieldError[] = [];
  const path = new FieldPath();
  function* visit(declared: Schema, inner: unknown): Work<void> {
    const known = resolver.resolve(declared);
    if (errors.length >= FIELD_ERRORS_MAX || !hasEmbedded(known)) return;
    yield VALUE_UNITS;
    if (Array.isArray(inner)) {
      for (const [index, item] of known.items === undefined ? [] : inner.entries()) yield* below(index, known.items ?? {}, item);
    } else if (isObject(inner)) {
      const here = path.toString();
      if (known.embeddedResource === true) errors.push(...objectErrors(inner, base === '' || here === '' ? `${base}${here}` : `${base}.${here}`));
      for (const name of Object.keys(inner)) {
        const isField = known.properties !== undefined && Object.hasOwn(known.properties, name);
        const property = isField ? known.properties?.[name] : known.additionalProperties;
        if (property !== undefined) yield* below(isField ? name : { key: name }, property, inner[name]);
      }
    }
  }
  function* below(part: Parameters<FieldPath['push']>[0], declared: Schema, inner: unknown): Work<void> {
    path.push(part);
    yield* visit(declared, inner);
    path.pop();
  }
  yield* visit(schema, value);
  return errors.slice(0, FIELD_ERRORS_MAX);
}

function objectErrors(object: JsonObject, path: string): FieldError[] {
  const missing = ['apiVersion', 'kind'].filter((name) => !Object.hasOwn(object, name)).map((name) => fieldErrors.required(`${path}.${name}`));
  const given = Object.keys(object).flatMap((name) => {
    const [field, value] = [`${path}.${name}`, object[name]];
    if (name === 'metadata') return validateEmbeddedMetadata(value, field);
    return name === 'apiVersion' || name === 'kind' ? nameErrors(value, field, name === 'kind' ? wrongKind : wrongVersion) : [];
  });
  return [...missing, ...given];
}

function nameErrors(value: unknown, field: string, wrong: (text: string) => string | undefined): FieldError[] {
  if (typeof value !== 'string') return [fieldErrors.invalid(field, value, 'must be a string')];
  const why = value === '' ? 'must not be empty' : wrong(value);
  return why === undefined ? [] : [fieldErrors.invalid(field, value, why)];
}

const wrongVersion = (text: string): string | undefined => (text.split('/').length > 2 ? `unexpected GroupVersion string: ${text}` : undefined);

function wrongKind(text: string): string | undefined {
  const wrong = dns1035Label(text.toLowerCase());
  return wrong.length === 0 ? undefined : `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
}

const known = new WeakMap<Schema, boolean>();

/** Most schemas embed nothing: their values are not walked. */
function hasEmbedded(schema: Schema, seen = new Set<Schema>()): boolean {
  const answer = known.get(schema);
  if (answer !== undefined) return answer;
  if (seen.has(schema)) return false;
  seen.add(schema);
  const children = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  const found = schema.embeddedResource === true || children.some((child) => child !== undefined && child.ref === undefined && hasEmbedded(child, seen));
  known.set(schema, found);
  return found;
}
