/**
 * What a kind's rules cost grows with the object, not with its square (issue 6, row 1): every list and map of every
 * kind, with items that differ. Small lists are measured, and large ones where they were not cheap.
 */
import { expect, it } from 'vitest';
import type { Kind, StrategyContext } from '../kind.js';
import type { KubeObject } from '../object.js';
import { resolverOf } from '../schema/resolve.js';
import type { Schema } from '../schema.js';
import { builtInScheme } from '../scheme/builtin.js';
import { cloneJson } from '../value.js';
import { validateMetadata } from './metadata.js';
import { warningsOf } from './warnings/index.js';

const scheme = builtInScheme();
const resolver = resolverOf(scheme);
const context: StrategyContext = { user: { name: 'mallory', groups: [] }, now_ms: 0, uuid: () => '' };
const [SMALL, LARGE] = [200, 2000];
const DEPTH_MAX = 7;

interface Field {
  readonly kind: Kind;
  readonly path: readonly (string | number)[];
  readonly isMap: boolean;
  readonly items: Schema;
}

function* fieldsOf(
  kind: Kind,
  declared: Schema,
  path: readonly (string | number)[],
  seen: readonly Schema[],
): Generator<Field> {
  const schema = resolver.resolve(declared);
  if (path.length > DEPTH_MAX || seen.includes(schema)) return;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const { items, additionalProperties } = resolver.resolve(property);
    const here = [...path, name];
    if (items !== undefined) yield { kind, path: here, isMap: false, items };
    if (additionalProperties !== undefined) yield { kind, path: here, isMap: true, items: additionalProperties };
    yield* items === undefined
      ? fieldsOf(kind, property, here, [...seen, schema])
      : fieldsOf(kind, items, [...here, 0], [...seen, schema]);
  }
}

/** What looks like an address is one: others are refused before they are compared. */
function textOf(name: string, i: number): string {
  const address = `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
  if (/cidr|ranges$|except$/i.test(name)) return `${address}/32`;
  return /ips?$|address(es)?$/i.test(name) ? address : `n${i}`;
}

/** A value that fits, and differs from that of another number. */
function valueOf(declared: Schema, i: number, { name = '', depth = 0 } = {}): unknown {
  const schema = resolver.resolve(declared);
  if (schema.intOrString === true) return i;
  switch (schema.type) {
    case 'string':
      return schema.enum?.[0] ?? (schema.format === 'quantity' ? '1' : textOf(name, i));
    case 'integer':
    case 'number':
      return 1 + i;
    case 'boolean':
      return true;
    case 'array':
      return depth < 2 && schema.items !== undefined ? [valueOf(schema.items, i, { name, depth: depth + 1 })] : [];
    default:
      return depth < 2
        ? Object.fromEntries(
            Object.entries(schema.properties ?? {}).map(([field, property]) => [
              field,
              valueOf(property, i, { name: field, depth: depth + 1 }),
            ]),
          )
        : {};
  }
}

function objectWith({ kind, path, isMap, items }: Field, count: number): KubeObject {
  const values = Array.from({ length: count }, (_, i) =>
    valueOf(items, i, { name: String(path.findLast((part) => part !== 0)) }),
  );
  const whole: unknown = isMap ? Object.fromEntries(values.map((value, i) => [`k${i}`, value])) : values;
  const body = path.reduceRight(
    (inner: unknown, part) => (part === 0 ? [inner] : { [part]: inner }),
    whole,
  ) as KubeObject;
  return { ...body, apiVersion: 'v1', kind: kind.kind, metadata: { name: 'a', namespace: 'b', ...body.metadata } };
}

/** Of this process's own time, whatever else the machine does. */
function cost_ms(field: Field, count: number): number {
  const { strategy } = field.kind;
  const object = objectWith(field, count);
  const before = process.cpuUsage();
  strategy.setDefaults?.(object);
  strategy.prepareForCreate?.(object, context);
  strategy.validate?.(object, context);
  validateMetadata(object, field.kind);
  const next = cloneJson(object);
  strategy.prepareForUpdate?.(next, object, context);
  strategy.validate?.(next, { ...context, old: object });
  strategy.validateUpdate?.(next, object, context);
  warningsOf(field.kind, { object });
  warningsOf(field.kind, { object: next, old: object });
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Code that is not compiled yet is dear, and so is a collection: the best of three counts. */
const best_ms = (field: Field, count: number): number =>
  Math.min(cost_ms(field, count), cost_ms(field, count), cost_ms(field, count));

/**
 * Ten times the items: linear is 10, a square 100. Twice as many: 2 and 4. Caches and collections blur the one more
 * than the other, so both must say so.
 */
const looksSquare = (field: Field): boolean =>
  cost_ms(field, LARGE) > 100 &&
  best_ms(field, LARGE) > 40 * best_ms(field, SMALL) &&
  best_ms(field, 2 * LARGE) > 3.2 * best_ms(field, LARGE);

/** What is one stays one: a machine that was busy elsewhere for a moment does not look so three times. */
const isSquare = (field: Field): boolean => [1, 2, 3].every(() => looksSquare(field));

it('no list and no map costs the square of its length', () => {
  const fields = scheme.kinds().flatMap((kind) => [...fieldsOf(kind, kind.schema, [], [])]);
  expect(fields.length).toBeGreaterThan(1000);
  const suspects = fields.filter((field) => cost_ms(field, SMALL) > 2);
  expect(suspects.filter(isSquare).map(({ kind, path }) => `${kind.kind}: ${path.join('.')}`)).toEqual([]);
}, 600_000);
