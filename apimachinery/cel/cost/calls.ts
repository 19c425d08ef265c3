/**
 * The worst case of one call: Kubernetes' EstimateCallCost first, then cel-go's own. Each number decides which rules a
 * custom resource may have, so they are upstream's, also where they are odd.
 */
import type { CelType } from '../values/types.js';
import { REGEX_FACTOR, TRAVERSAL } from './factors.js';
import { estimateListCall } from './list-calls.js';
import type { CallShape, Estimate, Path, SizeOf, Sized } from './sized.js';
import type { Range } from './range.js';
import { UNBOUNDED, UNKNOWN, ZERO, add, fixed, scale, times } from './range.js';

type Estimator = (shape: CallShape) => Estimate | undefined;

/** The receiver's size, or else the first argument's. */
const sizeAt = ({ target, args }: CallShape, index: number): Range =>
  (index === -1 ? target : args[index])?.size ?? UNKNOWN;
const ONE: Estimator = () => ({ cost: fixed(1) });
const traverse =
  (index: number, { factor = 1, sized = false } = {}): Estimator =>
  (shape) => {
    const size = sizeAt(shape, index);
    return { cost: scale(size, factor * TRAVERSAL), ...(sized ? { size } : {}) };
  };

function regexCost(text: Range, pattern: Range): Range {
  return times(scale(add(text, fixed(1)), TRAVERSAL), scale(pattern, REGEX_FACTOR));
}

const find: Estimator = (shape) => {
  const size = sizeAt(shape, -1);
  return { cost: regexCost(size, sizeAt(shape, 0)), size: { min: 0, max: size.max } };
};

/** The items of a list, with the size that the schema gives them. */
function itemsOf(
  list: Sized | undefined,
  sizeOf: SizeOf,
): { readonly type: CelType; readonly size: Range } | undefined {
  if (list?.type.kind !== 'list' && list?.type.kind !== 'optional') return undefined;
  const type = list.type.kind === 'list' ? list.type.item : list.type.of;
  const path: Path | undefined = list.path === undefined ? undefined : [...list.path, '@items'];
  return { type, size: (path === undefined ? undefined : sizeOf(path)) ?? UNKNOWN };
}

const listWalk: Estimator = ({ target, sizeOf }) => {
  const items = itemsOf(target, sizeOf);
  const size = target?.size ?? UNKNOWN;
  if (items === undefined) return { cost: scale(size, TRAVERSAL) };
  const isText = items.type.kind === 'string' || items.type.kind === 'bytes';
  return { cost: times(size, isText ? add(fixed(1), scale(items.size, TRAVERSAL)) : fixed(1)) };
};

const replace: Estimator = (shape) => {
  const [size, old, fresh] = [sizeAt(shape, -1), sizeAt(shape, 0), sizeAt(shape, 1)];
  // The longest result: everywhere between characters, or as many of the smallest as fit.
  const most =
    old.min === 0
      ? { count: Math.min(size.max + 1, UNBOUNDED), kept: size.max }
      : fresh.max <= old.min
        ? { count: 0, kept: size.max }
        : { count: Math.ceil(size.max / old.min), kept: 0 };
  const least =
    old.max === 0
      ? { count: size.min + 1, kept: size.min }
      : old.max <= fresh.min
        ? { count: 0, kept: size.min }
        : { count: Math.ceil(size.min / old.max), kept: 0 };
  const result = add(times({ min: least.count, max: most.count }, fresh), { min: least.kept, max: most.kept });
  return { cost: scale(size, 2 * TRAVERSAL), size: result };
};

const split: Estimator = (shape) => {
  const size = sizeAt(shape, -1);
  const limit = shape.args[1]?.expr;
  const most =
    limit?.kind === 'literal' && typeof limit.value === 'bigint'
      ? limit.value < 0n
        ? UNBOUNDED
        : Number(limit.value)
      : size.max;
  return { cost: scale(size, 2 * TRAVERSAL), size: { min: 0, max: most } };
};

const join: Estimator = ({ target, args, sizeOf }) => {
  const list = target?.size ?? UNKNOWN;
  const items = itemsOf(target, sizeOf);
  const separators = { min: Math.max(0, list.min - 1), max: Math.max(0, list.max - 1) };
  const separator = args.length > 0 ? times(args[0]?.size ?? UNKNOWN, separators) : ZERO;
  const size = add(items === undefined ? ZERO : times(list, items.size), separator);
  return { cost: scale(size, TRAVERSAL), size };
};

