/**
 * What else kube-apiserver asks of a CRD's schema: words it does not support, list types and their keys, texts of
 * rules.
 */
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import type { Schema } from '../schema.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { findFieldPath } from './field-path.js';
import { invalidItems } from './go-structs.js';
import { schemaOfProps } from './schema.js';
import { entriesOf, listOf, textOf } from './structural.js';

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const UNSUPPORTED = ['id', 'additionalItems', 'patternProperties', 'definitions', 'dependencies', '$ref'];
const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** Defaults that may not be; undefined: they may. */
export type ForbiddenDefaults = string | undefined;

/** Of one schema, without those below it: what is said before these, and what after. */
export function wordErrors(
  props: JsonObject,
  path: string,
  { forbidden, inMeta }: { readonly forbidden: ForbiddenDefaults; readonly inMeta: boolean },
): FieldError[] {
  const errors: FieldError[] = [];
  const forbid = (word: string, why: string): void => void errors.push(fieldErrors.forbidden(`${path}.${word}`, why));
  const type = textOf(props['type']);
  if (type !== '' && !TYPES.includes(type)) errors.push(fieldErrors.notSupported(`${path}.type`, type, TYPES));
  if (props['default'] !== undefined && forbidden !== undefined)
    forbid('default', `must not be set ${forbidden}`.trim());
  for (const word of UNSUPPORTED) if (isGiven(word, props[word])) forbid(word, `${word} is not supported`);
  if (type === 'null') forbid('type', 'type cannot be set to null, use nullable as an alternative');
  if (Array.isArray(props['items'])) forbid('items', 'items must be a schema object and not an array');
  if (inMeta && props['x-kubernetes-embedded-resource'] === true)
    forbid('x-kubernetes-embedded-resource', 'must not be used inside of resource meta');
  if (props['uniqueItems'] === true)
    forbid('uniqueItems', 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic');
  const additional = props['additionalProperties'];
  if (entriesOf(props['properties']).length > 0 && (isObject(additional) || additional === false))
    forbid('additionalProperties', 'additionalProperties and properties are mutual exclusive');
  return errors;
}

export function shapeErrors(props: JsonObject, path: string): FieldError[] {
  return [...preserveErrors(props, path), ...mapType(props, path), ...listType(props, path), ...ruleTexts(props, path)];
}

/** Words of JSON schema that kube-apiserver does not support, given with something in them. */
function isGiven(word: string, value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (word === 'id' || word === '$schema') return value !== '';
  return !isObject(value) || ['additionalItems', 'dependencies'].includes(word) || Object.keys(value).length > 0;
}

/** Why no structural schema can be made of this one, which the walk over it need not say; undefined: it can. */
export function unstructured(props: JsonObject): string | undefined {
  const unsupported = NOT_STRUCTURAL.find((word) => isGiven(word, props[word]) && props[word] !== '');
  if (unsupported !== undefined)
    return `OpenAPIV3Schema '${unsupported.replace('$schema', 'schema')}' is not supported`;
  if (props['x-kubernetes-preserve-unknown-fields'] === false)
    return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
  return Array.isArray(props['items']) && props['items'].length > 0
    ? "OpenAPIV3Schema 'items' must be a schema, but is an array"
    : undefined;
}

const NOT_STRUCTURAL = ['id', '$schema', '$ref', 'patternProperties', 'dependencies', 'additionalItems', 'definitions'];

function preserveErrors(props: JsonObject, path: string): FieldError[] {
  const word = 'x-kubernetes-preserve-unknown-fields';
  return props[word] === false ? [fieldErrors.invalid(`${path}.${word}`, false, 'must be true or undefined')] : [];
}

function needsType(
  props: JsonObject,
  path: string,
  { wanted, word }: { readonly wanted: string; readonly word: string },
): FieldError[] {
  const type = textOf(props['type']);
  if (props[word] === undefined || type === wanted) return [];
  const why = `must be ${wanted} if ${word} is specified`;
  return [type === '' ? fieldErrors.required(`${path}.type`, why) : fieldErrors.invalid(`${path}.type`, type, why)];
}

function mapType(props: JsonObject, path: string): FieldError[] {
  const word = 'x-kubernetes-map-type';
  const errors = needsType(props, path, { wanted: 'object', word });
  const given = props[word];
  if (given !== undefined && given !== 'atomic' && given !== 'granular')
    errors.push(fieldErrors.notSupported(`${path}.${word}`, given, ['atomic', 'granular']));
  return errors;
}

function listType(props: JsonObject, path: string): FieldError[] {
  const word = 'x-kubernetes-list-type';
  const given = props[word];
  const errors = needsType(props, path, { wanted: 'array', word });
  const items = isObject(props['items']) ? props['items'] : undefined;
  if (errors.length === 0 && given === 'set' && items !== undefined) errors.push(...setItems(items, `${path}.items`));
  if (given !== undefined && !['atomic', 'set', 'map'].includes(textOf(given)))
    errors.push(fieldErrors.notSupported(`${path}.${word}`, given, ['atomic', 'set', 'map']));
  const keys = listOf(props['x-kubernetes-list-map-keys']).filter((key): key is string => typeof key === 'string');
  const nonEmpty = 'must be map if x-kubernetes-list-map-keys is non-empty';
  if (keys.length > 0 && given === undefined) errors.push(fieldErrors.required(`${path}.${word}`, nonEmpty));
  else if (keys.length > 0 && given !== 'map') errors.push(fieldErrors.invalid(`${path}.${word}`, given, nonEmpty));
  if (given === 'map') errors.push(...mapItems(keys, props['items'], path));
  return errors.concat(items === undefined ? [] : identityItems(given, items, { keys, path: `${path}.items` }));
}

/** Items of a set are told apart by their whole value. */
function setItems(items: JsonObject, path: string): FieldError[] {
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const inner = items['x-kubernetes-list-type'];
  if (items['type'] === 'array' && inner !== undefined && inner !== 'atomic')
    return [fieldErrors.invalid(`${path}.x-kubernetes-list-type`, inner, why)];
  if (items['type'] === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
    return [fieldErrors.invalid(`${path}.x-kubernetes-map-type`, inner ?? null, why)];
  return [];
}

function mapItems(keys: readonly string[], given: unknown, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const at = `${path}.x-kubernetes-list-map-keys`;
  if (keys.length === 0) errors.push(fieldErrors.required(at, 'must not be empty if x-kubernetes-list-type is map'));
  const items = isObject(given) ? given : undefined;
  if (given === undefined || given === null)
    errors.push(fieldErrors.required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
  else if (items === undefined)
    errors.push(
      invalidItems(`${path}.items`, given, 'must only have a single schema if x-kubernetes-list-type is map'),
    );
  else if (items['type'] !== 'object')
    errors.push(
      fieldErrors.invalid(
        `${path}.items.type`,
        textOf(items['type']),
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    );
  if (items?.['type'] !== 'object') return errors;
  const properties = new Map(entriesOf(items['properties']));
  const seen = new Set<string>();
  for (const key of keys) {
    const property = properties.get(key);
    if (property === undefined)
      errors.push(fieldErrors.invalid(at, keys, 'entries must all be names of item properties'));
    else if (property['type'] === 'array' || property['type'] === 'object') {
      errors.push(
        fieldErrors.invalid(
          `${path}.items.properties[${key}].type`,
          items['type'],
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    }
    if (seen.has(key)) errors.push(fieldErrors.invalid(at, keys, 'must not contain duplicate entries'));
    seen.add(key);
  }
  return errors;
}

/** Keys must always be there, or items could not be told apart. */
function identityItems(
  listTypeGiven: unknown,
  items: JsonObject,
  { keys, path }: { readonly keys: readonly string[]; readonly path: string },
): FieldError[] {
  if (listTypeGiven !== 'set' && listTypeGiven !== 'map') return [];
  const errors: FieldError[] = [];
  if (items['nullable'] === true)
    errors.push(
      fieldErrors.forbidden(`${path}.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listTypeGiven}`),
    );
  const properties = new Map(entriesOf(items['properties']));
  for (const key of listTypeGiven === 'map' ? keys : []) {
    const property = properties.get(key);
    if (property === undefined) continue;
    const at = `${path}.properties[${key}]`;
    if (!listOf(items['required']).includes(key) && property['default'] === undefined) {
      errors.push(
        fieldErrors.required(
          `${at}.default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      );
    }
    if (property['nullable'] === true)
      errors.push(
        fieldErrors.forbidden(
          `${at}.nullable`,
          'this property is in x-kubernetes-list-map-keys, so it cannot be nullable',
        ),
      );
  }
  return errors;
}

function ruleTexts(props: JsonObject, path: string): FieldError[] {
  const rules = listOf(props['x-kubernetes-validations']);
  // Once for all rules: it holds them.
  const schema = rules.some((rule) => isObject(rule) && textOf(rule['fieldPath']) !== '') ? schemaOfProps(props) : {};
  return rules.flatMap((rule, index) =>
    isObject(rule) ? ruleText(rule, `${path}.x-kubernetes-validations[${index}]`, schema) : [],
  );
}

const hasBreaks = (text: string): boolean => /[\n\r]/.test(text);

function ruleText(rule: JsonObject, path: string, schema: Schema): FieldError[] {
  const errors: FieldError[] = [];
  const [source, message, expression, fieldPath] = ['rule', 'message', 'messageExpression', 'fieldPath'].map((word) =>
    textOf(rule[word]),
  ) as [string, string, string, string];
  if (source.trim() === '') errors.push(fieldErrors.required(`${path}.rule`, 'rule is not specified'));
  else if (message !== '' && message.trim() === '')
    errors.push(fieldErrors.invalid(`${path}.message`, message, 'must be non-empty if specified'));
  else if (hasBreaks(message.trim()))
    errors.push(fieldErrors.invalid(`${path}.message`, message, 'must not contain line breaks'));
  else if (hasBreaks(source.trim()) && message.trim() === '')
    errors.push(fieldErrors.required(`${path}.message`, 'message must be specified if rule contains line breaks'));
  if (expression !== '' && expression.trim() === '')
    errors.push(fieldErrors.required(`${path}.messageExpression`, 'messageExpression must be non-empty if specified'));
  const reason = rule['reason'];
  if (reason !== undefined && !REASONS.includes(textOf(reason)))
    errors.push(fieldErrors.notSupported(`${path}.reason`, reason, REASONS));
  if (fieldPath !== '' && fieldPath.trim() === '')
    errors.push(fieldErrors.invalid(`${path}.fieldPath`, fieldPath, 'must be non-empty if specified'));
  if (hasBreaks(fieldPath))
    errors.push(fieldErrors.invalid(`${path}.fieldPath`, fieldPath, 'must not contain line breaks'));
  if (fieldPath !== '' && findFieldPath(fieldPath, schema).kind === 'bad')
    errors.push(fieldErrors.invalid(`${path}.fieldPath`, fieldPath, 'must be a valid path'));
  return errors;
}
