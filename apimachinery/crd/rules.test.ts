import { describe, expect, it } from 'vitest';
import { builtInScheme } from '../scheme/builtin.js';
import { resolverOf } from '../schema/resolve.js';
import { checkRules } from './cel.js';
import { ruleSetOf } from './rules.js';
import { schemaOfProps } from './schema.js';

const resolver = resolverOf(builtInScheme());
const PROPERTIES = {
  s: { type: 'string', maxLength: 10 },
  s2: { type: 'string', maxLength: 20 },
  e: { type: 'string', enum: ['aa', 'bbbb'] },
  t: { type: 'string', format: 'date-time' },
  d: { type: 'string', format: 'duration' },
  b: { type: 'string', format: 'byte', maxLength: 30 },
  i: { 'x-kubernetes-int-or-string': true, maxLength: 7 },
  l: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 6 } },
  n: { type: 'array', maxItems: 4, items: { type: 'integer' } },
  m: { type: 'object', maxProperties: 3, additionalProperties: { type: 'integer' } },
  o: { type: 'object', properties: { x: { type: 'integer' }, y: { type: 'string', maxLength: 3 } } },
  lo: {
    type: 'array',
    maxItems: 6,
    items: {
      type: 'object',
      required: ['k'],
      properties: { k: { type: 'string', maxLength: 4 }, v: { type: 'integer' } },
    },
  },
};
const rule = (source: string, more: Record<string, unknown> = {}) => ({
  'x-kubernetes-validations': [{ rule: source, ...more }],
});

/**
 * kube-apiserver 1.36 prints a rule's cost as a factor of its limit: with 1,000,000 items above it, tenths of the
 * factor are the cost.
 */
