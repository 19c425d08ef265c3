import { describe, expect, it } from 'vitest';
import { parseDuration, formatDuration } from '../duration.js';
import { isApiError } from '../status.js';
import { duplicateKeys } from './duplicates.js';
import { decodeJson } from './json.js';
import { decodeYaml, readYaml } from './yaml.js';

const bytes = (text: string): Uint8Array => Buffer.from(text);
const small = { bytesMax: 1024, depthMax: 16, valuesMax: 100, itemsMax: 20, keysMax: 10 };

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
    expect(decodeJson(bytes(JSON.stringify({ text: '[{'.repeat(500) + '\\"' })), small)).toEqual({
      text: '[{'.repeat(500) + '\\"',
    });
    expect(reasonOf(() => decodeJson(bytes('{"a":')))).toBe('BadRequest');
    expect(reasonOf(() => decodeJson(bytes('"unfinished')))).toBe('BadRequest');
  });

  it('makes __proto__ a key like any other', () => {
    const value = decodeJson(bytes('{"__proto__":{"polluted":1}}')) as object;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('names duplicate keys by path', () => {
    expect(
      duplicateKeys(bytes('{"spec":{"a":1,"l":[{"n":"x"},{"n":"[,{\\"","m":2,"n":"y"}],"a":2,"a":3},"b":["a","a"]}')),
    ).toEqual(['spec.l[1].n', 'spec.a']);
    expect(duplicateKeys(bytes('{"a":1,"\\u0061":2}'))).toEqual(['a']);
    expect(duplicateKeys(bytes('{"a":{"x":1},"b":{"x":1}}'))).toEqual([]);
  });
});

describe('YAML', () => {
  it('reads scalars as Kubernetes does', () => {
    expect(decodeYaml(bytes('a: yes\nb: 0644\nc: 12:30:45\nd: 2020-01-01\ne: "1"\nf: ~\ng: 0o17\n'))).toEqual({
      a: true,
      b: 0o644,
      c: '12:30:45',
      d: '2020-01-01',
      e: '1',
      f: null,
      g: '0o17',
    });
  });

  it('reads anchors and merge keys', () => {
    expect(decodeYaml(bytes('b: &y {q: 1, s: 1}\nc: {s: 2, <<: *y, r: 2}\nd: {<<: [*y, {q: 3, t: 4}]}\n'))).toEqual({
      b: { q: 1, s: 1 },
      c: { q: 1, r: 2, s: 2 },
      d: { q: 1, s: 1, t: 4 },
    });
    expect(decodeYaml(bytes('a: &x 1\nb: &y {p: *x}\nc: &x 2\nd: *y\n? &k name\n: *k\n"<<": 1\n'))).toEqual({
      a: 1,
      b: { p: 1 },
      c: 2,
      d: { p: 1 },
      name: 'name',
      '<<': 1,
    });
    expect(() => decodeYaml(bytes('a: {<<: 1}'))).toThrow('map merge requires map');
    expect(() => decodeYaml(bytes('a: *nowhere'))).toThrow('unknown anchor');
    expect(decodeYaml(bytes(''))).toBeNull();
  });

  it('a body is its first document, as kube-apiserver reads it', () => {
    expect(decodeYaml(bytes('# what follows\n---\na: 1\n---\nb: [\n'))).toEqual({ a: 1 });
    expect(decodeYaml(bytes('a: 1\n...\n}}}\n'))).toEqual({ a: 1 });
  });

  it('of keys that stand twice the last counts, and each is named with its line (sigs.k8s.io/yaml)', () => {
    expect(readYaml(bytes('a: 1\nl: {x: a, x: b}\na: 2\n1: p\n1: q\na: 3\n'))).toEqual({
      value: { a: 3, l: { x: 'b' }, 1: 'q' },
      duplicates: [
        'line 2: key "x" already set in map',
        'line 3: key "a" already set in map',
        'line 5: key 1 already set in map',
        'line 6: key "a" already set in map',
      ],
    });
    expect(readYaml(bytes('{"a":1,\n"a":2}'))).toEqual({
      value: { a: 2 },
      duplicates: ['line 2: key "a" already set in map'],
    });
    expect(readYaml(bytes('a: {b: 1}\nc: {b: 1}\n')).duplicates).toEqual([]);
  });

  it('gives each alias a value of its own', () => {
    const value = decodeYaml(bytes('a: &x {p: 1}\nb: *x\n')) as Record<string, unknown>;
    expect(value['b']).toEqual(value['a']);
    expect(value['b']).not.toBe(value['a']);
  });

  it('refuses alias bombs (CVE-2019-11253), depth and what is not JSON', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefghi'
        .split('')
        .map((c, i) => `${c}: &${c} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[i]}`).join(',')}]`),
    ];
    expect(reasonOf(() => decodeYaml(bytes(bomb.join('\n'))))).toBe('BadRequest');
    expect(() => decodeYaml(bytes('['.repeat(5000)))).toThrow('levels');
    expect(() => decodeYaml(bytes(`${'- '.repeat(5000)}x`))).toThrow('levels');
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

it("durations read and print as Go's do", () => {
  expect(parseDuration('1h2m3.5s')).toBe(3_723_500_000_000);
  expect(parseDuration('-300ms')).toBe(-300_000_000);
  for (const bad of ['', '5', 's', '1x', '1s ', '-', '1h-2m']) expect(parseDuration(bad)).toBeUndefined();
  for (const text of ['0s', '1h0m0s', '1.5s', '300ms', '-1m0s', '1.5µs', '7ns'])
    expect(formatDuration(parseDuration(text) ?? Number.NaN)).toBe(text);
});
