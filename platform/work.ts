/**
 * Computations that share their thread. A `Work` yields how much it has done since it last yielded, in units of about
 * 0.1 µs; whoever drives it decides when others get their turn. The result does not depend on the driver.
 */
export type Work<T> = Generator<number, T, void>;

/** Units between two pauses; one yield may go beyond it by what it yields. */
export const SLICE_UNITS = 10_000;

/** All of it at once. */
export function finish<T>(work: Work<T>): T {
  for (;;) {
    const next = work.next();
    if (next.done === true) return next.value;
  }
}

/** With `pause` awaited after each slice. What the pause throws ends the work. */
export async function inSlices<T>(work: Work<T>, pause: () => Promise<void>): Promise<T> {
  let units = 0;
  for (;;) {
    const next = work.next();
    if (next.done === true) return next.value;
    units += next.value;
    if (units < SLICE_UNITS) continue;
    units = 0;
    await pause();
  }
}
