import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { finish } from '../../platform/work.js';
import { costOf } from '../../platform/testing-work.js';
import { checkWork } from './check/checker.js';
import { literalIssuesWork } from './literals.js';
import { BOOL, INT, STRING, listOf } from './values/types.js';
import type { CelType } from './values/types.js';
import { compile } from './compile.js';
import { estimateCostWork } from './cost/estimate.js';
import { FUNCTIONS } from './lib/index.js';
import { Program } from './run/interpreter.js';
import { FAILING, TRUE } from './testing-expressions.js';
import { ArrayList, CelError, CelMap } from './values/values.js';
import type { Value } from './values/values.js';

const LIMIT = 1_000_000;

/** An object with fields that are values already. */
class JsonLike extends CelMap {
  readonly #fields: Readonly<Record<string, Value>>;

  constructor(fields: Readonly<Record<string, Value>>) {
    super();
    this.#fields = fields;
  }

  get size(): number {
    return this.keys().length;
  }

  find(key: Value): Value | undefined {
    return typeof key === 'string' ? this.#fields[key] : undefined;
  }

  keys(): string[] {
    return Object.keys(this.#fields);
  }
}

function run(source: string, variables: Readonly<Record<string, readonly [CelType, Value]>> = {}): Value {
  const types = Object.fromEntries(Object.entries(variables).map(([name, [type]]) => [name, type]));
  const compiled = compile(source, types);
  if (compiled.kind === 'bad') throw new Error(compiled.issues);
  return finish(Program.make(compiled.checked)).run(
    Object.fromEntries(Object.entries(variables).map(([name, [, value]]) => [name, value])),
    LIMIT,
  ).value;
}

const object: CelType = {
  kind: 'object',
  name: 'object',
  fields: new Map<string, CelType>([
    ['a', INT],
    ['s', STRING],
    ['l', listOf(INT)],
  ]),
};
const issuesOf = (source: string): string => {
  const compiled = compile(source, { self: object });
  return compiled.kind === 'bad' ? compiled.issues : 'none';
};

describe('CEL as kube-apiserver 1.36 evaluates it', () => {
  it.each(TRUE)('%s', (source) => {
    expect(run(source)).toBe(true);
  });

  it.each(FAILING)('%s fails: %s', (source, error) => {
    expect(run(source)).toEqual(new CelError(error));
  });

  it.each([...TRUE, ...FAILING.map(([source]) => source)])(
    '%s, in slices, is the same and costs the same',
    (source) => {
      const compiled = compile(source, {});
      if (compiled.kind === 'bad') throw new Error(compiled.issues);
      const program = finish(Program.make(compiled.checked));
      for (const limit of [LIMIT, 5, 20]) expect(finish(program.work({}, limit))).toEqual(program.run({}, limit));
    },
  );

  it('a dyn that is an integer compares with its true value beyond 2^53', () => {
    expect(run('x < 9007199254740993', { x: [INT, 9007199254740993n] })).toBe(false);
    expect(run('double(x) == 9007199254740992.0', { x: [INT, 9007199254740993n] })).toBe(true);
  });
});

describe('issues of expressions, in the words and at the places of kube-apiserver', () => {
  it.each<[string, string, string?]>([
    ['self.nosuch > 1', "1:5: undefined field 'nosuch'"],
    ['self.a == null', "1:8: found no matching overload for '_==_' applied to '(int, null)'"],
    ['foo(1)', "1:4: undeclared reference to 'foo' (in container '')"],
    ['self.a.startsWith(1)', "1:18: found no matching overload for 'startsWith' applied to 'int.(int)'"],
    ['self.a +', "1:9: Syntax error: mismatched input '<EOF>' expecting"],
    ['[1, "a"].size() > 0', "1:5: expected type 'int' but found 'string'"],
    ['self.a == 1.0', "1:8: found no matching overload for '_==_' applied to '(int, double)'"],
    [
      'self.map(x, x) == []',
      "1:1: expression of type 'object' cannot be range of a comprehension (must be list, map, or dynamic)",
    ],
    ['bar == 1', "1:1: undeclared reference to 'bar' (in container '')"],
    ['self.s.charAt("x") == ""', "1:14: found no matching overload for 'charAt' applied to 'string.(string)'"],
    ['self["a"] == 1', "1:5: found no matching overload for '_[_]' applied to '(object, string)'"],
    ['self.s.matches("(")', '1:16: invalid matches argument'],
    ['duration("x") > duration("1s")', '1:10: invalid duration argument'],
    ['1 in self', "1:3: found no matching overload for '@in' applied to '(int, object)'"],
    ['has(self)', '1:5: invalid argument to has() macro'],
    ['self.l.all(1, true)', '1:12: argument must be a simple name'],
    ['self.s == "a', "1:11: Syntax error: token recognition error at: '\"a'"],
    ['math.greatest(1, 2) == 2', "1:1: undeclared reference to 'math' (in container '')"],
    ['base64.encode(b"a") == ""', "1:14: undeclared reference to 'encode' (in container '')"],
    [
      "'%d'.format(['a']) == ''",
      '1:14: error during formatting: decimal clause can only be used on integers, was given string',
    ],
    ["'%s %s'.format(['a']) == ''", '1:15: index 1 out of range'],
    ["'%s'.format(['a', 'b']) == ''", '1:12: too many arguments supplied to string.format (expected 1, got 2)'],
  ])('%s: %s', (source, issue) => {
    expect(issuesOf(source)).toContain(`ERROR: <input>:${issue}`);
  });

  it('show the line and the place in it', () => {
    expect(issuesOf('self.nosuch > 1')).toBe(
      "ERROR: <input>:1:5: undefined field 'nosuch'\n | self.nosuch > 1\n | ....^",
    );
  });

  it.each([
    ['parentheses', '('.repeat(300)],
    ['negations of sums', `${'1+'.repeat(300)}1 == 1`],
    ['selects', `self${'.a'.repeat(300)}`],
  ])('a rule that is too deep is refused, not a full stack: %s', (_what, source) => {
    expect(issuesOf(source)).toContain('expression recursion limit exceeded: 250');
  });

  it('long chains of && are as good as short ones', () => {
    expect(issuesOf(Array.from({ length: 5000 }, () => 'self.a > 1').join(' && '))).toBe('none');
  });

  it('many issues do not make a long answer', () => {
    expect(issuesOf(Array.from({ length: 9000 }, () => 'x').join('+'.padEnd(2))).length).toBeLessThan(10_000);
    expect(issuesOf(Array.from({ length: 240 }, (_, index) => `x${index}`).join(' == 1 || ')).length).toBeLessThan(
      20_000,
    );
  });
});

describe('the cost of an evaluation', () => {
  const numbers: readonly [CelType, Value] = [
    listOf(INT),
    new ArrayList(Array.from({ length: 150 }, (_, index) => BigInt(index))),
  ];

  it('three loops in each other over 150 items stop at the limit', () => {
    const error = run('x.all(a, x.all(b, x.all(c, a + b + c >= 0)))', { x: numbers });
    expect(error).toEqual(new CelError('operation cancelled: actual cost limit exceeded'));
  });

  it('is not absorbed by ||', () => {
    expect(run('x.all(a, x.all(b, x.all(c, a + b + c >= 0))) || true', { x: numbers })).toBeInstanceOf(CelError);
  });

  it('work over the limit is not begun', () => {
    const text = 'a'.repeat(3_000_000);
    const started = process.cpuUsage();
    expect(run('s.matches("(a?){100}(a{1,100}){10}b" + s.substring(0, 500))', { s: [STRING, text] })).toBeInstanceOf(
      CelError,
    );
    expect(run('s.replace("", s).size() > 0', { s: [STRING, text] })).toBeInstanceOf(CelError);
    // Done in full, the match alone takes more than half a minute.
    expect(process.cpuUsage(started).user).toBeLessThan(3_000_000);
  });
});

describe('literals', () => {
  it('of one type only, but for arguments of format', () => {
    const compiled = compile("'%s %d'.format(['a', 1]) == 'a 1'", {});
    expect(
      compiled.kind === 'good' && compiled.checked.type === BOOL && finish(literalIssuesWork(compiled.checked)),
    ).toEqual([]);
  });
});

describe('any text', () => {
  const TOKENS = [
    'self',
    'self.a',
    'self.s',
    'self.l',
    'x',
    '1',
    '1u',
    '1.5',
    '"a"',
    'b"a"',
    'true',
    'null',
    '[1, 2]',
    '{"a": 1}',
    '+',
    '-',
    '*',
    '/',
    '%',
    '<',
    '>=',
    '==',
    '!=',
    'in',
    '&&',
    '||',
    '!',
    '?',
    ':',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    ',',
    '.',
    '.?',
    '[?',
    '.all(x, x > 1)',
    '.map(x, x)',
    '.exists(i, v, v == 1)',
    '.size()',
    'has(self.a)',
    'size(',
    'dyn(self)',
    'type(',
    '.matches("a")',
    '.optMap(x, x)',
    'optional.of(1)',
    '.orValue(2)',
    '"%s".format([self.s])',
    'duration("1s")',
    'quantity("1")',
    'ip("::1")',
    '.sortBy(x, x)',
    '\\',
    '`a-b`',
    '#',
    '"',
  ];
  const values = { self: new JsonLike({ a: 1n, s: 'a', l: new ArrayList([1n, 2n]) }) };

  it('is refused with issues or evaluated: nothing else is thrown', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...TOKENS), { maxLength: 12 }), (tokens) => {
        const compiled = compile(tokens.join(' '), { self: object });
        if (compiled.kind === 'good') finish(Program.make(compiled.checked)).run(values, LIMIT);
      }),
      { numRuns: 3000, seed: 36 },
    );
    fc.assert(
      fc.property(fc.string({ maxLength: 60, unit: 'grapheme' }), (text) => {
        compile(text, { self: object });
      }),
      { numRuns: 1000, seed: 36 },
    );
  });
});

