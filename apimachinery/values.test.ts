import { describe, expect, it } from 'vitest';
import { scaledValue } from './int-or-string.js';
import { configMapKey, dns1123Label, dns1123Subdomain, labelValue, portName, qualifiedName } from './names.js';
import {
  addQuantities,
  canonicalQuantity,
  canonicalResourceAmount,
  compareQuantities,
  parseQuantity,
  quantityMilli,
  quantityUnits,
  subtractQuantities,
} from './quantity.js';
import { formatFieldSelector, matchesFields, parseFieldSelector, requiredValue } from './selector/fields.js';
import { parseLabelSelector } from './selector/label-text.js';
import { labelSelectorOf, labelSelectorOfMap } from './selector/labels.js';

describe('quantities (k8s.io/apimachinery/pkg/api/resource)', () => {
  it.each([
    ['0', '0'],
    ['100m', '100m'],
    ['0.1', '100m'],
    ['1000m', '1'],
    ['1.5Gi', '1536Mi'],
    ['1024Mi', '1Gi'],
    ['1024', '1024'],
    ['1000k', '1M'],
    ['12e6', '12e6'],
    ['1e3', '1e3'],
    ['.5', '500m'],
    ['5.', '5.'],
    ['-1.5', '-1500m'],
    ['0.0000000001', '1n'],
    ['1Ei', '1Ei'],
    ['512Ki', '512Ki'],
    ['100Ei', '9223372036854775807'],
    ['1.25Ki', '1280'],
    ['0.5Ki', '512'],
    // As kube-apiserver 1.36 answers: what is kept as it was written, and what is not; decimal ones beyond int64 (issue
    // 6, row 9).
    ['+5', '+5'],
    ['005', '005'],
    ['5.m', '5.m'],
    ['1e+3', '1e+3'],
    ['1E3', '1E3'],
    ['1E', '1E'],
    ['1.500', '1.500'],
    ['1.10', '1100m'],
    ['9Ki', '9Ki'],
    ['+9Mi', '+9Mi'],
    ['+8Mi', '8Mi'],
    ['+1000', '1k'],
    ['1 ', '1'],
    [' 1Gi', '1Gi'],
    ['-0', '0'],
    ['00.100', '100m'],
    ['9223372036854775808', '9223372036854775808'],
    ['12345678901234567890123', '12345678901234567890123'],
    ['100000000000000000000', '100E'],
    ['1e30', '1e30'],
    ['1e31', '10e30'],
    ['10e30', '10e30'],
    ['-1e40', '-10e39'],
  ])('%s is %s', (text, canonical) => expect(canonicalQuantity(text)).toBe(canonical));

  it.each(['', 'm', '1x', '1 Gi', '1.2.3', 'Gi', '1e', '0x10', 'NaN', '1ki', '1e999', '9'.repeat(100)])(
    'refuses %j',
    (text) => {
      expect(parseQuantity(text)).toBeUndefined();
    },
  );

  it.each([
    ['0.1m', '1m'],
    ['1n', '1m'],
    ['1e-9', '1e-3'],
    ['0.0001', '1m'],
    ['100000000000000000000n', '100G'],
    ['1.0001', '1001m'],
    ['-0.1m', '-1m'],
    ['1000u', '1m'],
    ['5.', '5.'],
    ['1Gi', '1Gi'],
    ['0.5Gi', '512Mi'],
    ['0.0001Ki', '103m'],
  ])('of a resource, %s is %s: nothing is finer than a thousandth (row 17)', (text, rounded) =>
    expect(canonicalResourceAmount(text)).toBe(rounded),
  );

  it('computes exactly', () => {
    expect(quantityMilli('0.1')).toBe(100);
    expect(quantityMilli('1n')).toBe(1);
    expect(quantityUnits('1Gi')).toBe(1_073_741_824);
    expect(quantityUnits(undefined)).toBe(0);
    expect(addQuantities('0.1', '0.2')).toBe('300m');
    expect(addQuantities('0', '1Gi')).toBe('1Gi');
    expect(subtractQuantities('1Gi', '512Mi')).toBe('512Mi');
    expect(compareQuantities('1', '1000m')).toBe(0);
    expect(compareQuantities('1Gi', '1G')).toBe(1);
  });
});

describe('names', () => {
  it("have Kubernetes' forms", () => {
    expect(dns1123Label('a-1')).toEqual([]);
    expect(dns1123Label('A')[0]).toContain('lowercase RFC 1123 label');
    expect(dns1123Label('a'.repeat(64))).toEqual(['must be no more than 63 characters']);
    expect(dns1123Subdomain('a.b-c.d')).toEqual([]);
    expect(dns1123Subdomain('a..b')).not.toEqual([]);
    expect(qualifiedName('example.com/A_b')).toEqual([]);
    expect(qualifiedName('constructor')).toEqual([]);
    expect(qualifiedName('__proto__')).not.toEqual([]);
    expect(qualifiedName('/x')).toEqual(['prefix part must be non-empty']);
    expect(qualifiedName('a/b/c')).toHaveLength(1);
    expect(labelValue('')).toEqual([]);
    expect(labelValue('-a')).not.toEqual([]);
    expect(portName('8080')).toEqual(['must contain at least one letter (a-z)']);
    expect(configMapKey('../x')).not.toEqual([]);
    expect(configMapKey('..x')).toEqual(["must not start with '..'"]);
  });

  it('percentages round as asked', () => {
    expect(scaledValue('25%', 3, 'up')).toBe(1);
    expect(scaledValue('25%', 3, 'down')).toBe(0);
    expect(scaledValue(2, 3, 'up')).toBe(2);
    expect(scaledValue('x', 3, 'up')).toBeUndefined();
  });
});

