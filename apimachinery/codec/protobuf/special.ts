/**
 * Messages whose JSON form is not an object of their fields: times, quantities, numbers-or-strings, raw JSON, and lists
 * and booleans that protobuf has to wrap. One reader and one writer each.
 */
import type { Int64 } from '../../int64.js';
import { encodeJson } from '../../json-value.js';
import { DEFAULT_LIMITS } from '../limits.js';
import { scanJson } from '../scan.js';
import type { WireReader } from './wire.js';
import { ProtobufError, WIRE_BYTES, WIRE_VARINT } from './wire.js';
import type { WireWriter } from './wire.js';

export interface SpecialForm {
  /** Undefined: there is no value, and JSON leaves the field out or has null. */
  read(reader: WireReader): unknown;
  /** Writes the body of the message. */
  write(value: unknown, writer: WireWriter): void;
}

const META = 'k8s.io.apimachinery.pkg.apis.meta.v1';
const EXTENSIONS = 'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions';

/** Calls `take` for each field that stands in the message; `take` returns false for what it does not want. */
function eachField(reader: WireReader, take: (number: number, wire: number) => boolean): void {
  while (!reader.done) {
    reader.budget.spend();
    const { number, wire } = reader.tag();
    if (!take(number, wire)) reader.skip(wire);
  }
}

const MS_PER_S = 1000;
const NS_PER_US = 1000;

/** RFC 3339 in UTC. Time has whole seconds; MicroTime always six digits. */
function timeForm(micro: boolean): SpecialForm {
  return {
    read(reader) {
      let seconds: Int64 | undefined;
      let nanos = 0;
      eachField(reader, (number, wire) => {
        if (wire !== WIRE_VARINT) return false;
        if (number === 1) seconds = reader.int64();
        else if (number === 2) nanos = reader.int32();
        else return false;
        return true;
      });
      if (seconds === undefined) return undefined;
      const date = new Date(Number(seconds) * MS_PER_S);
      if (Number.isNaN(date.getTime())) throw new ProtobufError(`time of ${seconds} seconds`);
      const whole = date.toISOString().slice(0, -5);
      return micro ? `${whole}.${String(Math.floor(nanos / NS_PER_US)).padStart(6, '0')}Z` : `${whole}Z`;
    },
    write(value, writer) {
      if (value === null) return;
      const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
      if (typeof value !== 'string' || Number.isNaN(ms)) throw new ProtobufError(`not a time: ${encodeJson(value)}`);
      const fraction = micro ? (/\.(\d{1,9})/.exec(value)?.[1] ?? '').padEnd(9, '0') : '0';
      writer.tag(1, WIRE_VARINT);
      writer.varint(Math.floor(ms / MS_PER_S));
      writer.tag(2, WIRE_VARINT);
      writer.varint(Number(fraction));
    },
  };
}

const INT_KIND = 0;
const STRING_KIND = 1;

const intOrString: SpecialForm = {
  read(reader) {
    let kind = INT_KIND;
    let int = 0;
    let text = '';
    eachField(reader, (number, wire) => {
      if (number === 1 && wire === WIRE_VARINT) kind = reader.int32();
      else if (number === 2 && wire === WIRE_VARINT) int = reader.int32();
      else if (number === 3 && wire === WIRE_BYTES) text = reader.string();
      else return false;
      return true;
    });
    return kind === STRING_KIND ? text : int;
  },
  write(value, writer) {
    const isText = typeof value === 'string';
    writer.tag(1, WIRE_VARINT);
    writer.varint(isText ? STRING_KIND : INT_KIND);
    writer.tag(2, WIRE_VARINT);
    writer.varint(isText ? 0 : Number(value));
    writer.tag(3, WIRE_BYTES);
    writer.string(isText ? value : '');
  },
};

const quantity: SpecialForm = {
  read(reader) {
    let text = '0';
    eachField(reader, (number, wire) => {
      if (number !== 1 || wire !== WIRE_BYTES) return false;
      text = reader.string();
      return true;
    });
    return text;
  },
  write(value, writer) {
    writer.tag(1, WIRE_BYTES);
    writer.string(String(value));
  },
};

/** Bytes of JSON in field 1; `parse` has the limits of the codec. */
function rawForm(parse: (bytes: Uint8Array) => unknown): SpecialForm {
  return {
    read(reader) {
      let value: unknown;
      eachField(reader, (number, wire) => {
        if (number !== 1 || wire !== WIRE_BYTES) return false;
        const bytes = reader.bytes();
        if (bytes.length === 0) return true;
        reader.budget.spend(scanJson(bytes, DEFAULT_LIMITS).values);
        value = parse(bytes);
        return true;
      });
      return value;
    },
    write(value, writer) {
      writer.tag(1, WIRE_BYTES);
      writer.string(encodeJson(value));
    },
  };
}

/** A named list type (`ExtraValue`, `Verbs`): strings in field 1. */
const stringList: SpecialForm = {
  read(reader) {
    const items: string[] = [];
    eachField(reader, (number, wire) => {
      if (number !== 1 || wire !== WIRE_BYTES) return false;
      items.push(reader.string());
      return true;
    });
    return items;
  },
  write(value, writer) {
    if (!Array.isArray(value)) throw new ProtobufError('a list of strings was expected');
    for (const item of value) {
      writer.tag(1, WIRE_BYTES);
      writer.string(String(item));
    }
  },
};

/** The JSON form of a metav1.Duration, as `1h2m3s`, is made by apimachinery/duration.ts. */
function durationForm(format: (ns: number) => string, parse: (text: string) => number): SpecialForm {
  return {
    read(reader) {
      let ns: Int64 = 0;
      eachField(reader, (number, wire) => {
        if (number !== 1 || wire !== WIRE_VARINT) return false;
        ns = reader.int64();
        return true;
      });
      return format(Number(ns));
    },
    write(value, writer) {
      writer.tag(1, WIRE_VARINT);
      writer.varint(parse(String(value)));
    },
  };
}

/** The forms by full message name. */
export function specialForms(tools: {
  readonly parseJson: (bytes: Uint8Array) => unknown;
  readonly formatDuration: (ns: number) => string;
  readonly parseDuration: (text: string) => number;
}): ReadonlyMap<string, SpecialForm> {
  const raw = rawForm(tools.parseJson);
  return new Map([
    [`${META}.Time`, timeForm(false)],
    [`${META}.Timestamp`, timeForm(false)],
    [`${META}.MicroTime`, timeForm(true)],
    [`${META}.Duration`, durationForm(tools.formatDuration, tools.parseDuration)],
    [`${META}.FieldsV1`, raw],
    [`${META}.Verbs`, stringList],
    ['k8s.io.apimachinery.pkg.runtime.RawExtension', raw],
    ['k8s.io.apimachinery.pkg.api.resource.Quantity', quantity],
    ['k8s.io.apimachinery.pkg.util.intstr.IntOrString', intOrString],
    [`${EXTENSIONS}.v1.JSON`, raw],
    [`${EXTENSIONS}.v1beta1.JSON`, raw],
    ...['authentication', 'authorization', 'certificates'].flatMap((group) =>
      ['v1', 'v1beta1'].map((version): [string, SpecialForm] => [
        `k8s.io.api.${group}.${version}.ExtraValue`,
        stringList,
      ]),
    ),
  ]);
}
