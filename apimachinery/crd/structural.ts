/**
 * Whether a CRD's schema is structural (KEP-1979), in the words and the order of
 * k8s.io/apiextensions-apiserver/pkg/apiserver/schema.
 */
import type { Work } from '../../platform/work.js';
import { compileUnits, regexOf } from '../regex.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject, jsonEqual } from '../value.js';
import type { JsonObject } from '../value.js';

type Level = 'root' | 'item' | 'field';

/** `anyOf` and the first branch of `allOf` may say again what int-or-string says. */
const INT_OR_STRING = [{ type: 'integer' }, { type: 'string' }];

/** One schema, without those below it. */
const SCHEMA_UNITS = 20;

export function* structuralErrors(props: JsonObject, path: string): Work<FieldError[]> {
  const errors: FieldError[] = [];
  yield* invariants(props, { path, level: 'root', errors });
  yield* completeness(props, path, errors);
  const text = ({ field, detail }: FieldError): string => `${field}: ${detail}`;
  return errors.sort((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0));
}

interface Place {
  readonly path: string;
  readonly level: Level;
  readonly errors: FieldError[];
}

export const entriesOf = (props: unknown): [string, JsonObject][] =>
  isObject(props) ? Object.entries(props).filter((entry): entry is [string, JsonObject] => isObject(entry[1])) : [];
export const listOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function* invariants(props: JsonObject, place: Place): Work<void> {
  yield SCHEMA_UNITS;
  const { path, errors } = place;
  if (props['type'] === 'array' && !isObject(props['items']))
    errors.push(fieldErrors.required(`${path}.items`, 'must be specified'));
  if (isObject(props['items'])) yield* invariants(props['items'], { path: `${path}.items`, level: 'item', errors });
  for (const [name, child] of entriesOf(props['properties']))
    yield* invariants(child, { path: `${path}.properties[${name}]`, level: 'field', errors });
  const additional = props['additionalProperties'];
  if (additional !== undefined && additional !== null) {
    if (place.level === 'root')
      errors.push(fieldErrors.forbidden(`${path}.additionalProperties`, 'must not be used at the root'));
    if (isObject(additional))
      yield* invariants(additional, { path: `${path}.additionalProperties`, level: 'field', errors });
  }
  extensions(props, place);
  const [first] = listOf(props['allOf']);
  yield* branches(props, place, {
    anyOf: saysIntOrString(listOf(props['anyOf'])),
    inAllOf: isObject(first) && saysIntOrString(first['anyOf']),
  });
  types(props, place);
  rootFields(props, place);
}

function extensions(props: JsonObject, { path, errors }: Place): void {
  if (props['x-kubernetes-int-or-string'] !== true) return;
  for (const word of ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource']) {
    if (props[word] === true)
      errors.push(fieldErrors.invalid(`${path}.${word}`, true, 'must be false if x-kubernetes-int-or-string is true'));
  }
}

