/** Messages to JSON values, driven by the compiled facts. Fields that are not known are skipped, as protobuf asks. */
import { setOwn } from '../../value.js';
import type { JsonObject } from '../../value.js';
import { forms } from './forms.js';
import { messageNamed } from './messages.js';
import type { Field, Message, Scalar } from './messages.js';
import { ProtobufError, WIRE_BYTES, WIRE_FIXED64, WIRE_VARINT } from './wire.js';
import type { WireReader } from './wire.js';

const DEPTH_MAX = 256;

export function readMessage(message: Message, reader: WireReader, depth = 0): JsonObject {
  const object: JsonObject = {};
  readInto(object, message, reader, depth);
  return object;
}

function readInto(object: JsonObject, message: Message, reader: WireReader, depth: number): void {
  if (depth > DEPTH_MAX) throw new ProtobufError(`messages nest deeper than ${DEPTH_MAX} levels`);
  while (!reader.done) {
    reader.budget.spend();
    const { number, wire } = reader.tag();
    const field = message.byNumber.get(number);
    if (field === undefined) reader.skip(wire);
    else readField(object, field, wire, reader, depth);
  }
}

function readField(object: JsonObject, field: Field, wire: number, reader: WireReader, depth: number): void {
  switch (field.shape) {
    case 'inline':
      expectWire(field, wire, WIRE_BYTES);
      readInto(object, messageNamed(field.message ?? ''), reader.message(), depth + 1);
      return;
    case 'list': {
      const items = Object.hasOwn(object, field.name) ? (object[field.name] as unknown[]) : [];
      object[field.name] = items;
      if (field.scalar !== undefined && wire === WIRE_BYTES && !isBytes(field.scalar)) {
        for (const packed = reader.message(); !packed.done; reader.budget.spend())
          items.push(readScalar(field.scalar, packed));
      } else {
        if (field.scalar === undefined) reader.budget.spendItem();
        items.push(readValue(field, wire, reader, depth));
      }
      return;
    }
    case 'map': {
      expectWire(field, wire, WIRE_BYTES);
      const entries = Object.hasOwn(object, field.name) ? (object[field.name] as JsonObject) : {};
      object[field.name] = entries;
      readEntry(entries, field, reader.message(), depth);
      reader.budget.spendKey(entries);
      return;
    }
    case 'single': {
      const value = readValue(field, wire, reader, depth);
      const absent = value === undefined || (!field.keepsZero && field.scalar !== undefined && isZero(value));
      if (!absent) object[field.name] = value;
      return;
    }
  }
}

const isBytes = (scalar: Scalar): boolean => scalar === 'string' || scalar === 'bytes';
const isZero = (value: unknown): boolean => value === '' || value === 0 || value === false;

function readEntry(entries: JsonObject, field: Field, reader: WireReader, depth: number): void {
  let key = '';
  let value: unknown;
  for (let tags = 1; !reader.done; tags += 1) {
    // An entry has a key and a value, and counts once; what repeats them counts too.
    if (tags > 2) reader.budget.spend();
    const { number, wire } = reader.tag();
    if (number === 1 && wire === WIRE_BYTES) key = reader.string();
    else if (number === 2) value = readValue(field, wire, reader, depth);
    else reader.skip(wire);
  }
  setOwn(entries, key, value ?? zeroOf(field));
}

function zeroOf(field: Field): unknown {
  switch (field.scalar) {
    case undefined:
      return forms().special.has(field.message ?? '') ? null : {};
    case 'string':
    case 'bytes':
      return '';
    case 'bool':
      return false;
    default:
      return 0;
  }
}

function readValue(field: Field, wire: number, reader: WireReader, depth: number): unknown {
  if (field.scalar !== undefined) {
    expectWire(field, wire, wireOf(field.scalar));
    return readScalar(field.scalar, reader);
  }
  expectWire(field, wire, WIRE_BYTES);
  const name = field.message ?? '';
  const { special, unions } = forms();
  const form = special.get(name);
  if (form !== undefined) return form.read(reader.message());
  const object = readMessage(messageNamed(name), reader.message(), depth + 1);
  const union = unions.get(name);
  return union === undefined ? object : union.toJson(object);
}

function expectWire(field: Field, wire: number, expected: number): void {
  if (wire !== expected) throw new ProtobufError(`field ${field.name} has wire type ${wire}, not ${expected}`);
}

export function wireOf(scalar: Scalar): number {
  if (isBytes(scalar)) return WIRE_BYTES;
  return scalar === 'double' ? WIRE_FIXED64 : WIRE_VARINT;
}

function readScalar(scalar: Scalar, reader: WireReader): unknown {
  switch (scalar) {
    case 'string':
      return reader.string();
    case 'bytes':
      return reader.bytes().toString('base64');
    case 'bool':
      return reader.varint() !== 0n;
    case 'int32':
      return reader.int32();
    case 'int64':
      return reader.int64();
    case 'double':
      return reader.double();
  }
}
