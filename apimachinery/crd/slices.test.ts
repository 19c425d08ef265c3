/**
 * Rules share their thread, when they are checked and when they are written (issue 6, rows 1 and 6): how much is done
 * between two pauses.
 */
import { describe, expect, it, vi } from 'vitest';
import { inSlices, SLICE_UNITS } from '../../platform/work.js';
import type * as Compile from '../cel/compile.js';
import type { Work } from '../../platform/work.js';
import { builtInResolver } from '../scheme/stored.js';
import { checkRules, checkRulesWork } from './cel.js';
import { schemaOfProps } from './schema.js';
import { validateSchemaProps, validateSchemaWork } from './validate.js';

const compiling = vi.hoisted(() => ({ count: () => undefined as void }));
vi.mock('../cel/compile.js', async (original) => {
  const { compileWork } = await original<typeof Compile>();
  return { compileWork: (...args: Parameters<typeof compileWork>) => (compiling.count(), compileWork(...args)) };
});

/** Counts what the work reads between two pauses: what the work says of itself is not asked. */
class Reads {
  longest = 0;
  total = 0;
  pauses = 0;
  #now = 0;

  list<T>(items: readonly T[]): T[] {
    return new Proxy([...items], {
      get: (target, key, receiver) => {
        if (typeof key === 'string' && key !== 'length') this.read();
        return Reflect.get(target, key, receiver) as unknown;
      },
    });
  }

