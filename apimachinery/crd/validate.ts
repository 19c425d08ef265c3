/** Whether a CRD's openAPIV3Schema is structural (KEP-1979, "structural schemas"), in the words of kube-apiserver. */
import { RE2JS } from 're2js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { ruleComplaint } from './cel.js';

const TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const FORBIDDEN: Readonly<Record<string, string>> = {
  definitions: 'definitions is not supported', dependencies: 'dependencies is not supported', id: 'id is not supported',
  patternProperties: 'patternProperties is not supported', $ref: '$ref is not supported', additionalItems: 'additionalItems is not supported',
};
const ERRORS_MAX = 50;

export function validateStructural(props: unknown, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!isObject(props)) return errors;
  visit(props, { path, isRoot: true, errors });
  if (props['type'] !== 'object') errors.push(fieldErrors.invalid(`${path}.type`, props['type'] ?? '', 'must be object at the root'));
  return errors.slice(0, ERRORS_MAX);
}

interface Place {
  readonly path: string;
  readonly isRoot?: boolean;
  readonly errors: FieldError[];
}

function visit(props: JsonObject, place: Place): void {
  const { path, errors } = place;
  if (errors.length >= ERRORS_MAX) return;
  checkType(props, place);
  for (const [word, why] of Object.entries(FORBIDDEN)) {
    const value = props[word];
    if (value !== undefined && value !== '') errors.push(fieldErrors.forbidden(`${path}.${word}`, why));
  }
  if (props['uniqueItems'] === true) errors.push(fieldErrors.forbidden(`${path}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'));
  if (props['additionalProperties'] === false) errors.push(fieldErrors.forbidden(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'));
  if (isObject(props['properties']) && isObject(props['additionalProperties'])) {
    errors.push(fieldErrors.forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'));
  }
  checkPattern(props, place);
  checkList(props, place);
  checkRulesOf(props, place);
  for (const [name, child] of Object.entries(isObject(props['properties']) ? props['properties'] : {})) {
    // apiVersion, kind and metadata of the root are the server's.
    if (isObject(child) && !(place.isRoot === true && name === 'metadata')) visit(child, { path: `${path}.properties[${name}]`, errors });
  }
  if (isObject(props['items'])) visit(props['items'], { path: `${path}.items`, errors });
  else if (Array.isArray(props['items'])) errors.push(fieldErrors.forbidden(`${path}.items`, 'items must be a schema object and not an array'));
  if (isObject(props['additionalProperties'])) visit(props['additionalProperties'], { path: `${path}.additionalProperties`, errors });
}

function checkType(props: JsonObject, { path, isRoot, errors }: Place): void {
  const type = props['type'];
  const free = props['x-kubernetes-int-or-string'] === true || props['x-kubernetes-preserve-unknown-fields'] === true;
  if (type === undefined || type === '') {
    if (!free) errors.push(fieldErrors.required(`${path}.type`, isRoot === true ? 'must not be empty at the root' : 'must not be empty for specified object fields'));
  } else if (typeof type !== 'string' || !TYPES.includes(type)) {
    errors.push(fieldErrors.notSupported(`${path}.type`, type, TYPES));
  } else if (props['x-kubernetes-int-or-string'] === true) {
    errors.push(fieldErrors.forbidden(`${path}.type`, 'must be empty if x-kubernetes-int-or-string is true'));
  }
  if (type === 'array' && props['items'] === undefined) errors.push(fieldErrors.required(`${path}.items`, 'must be specified'));
  if (props['x-kubernetes-embedded-resource'] === true && type !== 'object') {
    errors.push(fieldErrors.invalid(`${path}.type`, type ?? '', 'must be object if x-kubernetes-embedded-resource is true'));
  }
}

function checkPattern(props: JsonObject, { path, errors }: Place): void {
  const { pattern } = props;
  if (typeof pattern !== 'string' || pattern === '') return;
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    errors.push(fieldErrors.invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${error instanceof Error ? error.message : String(error)}`));
  }
}

function checkList(props: JsonObject, { path, errors }: Place): void {
  const listType = props['x-kubernetes-list-type'];
  if (listType === undefined) return;
  if (props['type'] !== 'array') errors.push(fieldErrors.invalid(`${path}.type`, props['type'] ?? '', 'must be array if x-kubernetes-list-type is specified'));
  if (typeof listType !== 'string' || !['atomic', 'map', 'set'].includes(listType)) {
    errors.push(fieldErrors.notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'map', 'set']));
  }
  const keys = props['x-kubernetes-list-map-keys'];
  if (listType === 'map' && !(Array.isArray(keys) && keys.length > 0)) {
    errors.push(fieldErrors.required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'));
  }
}

function checkRulesOf(props: JsonObject, { path, errors }: Place): void {
  const rules = props['x-kubernetes-validations'];
  if (!Array.isArray(rules)) return;
  for (const [index, rule] of rules.entries()) {
    const source: unknown = isObject(rule) ? rule['rule'] : undefined;
    const field = `${path}.x-kubernetes-validations[${index}].rule`;
    if (typeof source !== 'string' || source.trim() === '') {
      errors.push(fieldErrors.required(field, 'rule is not specified'));
      continue;
    }
    const why = ruleComplaint(source);
    if (why !== undefined) errors.push(fieldErrors.invalid(field, source, why));
  }
}
