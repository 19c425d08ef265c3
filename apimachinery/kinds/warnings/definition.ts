/** Formats in a definition's schemas that nothing checks. */
import { field, isRec, keysOf, recs, str, type Rec } from '../lib/value.js';

/** Without their dashes: how they are compared (k8s.io/apiextensions-apiserver/pkg/apiserver/validation). */
const STRINGS = new Set([
  'bsonobjectid', 'uri', 'email', 'hostname', 'ipv4', 'ipv6', 'cidr', 'mac', 'uuid', 'uuid3', 'uuid4', 'uuid5', 'isbn', 'isbn10', 'isbn13', 'creditcard', 'ssn',
  'hexcolor', 'rgbcolor', 'byte', 'password', 'date', 'duration', 'datetime', 'k8sshortname', 'k8slongname',
]);
const NUMBERS: Readonly<Record<string, readonly string[]>> = { integer: ['int32', 'int64'], number: ['float', 'double'] };
const MAPS = ['properties', 'patternProperties', 'definitions', 'dependencies'];
const SINGLE = ['items', 'additionalItems', 'additionalProperties', 'not'];
const LISTS = ['allOf', 'anyOf', 'oneOf', 'items'];
const WARNINGS_MAX = 64;

function isKnown(type: string, format: string): boolean {
  if (type === '' || type === 'string') return STRINGS.has(format.replaceAll('-', ''));
  return Object.hasOwn(NUMBERS, type) && NUMBERS[type]?.includes(format) === true;
}

/** The schemas directly inside one. */
function* partsOf(schema: unknown): Generator {
  for (const name of MAPS) for (const key of keysOf(field(schema, name))) yield field(field(schema, name), key);
  for (const name of SINGLE) yield field(schema, name);
  for (const name of LISTS) yield* recs(field(schema, name));
}

function unknownFormats(schema: unknown, found: Set<string>): void {
  const rest: unknown[] = [schema];
  while (rest.length > 0 && found.size < WARNINGS_MAX) {
    const one = rest.pop();
    const format = str(field(one, 'format'));
    if (format !== '' && !isKnown(str(field(one, 'type')), format)) found.add(format);
    for (const part of partsOf(one)) if (isRec(part)) rest.push(part);
  }
}

function formatsOf(definition: Rec | undefined): Set<string> {
  const found = new Set<string>();
  for (const version of recs(field(field(definition, 'spec'), 'versions'))) unknownFormats(field(field(version, 'schema'), 'openAPIV3Schema'), found);
  return found;
}

/** An update is told of those alone that it brings. */
export function formatWarnings(definition: Rec, old: Rec | undefined): string[] {
  const known = formatsOf(old);
  return [...formatsOf(definition)].filter((format) => !known.has(format)).map((format) => `unrecognized format ${JSON.stringify(format)}`);
}
