/**
 * Expressions of users: how large they may be, and on how long a text they may run, is limited before (issue 6, row 1).
 */
import { describe, expect, it } from 'vitest';
import { costOf } from '../platform/testing-work.js';
import { finish } from '../platform/work.js';
import { checkRulesWork } from './crd/cel.js';
import { structuralErrors } from './crd/structural.js';
import { compileUnits, regexOf, textLengthMax } from './regex.js';
import { builtInResolver } from './scheme/stored.js';
import { validateSchema, validateSchemaWork } from './schema/validate.js';
import { fieldErrors } from './status.js';

const TOO_LARGE = { kind: 'bad', why: 'expression too large' };

describe('an expression is not compiled', () => {
  it.each([
    ['plain', 'abcdefgh'.repeat(60_000)],
    ['of groups', '(a|b)*c?'.repeat(1500)],
    ['repeated', '(a{1,30}b){1,30}'.repeat(30)],
    ['repeated thrice', '((a{9}){90}){900}'],
    ['of classes', '[a-z0-9]{900}'.repeat(3)],
    ['of classes by name', '\\pL'.repeat(900)],
    ['after a bracket in a class', '[a[]{900}'.repeat(3)],
    ['after a closing bracket in a class', '[]a]{900}'.repeat(3)],
    ['after a named class', '[[:alpha:]]{900}'.repeat(3)],
    ['after a bracket that is quoted', '\\Q[\\E{900}'.repeat(20)],
    ['after an escaped bracket', '\\[{900}'.repeat(20)],
    ['without an end', '(a{1000}){17,}'],
  ])('that is too large: %s', (_what, source) => expect(regexOf(source)).toEqual(TOO_LARGE));
});

it.each([
  '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
  '^([0-9]{1,3}\\.){3}[0-9]{1,3}/[0-9]{1,2}$',
  '^.{1,1000}$',
  '[[:alpha:]_]{1,63}',
  '\\p{Lu}\\p{Ll}{1,100}',
  'a{,5}',
  Array.from({ length: 1000 }, (_, i) => `word${i}`).join('|'),
  '^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(?:-((?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\\.(?:0|[1-9]\\d*|\\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?$',
])('as people write them they are compiled: %s', (source) => {
  expect(compileUnits(source)).toBeGreaterThan(1);
  expect(regexOf(source).kind).toBe('good');
  expect(compileUnits(source)).toBe(1);
});

it('the estimate keeps up with the automaton', () => {
  for (const source of [
    'a{1000}',
    '(ab){1,500}',
    '(a{1,20}b?){1,20}',
    '[ab]{700}',
    '(a|b)*c?',
    '\\.{300}',
    '(?:x{10}){10}',
  ]) {
    const units = compileUnits(source);
    const regex = regexOf(source);
    // Fifteen units for each part.
    expect(regex.kind === 'good' ? regex.compiled.programSize() * 15 : 0, source).toBeLessThan(2.5 * units);
  }
});

it('a text that is too long for an automaton is not looked at', () => {
  const pattern = '[ab]*a[ab]{200}$';
  const regex = regexOf(pattern);
  const longest = regex.kind === 'good' ? textLengthMax(regex.compiled) : 0;
  expect(longest).toBeGreaterThan(9000);
  expect(validateSchema({ type: 'string', pattern }, 'a'.repeat(longest), builtInResolver())).toEqual([]);
  expect(validateSchema({ type: 'string', pattern }, 'a'.repeat(longest + 1), builtInResolver())).toEqual([
    fieldErrors.tooLong('', longest),
  ]);
});

it('thousands of patterns are compiled in slices, where they are written and where they are used', () => {
  const patterns = Array.from({ length: 2000 }, (_, i) => `^(a|b)*c{1,100}x${i}$`);
  const properties = Object.fromEntries(patterns.map((pattern, i) => [`s${i}`, { type: 'string', pattern } as const]));
  const written = costOf(structuralErrors({ type: 'object', properties }, 'spec'));
  expect(written.total).toBeGreaterThan(2000 * 1000);
  expect(written.longest).toBeLessThan(10_000);
  const inBranches = costOf(
    structuralErrors({ type: 'object', allOf: patterns.map((pattern) => ({ pattern: `${pattern}|y` })) }, 'spec'),
  );
  expect(inBranches.longest).toBeLessThan(10_000);
  const object = Object.fromEntries(patterns.map((_, i) => [`s${i}`, `cx${i}`]));
  const used = costOf(validateSchemaWork({ type: 'object', properties }, object, builtInResolver()));
  expect(used.total).toBeGreaterThan(1_000_000);
  expect(used.longest).toBeLessThan(10_000);
});

it('each branch looks up what it names, and does not walk over all properties', () => {
  let walks = 0;
  const properties = new Proxy(
    Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`p${i}`, { type: 'string' }])),
    {
      ownKeys: (target) => (walks++, Reflect.ownKeys(target)),
    },
  );
  const allOf = Array.from({ length: 100 }, (_, i) => ({ properties: { [`p${i}`]: { minLength: 1 } } }));
  expect(finish(structuralErrors({ type: 'object', properties, allOf }, 'spec'))).toEqual([]);
  expect(walks).toBeLessThan(10);
});

it('calls that look at long texts yield, though the rule has no loop', () => {
  const schema = {
    type: 'object',
    properties: { s: { type: 'string' } },
    validations: [{ rule: Array.from({ length: 60 }, (_, i) => `self.s.find('x${i}|y') == ''`).join(' && ') }],
  } as const;
  const cost = costOf(
    checkRulesWork(schema, builtInResolver(), { object: { s: 'a'.repeat(100_000) }, old: undefined }),
  );
  expect(cost.total).toBeGreaterThan(60 * 100_000);
  expect(cost.longest).toBeLessThan(cost.total / 20);
});
