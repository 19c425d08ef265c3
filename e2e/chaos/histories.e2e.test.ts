/** The judge of what clients were told is judged: it must see what it is for. */
import { describe, expect, it } from 'vitest';
import type { Outcome } from './etcd-client.js';
import { Histories } from './histories.js';
import { Verdict } from './verdict.js';

const REGISTER = '/chaos/r/0';
const ok =
  <T>(value: T) =>
  (): Promise<Outcome<T>> =>
    Promise.resolve({ kind: 'ok', value });
const lost = () => Promise.resolve<Outcome<never>>({ kind: 'unknown', why: 'the connection was lost' });

/** A chronicle that tells these writes. */
function judge(writes: Record<string, number>) {
  const written = new Map(Object.entries(writes).map(([value, revision]) => [value, { key: REGISTER, revision }]));
  const verdict = new Verdict();
  return { verdict, histories: new Histories({ revision: 100, written }, verdict) };
}

describe("clients' histories", () => {
  it('that are good pass, with calls of unknown outcome that happened and that did not', async () => {
    const { verdict, histories } = judge({ w1: 2, w2: 3 });
    await histories.register(REGISTER, { kind: 'put', value: 'w1' }, { work: ok(true), told: () => true });
    histories.wrote({ key: REGISTER, value: 'w1', revision: 2 });
    await histories.register(REGISTER, { kind: 'put', value: 'w2' }, { work: lost, told: () => true });
    await histories.register(REGISTER, { kind: 'put', value: 'w3' }, { work: lost, told: () => true });
    await histories.register(REGISTER, { kind: 'get' }, { work: ok('w2'), told: (value: string) => value });
    histories.finish();
    expect(verdict.found).toEqual([]);
    expect([histories.acknowledged, histories.unknown]).toEqual([1, 2]);
  });

  it.each([
    ['an acknowledged write that is nowhere', {}],
    ['an acknowledged write at another revision', { w1: 4 }],
  ])('show %s', (_, writes) => {
    const { histories } = judge(writes);
    histories.wrote({ key: REGISTER, value: 'w1', revision: 2 });
    expect(() => histories.finish()).toThrow(/1 acknowledged writes are lost: "w1"/);
  });

  it('show a refused write that happened', async () => {
    const { histories } = judge({ w1: 2 });
    await histories.register(
      REGISTER,
      { kind: 'put', value: 'w1' },
      { work: () => Promise.resolve({ kind: 'refused', why: 'no space' }), told: () => true },
    );
    expect(() => histories.finish()).toThrow('happened although its client was told "no space"');
  });

  it('show a stale read', async () => {
    const { histories } = judge({ w1: 2, w2: 3 });
    for (const value of ['w1', 'w2'])
      await histories.register(REGISTER, { kind: 'put', value }, { work: ok(true), told: () => true });
    await histories.register(REGISTER, { kind: 'get' }, { work: ok('w1'), told: (value: string) => value });
    expect(() => histories.finish()).toThrow(`the history of ${REGISTER} has no order`);
  });

  it("show revisions that go back in time, and a range that is not its revision's", () => {
    const { verdict, histories } = judge({});
    histories.answered(5, 6, true);
    expect(() => histories.answered(6, 6, true)).toThrow('real time');
    expect(() => histories.answered(6, 5, false)).toThrow('real time');
    histories.read({ what: 'a range', revision: 101, expected: () => 'later', actual: 'now' });
    histories.judgeReads();
    histories.read({ what: 'a range', revision: 100, expected: () => '1:a', actual: '0:' });
    expect(() => histories.judgeReads()).toThrow('a range reads "0:" at revision 100, it should be "1:a"');
    expect(verdict.signal.aborted).toBe(true);
  });
});