describe('estimated costs are those of kube-apiserver 1.36', () => {
  it.each<[string, number]>([
    ["self.s == 'abc'", 3],
    ['self.s == self.s2', 8],
    ["self.s.matches('^[a-z]+$')", 12],
    ["self.s.contains('abcdefghijk')", 10],
    ["self.s.startsWith('abcdefghijklm')", 4],
    ["self.l.all(x, x == 'a')", 28],
    ["self.l.exists(x, x.startsWith('abc'))", 33],
    ["self.l.exists_one(x, x.matches('ab'))", 34],
    ["self.l.map(x, x + 'a').size() > 0", 95],
    ["self.l.filter(x, x != 'a').map(x, x.upperAscii()).exists(x, x == 'A')", 190],
    ["self.l.all(i, v, i >= 0 && v != '')", 33],
    ["self.m.all(k, k != '')", 15],
    ["self.m.all(k, v, v > 0 && k != 'x')", 21],
    ['self.m.exists(k, self.m[k] > 1)', 30],
    ["self.l[0] == 'a'", 4],
    ['self.l.isSorted()', 22],
    ["self.l.indexOf('a') == 1", 23],
    ['self.n.sum() == 1 && self.n.max() == 1', 14],
    ["self.l.join(',') == ''", 15],
    ["self.s.split(',').all(x, x != '')", 171],
    ["self.s.split(',', 3).all(x, x != '')", 23],
    ["self.s.replace('a', 'bb').size() > 0", 12],
    ["self.s.replace('a', 'bbb').replace('b', '') == ''", 34],
    ["self.s.substring(1) == 'a' && self.s.lowerAscii() == 'a' && self.s.trim() == ''", 20],
    ["self.s.find('[0-9]+') == '' && self.s.findAll('[0-9]+').all(x, x == '1')", 185],
    ["url(self.s).getHost() == 'a' && isURL(self.s)", 11],
    ["quantity(self.s).isLessThan(quantity('1')) && isQuantity(self.s)", 14],
    ['ip(self.s).family() == 4 && isIP(self.s) && ip.isCanonical(self.s)', 24],
    ['cidr(self.s).containsIP(self.s2) && cidr(self.s).containsCIDR(self.s2) && isCIDR(self.s)', 49],
    ["cidr('10.0.0.0/8').containsIP(ip(self.s)) && cidr('10.0.0.0/8').containsCIDR(cidr(self.s))", 25],
    ['semver(self.s).major() == 1 && isSemver(self.s)', 14],
    ['!format.dns1123Label().validate(self.s).hasValue()', 133],
    ["sets.contains(self.l, ['a', 'b']) && sets.equivalent(self.l, self.l) && sets.intersects(self.l, ['a'])", 96],
    ["'a' in self.l", 7],
    ["self.s in ['a', 'b', 'c']", 15],
    ['self.l.sort() == self.l', 69],
    ['self.n.sort().reverse() == self.n && self.l.distinct().size() == 1', 140],
    ['self.l.slice(1, 3).size() == 2 && lists.range(5).size() == 5 && [self.l].flatten().size() == 1', 61],
    ['self.l.sortBy(x, x).size() > 0', 156],
    ['self.l.map(x, self.l.map(y, x + y)).size() > 0', 615],
    ['self.l.all(x, self.l.all(y, x == y))', 233],
    ["has(self.s) && has(self.o.x) ? self.o.x > 1 : self.o.y == 'a'", 7],
    ['self.o.x + 1 > 2 * self.o.x - 3', 10],
    ["self.?s.orValue('a') == 'b' && self.?o.?x.optMap(x, x + 1).orValue(1) == 1", 27],
    ["self.l[?0].orValue('z') == 'a' && optional.of(self.s).hasValue()", 9],
    ["self.m['a'] == 1 && 'a' in self.m", 6],
    ['self.m.transformMap(k, v, v + 1).size() > 0', 50],
    ['self.m.transformMapEntry(k, v, {string(v): k}).size() > 0', 140],
    ["self.l.transformList(i, v, v + 'b').all(x, x != '')", 114],
    ["self.s + self.s2 == 'ab' && string(self.o.x) == '1'", 22],
    ["bytes(self.s) == b'abc' && string(bytes(self.s)) == self.s", 35],
    ["self.s < self.s2 && self.s >= 'abc'", 11],
    ['size(self.s) > 1 && self.l.size() == 1 && size(self.m) == 1', 12],
    ["'%s-%d'.format([self.s, self.o.x]) == 'a-1'", 17],
    ["strings.quote(self.s) == 'a'", 7],
    ["self.e == 'aa' && self.t > timestamp('2020-01-01T00:00:00Z') && self.d < duration('1h') && self.b == b'a'", 14],
    ["self.i == 5 || self.i == 'a'", 6],
    ["string(self.i).matches('a')", 8],
    ['self.l == self.l && self.o == self.o && self.m == self.m', 14],
    ["self.lo.all(o, o.k == 'a' && has(o.v))", 45],
    ["self.lo.map(o, o.k).exists(k, k == 'a')", 128],
    ['self.lo.filter(o, o.v > 1).all(o, self.lo.exists(p, p.k == o.k))', 506],
    ["type(self.i) == int ? self.i < 5 : self.i.contains('a')", 9],
    ["[self.s, self.s2].exists(x, x == 'a')", 25],
    ["{'a': self.s}.all(k, v, v == 'b')", 37],
    ["dyn(self.s) == 'a' && dyn(self.l).exists(x, x == 1)", 33],
    [
      "self.l.lastIndexOf('a') > 0 && self.s.indexOf('a') > 0 && self.s.lastIndexOf('b', 2) > 0 && self.s.charAt(1) == 'a'",
      41,
    ],
    ["self.l.min() == 'a' && self.n.min() == 1", 30],
    ["(self.l + self.l).all(x, x == 'a')", 46],
    ["(self.o.x > 1 ? self.l : ['a']).all(x, x == 'a')", 35],
    ['self.t.getFullYear() > 1 && timestamp(self.s) > self.t && duration(self.s) < self.d', 16],
  ])('%s: %i', (source, cost) => {
    const {
      rules: [compiled],
    } = ruleSetOf(schemaOfProps({ type: 'object', properties: PROPERTIES, ...rule(source) }), false);
    expect(compiled?.error).toBeUndefined();
    expect(compiled?.maxCost).toBe(cost);
  });
});

