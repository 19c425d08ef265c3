/**
 * Whole objects within custom resources: they have a version and a kind, and metadata that could be any object's
 * (schema/objectmeta).
 */
import type { Work } from '../../platform/work.js';
import { validateEmbeddedMetadata } from '../kinds/metadata.js';
import { dns1035Label } from '../names.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { SchemaWalk } from './schema-walk.js';

const VALUE_UNITS = 5;

const walk = new SchemaWalk((schema) => schema.embeddedResource === true);

/** `base`: where the value lies, before all paths. */
export function embeddedErrors(
  schema: Schema,
  value: unknown,
  resolver: SchemaResolver,
  base = '',
): Work<FieldError[]> {
  return walk.errors(schema, value, resolver, function* (known, inner, path) {
    yield VALUE_UNITS;
    if (known.embeddedResource !== true || !isObject(inner)) return [];
    const here = path.toString();
    return objectErrors(inner, base === '' || here === '' ? `${base}${here}` : `${base}.${here}`);
  });
}

function objectErrors(object: JsonObject, path: string): FieldError[] {
  const missing = ['apiVersion', 'kind']
    .filter((name) => !Object.hasOwn(object, name))
    .map((name) => fieldErrors.required(`${path}.${name}`));
  const given = Object.keys(object).flatMap((name) => {
    const [field, value] = [`${path}.${name}`, object[name]];
    if (name === 'metadata') return validateEmbeddedMetadata(value, field);
    return name === 'apiVersion' || name === 'kind'
      ? nameErrors(value, field, name === 'kind' ? wrongKind : wrongVersion)
      : [];
  });
  return [...missing, ...given];
}

function nameErrors(value: unknown, field: string, wrong: (text: string) => string | undefined): FieldError[] {
  if (typeof value !== 'string') return [fieldErrors.invalid(field, value, 'must be a string')];
  const why = value === '' ? 'must not be empty' : wrong(value);
  return why === undefined ? [] : [fieldErrors.invalid(field, value, why)];
}

const wrongVersion = (text: string): string | undefined =>
  text.split('/').length > 2 ? `unexpected GroupVersion string: ${text}` : undefined;

function wrongKind(text: string): string | undefined {
  const wrong = dns1035Label(text.toLowerCase());
  return wrong.length === 0 ? undefined : `may have mixed case, but should otherwise match: ${wrong.join(',')}`;
}
