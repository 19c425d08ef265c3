/** Waiting for what another process does: a condition, asked again until it holds or its time is up. */
import { systemClock } from '../../platform/clock.js';

export interface UntilOptions {
  readonly timeout_ms?: number;
  readonly interval_ms?: number;
}

export const sleep = (delay_ms: number) => systemClock.sleep(delay_ms);

/**
 * The first value that is neither undefined nor false. A `read` that throws counts as not yet; the last error, or what
 * `show` says of the state, is in the message when time is up.
 */
export async function until<T>(
  what: string,
  read: () => Promise<T | undefined | false> | T | undefined | false,
  options: UntilOptions & { readonly show?: () => Promise<string> } = {},
): Promise<T> {
  const { timeout_ms = 60_000, interval_ms = 100, show } = options;
  const deadline_ms = systemClock.monotonic() + timeout_ms;
  let last = '';
  for (;;) {
    try {
      const value = await read();
      if (value !== undefined && value !== false) return value;
      last = '';
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (systemClock.monotonic() > deadline_ms) {
      const state = await show?.().catch((error: unknown) => String(error));
      throw new Error(
        [`${what}: not within ${timeout_ms} ms`, last, state]
          .filter((text) => text !== undefined && text !== '')
          .join('\n'),
      );
    }
    await sleep(interval_ms);
  }
}
