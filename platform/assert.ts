/** Assertions stay on in production: a broken invariant must stop the process before it reaches the disk. */

export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** Throws InvariantError unless `condition` holds. For what can never happen; operating errors are handled instead. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** Narrows away undefined and null where an invariant says the value is there. */
export function present<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) throw new InvariantError(message);
  return value;
}
