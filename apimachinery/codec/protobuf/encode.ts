/** JSON values to messages. Fields are written in the order of their numbers; what JSON lacks is not written. */
import { isInt64, isNumeric } from '../../int64.js';
import { getOwn, isObject } from '../../value.js';
import type { JsonObject } from '../../value.js';
import { encodeJson } from '../../json-value.js';
import { wireOf } from './decode.js';
import { forms } from './forms.js';
import { messageNamed } from './messages.js';
import type { Field, Message, Scalar } from './messages.js';
import { ProtobufError, WIRE_BYTES, WireWriter } from './wire.js';

export function writeMessage(message: Message, object: JsonObject): Uint8Array {
  const writer = new WireWriter();
  for (const field of message.fields) writeField(field, object, writer);
  return writer.finish();
}

function writeField(field: Field, object: JsonObject, writer: WireWriter): void {
  if (field.shape === 'inline') {
    const inner = messageNamed(field.message ?? '');
    const body = writeMessage(inner, object);
    if (body.length > 0) writeBody(field.number, body, writer);
    return;
  }
  const value = getOwn(object, field.name);
  if (value === undefined || value === null) return;
  switch (field.shape) {
    case 'list':
      if (!Array.isArray(value)) throw mismatch(field, 'a list', value);
      for (const item of value) writeValue(field, field.number, item, writer);
      return;
    case 'map': {
      if (!isObject(value)) throw mismatch(field, 'a map', value);
      for (const key of Object.keys(value).sort((a, b) => (a < b ? -1 : 1))) {
        const entry = new WireWriter();
        entry.tag(1, WIRE_BYTES);
        entry.string(key);
        writeValue(field, 2, value[key], entry);
        writeBody(field.number, entry.finish(), writer);
      }
      return;
    }
    case 'single':
      writeValue(field, field.number, value, writer);
  }
}

function writeBody(number: number, body: Uint8Array, writer: WireWriter): void {
  writer.tag(number, WIRE_BYTES);
  writer.bytes(body);
}

function writeValue(field: Field, number: number, value: unknown, writer: WireWriter): void {
  if (field.scalar !== undefined) {
    writer.tag(number, wireOf(field.scalar));
    writeScalar(field, field.scalar, value, writer);
    return;
  }
  const name = field.message ?? '';
  const { special, unions } = forms();
  const form = special.get(name);
  if (form !== undefined) {
    const body = new WireWriter();
    form.write(value, body);
    writeBody(number, body.finish(), writer);
    return;
  }
  const object = unions.get(name)?.fromJson(value) ?? value;
  if (!isObject(object)) throw mismatch(field, 'an object', value);
  writeBody(number, writeMessage(messageNamed(name), object), writer);
}

function writeScalar(field: Field, scalar: Scalar, value: unknown, writer: WireWriter): void {
  switch (scalar) {
    case 'string':
    case 'bytes':
      if (typeof value !== 'string') throw mismatch(field, 'a string', value);
      if (scalar === 'string') writer.string(value);
      else writer.bytes(Buffer.from(value, 'base64'));
      return;
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(field, 'a boolean', value);
      writer.varint(value ? 1 : 0);
      return;
    case 'double':
      if (!isNumeric(value)) throw mismatch(field, 'a number', value);
      writer.double(Number(value));
      return;
    case 'int32':
    case 'int64':
      if (!isInt64(value)) throw mismatch(field, 'an integer', value);
      writer.varint(value);
  }
}

function mismatch(field: Field, expected: string, value: unknown): ProtobufError {
  return new ProtobufError(`${field.name}: ${expected} was expected, not ${encodeJson(value).slice(0, 64)}`);
}
