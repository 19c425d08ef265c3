/** A proposal happens at most once, whatever leaders say late. */
import { expect, it } from 'vitest';
import { seededRandom } from '../../platform/random.js';
import { Proposals } from './proposals.js';

it('is not proposed again when the refusal of an earlier attempt arrives after it was given to another leader', async () => {
  const proposals = new Proposals(seededRandom(1));
  const result = proposals.add(Buffer.from('x'), { kind: 'normal', deadline_ms: 1000, signal: undefined });
  const first = proposals.take(1000);
  proposals.markSent(first, 5);
  // A leader of term 6 is there: what the one of term 5 did not commit, it never will.
  proposals.termReached(6);
  const second = proposals.take(1000);
  expect(second).toEqual(first);
  proposals.markSent(second, 6);
  proposals.requeue(first, 5);
  expect(proposals.take(1000)).toEqual([]);
  // The present attempt's refusal counts.
  proposals.requeue(second, 6);
  expect(proposals.take(1000)).toEqual(first);
  proposals.resolve(first[0]?.proposal ?? 0, 'done');
  expect(await result).toBe('done');
});