describe('label selectors', () => {
  const labels = { app: 'web', tier: 'front', n: '7', constructor: 'a' };
  it.each([
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app!=web', false],
    ['gone!=x', true],
    ['app in (web, db)', true],
    ['app notin (web)', false],
    ['gone notin (x)', true],
    ['tier', true],
    ['!tier', false],
    ['! gone', true],
    ['n>6', true],
    ['n<7', false],
    ['app=web,tier=back', false],
    ['toString', false],
    ['constructor=a', true],
    ['app in (web),tier', true],
    ['gone in ()', false],
    ['app=', false],
  ])('%j matches: %s', (text, expected) => {
    const selector = parseLabelSelector(text);
    expect(selector.matches(labels)).toBe(expected);
    expect(parseLabelSelector(selector.format()).matches(labels)).toBe(expected);
  });

  /** Each was put to kube-apiserver. */
  it.each([
    ['=a', "found '=', expected: !, identifier, or 'end of string'"],
    [',', "found ',', expected: !, identifier, or 'end of string'"],
    ['(a)', "found '(', expected: !, identifier, or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a,=', "found '=', expected: identifier after ','"],
    ['a=b=c', "found '=', expected: ',' or 'end of string'"],
    ['a=b c', "found 'c', expected: ',' or 'end of string'"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
    ['!!a', "unable to parse requirement: found '!', expected: identifier"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a in', "unable to parse requirement: found '' expected: '('"],
    ['x in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    [
      'a>b',
      "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be an integer",
    ],
    ['-a=b', 'unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of'],
    ['a/b/c=d', 'unable to parse requirement: <nil>: Invalid value: "a/b/c": a valid label key must consist of'],
    ['a=-', 'unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must be an empty string'],
    [
      `a=${'x'.repeat(64)}`,
      `unable to parse requirement: values[0][a]: Invalid value: "${'x'.repeat(64)}": must be no more than 63 bytes`,
    ],
  ])('%j is a bad request: %s', (text, why) => {
    expect(() => parseLabelSelector(text)).toThrow(why);
  });

  it('keywords are names where no operator can stand, and a set has each value once', () => {
    expect(parseLabelSelector('in in (in,,b,b),notin').requirements).toEqual([
      { key: 'in', operator: 'in', values: ['', 'b', 'in'] },
      { key: 'notin', operator: 'exists', values: [] },
    ]);
  });

  it('of objects: absent selects nothing, empty everything', () => {
    expect(labelSelectorOf(undefined).matches({})).toBe(false);
    expect(labelSelectorOf({}).matches({})).toBe(true);
    const selector = labelSelectorOf({
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'NotIn', values: ['back'] },
        { key: 'x', operator: 'DoesNotExist' },
      ],
    });
    expect(selector.matches(labels)).toBe(true);
    expect(selector.format()).toBe('app=web,tier notin (back),!x');
    expect(() => labelSelectorOf({ matchExpressions: [{ key: 'a', operator: 'constructor' }] })).toThrow(
      'not a valid label selector operator',
    );
    expect(labelSelectorOfMap(undefined).matches(labels)).toBe(false);
    expect(labelSelectorOfMap({ app: 'web' }).matches(labels)).toBe(true);
  });
});

describe('field selectors', () => {
  it('parse, match and print', () => {
    const parsed = parseFieldSelector('metadata.name=a,status.phase!=Running,x==p\\,q\\=r');
    expect(parsed).toEqual([
      { field: 'metadata.name', operator: '=', value: 'a' },
      { field: 'status.phase', operator: '!=', value: 'Running' },
      { field: 'x', operator: '=', value: 'p,q=r' },
    ]);
    expect(parseFieldSelector(formatFieldSelector(parsed))).toEqual(parsed);
    const values: Record<string, string> = { 'metadata.name': 'a', x: 'p,q=r' };
    expect(matchesFields(parsed, (field) => values[field] ?? '')).toBe(true);
    expect(requiredValue(parsed, 'metadata.name')).toBe('a');
    expect(requiredValue(parsed, 'status.phase')).toBeUndefined();
    expect(parseFieldSelector('')).toEqual([]);
  });

  it.each([
    ['a', "invalid selector: 'a'; can't understand 'a'"],
    ['a=b=c', 'invalid field selector: unescaped character in value: 61'],
    ['a=\\n', 'invalid field selector: invalid escape sequence: \\n'],
  ])('%j is a bad request: %s', (text, why) => expect(() => parseFieldSelector(text)).toThrow(why));
});
