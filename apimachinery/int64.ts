/**
 * Integers of 64 bits in decoded objects: a `number` up to 2^53-1, a `bigint` beyond, where a double would lose digits.
 * A bigint in an object is therefore never a safe integer, and never outside int64.
 */
export type Int64 = number | bigint;

export const INT64_MAX = (1n << 63n) - 1n;
export const INT64_MIN = -(1n << 63n);

/** The form that objects hold. Undefined: no int64 holds it. */
export function int64Of(value: bigint): Int64 | undefined {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  return value >= INT64_MIN && value <= INT64_MAX ? value : undefined;
}

/** An integer whose digits are all known. Doubles beyond 2^53-1 are none, though they have no fraction. */
export function isInt64(value: unknown): value is Int64 {
  return typeof value === 'bigint' || Number.isSafeInteger(value);
}

export function isNumeric(value: unknown): value is Int64 {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** For arithmetic where the nearest double will do: seconds, user ids, counts. */
export function approximate(value: Int64): number {
  return Number(value);
}

/** Whether two values are the same number, whatever their forms: a double may equal an integer beyond 2^53. */
export function sameNumber(a: Int64, b: Int64): boolean {
  if (typeof a === typeof b) return a === b;
  const [integer, double] = typeof a === 'bigint' ? [a, b] : [b, a];
  return Number.isInteger(double) && BigInt(double) === integer;
}

/** The digits as Go prints them; JavaScript fills up with zeros what a double does not need to be told apart. */
export function decimalText(value: Int64): string {
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 1e21
    ? BigInt(value).toString()
    : String(value);
}
