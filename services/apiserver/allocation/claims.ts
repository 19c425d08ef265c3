/**
 * A claim: a key of its own that says a value is taken, written in the very transaction that writes the object, on the
 * condition that the key is not there. Members need no coordination, and nothing is left to repair.
 */
import type { Compare, Op } from '../../store/store.js';
import type { WriteGuard } from '../ports.js';

const isFree = (key: string): Compare => ({ target: 'createRevision', key: Buffer.from(key), op: '=', value: 0 });
const release = (key: string): Op => ({ kind: 'delete', key: Buffer.from(key) });

export interface ClaimChange {
  /** Keys claimed by this write. */
  readonly taken: readonly string[];
  readonly guard: WriteGuard;
}

/** From the claims before a write to those after it. `owner` is written into the claim, for people who look. */
export function changeClaims(before: ReadonlySet<string>, after: ReadonlySet<string>, owner: string): ClaimChange {
  const taken = [...after].filter((key) => !before.has(key));
  const released = [...before].filter((key) => !after.has(key));
  return {
    taken,
    guard: {
      compare: taken.map(isFree),
      ops: [
        ...taken.map((key): Op => ({ kind: 'put', key: Buffer.from(key), value: Buffer.from(owner) })),
        ...released.map(release),
      ],
    },
  };
}
