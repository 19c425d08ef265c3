/**
 * A client's call on a member: there and back through a network of its own, with a deadline, and an end if the member
 * dies.
 */
import type { MemberCore } from '../../../services/store/member/core.js';
import { StoreError } from '../../../services/store/store.js';
import type { Machine } from '../cluster/machine.js';
import type { World } from '../world/world.js';

export type Outcome<T> =
  | { readonly kind: 'ok'; readonly value: T }
  /** The store says no; nothing happened. */
  | { readonly kind: 'refused'; readonly code: StoreError['code'] }
  /** It may have happened. */
  | { readonly kind: 'unknown' };

const DEADLINE_MS = 12_000;
const LATENCY_MS = 1;
/** Codes after which a write may have happened all the same. */
const UNCERTAIN: ReadonlySet<StoreError['code']> = new Set(['unknown-outcome', 'closed', 'corrupt']);

export async function call<T>(
  world: World,
  machine: Machine,
  work: (core: MemberCore) => Promise<T>,
): Promise<Outcome<T>> {
  await world.sleep(world.random.next() * LATENCY_MS);
  const { core, process } = machine;
  if (core === undefined || process === undefined || machine.state !== 'running')
    return { kind: 'refused', code: 'unavailable' };
  const outcome = await new Promise<Outcome<T>>((settle) => {
    const giveUp = () => resolve({ kind: 'unknown' });
    const forget = machine.onEnd(giveUp);
    const deadline = world.after(DEADLINE_MS, giveUp);
    const resolve = (known: Outcome<T>) => {
      forget();
      world.cancel(deadline);
      settle(known);
    };
    process.run(
      () =>
        void work(core).then(
          (value) => resolve({ kind: 'ok', value }),
          (error: unknown) => {
            if (!(error instanceof StoreError)) {
              world.fail(error instanceof Error ? error : new Error(String(error)));
              return;
            }
            resolve(UNCERTAIN.has(error.code) ? { kind: 'unknown' } : { kind: 'refused', code: error.code });
          },
        ),
    );
  });
  await world.sleep(world.random.next() * LATENCY_MS);
  return outcome;
}
