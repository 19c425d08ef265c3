import { describe, expect, it } from 'vitest';
import { parseDuration, formatDuration } from '../duration.js';
import { isApiError } from '../status.js';
import { decodeBody } from './body.js';
import { decodeJson, duplicateKeys } from './json.js';
import { decodeYaml, decodeYamlDocuments } from './yaml.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const small = { bytesMax: 1024, depthMax: 16 };

function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (isApiError(error)) return error.reason;
    throw error;
  }
  return 'accepted';
}

describe('JSON', () => {
  it('refuses what is too large, too deep or broken', () => {
    expect(reasonOf(() => decodeJson(bytes(' '.repeat(2000)), small))).toBe('RequestEntityTooLarge');
    expect(() => decodeJson(bytes('['.repeat(1000) + ']'.repeat(1000)))).toThrow('deeper than the limit of 256 levels');
    expect(decodeJson(bytes(JSON.stringify({ text: '[{'.repeat(500) + '\\"' })), small)).toEqual({ text: '[{'.repeat(500) + '\\"' });
    expect(reasonOf(() => decodeJson(bytes('{"a":')))).toBe('BadRequest');
    expect(reasonOf(() => decodeJson(bytes('"unfinished')))).toBe('BadRequest');
  });

  it('makes __proto__ a key like any other', () => {
    const value = decodeJson(bytes('{"__proto__":{"polluted":1}}')) as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('names duplicate keys by path', () => {
    expect(duplicateKeys(bytes('{"spec":{"a":1,"l":[{"n":"x"},{"n":"[,{\\"","m":2,"n":"y"}],"a":2,"a":3},"b":["a","a"]}')))
      .toEqual(['spec.l[1].n', 'spec.a']);
    expect(duplicateKeys(bytes('{"a":1,"\\u0061":2}'))).toEqual(['a']);
    expect(duplicateKeys(bytes('{"a":{"x":1},"b":{"x":1}}'))).toEqual([]);
  });
});

describe('YAML', () => {
  it('reads scalars as Kubernetes does', () => {
    expect(decodeYaml(bytes('a: yes\nb: 0644\nc: 12:30:45\nd: 2020-01-01\ne: "1"\nf: ~\ng: 0o17\n')))
      .toEqual({ a: true, b: 0o644, c: '12:30:45', d: '2020-01-01', e: '1', f: null, g: '0o17' });
  });

  it('reads streams, anchors and merge keys', () => {
    expect(decodeYamlDocuments(bytes('---\na: &x {p: 1}\n---\n---\nb: &y {q: 1}\nc: {<<: *y, r: 2}\n'))).toEqual([{ a: { p: 1 } }, { b: { q: 1 }, c: { q: 1, r: 2 } }]);
    expect(() => decodeYaml(bytes('a: 1\n---\nb: 1\n'))).toThrow('2 documents');
    expect(decodeYaml(bytes(''))).toBeNull();
  });

  it('gives each alias a value of its own', () => {
    const value = decodeYaml(bytes('a: &x {p: 1}\nb: *x\n')) as Record<string, unknown>;
    expect(value['b']).toEqual(value['a']);
    expect(value['b']).not.toBe(value['a']);
  });

  it('refuses alias bombs (CVE-2019-11253), depth, duplicate keys and what is not JSON', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]', ...'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[i]}`).join(',')}]`)];
    expect(reasonOf(() => decodeYaml(bytes(bomb.join('\n'))))).toBe('BadRequest');
    expect(() => decodeYaml(bytes('['.repeat(5000)))).toThrow('levels');
    expect(() => decodeYaml(bytes(`${'- '.repeat(5000)}x`))).toThrow('levels');
    expect(reasonOf(() => decodeYaml(bytes('a: 1\na: 2\n')))).toBe('BadRequest');
    expect(reasonOf(() => decodeYaml(bytes('a: .inf\n')))).toBe('BadRequest');
    expect(reasonOf(() => decodeYaml(bytes('a: [1\n')))).toBe('BadRequest');
    expect(reasonOf(() => decodeYaml(bytes('&a [*a]')))).toBe('BadRequest');
  });

  it('makes __proto__ a key like any other', () => {
    const value = decodeYaml(bytes('__proto__: {polluted: 1}')) as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

it('bodies are read by their media type', () => {
  expect(decodeBody(bytes('{"a":1,"a":2}'), 'application/json; charset=utf-8', { findDuplicates: true })).toEqual({ object: { a: 2 }, duplicateFields: ['a'] });
  expect(decodeBody(bytes('a: 1'), 'application/yaml').object).toEqual({ a: 1 });
  expect(decodeBody(bytes('{}'), undefined).object).toEqual({});
  expect(reasonOf(() => decodeBody(bytes('{}'), 'text/html'))).toBe('UnsupportedMediaType');
  expect(reasonOf(() => decodeBody(bytes('[]'), 'application/json'))).toBe('BadRequest');
  expect(reasonOf(() => decodeBody(bytes('{}'), 'application/vnd.kubernetes.protobuf'))).toBe('BadRequest');
});

it('durations read and print as Go\'s do', () => {
  expect(parseDuration('1h2m3.5s')).toBe(3_723_500_000_000);
  expect(parseDuration('-300ms')).toBe(-300_000_000);
  for (const bad of ['', '5', 's', '1x', '1s ', '-', '1h-2m']) expect(parseDuration(bad)).toBeUndefined();
  for (const text of ['0s', '1h0m0s', '1.5s', '300ms', '-1m0s', '1.5µs', '7ns']) expect(formatDuration(parseDuration(text) ?? Number.NaN)).toBe(text);
});