function types(props: JsonObject, { path, level, errors }: Place): void {
  const type = textOf(props['type']);
  const isEmbedded = props['x-kubernetes-embedded-resource'] === true;
  const isFree = props['x-kubernetes-int-or-string'] === true || props['x-kubernetes-preserve-unknown-fields'] === true;
  const embedded = 'must be object if x-kubernetes-embedded-resource is true';
  if (isEmbedded && type !== 'object')
    errors.push(
      type === ''
        ? fieldErrors.required(`${path}.type`, embedded)
        : fieldErrors.invalid(`${path}.type`, type, embedded),
    );
  else if (type === '' && !isFree) errors.push(fieldErrors.required(`${path}.type`, EMPTY_TYPE[level]));
  if (isEmbedded && props['additionalProperties'] !== undefined) {
    errors.push(
      fieldErrors.forbidden(
        `${path}.additionalProperties`,
        'must not be used if x-kubernetes-embedded-resource is set',
      ),
    );
  }
  if (level === 'root' && type !== '' && type !== 'object')
    errors.push(fieldErrors.invalid(`${path}.type`, type, 'must be object at the root'));
  if (
    isEmbedded &&
    props['x-kubernetes-preserve-unknown-fields'] !== true &&
    entriesOf(props['properties']).length === 0
  ) {
    errors.push(
      fieldErrors.required(
        `${path}.properties`,
        'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ),
    );
  }
}

const EMPTY_TYPE: Readonly<Record<Level, string>> = {
  root: 'must not be empty at the root',
  item: 'must not be empty for specified array items',
  field: 'must not be empty for specified object fields',
};
const META_ALLOWED = new Set(['type', 'description', 'properties', 'default']);
const NAMES = new Set(['name', 'generateName']);

/** apiVersion, kind and metadata are the server's; a root may only restrict the names. */
function rootFields(props: JsonObject, { path, level, errors }: Place): void {
  if (level !== 'root' && props['x-kubernetes-embedded-resource'] !== true) return;
  const properties = new Map(entriesOf(props['properties']));
  for (const name of ['kind', 'apiVersion']) {
    const field = properties.get(name);
    if (field !== undefined && field['type'] !== 'string')
      errors.push(fieldErrors.invalid(`${path}.properties[${name}].type`, textOf(field['type']), 'must be string'));
  }
  const metadata = properties.get('metadata');
  if (metadata === undefined) return;
  if (metadata['type'] !== 'object')
    errors.push(fieldErrors.invalid(`${path}.properties[metadata].type`, textOf(metadata['type']), 'must be object'));
  const says = Object.keys(metadata).filter(
    (word) => metadata[word] !== undefined && (word === 'description' || !META_ALLOWED.has(word)),
  );
  const names = entriesOf(metadata['properties']).map(([name]) => name);
  if (level === 'root' && (says.length > 0 || names.some((name) => !NAMES.has(name)))) {
    errors.push(
      fieldErrors.forbidden(
        `${path}.properties[metadata]`,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  }
}

interface Skipped {
  /** The branches of `anyOf`. */
  readonly anyOf?: boolean;
  /** Those of `anyOf` in the first branch of `allOf`. */
  readonly inAllOf?: boolean;
}

const saysIntOrString = (value: unknown): boolean => jsonEqual(value, INT_OR_STRING);

function* branches(props: JsonObject, place: Place, skip: Skipped = {}): Work<void> {
  const { path, errors } = place;
  if (skip.anyOf !== true) yield* nested(listOf(props['anyOf']), `${path}.anyOf`, place);
  for (const [index, branch] of listOf(props['allOf']).entries()) {
    if (isObject(branch))
      yield* nestedErrors(
        branch,
        { ...place, path: `${path}.allOf[${index}]` },
        { anyOf: index === 0 && skip.inAllOf === true },
      );
  }
  yield* nested(listOf(props['oneOf']), `${path}.oneOf`, place);
  if (isObject(props['not'])) yield* nestedErrors(props['not'], { ...place, path: `${path}.not` });
  const pattern = textOf(props['pattern']);
  if (pattern === '') return;
  yield compileUnits(pattern);
  const regex = regexOf(pattern);
  if (regex.kind === 'bad')
    errors.push(
      fieldErrors.invalid(
        `${path}.pattern`,
        pattern,
        `must be a valid regular expression, but isn't: error parsing regexp: ${regex.why}`,
      ),
    );
}

function* nested(list: readonly unknown[], path: string, place: Place): Work<void> {
  for (const [index, branch] of list.entries())
    if (isObject(branch)) yield* nestedErrors(branch, { ...place, path: `${path}[${index}]` });
}

/** What a branch of logic may not say: word, and what it must be. */
const FORBIDDEN_NESTED: readonly (readonly [string, string])[] = [
  ['type', 'must be empty to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
];
const POINTERS = new Set(['x-kubernetes-list-type', 'x-kubernetes-map-type']);
const isSaid = (word: string, value: unknown): boolean =>
  value !== undefined &&
  value !== null &&
  (POINTERS.has(word) || (value !== '' && value !== false && !(Array.isArray(value) && value.length === 0)));

function* nestedErrors(props: JsonObject, place: Place, skip: Skipped = {}): Work<void> {
  yield SCHEMA_UNITS;
  const { path, errors } = place;
  yield* branches(props, place, skip);
  if (isObject(props['items'])) yield* nestedErrors(props['items'], { ...place, path: `${path}.items` });
  for (const [name, child] of entriesOf(props['properties']))
    yield* nestedErrors(child, { ...place, path: `${path}.properties[${name}]`, level: 'field' });
  for (const [word, why] of FORBIDDEN_NESTED)
    if (isSaid(word, props[word])) errors.push(fieldErrors.forbidden(`${path}.${word}`, why));
  if (entriesOf(props['properties']).some(([name]) => name === 'metadata')) {
    errors.push(fieldErrors.forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
  }
}

/**
 * What branches of logic at the root speak of must also stand outside of them. Those below the root are not asked, as
 * upstream.
 */
function* completeness(props: JsonObject, path: string, errors: FieldError[]): Work<void> {
  for (const [branch, at] of branchesOf(props, path)) yield* complete(props, branch, { path, at, errors });
}

function branchesOf(props: JsonObject, path: string): [JsonObject, string][] {
  const found: [unknown, string][] = ['allOf', 'anyOf', 'oneOf'].flatMap((word) =>
    listOf(props[word]).map((branch, index): [unknown, string] => [branch, `${path}.${word}[${index}]`]),
  );
  found.push([props['not'], `${path}.not`]);
  return found.filter((entry): entry is [JsonObject, string] => isObject(entry[0]));
}

interface Branch {
  readonly path: string;
  readonly at: string;
  readonly errors: FieldError[];
}

function* complete(skeleton: JsonObject, branch: JsonObject, { path, at, errors }: Branch): Work<void> {
  yield SCHEMA_UNITS;
  const properties = skeleton['properties'];
  const additional = isObject(skeleton['additionalProperties']) ? skeleton['additionalProperties'] : undefined;
  for (const [name, child] of entriesOf(branch['properties'])) {
    const own = isObject(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
    const known = isObject(own) ? own : additional;
    const [here, there] = [`${path}.properties[${name}]`, `${at}.properties[${name}]`];
    if (known === undefined) errors.push(fieldErrors.required(here, `because it is defined in ${there}`));
    else yield* complete(known, child, { path: here, at: there, errors });
  }
  if (isObject(branch['items'])) {
    if (!isObject(skeleton['items']))
      errors.push(fieldErrors.required(`${path}.items`, `because it is defined in ${at}.items`));
    else yield* complete(skeleton['items'], branch['items'], { path: `${path}.items`, at: `${at}.items`, errors });
  }
  for (const [inner, place] of branchesOf(branch, at)) yield* complete(skeleton, inner, { path, at: place, errors });
}
