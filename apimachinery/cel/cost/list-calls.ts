/** Estimates of cel-go's ext.Lists and ext.Sets: they allocate lists, or compare items with each other. */
import type { CallShape, Estimate, Sized } from './sized.js';
import { LIST_BASE, TRAVERSAL } from './factors.js';
import type { Range } from './range.js';
import { UNBOUNDED, UNKNOWN, add, fixed, scale, times } from './range.js';

const allocating = (factor: number, size: Range): Estimate => ({
  cost: add(add(scale(size, factor), fixed(1)), fixed(LIST_BASE)),
  size,
});

/** The value of a literal; without one, the worst case. */
function literalInt(part: Sized | undefined, otherwise: number): number {
  const expr = part?.expr;
  return expr?.kind === 'literal' && typeof expr.value === 'bigint' ? Math.max(0, Number(expr.value)) : otherwise;
}

function sets({ args }: CallShape, factor: number): Estimate {
  return { cost: add(scale(times(args[0]?.size ?? UNKNOWN, args[1]?.size ?? UNKNOWN), factor), fixed(1)) };
}

const isText = (overload: string): boolean => /^list_(string|bytes)_/.test(overload);

/** Undefined for calls of other libraries. */
export function estimateListCall(shape: CallShape): Estimate | undefined {
  const { fn, overload, target, args } = shape;
  const size = target?.size ?? UNKNOWN;
  switch (fn) {
    case 'slice':
      return allocating(1, fixed(Math.max(0, literalInt(args[1], size.max) - literalInt(args[0], 0))));
    case 'lists.range':
      return allocating(1, fixed(literalInt(args[0], UNBOUNDED)));
    case 'reverse':
      return allocating(1, size);
    case 'flatten':
      return allocating(args.length === 1 ? literalInt(args[0], UNBOUNDED) : 1, size);
    case 'distinct':
      return allocating(2, times(size, size));
    case 'sort':
      return allocating(isText(overload) ? 2 + TRAVERSAL : 2, times(size, size));
    case '@sortByAssociatedKeys': {
      const keys = args[0]?.size ?? UNKNOWN;
      return allocating(isText(overload) ? 2 + TRAVERSAL : 2, times(keys, keys));
    }
    case 'sets.contains':
    case 'sets.intersects':
      return sets(shape, 1);
    case 'sets.equivalent':
      return sets(shape, 2);
    default:
      return undefined;
  }
}
