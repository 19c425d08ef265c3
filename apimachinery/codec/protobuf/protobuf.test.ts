import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { decodeProtobuf, encodeProtobuf } from './index.js';
import type { JsonObject } from '../../value.js';

const samples = fileURLToPath(new URL('../../../../shared/data/kubernetes-roundtrip/', import.meta.url));
const names = existsSync(samples)
  ? readdirSync(samples)
      .filter((n) => n.endsWith('.pb'))
      .map((n) => n.slice(0, -3))
  : [];

const bodyOf = (fields: number[]): Uint8Array => {
  const raw = Buffer.from(fields);
  const type = Buffer.concat([
    Buffer.from([0x0a, 2]),
    Buffer.from('v1'),
    Buffer.from([0x12, 9]),
    Buffer.from('ConfigMap'),
  ]);
  return Buffer.concat([
    Buffer.from('k8s\0'),
    Buffer.from([0x0a, type.length]),
    type,
    Buffer.from([0x12, raw.length]),
    raw,
  ]);
};

/** A struct that is absent in one version's bytes and empty in another's JSON is the same struct. */
const withoutEmpty = (object: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => JSON.stringify(value) !== '{}'));

// In addition to every-kind.test.ts, which needs nothing from outside.
if (names.length > 0) {
  describe("Kubernetes' own samples in both encodings (in ../shared/data)", () => {
    it.each(names)('%s', (name) => {
      const bytes = readFileSync(`${samples}${name}.pb`);
      // WatchEvents name no kind of their own; the reader of a stream knows what it reads.
      const hint = { kind: 'WatchEvent', apiVersion: 'v1' };
      const file = JSON.parse(readFileSync(`${samples}${name}.json`, 'utf8')) as JsonObject;
      const json = name.endsWith('WatchEvent') ? { ...hint, ...file } : file;
      expect(withoutEmpty(decodeProtobuf(bytes, hint))).toEqual(withoutEmpty(json));
      const encoded = encodeProtobuf(json);
      expect(encoded).toBeDefined();
      expect(withoutEmpty(decodeProtobuf(encoded ?? new Uint8Array()))).toEqual(withoutEmpty(json));
    });
  });
}

describe('protobuf bodies', () => {
  it('keep an explicit zero of a pointer and drop the zeros Go writes for plain fields', () => {
    const scaled = {
      kind: 'Deployment',
      apiVersion: 'apps/v1',
      spec: { replicas: 0, paused: false, selector: {}, template: {} },
    };
    expect(decodeProtobuf(encodeProtobuf(scaled) ?? new Uint8Array())).toEqual({
      kind: 'Deployment',
      apiVersion: 'apps/v1',
      spec: { replicas: 0, selector: {}, template: {} },
    });
  });

  it('carry numbers-or-strings, quantities, negative integers and odd map keys', () => {
    const object = {
      kind: 'Service',
      apiVersion: 'v1',
      metadata: { labels: { constructor: 'a', 'x/y': '' }, generation: -1 },
      spec: {
        ports: [
          { port: 80, targetPort: 'web' },
          { port: 81, targetPort: -5 },
        ],
      },
    };
    expect(decodeProtobuf(encodeProtobuf(object) ?? new Uint8Array())).toEqual(object);
  });

  it('never touch a prototype', () => {
    const labels = JSON.parse('{"__proto__":"x"}') as JsonObject;
    const decoded = decodeProtobuf(
      encodeProtobuf({ kind: 'ConfigMap', apiVersion: 'v1', data: labels }) ?? new Uint8Array(),
    );
    expect(Object.keys(decoded['data'] as object)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(decoded['data'])).toBe(Object.prototype);
  });

  it('are refused with BadRequest when they are broken', () => {
    expect(() => decodeProtobuf(Buffer.from('{}'))).toThrow('does not begin with');
    expect(() => decodeProtobuf(bodyOf([0x0a, 0x7f, 1]))).toThrow('unexpected end of data');
    expect(() => decodeProtobuf(bodyOf([0x08, 0x01]))).toThrow('wire type 0');
    expect(() => decodeProtobuf(bodyOf([0x03]))).toThrow('field number 0');
    expect(() => decodeProtobuf(bodyOf(Array.from({ length: 12 }, () => 0xff)))).toThrow();
    expect(decodeProtobuf(bodyOf([0xf8, 0x07, 0x01]))).toEqual({ kind: 'ConfigMap', apiVersion: 'v1' });
  });

  it('of unknown kinds have no form', () => {
    expect(encodeProtobuf({ apiVersion: 'example.com/v1', kind: 'Widget' })).toBeUndefined();
    expect(encodeProtobuf({ apiVersion: 'constructor/v1', kind: 'toString' })).toBeUndefined();
  });
});
