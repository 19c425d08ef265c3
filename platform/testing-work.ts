/** For tests: what a computation costs. */
import type { Work } from './work.js';

/** All of it, and the most that it does between two yields, in units. */
export function costOf(work: Work<unknown>): { readonly total: number; readonly longest: number } {
  let [total, longest] = [0, 0];
  for (let next = work.next(); next.done !== true; next = work.next()) {
    total += next.value;
    longest = Math.max(longest, next.value);
  }
  return { total, longest };
}
