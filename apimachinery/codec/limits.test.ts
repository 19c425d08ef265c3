/**
 * A body costs no more than what is counted before it is built (issue 6, row 1; CVE-2019-11253, CVE-2019-1002100 for
 * the kind).
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lexer, Parser } from 'yaml';
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
const repeated = (count: number, one: (i: number) => string, separator = ','): string =>
  Array.from({ length: count }, (_, i) => one(i)).join(separator);

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
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 1, 3), (value, indent) => {
      expect(scanJson(bytes(JSON.stringify(value, undefined, indent)), NO_LIMITS)).toEqual(count(value));
    }),
    { numRuns: 50 },
  );
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
    ['three megabytes of levels', '- '.repeat(1_500_000), 400],
    ['levels', `${'- '.repeat(depthMax + 2)}x`, 400],
    ['explicit keys', '? '.repeat(100_000), 400],
    ['many aliases', `a: &a 1\nb: [${repeated(YAML_ALIASES_MAX + 1, () => '*a')}]`, 400],
    ['many anchors, each with an alias', repeated(900, (i) => `k${i}: &a${i} 1\nl${i}: *a${i}`, '\n'), 200],
    ['aliases that copy too much', `a: &a [${repeated(1000, () => '1')}]\nb: [${repeated(100, () => '*a')}]`, 400],
    [
      'merges that copy too much',
      `a: &a {${repeated(9000, (i) => `k${i}: 1`)}}\n${repeated(50, (i) => `m${i}: {<<: *a}`, '\n')}`,
      400,
    ],
  ])('%s', (_name, text, code) => {
    expect(codeOf(() => decodeYaml(bytes(text)))).toBe(code);
  });

  /** Three megabytes of each, cut off where that is. */
  const whole = (text: string) =>
    text.repeat(Math.ceil(DEFAULT_LIMITS.bytesMax / text.length)).slice(0, DEFAULT_LIMITS.bytesMax);
  it.each<[string, string, number]>([
    ['flow lists', whole('['), 400],
    ['flow maps', whole('{a: '), 400],
    ['anchored lists', whole('&a ['), 400],
    ['block lists on a line', whole('- '), 400],
    ['block maps in lists', whole('- a:\n'), 413],
    ['ends of lists', whole(']'), 400],
    ['ends that do not fit', whole('[}'), 400],
    ['lists beside one another', whole('[]'), 400],
    ['texts beside one another', whole('"" '), 400],
    ['anchors', whole('&a '), 400],
    ['tags', whole('!t '), 400],
    ['colons', whole(': '), 413],
    ['maps on a line', whole('a: '), 413],
    ['items with levels', whole('- - a\n'), 413],
    ['keys', repeated(60_000, (i) => `k${i}: 1`, '\n'), 413],
    ['blank lines', whole('\n'), 413],
    ['other line ends', whole('\r\n'), 413],
    ['blank lines of tabs', whole('\t\n'), 413],
    ['comments', whole('# a comment\n'), 413],
    ['directives', whole('%YAML 1.1\n'), 413],
    ['ends of documents', whole('...\n'), 200],
    ['byte order marks', whole('\ufeff\n').slice(0, 1_000_000), 413],
    ['lines of a plain text', whole('a\n'), 413],
    ['lines of a block', `a: |\n${whole(' \n').slice(8)}`, 413],
    ['a digit', `- ${whole('1').slice(2)}`, 400],
    ['digits and underscores', `- ${whole('1_').slice(2)}`, 400],
    ['an open quote', `"${whole('a').slice(1)}`, 400],
    ['an open quote in JSON', `{"a":"${whole('a').slice(6)}`, 400],
    ['block texts', whole('- |\n x\n'), 413],
    ['aliases', whole('- *a\n'), 400],
    ['merges', whole('<<: {a: 1}\n'), 413],
  ])('three megabytes of %s', (_name, text, code) => {
    expect(codeOf(() => readYaml(bytes(text)))).toBe(code);
  });

  it('three megabytes of levels, ends or nothing cost a fraction of what it takes to parse the lexemes that a body may have', () => {
    const best = (run: () => void) =>
      Math.min(
        ...[0, 1, 2].map(() => {
          const before = process.cpuUsage();
          run();
          const { user, system } = process.cpuUsage(before);
          return user + system;
        }),
      );
    const parsed = best(() => {
      const parser = new Parser();
      for (const lexeme of new Lexer().lex('- 1\n'.repeat(100_000))) for (const _ of parser.next(lexeme)) continue;
    });
    for (const text of ['[', '- ', '? ', ']', '[}', '[]', '&a ', '\n', '#\n'])
      expect(best(() => codeOf(() => readYaml(bytes(whole(text))))) / parsed, text).toBeLessThan(0.6);
  });

  it.each<[string, string, unknown]>([
    ['the first document', 'a: 1\n---\nb: 2\n', { a: 1 }],
    ['one that says where it begins', '%YAML 1.1\n# about\n---\na: 1\n---\nb', { a: 1 }],
    ['an empty one before an end', '...\na: 1\n...\nb: 1\n', null],
    ['an empty one', '---\n---\na: 1\n', null],
    [
      'dashes within texts',
      'a: "---"\nb: \'...\'\nc: ---x\nd: |\n  ---\n  ...\n',
      { a: '---', b: '...', c: '---x', d: '---\n...\n' },
    ],
    ['anchors of a map and of its key', 'x: &m !!map\n  &k !!str a: &v 1\nz: *m', { x: { a: 1 }, z: { a: 1 } }],
    ['closing brackets in a row', `a: ${'['.repeat(200)}1${']'.repeat(200)}\n`, expect.anything()],
    ['long keys', `? ${'k'.repeat(200)}\n: 1\n`, { ['k'.repeat(200)]: 1 }],
    ['a number with underscores', `a: 1${'_'.repeat(500)}0`, { a: 10 }],
    ['digits in quotes', `a: "${'1'.repeat(500)}"`, { a: '1'.repeat(500) }],
    ['many comments', `${'# line\n'.repeat(30_000)}a: 1\n`, { a: 1 }],
    ['many lines', `a: |\n${' x\n'.repeat(400_000)}`, { a: 'x\n'.repeat(400_000) }],
    ['indentation', `a: |9\n${' '.repeat(1000)}x\n`, { a: `${' '.repeat(991)}x\n` }],
  ])('%s: read as it is', (_name, text, value) => expect(decodeYaml(bytes(text))).toEqual(value));

  it('7,000 keys and 7,000 duplicates cost little more than half of them', () => {
    const body = bytes(repeated(14_000, (i) => `k${i % 7000}: value`, '\n'));
    const { value, duplicates } = readYaml(body);
    expect(Object.keys(value as object)).toHaveLength(7000);
    expect(duplicates).toHaveLength(100);
  });
});

describe('protobuf', () => {
  const configMap = (data: Record<string, string>) =>
    encodeProtobuf({ apiVersion: 'v1', kind: 'ConfigMap', data }) as Uint8Array;
  const pod = (containers: object[]) =>
    encodeProtobuf({ apiVersion: 'v1', kind: 'Pod', spec: { containers } }) as Uint8Array;
  const map = (count: number) => configMap(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, ''])));
  const envelope = (raw: Uint8Array) => {
    const length: number[] = [];
    for (let rest = raw.length; ; rest >>>= 7) {
      length.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
      if (rest <= 0x7f) break;
    }
    return Buffer.concat([
      Buffer.from('k8s\0\x0a\x0f\x0a\x02v1\x12\x09ConfigMap', 'latin1'),
      Buffer.from([0x12, ...length]),
      raw,
    ]);
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
