/** A body costs no more than what is counted before it is built (issue 6, row 1; CVE-2019-11253, CVE-2019-1002100 for the kind). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isApiError } from '../status.js';
import { isObject } from '../value.js';
import { decodeJson } from './json.js';
import { DEFAULT_LIMITS, YAML_ALIASES_MAX } from './limits.js';
import { decodeProtobuf, encodeProtobuf } from './protobuf/index.js';
import { scanJson } from './scan.js';
import { decodeYaml, readYaml } from './yaml.js';

const { valuesMax, itemsMax, keysMax, depthMax } = DEFAULT_LIMITS;
const NO_LIMITS = { depthMax: 1000, valuesMax: Infinity, itemsMax: Infinity, keysMax: Infinity };
const bytes = (text: string): Uint8Array => Buffer.from(text);
const repeated = (count: number, one: (i: number) => string, separator = ','): string => Array.from({ length: count }, (_, i) => one(i)).join(separator);

function codeOf(run: () => unknown): number {
  try {
    run();
  } catch (error) {
    if (isApiError(error)) return error.code;
    throw error;
  }
  return 200;
}

function count(value: unknown, inList = false): { values: number; items: number } {
  const children = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
  const below = children.map((child) => count(child, Array.isArray(value)));
  return {
    values: 1 + below.reduce((sum, { values }) => sum + values, 0),
    items: (inList && isObject(value) ? 1 : 0) + below.reduce((sum, { items }) => sum + items, 0),
  };
}

it('values and objects in lists are counted as they are there, however they are written', () => {
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 1, 3), (value, indent) => {
    expect(scanJson(bytes(JSON.stringify(value, undefined, indent)), NO_LIMITS)).toEqual(count(value));
  }), { numRuns: 50 });
});

describe.each<[string, string, number]>([
  ['values in a list', `{"a":[${repeated(valuesMax - 2, () => '1')}]}`, 200],
  ['values beyond the limit', `{"a":[${repeated(valuesMax - 1, () => '1')}]}`, 413],
  ['a million empty objects', `{"a":[${repeated(1_000_000, () => '{}')}]}`, 413],
  ['empty objects', `{"a":[${repeated(itemsMax, () => '{}')}]}`, 200],
  ['one empty object more', `{"a":[${repeated(itemsMax + 1, () => '{}')}]}`, 413],
  ['keys', `{${repeated(keysMax, (i) => `"k${i}":1`)}}`, 200],
  ['one key more', `{${repeated(keysMax + 1, (i) => `"k${i}":1`)}}`, 413],
  ['keys within others', `{"a":{"b":{${repeated(keysMax + 1, (i) => `"k${i}":1`)}}}}`, 413],
  ['many objects of many keys', `{${repeated(10, (i) => `"o${i}":{${repeated(9000, (k) => `"k${k}":1`)}}`)}}`, 413],
  ['nesting', `${'['.repeat(depthMax)}${']'.repeat(depthMax)}`, 200],
  ['one level more', `${'['.repeat(depthMax + 1)}${']'.repeat(depthMax + 1)}`, 400],
  ['nesting of three megabytes', '['.repeat(3_000_000), 400],
  ['bytes', `"${'x'.repeat(DEFAULT_LIMITS.bytesMax)}"`, 413],
])('%s', (_name, text, code) => {
  it('as JSON', () => expect(codeOf(() => decodeJson(bytes(text)))).toBe(code));
});

describe('YAML', () => {
  it.each<[string, string, number]>([
    ['keys', repeated(keysMax, (i) => `k${i}: 1`, '\n'), 200],
    ['one key more', repeated(keysMax + 1, (i) => `k${i}: 1`, '\n'), 413],
    ['three megabytes of keys', repeated(250_000, (i) => `k${i}: 1`, '\n'), 413],
    ['three megabytes of comments', repeated(300_000, () => '# a line', '\n'), 413],
    ['three megabytes of items', '- {}\n'.repeat(600_000), 413],
    ['flow', `[${'[],'.repeat(900_000)}]`, 413],
    ['three megabytes of levels', '- '.repeat(1_500_000), 413],
    ['levels', `${'- '.repeat(depthMax + 2)}x`, 400],
    ['explicit keys', '? '.repeat(100_000), 400],
    ['many aliases', `a: &a 1\nb: [${repeated(YAML_ALIASES_MAX + 1, () => '*a')}]`, 400],
    ['many anchors, each with an alias', repeated(900, (i) => `k${i}: &a${i} 1\nl${i}: *a${i}`, '\n'), 200],
    ['aliases that copy too much', `a: &a [${repeated(1000, () => '1')}]\nb: [${repeated(100, () => '*a')}]`, 400],
    ['merges that copy too much', `a: &a {${repeated(9000, (i) => `k${i}: 1`)}}\n${repeated(50, (i) => `m${i}: {<<: *a}`, '\n')}`, 400],
  ])('%s', (_name, text, code) => {
    expect(codeOf(() => decodeYaml(bytes(text)))).toBe(code);
  });

  it('7,000 keys and 7,000 duplicates cost little more than half of them', () => {
    const body = bytes(repeated(14_000, (i) => `k${i % 7000}: value`, '\n'));
    const { value, duplicates } = readYaml(body);
    expect(Object.keys(value as object)).toHaveLength(7000);
    expect(duplicates).toHaveLength(100);
  });
});

describe('protobuf', () => {
  const configMap = (data: Record<string, string>) => encodeProtobuf({ apiVersion: 'v1', kind: 'ConfigMap', data }) as Uint8Array;
  const pod = (containers: object[]) => encodeProtobuf({ apiVersion: 'v1', kind: 'Pod', spec: { containers } }) as Uint8Array;
  const map = (count: number) => configMap(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, ''])));
  const envelope = (raw: Uint8Array) => {
    const length: number[] = [];
    for (let rest = raw.length; ; rest >>>= 7) {
      length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
      if (rest <= 0x7f) break;
    }
    return Buffer.concat([Buffer.from('k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap', 'latin1'), Buffer.from([0x12, ...length]), raw]);
  };

  it.each<[string, () => Uint8Array, number]>([
    ['keys', () => map(keysMax), 200],
    ['one key more', () => map(keysMax + 1), 413],
    ['objects', () => pod(Array.from({ length: itemsMax }, () => ({}))), 200],
    ['one object more', () => pod(Array.from({ length: itemsMax + 1 }, () => ({}))), 413],
    ['fields that repeat', () => envelope(Buffer.alloc(2_000_000, Buffer.from([0x0a, 0]))), 413],
    ['fields that nobody knows', () => envelope(Buffer.alloc(2_000_000, Buffer.from([0x78, 0]))), 413],
  ])('%s', (_name, body, code) => {
    expect(codeOf(() => decodeProtobuf(body()))).toBe(code);
  });
});
