/** What is small is done at once, what is large in slices: the result is the same (issue 6, row 1). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { costOf } from '../../platform/testing-work.js';
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { resolverOf } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { builtInScheme } from '../scheme/builtin.js';
import type { JsonObject } from '../value.js';
import { FieldSet, formatFieldsV1, formatFieldsV1Work, parseFieldsV1 } from './field-set.js';
import { mergeAppliedWork } from './merge.js';
import { indexDistinctItemsWork, indexItems, indexItemsWork } from './structure.js';

const resolver = resolverOf(builtInScheme());

const element = fc.oneof(
  fc.constantFrom('f:spec', 'f:metadata', 'f:a', 'f:b', 'f:__proto__'),
  fc.string().map((text) => `f:${text}`),
  fc.constantFrom('k:{"name":"web"}', 'v:"x"', 'v:1', 'i:0', 'i:10', 'i:2'),
);
const sets = fc
  .array(fc.array(element, { minLength: 1, maxLength: 5 }), { maxLength: 60, size: 'max' })
  .map((paths) => {
    const set = new FieldSet();
    for (const path of paths) set.insert(path);
    return set;
  });

describe('owners of fields', () => {
  it('are written the same at once, in slices, and where both meet', () => {
    fc.assert(
      fc.property(sets, fc.nat({ max: 40 }), (set, small) => {
        const atOnce = JSON.stringify(finish(formatFieldsV1Work(set, Infinity)));
        expect(JSON.stringify(finish(formatFieldsV1Work(set, -1)))).toBe(atOnce);
        expect(JSON.stringify(finish(formatFieldsV1Work(set, small)))).toBe(atOnce);
        expect(parseFieldsV1(JSON.parse(atOnce)).equals(set)).toBe(true);
      }),
    );
  });

  it('stand as fields, keys, values and positions, each by its text', () => {
    const order = ['f', 'k', 'v', 'i'];
    fc.assert(
      fc.property(sets, (set) => {
        const found = [...set.children.keys()];
        const wanted = order.flatMap((kind) => found.filter((name) => name.startsWith(`${kind}:`)).sort());
        expect(Object.keys(formatFieldsV1(set)).filter((name) => name !== '.')).toEqual(wanted);
      }),
    );
  });

  it('small ones are not interrupted, of large ones no slice is long', () => {
    const made = (count: number): FieldSet => {
      const set = new FieldSet();
      for (let i = 0; i < count; i++) set.insert(['f:data', `f:k${i % 100}`, `f:x${i}`]);
      return set;
    };
    expect(costOf(formatFieldsV1Work(made(100))).total).toBe(0);
    const { total, longest } = costOf(formatFieldsV1Work(made(10_000)));
    expect(total).toBeGreaterThan(200_000);
    expect(longest).toBeLessThan(10_000);
  });
});

const elementOf = (item: unknown): string => `v:${JSON.stringify(item)}`;

it('lists are indexed the same at once and in slices', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3000 }), { maxLength: 150, size: 'max' }), (list) => {
      const atOnce = [...indexItems(list, elementOf)];
      expect([...finish(indexItemsWork(list, elementOf, -1))]).toEqual(atOnce);
      expect([...finish(indexItemsWork(list, elementOf))]).toEqual(atOnce);
      const distinct = (): unknown => finish(indexDistinctItemsWork(list, elementOf));
      if (new Set(list).size < list.length) expect(distinct).toThrow('duplicate entries for key');
      else expect(distinct()).toEqual(new Map(atOnce));
    }),
  );
});

const ITEM: Schema = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    image: { type: 'string' },
    ports: { type: 'array', listType: 'set', items: { type: 'integer' } },
  },
};
const SCHEMA: Schema = {
  type: 'object',
  properties: {
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    args: { type: 'array', items: { type: 'string' } },
    items: { type: 'array', listType: 'map', listMapKeys: ['name'], items: ITEM },
  },
};

const ports = fc.uniqueArray(fc.nat({ max: 99 }), { maxLength: 10 });
const names = fc.uniqueArray(fc.nat({ max: 400 }), { maxLength: 200, size: 'max' });
const objects = fc
  .tuple(
    fc.record(
      {
        labels: fc.dictionary(fc.string({ maxLength: 3 }), fc.string({ maxLength: 3 })),
        args: fc.array(fc.string({ maxLength: 3 }), { maxLength: 5 }),
      },
      { requiredKeys: [] },
    ),
    names,
    fc.string({ maxLength: 3 }),
    ports,
  )
  .map(([fields, numbers, image, list]): JsonObject => ({
    ...fields,
    items: numbers.map((n) => ({
      name: `n${n}`,
      ...(n % 3 === 0 ? { image } : {}),
      ...(n % 2 === 0 ? { ports: list } : {}),
    })),
  }));

/** All of them side by side, one slice of each after the other. */
function takingTurns<T>(works: readonly Work<T>[]): { readonly results: (T | undefined)[]; readonly yields: number } {
  const results: (T | undefined)[] = works.map(() => undefined);
  const open = new Set(works.keys());
  let yields = 0;
  while (open.size > 0) {
    for (const at of open) {
      const next = works[at]?.next();
      if (next?.done !== true) yields += 1;
      else {
        results[at] = next.value;
        open.delete(at);
      }
    }
  }
  return { results, yields };
}

describe('what is applied is laid over the live object', () => {
  it('the same in slices, with those of others between them, as at once', () => {
    let yields = 0;
    fc.assert(
      fc.property(objects, objects, (live, config) => {
        const before = JSON.stringify([live, config]);
        const merge = (a: JsonObject, b: JsonObject): Work<JsonObject> => mergeAppliedWork(a, b, SCHEMA, resolver);
        const atOnce = [finish(merge(live, config)), finish(merge(config, live))];
        const inTurns = takingTurns([merge(live, config), merge(config, live)]);
        expect(inTurns.results).toEqual(atOnce);
        expect(JSON.stringify([live, config])).toBe(before);
        expect(finish(merge(atOnce[0] as JsonObject, config))).toEqual(atOnce[0]);
        yields += inTurns.yields;
      }),
      { numRuns: 30 },
    );
    expect(yields).toBeGreaterThan(0);
  }, 60_000);

  it('as a plain union of fields, labels and items by name', () => {
    fc.assert(
      fc.property(objects, objects, (live, config) => {
        const merged = finish(mergeAppliedWork(live, config, SCHEMA, resolver));
        const byName = (object: JsonObject): Map<unknown, JsonObject> =>
          new Map((object['items'] as JsonObject[]).map((item) => [item['name'], item]));
        const [was, is, now] = [byName(live), byName(config), byName(merged)];
        expect(merged['args']).toEqual(config['args'] ?? live['args']);
        expect(merged['labels']).toEqual(
          config['labels'] === undefined
            ? live['labels']
            : { ...(live['labels'] as object), ...(config['labels'] as object) },
        );
        expect(new Set(now.keys())).toEqual(new Set([...was.keys(), ...is.keys()]));
        expect(merged['items']).toHaveLength(now.size);
        for (const [name, item] of now) {
          const [old, wanted] = [was.get(name), is.get(name)];
          expect(item['image']).toBe(wanted?.['image'] ?? old?.['image']);
          expect(new Set(item['ports'] as number[])).toEqual(
            new Set([...((old?.['ports'] ?? []) as number[]), ...((wanted?.['ports'] ?? []) as number[])]),
          );
        }
        expect([...now.keys()].filter((name) => is.has(name))).toEqual([...is.keys()]);
      }),
      { numRuns: 30 },
    );
  }, 60_000);
});
