/**
 * An OpenAPI v2 document as protobuf (`openapi.v2.Document` of gnostic): the form that client-go before 1.29 asks for,
 * and takes no other. In: parts of the document as JSON has them. Out: bytes. Only what our documents hold has a field
 * number here.
 */
import { encodeJson } from '../json-value.js';
import { WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT, WireWriter } from '../codec/protobuf/wire.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';

type FieldWriter = (writer: WireWriter, number: number, value: unknown) => void;
/** Field number and how its value is written, by the name in JSON; `x-` stands for all extensions. */
type Fields = Readonly<Record<string, readonly [number, FieldWriter]>>;

function bytes(writer: WireWriter, number: number, body: Uint8Array): void {
  writer.tag(number, WIRE_BYTES);
  writer.bytes(body);
}

function nested(build: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter();
  build(writer);
  return writer.finish();
}

function write(fields: Fields, object: unknown): Uint8Array {
  return nested((writer) => {
    if (!isObject(object)) return;
    for (const [name, value] of Object.entries(object)) {
      const extension = fields['x-'];
      if (name.startsWith('x-') && extension !== undefined)
        writeNamed(writer, extension[0], { name, value: any(value) });
      else if (Object.hasOwn(fields, name)) fields[name]?.[1](writer, fields[name][0], value);
    }
  });
}

function writeNamed(
  writer: WireWriter,
  number: number,
  entry: { readonly name: string; readonly value: Uint8Array },
): void {
  bytes(
    writer,
    number,
    nested((inner) => {
      text(inner, 1, entry.name);
      bytes(inner, 2, entry.value);
    }),
  );
}

const text: FieldWriter = (writer, number, value) => bytes(writer, number, Buffer.from(String(value)));
const bool: FieldWriter = (writer, number, value) => {
  writer.tag(number, WIRE_VARINT);
  writer.varint(value === true ? 1 : 0);
};
const int64: FieldWriter = (writer, number, value) => {
  writer.tag(number, WIRE_VARINT);
  writer.varint(Number(value));
};
const double: FieldWriter = (writer, number, value) => {
  writer.tag(number, WIRE_FIXED64);
  writer.double(Number(value));
};
/** Any value as YAML, of which JSON is a part. */
const any = (value: unknown): Uint8Array => nested((writer) => text(writer, 2, encodeJson(value)));
const anything: FieldWriter = (writer, number, value) => bytes(writer, number, any(value));
const list =
  (each: FieldWriter): FieldWriter =>
  (writer, number, value) => {
    for (const item of Array.isArray(value) ? value : [value]) each(writer, number, item);
  };
/** `fields` is asked for late: schemas hold schemas. */
const message =
  (fields: () => Fields): FieldWriter =>
  (writer, number, value) =>
    bytes(writer, number, write(fields(), value));
/** A message whose one field is the value. */
const wrapped =
  (inner: number, each: FieldWriter): FieldWriter =>
  (writer, number, value) =>
    bytes(
      writer,
      number,
      nested((body) => each(body, inner, value)),
    );
/** One (name, value) pair of a map. */
function pair(
  writer: WireWriter,
  number: number,
  { name, value, each }: { readonly name: string; readonly value: unknown; readonly each: FieldWriter },
): void {
  bytes(
    writer,
    number,
    nested((inner) => {
      text(inner, 1, name);
      each(inner, 2, value);
    }),
  );
}
/** A map as a message of pairs. */
const named =
  (inner: number, each: FieldWriter): FieldWriter =>
  (writer, number, value) =>
    bytes(
      writer,
      number,
      nested((body) => {
        for (const [name, item] of Object.entries(isObject(value) ? value : {}))
          pair(body, inner, { name, value: item, each });
      }),
    );

const schema = message(() => SCHEMA);
const texts = list(text);