const details = (props: Record<string, unknown>, object: unknown, old?: unknown): string[] =>
  checkRules(schemaOfProps(props), resolver, { object, old }, { isRoot: false }).map(
    (error) => `${error.field}: ${error.detail}`,
  );
const inSpec = (spec: Record<string, unknown>) => ({ type: 'object', properties: { spec } });

describe('escaped names (row 16)', () => {
  const NAMES = [
    ['x-y', 'x__dash__y'],
    ['namespace', '__namespace__'],
    ['a.b', 'a__dot__b'],
    ['a/b', 'a__slash__b'],
    ['a__b', 'a__underscores__b'],
    ['in', '__in__'],
    ['true', '__true__'],
    ['let', '__let__'],
    ['package', '__package__'],
    ['x-y.z', 'x__dash__y__dot__z'],
  ] as const;
  it.each(NAMES)('%s is %s', (name, escaped) => {
    const props = inSpec({
      type: 'object',
      properties: { [name]: { type: 'string' } },
      ...rule(`!has(self.${escaped}) || self.${escaped} == 'good'`),
    });
    expect(details(props, { spec: { [name]: 'good' } })).toEqual([]);
    expect(details(props, { spec: {} })).toEqual([]);
    expect(details(props, { spec: { [name]: 'bad' } })).toEqual([expect.stringContaining('failed rule')]);
  });
});

