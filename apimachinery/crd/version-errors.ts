/**
 * What else stands in a version of a CRD besides its schema: columns, selectable fields, the words of a deprecation.
 */
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { findFieldPath } from './field-path.js';
import { schemaOfProps } from './schema.js';
import { listOf, textOf } from './structural.js';

const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const COLUMN_FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const WARNING_MAX = 256;
const SELECTABLE_MAX = 8;
const SELECTABLE_TYPES = ['string', 'boolean', 'integer'];

export function columnsErrors(columns: unknown, path: string): FieldError[] {
  return listOf(columns).flatMap((column, index) =>
    isObject(column) ? columnErrors(column, `${path}[${index}]`) : [],
  );
}

export function deprecationErrors(version: JsonObject, path: string): FieldError[] {
  const warning = version['deprecationWarning'];
  if (typeof warning !== 'string') return [];
  if (version['deprecated'] !== true)
    return [fieldErrors.invalid(path, warning, 'can only be set for deprecated versions')];
  const wrong: string[] = [];
  if (Buffer.byteLength(warning) > WARNING_MAX) wrong.push(`must be <= ${WARNING_MAX} characters long`);
  if (warning === '') wrong.push('must not be an empty string');
  const unprintable = warning.search(UNPRINTABLE);
  if (unprintable !== -1)
    wrong.push(
      `must only contain printable UTF-8 characters; non-printable character found at index ${Buffer.byteLength(warning.slice(0, unprintable))}`,
    );
  return wrong.map((why) => fieldErrors.invalid(path, warning, why));
}

/** All that Go's unicode.IsPrint calls so; of white space only the plain blank is printable. */
const UNPRINTABLE = /(?! )[\p{C}\p{Z}]/u;

function columnErrors(column: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const [name, type, format, jsonPath] = ['name', 'type', 'format', 'jsonPath'].map((word) => textOf(column[word])) as [
    string,
    string,
    string,
    string,
  ];
  const oneOf = (allowed: readonly string[]): string => `must be one of ${allowed.join(',')}`;
  if (name === '') errors.push(fieldErrors.required(`${path}.name`));
  if (type === '') errors.push(fieldErrors.required(`${path}.type`, oneOf(COLUMN_TYPES)));
  else if (!COLUMN_TYPES.includes(type)) errors.push(fieldErrors.invalid(`${path}.type`, type, oneOf(COLUMN_TYPES)));
  if (format !== '' && !COLUMN_FORMATS.includes(format))
    errors.push(fieldErrors.invalid(`${path}.format`, format, oneOf(COLUMN_FORMATS)));
  if (jsonPath === '') errors.push(fieldErrors.required(`${path}.JSONPath`));
  else if (!jsonPath.startsWith('.'))
    errors.push(fieldErrors.invalid(`${path}.JSONPath`, jsonPath, 'must be a simple json path starting with .'));
  return errors;
}

export function selectableErrors(selectable: unknown, props: JsonObject, path: string): FieldError[] {
  const schema = schemaOfProps(props);
  const seen = new Set<string>();
  const errors = listOf(selectable)
    .filter(isObject)
    .flatMap((one, index) => {
      const at = `${path}[${index}].jsonPath`;
      const jsonPath = textOf(one['jsonPath']);
      if (jsonPath === '') return [fieldErrors.required(at)];
      const found = findFieldPath(jsonPath, schema, { brackets: false });
      if (found.kind === 'bad') return [fieldErrors.invalid(at, jsonPath, `is an invalid path: ${found.why}`)];
      const wrong: FieldError[] = [];
      if (found.root === 'metadata')
        wrong.push(fieldErrors.invalid(at, jsonPath, 'must not point to fields in metadata'));
      if (!SELECTABLE_TYPES.includes(found.schema.type ?? '')) {
        wrong.push(
          fieldErrors.invalid(
            at,
            jsonPath,
            'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
          ),
        );
      }
      if (seen.has(found.path)) wrong.push(fieldErrors.duplicate(at, jsonPath));
      seen.add(found.path);
      return wrong;
    });
  return seen.size > SELECTABLE_MAX ? [...errors, fieldErrors.tooMany(path, seen.size, SELECTABLE_MAX)] : errors;
}