  read(): void {
    this.total++;
    this.longest = Math.max(this.longest, ++this.#now);
  }

  async drive<T>(work: Work<T>): Promise<T> {
    return inSlices(work, () => {
      this.pauses++;
      this.#now = 0;
      return Promise.resolve();
    });
  }
}

const rule = (text: string) => ({ 'x-kubernetes-validations': [{ rule: text }] });
const list = { type: 'array', items: { type: 'integer' } };
const numbers = Array.from({ length: 150 }, (_, index) => index);
const THREE = 'self.all(b, self.all(c, b + c >= 0))';

/** How a long loop may be hidden: each evaluates the three nested loops as a part of something else. */
const PLACES: readonly (readonly [string, string])[] = [
  ['alone', 'self.all(a, LOOPS)'],
  ['in a loop of one', '[1].all(x, self.all(a, LOOPS))'],
  ['in a call', 'size(self.filter(a, LOOPS)) > 0'],
  ['on the left of &&', 'self.all(a, LOOPS) && true'],
  ['on the right of ||', 'self.size() < 0 || self.all(a, LOOPS)'],
  ['in a condition', 'self.all(a, LOOPS) ? true : false'],
  ['in a branch', 'self.size() > 0 ? self.all(a, LOOPS) : false'],
  ['in a list', '[self.all(a, LOOPS)][0]'],
  ['in a map', '{"x": self.all(a, LOOPS)}.x'],
  ['as an index', '[true][self.all(a, LOOPS) ? 0 : 0]'],
  ['as another value', 'optional.none().orValue(self.all(a, LOOPS))'],
  ['as another optional', 'optional.none().or(optional.of(self.all(a, LOOPS))).orValue(true)'],
  ['below a not', '!self.all(a, LOOPS)'],
  ['in the result of a loop', 'self.exists_one(a, LOOPS)'],
  ['in two variables', 'self.all(i, a, LOOPS)'],
  ['in a select', '[{"x": self.all(a, LOOPS)}].map(m, m.x)[0]'],
  ['in the range of a loop', 'self.filter(a, LOOPS).all(y, true)'],
  ['as an optional index', '[true][?self.all(a, LOOPS) ? 0 : 0].orValue(false)'],
  ['as the condition of a loop', 'self.exists(a, !(LOOPS))'],
];

describe('one evaluation', () => {
  it.each(PLACES)('of loops %s pauses, and comes to the same', async (_where, source) => {
    const schema = schemaOfProps({ ...list, ...rule(source.replace('LOOPS', THREE)) });
    const reads = new Reads();
    const change = { object: reads.list(numbers), old: undefined };
    const errors = await reads.drive(checkRulesWork(schema, builtInResolver(), change, { isRoot: false }));
    expect(errors).toEqual(
      checkRules(schema, builtInResolver(), { object: numbers, old: undefined }, { isRoot: false }),
    );
    // 1,000,000 units at eight for each item: the limit of one evaluation.
    expect(reads.total).toBeGreaterThan(50_000);
    expect(reads.longest).toBeLessThan(SLICE_UNITS / 4);
  });
});

describe('the rules of an object', () => {
  it('pause between items, up to the budget of 10,000,000', async () => {
    const schema = schemaOfProps({ type: 'array', items: { ...list, ...rule(THREE) } });
    const reads = new Reads();
    const items = Array.from({ length: 100 }, () => reads.list(numbers));
    const errors = await reads.drive(
      checkRulesWork(schema, builtInResolver(), { object: items, old: undefined }, { isRoot: false }),
    );
    expect(errors).toMatchObject([{ detail: expect.stringContaining('running out of cost budget') as string }]);
    expect(reads.total).toBeGreaterThan(500_000);
    expect(reads.longest).toBeLessThan(SLICE_UNITS / 4);
    expect(reads.pauses).toBeGreaterThan(400);
  });

  it('that cost little pause by their number', async () => {
    const schema = schemaOfProps({ type: 'array', items: { type: 'integer', ...rule('self >= 0') } });
    const reads = new Reads();
    const errors = await reads.drive(
      checkRulesWork(
        schema,
        builtInResolver(),
        { object: reads.list(Array.from({ length: 20_000 }, () => 1)), old: undefined },
        { isRoot: false },
      ),
    );
    expect(errors).toEqual([]);
    expect(reads.longest).toBeLessThan(SLICE_UNITS / 20);
  });

  it('that a part of an unchanged value breaks compare that value once', () => {
    let compared = 0;
    const old = new Proxy(numbers, {
      get: (target, key, receiver) => (key === '0' ? compared++ : 0, Reflect.get(target, key, receiver) as unknown),
    });
    const schema = schemaOfProps({ type: 'array', items: { type: 'integer', ...rule('self < 0') } });
    expect(checkRules(schema, builtInResolver(), { object: numbers, old }, { isRoot: false })).toEqual([]);
    expect(compared).toBe(1);
  });
});

describe('the rules of a definition', () => {
  const cheap = (count: number) => ({
    'x-kubernetes-validations': Array.from({ length: count }, (_, index) => ({
      rule: `self.startsWith("a") || self == "${index}"`,
    })),
  });
  const text = { type: 'string', maxLength: 10 };
  it.each<[string, Record<string, unknown>]>([
    ['at one value', { spec: { ...text, ...cheap(500) } }],
    [
      'at many values',
      Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`p${index}`, { ...text, ...cheap(1) }])),
    ],
    [
      'below defaults',
      Object.fromEntries(
        Array.from({ length: 500 }, (_, index) => [`p${index}`, { ...text, default: 'a', ...cheap(1) }]),
      ),
    ],
  ])('%s are compiled a few at a time', async (_where, properties) => {
    const reads = new Reads();
    compiling.count = () => reads.read();
    const props = { type: 'object', properties };
    const errors = await reads.drive(validateSchemaWork(props, 's'));
    compiling.count = () => undefined;
    expect(errors).toEqual([]);
    expect(reads.total).toBe(500);
    // Each has some 35 characters, at 50 units.
    expect(reads.longest).toBeLessThan(20);
  });

  it('of all defaults share one budget', () => {
    const dear = {
      ...list,
      maxItems: 200,
      default: numbers.slice(0, 120),
      'x-kubernetes-validations': [{ rule: 'self.all(a, self.all(b, a + b >= 0))' }],
    };
    const props = (count: number) => ({
      type: 'object',
      properties: Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, dear])),
    });
    const said = (count: number) =>
      validateSchemaProps(props(count), 's').filter(({ detail }) => detail.includes('running out of cost budget'));
    expect(said(3)).toEqual([]);
    expect(said(200)).toHaveLength(1);
  });

  it('and those that custom resources ask for first, too', async () => {
    const reads = new Reads();
    compiling.count = () => reads.read();
    await reads.drive(
      checkRulesWork(
        schemaOfProps({ ...text, ...cheap(500) }),
        builtInResolver(),
        { object: 'a', old: undefined },
        { isRoot: false },
      ),
    );
    compiling.count = () => undefined;
    expect(reads.total).toBe(500);
    expect(reads.longest).toBeLessThan(20);
  });
});