describe('values typed by their schema (row 16)', () => {
  it.each<[string, Record<string, unknown>, unknown, string, boolean]>([
    [
      'date-time',
      { type: 'string', format: 'date-time' },
      '2021-01-01T00:00:00Z',
      "self > timestamp('2020-01-01T00:00:00Z')",
      true,
    ],
    [
      'date',
      { type: 'string', format: 'date' },
      '2021-01-02',
      'self.getFullYear() == 2021 && self.getDate() == 2',
      true,
    ],
    ['duration', { type: 'string', format: 'duration' }, '5m', "self < duration('1h') && self.getMinutes() == 5", true],
    ['byte', { type: 'string', format: 'byte' }, 'aGVsbG8=', "self == b'hello' && size(self) == 5", true],
    ['int-or-string, int', { 'x-kubernetes-int-or-string': true }, 5, 'type(self) == int && self == 5', true],
    [
      'int-or-string, string',
      { 'x-kubernetes-int-or-string': true },
      '5%',
      "type(self) == string && self.endsWith('%')",
      true,
    ],
    ['number', { type: 'number' }, 5, 'self == 5.0 && self / 2.0 == 2.5', true],
    ['integer beyond 2^53', { type: 'integer' }, 9007199254740993n, 'self < 9007199254740993', false],
    [
      'set',
      { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      ['b', 'a'],
      "self == ['b', 'a'] && self + self == self",
      true,
    ],
    [
      'embedded resource',
      { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
      { kind: 'A', metadata: { name: 'n' } },
      "self.kind == 'A' && self.metadata.name == 'n' && !has(self.apiVersion)",
      true,
    ],
    [
      'nullable',
      { type: 'object', properties: { x: { type: 'object', nullable: true, properties: {} } } },
      { x: null },
      'has(self.x) && self.x == null',
      true,
    ],
  ])('%s', (_what, schema, value, source, passes) => {
    expect(details({ ...schema, ...rule(source) }, value).length === 0).toBe(passes);
  });
});

describe('oldSelf (row 16)', () => {
  const text = { type: 'string' };
  const map = {
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
    items: { type: 'object', properties: { k: text, v: text }, ...rule('self == oldSelf') },
  };
  it('is there on updates only', () => {
    expect(details({ ...text, ...rule('self == oldSelf') }, 'a')).toEqual([]);
    expect(details({ ...text, ...rule('self == oldSelf') }, 'a', 'b')).toHaveLength(1);
  });
  it('is an optional where the rule says so', () => {
    const optional = { ...text, ...rule('!oldSelf.hasValue() || self == oldSelf.value()', { optionalOldSelf: true }) };
    expect(details(optional, 'a')).toEqual([]);
    expect(details(optional, 'a', 'a')).toEqual([]);
    expect(details(optional, 'a', 'b')).toHaveLength(1);
  });
  it('of an item is the item with the same keys', () => {
    expect(
      details(
        map,
        [
          { k: '2', v: 'y' },
          { k: '1', v: 'x' },
        ],
        [
          { k: '1', v: 'x' },
          { k: '2', v: 'y' },
        ],
      ),
    ).toEqual([]);
    expect(details(map, [{ k: '1', v: 'z' }], [{ k: '1', v: 'x' }])).toEqual([
      expect.stringContaining('[0]: Invalid value: failed rule'),
    ]);
  });
  it('what was wrong before and has not changed is let pass', () => {
    const props = inSpec({ type: 'object', properties: { a: { ...text, ...rule('self == "x"') }, b: text } });
    expect(details(props, { spec: { a: 'old', b: '2' } }, { spec: { a: 'old', b: '1' } })).toEqual([]);
    expect(details(props, { spec: { a: 'new' } }, { spec: { a: 'old' } })).toHaveLength(1);
  });
});

describe('what a failed rule says (row 16)', () => {
  const of = (
    more: Record<string, unknown>,
    type: Record<string, unknown> = { type: 'object', properties: { x: { type: 'integer' } } },
  ) => inSpec({ ...type, ...rule('false', more) });
  it.each<[string, Record<string, unknown>, unknown, string]>([
    ['the rule', of({}), { x: 1 }, 'spec: Invalid value: failed rule: false'],
    ['the message', of({ message: ' no ' }), { x: 1 }, 'spec: Invalid value: no'],
    [
      'the expression',
      of({ message: 'no', messageExpression: '"x is " + string(self.x)' }),
      { x: 1 },
      'spec: Invalid value: x is 1',
    ],
    [
      'the message, when the expression fails',
      of({ message: 'no', messageExpression: 'string(1 / 0)' }),
      { x: 1 },
      'spec: Invalid value: no',
    ],
    [
      'the message, when the expression has line breaks',
      of({ message: 'no', messageExpression: '"a\\nb"' }),
      { x: 1 },
      'spec: Invalid value: no',
    ],
    ['where', of({ fieldPath: '.x' }), { x: 1 }, 'spec.x: Invalid value: failed rule: false'],
    ['a reason', of({ reason: 'FieldValueForbidden' }), { x: 1 }, 'spec: Forbidden: failed rule: false'],
    [
      'that something is missing',
      of({ reason: 'FieldValueRequired', fieldPath: '.x' }),
      {},
      'spec.x: Required value: failed rule: false',
    ],
    ['the value of a scalar', of({}, { type: 'string' }), 'v', 'spec: Invalid value: "v": failed rule: false'],
  ])('%s', (_what, props, spec, said) => {
    expect(details(props, { spec })).toEqual([said]);
  });

  it('the root has no path', () => {
    expect(
      checkRules(schemaOfProps({ type: 'object', ...rule('self.metadata.name == "a"') }), resolver, {
        object: { metadata: { name: 'b' } },
        old: undefined,
      }).map(({ field }) => field),
    ).toEqual(['<nil>']);
  });
});

describe('budgets (row 6)', () => {
  const items = Array.from({ length: 150 }, (_, index) => index);
  const list = { type: 'array', items: { type: 'integer' } };
  it('one rule may cost 1,000,000', () => {
    const errors = details({ ...list, ...rule('self.all(a, self.all(b, self.all(c, a + b + c >= 0)))') }, items);
    expect(errors).toEqual([
      expect.stringContaining(
        "'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule",
      ),
    ]);
  });
  it('all rules of an object 10,000,000', () => {
    const inner = { ...list, ...rule('self.all(a, self.all(b, a + b >= 0))') };
    const errors = details(
      { type: 'array', items: inner },
      Array.from({ length: 100 }, () => items),
    );
    expect(errors).toEqual([
      expect.stringContaining(
        'validation failed due to running out of cost budget, no further validation rules will be run',
      ),
    ]);
  });
});