const SCHEMA: Fields = {
  $ref: [1, text],
  format: [2, text],
  title: [3, text],
  description: [4, text],
  default: [5, anything],
  multipleOf: [6, double],
  maximum: [7, double],
  exclusiveMaximum: [8, bool],
  minimum: [9, double],
  exclusiveMinimum: [10, bool],
  maxLength: [11, int64],
  minLength: [12, int64],
  pattern: [13, text],
  maxItems: [14, int64],
  minItems: [15, int64],
  uniqueItems: [16, bool],
  maxProperties: [17, int64],
  minProperties: [18, int64],
  required: [19, texts],
  enum: [20, list(anything)],
  additionalProperties: [
    21,
    (writer, number, value) =>
      (typeof value === 'boolean' ? wrapped(2, bool) : wrapped(1, schema))(writer, number, value),
  ],
  type: [22, wrapped(1, texts)],
  items: [23, wrapped(1, schema)],
  allOf: [24, list(schema)],
  properties: [25, named(1, schema)],
  'x-': [31, anything],
};

const BODY_PARAMETER: Fields = {
  description: [1, text],
  name: [2, text],
  in: [3, text],
  required: [4, bool],
  schema: [5, schema],
};
const QUERY_PARAMETER: Fields = {
  required: [1, bool],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [6, text],
  format: [7, text],
  uniqueItems: [20, bool],
};
const PATH_PARAMETER: Fields = {
  required: [1, bool],
  in: [2, text],
  description: [3, text],
  name: [4, text],
  type: [5, text],
  format: [6, text],
  uniqueItems: [19, bool],
};

/** ParametersItem, Parameter, and NonBodyParameter are unions inside each other. */
const parameter: FieldWriter = (writer, number, value) => {
  const place = isObject(value) ? value['in'] : undefined;
  const inner =
    place === 'body'
      ? wrapped(
          1,
          message(() => BODY_PARAMETER),
        )
      : wrapped(
          2,
          place === 'path'
            ? wrapped(
                4,
                message(() => PATH_PARAMETER),
              )
            : wrapped(
                3,
                message(() => QUERY_PARAMETER),
              ),
        );
  wrapped(1, inner)(writer, number, value);
};

const RESPONSE: Fields = { description: [1, text], schema: [2, wrapped(1, schema)] };
const OPERATION: Fields = {
  tags: [1, texts],
  summary: [2, text],
  description: [3, text],
  operationId: [5, text],
  produces: [6, texts],
  consumes: [7, texts],
  parameters: [8, list(parameter)],
  responses: [
    9,
    named(
      1,
      wrapped(
        1,
        message(() => RESPONSE),
      ),
    ),
  ],
  schemes: [10, texts],
  'x-': [13, anything],
};
const operation = message(() => OPERATION);
const PATH_ITEM: Fields = {
  get: [2, operation],
  put: [3, operation],
  post: [4, operation],
  delete: [5, operation],
  options: [6, operation],
  head: [7, operation],
  patch: [8, operation],
  parameters: [9, list(parameter)],
};
const API_KEY: Fields = { type: [1, text], name: [2, text], in: [3, text], description: [4, text] };

/** The maps that a large document is made of: field number of the map, of its pairs, and what stands in them. */
const SECTIONS = {
  paths: { number: 8, pairs: 2, each: message(() => PATH_ITEM) },
  definitions: { number: 9, pairs: 1, each: schema },
} as const;
type SectionName = keyof typeof SECTIONS;

const DOCUMENT: Fields = {
  swagger: [1, text],
  info: [2, message(() => ({ title: [1, text], version: [2, text] }))],
  security: [12, list(named(1, wrapped(1, texts)))],
  securityDefinitions: [
    13,
    named(
      1,
      wrapped(
        2,
        message(() => API_KEY),
      ),
    ),
  ],
};

/** Parts of a document that together are one: protobuf's messages are joined by standing one behind the other. */
export const PROTOBUF_FORM = {
  /** Fields of the document that are not sections. */
  fields: (object: JsonObject): Uint8Array => write(DOCUMENT, object),
  entry: (section: SectionName, name: string, value: JsonObject): Uint8Array =>
    nested((writer) => pair(writer, SECTIONS[section].pairs, { name, value, each: SECTIONS[section].each })),
  /** A section whose entries are encoded already. */
  section(section: SectionName, entries: readonly Uint8Array[]): Uint8Array[] {
    const head = nested((writer) => {
      writer.tag(SECTIONS[section].number, WIRE_BYTES);
      writer.varint(entries.reduce((sum, { length }) => sum + length, 0));
    });
    return [head, ...entries];
  },
} as const;
