/**
 * Numbers of 64 bits that clients choose. The store counts in safe integers, and no revision, count or time of its own
 * is beyond them: whatever a client asks for out there compares with all that exists as the outermost safe integer
 * does.
 */
export function nearestSafe(value: bigint): number {
  const number = Number(value);
  if (number > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
  return number < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : number;
}
