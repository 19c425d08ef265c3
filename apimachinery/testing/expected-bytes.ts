/**
 * The protobuf form of an object by another encoder: @bufbuild/protobuf, with descriptors built from the compiled
 * facts. Nothing of the codec that is proven with it is used. For tests only.
 */
import { create, createFileRegistry, toBinary } from '@bufbuild/protobuf';
import type { DescMessage } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import { encodeJson } from '../json-value.js';
import type { JsonObject } from '../value.js';
import { messageFacts, simpleName } from './message-facts.js';
import type { FieldFact, ScalarLetter } from './message-facts.js';

const TYPES: Readonly<Record<ScalarLetter, FieldDescriptorProto_Type>> = {
  s: FieldDescriptorProto_Type.STRING,
  i: FieldDescriptorProto_Type.INT32,
  l: FieldDescriptorProto_Type.INT64,
  b: FieldDescriptorProto_Type.BOOL,
  y: FieldDescriptorProto_Type.BYTES,
  d: FieldDescriptorProto_Type.DOUBLE,
};

/** Names that any descriptor may have: `$ref` and the like are none, so fields are called by their numbers. */
const flat = (message: string): string => message.replaceAll(/\W/g, '_');
const fieldName = ({ number }: FieldFact): string => `f${number}`;

function describeMessage(name: string, fields: readonly FieldFact[]) {
  const typeOf = ({ scalar, message = '' }: FieldFact) =>
    scalar === undefined
      ? { type: FieldDescriptorProto_Type.MESSAGE, typeName: `.${flat(message)}` }
      : { type: TYPES[scalar] };
  const optional = FieldDescriptorProto_Label.OPTIONAL;
  const maps = fields.filter(({ mark }) => mark === '%');
  return {
    name: flat(name),
    field: fields.map((field) => ({
      name: fieldName(field),
      number: field.number,
      label: field.mark === '*' || field.mark === '%' ? FieldDescriptorProto_Label.REPEATED : optional,
      ...(field.mark === '%'
        ? { type: FieldDescriptorProto_Type.MESSAGE, typeName: `.${flat(name)}.M${field.number}Entry` }
        : typeOf(field)),
    })),
    nestedType: maps.map((field) => ({
      name: `M${field.number}Entry`,
      options: { mapEntry: true },
      field: [
        { name: 'key', number: 1, label: optional, type: FieldDescriptorProto_Type.STRING },
        { name: 'value', number: 2, label: optional, ...typeOf(field) },
      ],
    })),
  };
}

let registry: ReturnType<typeof createFileRegistry> | undefined;

function descriptorOf(message: string): DescMessage {
  registry ??= createFileRegistry(
    create(FileDescriptorProtoSchema, {
      name: 'facts.proto',
      syntax: 'proto2',
      messageType: [...messageFacts()].map(([name, fields]) => describeMessage(name, fields)),
    }),
    () => undefined,
  );
  const found = registry.getMessage(flat(message));
  if (found === undefined) throw new Error(`no message ${message} among the facts`);
  return found;
}

/** The body of a message, without the envelope. */
export function expectedBytes(message: string, object: JsonObject): Uint8Array {
  const descriptor = descriptorOf(message);
  return toBinary(descriptor, create(descriptor, messageFrom(message, object)));
}

/** What `create` takes: fields by their numbers. A null in JSON is a field that is not there. */
function messageFrom(message: string, object: JsonObject): JsonObject {
  const fields: JsonObject = {};
  for (const field of messageFacts().get(message) ?? []) {
    if (field.mark === '^') {
      const inner = messageFrom(field.message ?? '', object);
      if (Object.keys(inner).length > 0) fields[fieldName(field)] = inner;
    } else if (Object.hasOwn(object, field.name) && object[field.name] !== null) {
      fields[fieldName(field)] = fieldFrom(field, object[field.name]);
    }
  }
  return fields;
}

function fieldFrom(field: FieldFact, value: unknown): unknown {
  if (field.mark === '*') return (value as unknown[]).map((item) => valueFrom(field, item));
  if (field.mark !== '%') return valueFrom(field, value);
  const entries = Object.entries(value as JsonObject).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, valueFrom(field, item)]));
}

function valueFrom({ scalar, message = '' }: FieldFact, value: unknown): unknown {
  if (scalar === 'l') return BigInt(value as number | bigint);
  if (scalar === 'y') return new Uint8Array(Buffer.from(value as string, 'base64'));
  if (scalar !== undefined) return value;
  return messageFrom(message, fieldsOfValue(message, value));
}

/** The fields of a message whose JSON form is one value; of any other, the value itself. */
function fieldsOfValue(message: string, value: unknown): JsonObject {
  switch (simpleName(message)) {
    case 'Time':
    case 'Timestamp':
    case 'MicroTime':
      return timeFields(value as string);
    case 'Duration':
      return { duration: DURATIONS.get(value as string) };
    case 'Quantity':
      return { string: value };
    case 'IntOrString':
      return typeof value === 'string' ? { type: 1, intVal: 0, strVal: value } : { type: 0, intVal: value, strVal: '' };
    case 'FieldsV1':
    case 'RawExtension':
    case 'JSON':
      return { raw: Buffer.from(encodeJson(value)).toString('base64') };
    case 'ExtraValue':
    case 'Verbs':
      return { items: value };
    case 'JSONSchemaPropsOrArray':
      return Array.isArray(value) ? { jSONSchemas: value } : { schema: value };
    case 'JSONSchemaPropsOrBool':
      return typeof value === 'boolean' ? { allows: value } : { allows: true, schema: value };
    case 'JSONSchemaPropsOrStringArray':
      return Array.isArray(value) ? { property: value } : { schema: value };
    default:
      return value as JsonObject;
  }
}

/** In nanoseconds: those that samples have. */
const DURATIONS: ReadonlyMap<string, number> = new Map([
  ['1h2m3s', 3_723_000_000_000],
  ['-1.5s', -1_500_000_000],
]);

function timeFields(text: string): JsonObject {
  const [, whole = '', micros = ''] = /^(.{19})(?:\.(\d{6}))?Z$/.exec(text) ?? [];
  return { seconds: Date.parse(`${whole}Z`) / 1000, nanos: Number(micros) * 1000 };
}
