/** The judge is judged: histories known good and bad, and random ones against a search by brute force. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../platform/random.js';
import { checkLinearizable, registerModel } from './linearizability.js';
import type { Operation, RegisterInput, RegisterOutput } from './linearizability.js';

type Op = Operation<RegisterInput, RegisterOutput>;

const op = (input: RegisterInput, output: RegisterOutput | undefined, call: number, end: number): Op => ({
  input,
  output,
  call,
  return: end,
});
const put = (value: string, call: number, end: number) => op({ kind: 'put', value }, true, call, end);
const lost = (value: string, call: number) => op({ kind: 'put', value }, undefined, call, Infinity);
const get = (value: string | null, call: number, end: number) => op({ kind: 'get' }, value, call, end);
const swap = (from: string, to: string, done: boolean, call: number, end: number) =>
  op({ kind: 'swap', expected: from, value: to }, done, call, end);
const remove = (done: boolean, call: number, end: number) => op({ kind: 'delete' }, done, call, end);
const verdict = (...history: Op[]) => checkLinearizable(registerModel, history);

describe('good histories', () => {
  it.each([
    ['nothing at all', []],
    ['one after the other', [put('a', 0, 1), get('a', 2, 3), remove(true, 4, 5), get(null, 6, 7), remove(false, 8, 9)]],
    ['a read beside a write sees the old', [put('a', 0, 1), put('b', 2, 6), get('a', 3, 4)]],
    ['a read beside a write sees the new', [put('a', 0, 1), put('b', 2, 6), get('b', 3, 4)]],
    [
      'two writes at once, in the order that the reads tell',
      [put('a', 0, 5), put('b', 0, 5), get('b', 6, 7), get('b', 8, 9)],
    ],
    ['a lost write that happened late', [lost('a', 0), get(null, 1, 2), get('a', 3, 4)]],
    ['a lost write that never happened', [put('b', 0, 1), lost('a', 2), get('b', 3, 4), get('b', 5, 6)]],
    [
      'of two swaps at once one wins',
      [put('a', 0, 1), swap('a', 'b', true, 2, 5), swap('a', 'c', false, 2, 5), get('b', 6, 7)],
    ],
    [
      'a lost swap that took effect',
      [put('a', 0, 1), op({ kind: 'swap', expected: 'a', value: 'b' }, undefined, 2, Infinity), get('b', 5, 6)],
    ],
    ['a return and a call at the same moment overlap', [put('a', 0, 2), get(null, 2, 3)]],
  ])('%s', (_, history) => expect(verdict(...history)).toBe('linearizable'));
});

describe('bad histories', () => {
  it.each([
    ['a stale read', [put('a', 0, 1), put('b', 2, 3), get('a', 4, 5)]],
    ['a lost update', [put('a', 0, 1), get(null, 2, 3)]],
    ['a read from nowhere', [put('a', 0, 1), get('z', 2, 3)]],
    ['the new and then the old', [put('a', 0, 1), put('b', 2, 9), get('b', 3, 4), get('a', 5, 6)]],
    [
      'two readers that disagree on the order of two writes',
      [put('a', 0, 5), put('b', 0, 5), get('a', 6, 7), get('b', 8, 9)],
    ],
    ['two swaps from one value both win', [put('a', 0, 1), swap('a', 'b', true, 2, 5), swap('a', 'c', true, 2, 5)]],
    ['a swap that should have won', [put('a', 0, 1), swap('a', 'b', false, 2, 3)]],
    ['a delete of nothing that says it deleted', [remove(true, 0, 1)]],
    ['a lost write that is seen, gone, and seen again', [put('x', 0, 1), lost('a', 2), get('a', 3, 4), get('x', 5, 6)]],
    ['a read of a write before it was called', [get('a', 0, 1), put('a', 2, 3)]],
  ])('%s', (_, history) => expect(verdict(...history)).toBe('not-linearizable'));
});

/** Every order that real time allows, tried. */
function bruteForce(history: readonly Op[], state: string | null = null): boolean {
  if (history.every(({ output }) => output === undefined)) return true;
  return history.some((candidate, i) => {
    if (history.some((other) => other.return < candidate.call)) return false;
    const next = registerModel.step(state, candidate.input, candidate.output);
    return next !== undefined && bruteForce(history.toSpliced(i, 1), next);
  });
}

it('agrees with brute force on 4000 short random histories, good and bad ones among them', () => {
  const random = seededRandom(7);
  const pick = () => 'ab'[random.int(2)] ?? 'a';
  let good = 0;
  for (let round = 0; round < 4000; round++) {
    const history = Array.from({ length: 1 + random.int(6) }, (): Op => {
      const call = random.int(12);
      const isLost = random.int(6) === 0;
      const end = isLost ? Infinity : call + 1 + random.int(5);
      const kind = random.int(4);
      if (kind === 0) return op({ kind: 'put', value: pick() }, isLost ? undefined : true, call, end);
      if (kind === 1)
        return op({ kind: 'get' }, isLost ? undefined : ([null, 'a', 'b'][random.int(3)] ?? null), call, end);
      if (kind === 2) return op({ kind: 'delete' }, isLost ? undefined : random.int(2) === 0, call, end);
      return op({ kind: 'swap', expected: pick(), value: pick() }, isLost ? undefined : random.int(2) === 0, call, end);
    });
    const expected = bruteForce(history);
    if (expected) good++;
    expect(checkLinearizable(registerModel, history), JSON.stringify(history)).toBe(
      expected ? 'linearizable' : 'not-linearizable',
    );
  }
  expect(good).toBeGreaterThan(500);
  expect(good).toBeLessThan(3500);
});

it('copes with a long history of ten clients', () => {
  const random = seededRandom(3);
  const history: Op[] = [];
  let value: string | null = null;
  for (let i = 0; i < 3000; i++) {
    const at = i * 10;
    if (random.int(2) === 0) {
      value = `v${i}`;
      history.push(op({ kind: 'put', value }, true, at - random.int(80), at + 5));
    } else {
      history.push(get(value, at - random.int(80), at + 5));
    }
  }
  expect(checkLinearizable(registerModel, history)).toBe('linearizable');
});