/** Addresses are 4 or 16 bytes long. */
const ADDRESS: Range = { min: 4, max: 16 };
const addressCompare = scale(add(ADDRESS, ADDRESS), TRAVERSAL);
const containsIp: Estimator = (shape) => ({
  cost: add(addressCompare, shape.overload === 'cidr_contains_ip_string' ? scale(sizeAt(shape, 0), TRAVERSAL) : ZERO),
});
const containsCidr: Estimator = (shape) => ({
  cost: add(
    add(add(addressCompare, scale(ADDRESS, TRAVERSAL)), fixed(1)),
    shape.overload === 'cidr_contains_cidr_string' ? scale(sizeAt(shape, 0), TRAVERSAL) : ZERO,
  ),
});

/** Patterns of named formats are taken to be this long. */
const FORMAT_PATTERN = 128;

const equality: Estimator = (shape) => {
  const [left, right] = shape.args;
  if (shape.fn === '_==_' && left?.type.kind === 'opaque' && right?.type.kind === 'opaque') return { cost: fixed(1) };
  const least = Math.min(sizeAt(shape, 0).max, sizeAt(shape, 1).max);
  return { cost: scale({ min: least > 0 ? 1 : 0, max: least }, TRAVERSAL) };
};

const BY_FUNCTION: Readonly<Record<string, Estimator>> = {
  isSorted: listWalk,
  sum: listWalk,
  min: listWalk,
  max: listWalk,
  indexOf: listWalk,
  lastIndexOf: listWalk,
  url: traverse(0, { sized: true }),
  lowerAscii: traverse(-1, { sized: true }),
  upperAscii: traverse(-1, { sized: true }),
  substring: traverse(-1, { sized: true }),
  trim: traverse(-1, { sized: true }),
  replace,
  split,
  join,
  find,
  findAll: find,
  cidr: traverse(0),
  isIP: traverse(0),
  isCIDR: traverse(0),
  'ip.isCanonical': traverse(0, { factor: 2 }),
  ip: (shape) => (shape.overload === 'cidr_ip' ? { cost: fixed(1) } : traverse(0)(shape)),
  containsIP: containsIp,
  containsCIDR: containsCidr,
  quantity: traverse(0),
  isQuantity: traverse(0),
  semver: traverse(0),
  isSemver: traverse(0),
  validate: (shape) => ({ cost: scale(scale(sizeAt(shape, 0), TRAVERSAL), FORMAT_PATTERN * REGEX_FACTOR) }),
  startsWith: traverse(0),
  endsWith: traverse(0),
  format: traverse(-1),
  'strings.quote': (shape) => {
    const size = sizeAt(shape, 0);
    return { cost: scale(size, TRAVERSAL), size: { min: size.min + 2, max: size.max * 2 + 2 } };
  },
  matches: (shape) =>
    shape.target === undefined ? ONE(shape) : { cost: regexCost(sizeAt(shape, -1), sizeAt(shape, 0)) },
  contains: (shape) => ({ cost: times(scale(sizeAt(shape, -1), TRAVERSAL), scale(sizeAt(shape, 0), TRAVERSAL)) }),
  '_==_': equality,
  '_!=_': equality,
};

const concat: Estimator = (shape) => {
  const size = add(sizeAt(shape, 0), sizeAt(shape, 1));
  return { cost: shape.overload === 'add_list' ? fixed(1) : scale(size, TRAVERSAL), size };
};

const BY_OVERLOAD: Readonly<Record<string, Estimator>> = {
  in_list: (shape) => ({ cost: sizeAt(shape, 1) }),
  add_list: concat,
  add_string: concat,
  add_bytes: concat,
  string_to_bytes: (shape) => ({
    cost: scale(sizeAt(shape, 0), TRAVERSAL),
    size: { min: sizeAt(shape, 0).min, max: Math.min(UNBOUNDED, sizeAt(shape, 0).max * 4) },
  }),
  bytes_to_string: (shape) => ({
    cost: scale(sizeAt(shape, 0), TRAVERSAL),
    size: { min: Math.floor(sizeAt(shape, 0).min / 4), max: sizeAt(shape, 0).max },
  }),
};
const TEXT_ORDER = /^(less|less_equals|greater|greater_equals)_(string|bytes)$/;

export function estimateCall(shape: CallShape): Estimate {
  const list = estimateListCall(shape);
  if (list !== undefined) return list;
  const special = TEXT_ORDER.test(shape.overload) ? equality : BY_OVERLOAD[shape.overload];
  const estimator = special ?? (Object.hasOwn(BY_FUNCTION, shape.fn) ? BY_FUNCTION[shape.fn] : undefined);
  return estimator?.(shape) ?? { cost: fixed(1) };
}
