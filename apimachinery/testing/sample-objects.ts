/**
 * An object for each kind with every field set, made from the compiled facts alone: the same facts give the same
 * object. `full` has plausible values, `extremes` the ends of every range and empty lists, `zeros` the zero of every
 * scalar. For tests only.
 */
import { INT64_MAX, INT64_MIN } from '../int64.js';
import { enumFacts } from '../scheme/data.js';
import type { KindRow } from '../scheme/data.js';
import { setOwn } from '../value.js';
import type { JsonObject } from '../value.js';
import { messageFacts, messageOfDefinition, simpleName, VALUE_FORMS } from './message-facts.js';
import type { FieldFact, ScalarLetter } from './message-facts.js';

export type Variant = 'full' | 'extremes' | 'zeros';
export const VARIANTS: readonly Variant[] = ['full', 'extremes', 'zeros'];

/** A message within itself (a schema in a schema) is filled in this often. */
const REPEATS_MAX = 2;
const INT32_MAX = 2 ** 31 - 1;
const INT32_MIN = -(2 ** 31);

interface Place {
  readonly variant: Variant;
  /** Messages around this one, from the outside. */
  readonly around: readonly string[];
}

export type SampleKind = Pick<KindRow, 'definition' | 'kind' | 'group' | 'version'>;

export function sampleObject({ definition, kind, group, version }: SampleKind, variant: Variant): JsonObject {
  const fields = sampleMessage(messageOfDefinition(definition), { variant, around: [] });
  return { kind, apiVersion: group === '' ? version : `${group}/${version}`, ...fields };
}

function sampleMessage(message: string, { variant, around }: Place): JsonObject {
  const object: JsonObject = {};
  const inside = { variant, around: [...around, message] };
  for (const field of messageFacts().get(message) ?? []) {
    if (isTooDeep(field, inside)) continue;
    if (field.mark === '^') Object.assign(object, sampleMessage(field.message ?? '', inside));
    else setOwn(object, field.name, sampleField(field, message, inside));
  }
  return object;
}

function isTooDeep({ message = '' }: FieldFact, { around }: Place): boolean {
  // A union of schemas counts as the schema that it holds.
  const held = simpleName(message).startsWith('JSONSchemaPropsOr') ? message.replace(/Or\w+$/, '') : message;
  return around.filter((one) => one === held).length >= REPEATS_MAX;
}

function sampleField(field: FieldFact, message: string, place: Place): unknown {
  const value = (salt: number): unknown =>
    field.scalar === undefined
      ? sampleOf(field.message ?? '', salt, place)
      : sampleScalar(field.scalar, { field, message, salt, variant: place.variant });
  switch (field.mark) {
    case '*':
      return place.variant === 'extremes' ? [] : [value(0), value(1)];
    case '%':
      return { 'a.example/first': value(0), second: value(1) };
    default:
      return value(0);
  }
}

/** A message in JSON, `salt` tells two of one list apart. */
function sampleOf(message: string, salt: number, place: Place): unknown {
  const name = simpleName(message);
  return VALUE_FORMS.has(name) ? sampleValueForm(message, salt, place) : sampleMessage(message, place);
}

function sampleValueForm(message: string, salt: number, place: Place): unknown {
  const isExtreme = place.variant === 'extremes';
  switch (simpleName(message)) {
    case 'Time':
    case 'Timestamp':
      return isExtreme ? '1901-12-13T20:45:51Z' : `2026-03-04T05:06:0${salt}Z`;
    case 'MicroTime':
      return isExtreme ? '1969-12-31T23:59:59.999999Z' : `2026-03-04T05:06:07.00123${salt}Z`;
    case 'Duration':
      return isExtreme ? '-1.5s' : '1h2m3s';
    case 'Quantity':
      return isExtreme ? '-9223372036854775808n' : ['250m', '1Gi'][salt];
    case 'IntOrString':
      if (place.variant === 'zeros') return salt === 0 ? 0 : '';
      return isExtreme ? INT32_MIN : [8080, '25%'][salt];
    case 'ExtraValue':
    case 'Verbs':
      return ['get', 'list'];
    case 'JSONSchemaPropsOrArray':
      return salt === 0 && !isExtreme ? [sampleSchema(message, place)] : sampleSchema(message, place);
    case 'JSONSchemaPropsOrBool':
      return isExtreme ? false : sampleSchema(message, place);
    case 'JSONSchemaPropsOrStringArray':
      return salt === 0 ? ['first', 'second'] : sampleSchema(message, place);
    case 'FieldsV1':
      return { 'f:metadata': { 'f:labels': {} } };
    default:
      return { apiVersion: 'example.com/v1', kind: 'Embedded', number: salt, list: [true, null, 'text'] };
  }
}

const sampleSchema = (union: string, place: Place): JsonObject => sampleMessage(union.replace(/Or\w+$/, ''), place);

interface ScalarPlace {
  readonly field: FieldFact;
  readonly message: string;
  readonly salt: number;
  readonly variant: Variant;
}

function sampleScalar(scalar: ScalarLetter, { field, message, salt, variant }: ScalarPlace): unknown {
  const isZero = variant === 'zeros';
  const isExtreme = variant === 'extremes';
  const isOdd = field.number % 2 === 1;
  switch (scalar) {
    case 's':
      return isZero ? '' : isExtreme ? '\u0000é漢😀"\\' : sampleText(field.name, message, salt);
    case 'i':
      return isZero ? 0 : isExtreme ? (isOdd ? INT32_MIN : INT32_MAX) : field.number + salt;
    case 'l':
      return isZero ? 0 : isExtreme ? (isOdd ? INT64_MIN : INT64_MAX) : field.number + salt;
    case 'b':
      return !isZero;
    case 'y':
      return isZero ? '' : Buffer.from(isExtreme ? [0, 255, 254, 1] : `${field.name} ${salt}`).toString('base64');
    case 'd':
      return isZero ? 0 : isExtreme ? Number.MIN_VALUE : field.number + 0.25;
  }
}

/** One of the published values where there are such, else a name made of the field's. */
function sampleText(name: string, message: string, salt: number): string {
  const values = enumFacts()[message.replace(/^k8s\.io\./, 'io.k8s.')]?.[name];
  return values?.[salt % values.length] ?? `${name.replaceAll(/[^A-Za-z]/g, '').toLowerCase()}-${salt}`;
}