describe('an expression of 90 KB (issue 6, row 1)', () => {
  it.each([
    ['a chain', Array.from({ length: 5000 }, (_, i) => `size(s) != ${i}`).join(' && ')],
    ['loops', Array.from({ length: 1200 }, (_, i) => `l.all(x, x > ${i}) || l.exists(y, y < ${i})`).join(' && ')],
    ['a list', `s in [${Array.from({ length: 7000 }, (_, i) => `s + "${i}"`).join(', ')}]`],
    ['a map', `size({${Array.from({ length: 8000 }, (_, i) => `${i}: ${i}`).join(', ')}}) > 0`],
  ])('is checked, compiled and estimated in slices: %s', (_what, source) => {
    const compiled = compile(source, { s: STRING, l: listOf(INT) });
    if (compiled.kind === 'bad') throw new Error(compiled.issues);
    const { checked } = compiled;
    const parsed = checked.expr;
    for (const work of [
      checkWork(parsed, { functions: FUNCTIONS, variables: { s: STRING, l: listOf(INT) } }),
      Program.make(checked),
      estimateCostWork(checked, () => undefined),
    ]) {
      const { total, longest } = costOf(work);
      expect(total).toBeGreaterThan(80_000);
      expect(longest).toBeLessThan(3000);
    }
  });
});
