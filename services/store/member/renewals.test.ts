import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { LeaseExpiry } from '../backend/lease-expiry.js';
import { Leases } from '../mvcc/leases.js';
import { Renewals } from './renewals.js';

const MINUTE_MS = 60_000;

function leader(
  propose: { readonly expire?: () => Promise<unknown>; readonly checkpoint?: () => Promise<unknown> } = {},
) {
  const clock = new VirtualClock();
  const leases = new Leases(false);
  const expire = propose.expire ?? (() => new Promise(() => undefined));
  const expiry = new LeaseExpiry({
    clock,
    leases,
    expire,
    checkpoint: propose.checkpoint ?? (() => Promise.resolve()),
  });
  expiry.lead();
  return { clock, leases, expiry };
}

describe("a lease in its leader's memory", () => {
  it('is renewed there, and ends by the new time', async () => {
    const ended: number[] = [];
    const { clock, leases, expiry } = leader({ expire: () => Promise.resolve(ended.push(clock.monotonic())) });
    const lease = leases.grant(1n, 10);
    const start_ms = clock.monotonic();
    await clock.advance(9000);
    expect(expiry.renew(lease)).toBe(10);
    expect(expiry.remaining_s(1n)).toBe(10);
    await clock.advance(9900);
    expect(ended).toEqual([]);
    await clock.advance(1000);
    expect((ended[0] ?? 0) - start_ms).toBeGreaterThanOrEqual(19_000);
  });

  it('goes through the log while its end is on the way, and after one of which nothing was heard', async () => {
    const fate: { fail: () => void } = { fail: () => undefined };
    const { clock, leases, expiry } = leader({
      expire: () => new Promise((_, reject) => (fate.fail = () => reject(new Error('timeout')))),
    });
    const lease = leases.grant(1n, 10);
    await clock.advance(10_500);
    expect(expiry.renew(lease)).toBeUndefined();
    fate.fail();
    await clock.advance(0);
    expect(expiry.renew(lease)).toBeUndefined();
    // A renewal in the log came after whatever was there.
    leases.renew(lease);
    expect(expiry.renew(lease)).toBe(10);
  });

  it('goes through the log after a checkpoint, applied or not, or the next leader would take its word', async () => {
    const { clock, leases, expiry } = leader();
    const lease = leases.grant(1n, 3600);
    expect(expiry.renew(lease)).toBe(3600);
    await clock.advance(5 * MINUTE_MS + 1000);
    expect(expiry.renew(lease)).toBeUndefined();
    leases.checkpoint(1n, 3300);
    expiry.stop();
    expiry.lead();
    expect([expiry.remaining_s(1n), expiry.renew(lease)]).toEqual([3300, undefined]);
    leases.renew(lease);
    expect(expiry.renew(lease)).toBe(3600);
  });

  it('is not renewed by who does not lead', () => {
    const { leases, expiry } = leader();
    const lease = leases.grant(1n, 10);
    expiry.stop();
    expect(expiry.renew(lease)).toBeUndefined();
  });
});

describe('renewals', () => {
  const start = (
    given: { readonly isAgreed?: boolean; readonly confirm?: () => Promise<void>; readonly reach?: () => void } = {},
  ) => {
    const { leases, expiry } = leader();
    const asked: number[] = [];
    const renewals: Renewals = new Renewals({
      expiry,
      leases: () => leases,
      isAgreed: () => given.isAgreed ?? true,
      confirm: given.confirm ?? (() => Promise.resolve()),
      ask: async (question) => {
        asked.push(question.length);
        given.reach?.();
        return renewals.answer(question);
      },
    });
    return { leases, expiry, renewals, asked };
  };

  it('travel together, each with its answer', async () => {
    const { leases, expiry, renewals, asked } = start();
    leases.grant(1n, 10);
    leases.grant(-2n, 9_000_000_000);
    leases.restore(3n, { ttl_s: 600, remaining_s: 10, renewals: 0 });
    expiry.lead();
    expect(await Promise.all([1n, 7n, -2n, 3n].map((id) => renewals.renew(id)))).toEqual([
      { kind: 'renewed', ttl_s: 10 },
      { kind: 'gone' },
      { kind: 'renewed', ttl_s: 9_000_000_000 },
      { kind: 'log' },
    ]);
    expect(asked).toEqual([1 + 4 * 8]);
  });

  it('go through the log where a member does not understand the question, nobody answers, or the leader is not confirmed', async () => {
    const fail = () => {
      throw new Error('no');
    };
    for (const given of [{ isAgreed: false }, { reach: fail }, { confirm: async () => fail() }]) {
      const { leases, renewals } = start(given);
      leases.grant(1n, 10);
      expect(await renewals.renew(1n)).toEqual({ kind: 'log' });
    }
  });

  it('wait for those under way, and go on after a question that failed', async () => {
    let questions = 0;
    const { leases, renewals, asked } = start({
      reach: () => {
        if (questions++ === 0) throw new Error('no');
      },
    });
    leases.grant(1n, 10);
    const first = renewals.renew(1n);
    await Promise.resolve();
    const later = [renewals.renew(1n), renewals.renew(1n)];
    expect(await first).toEqual({ kind: 'log' });
    expect(await Promise.all(later)).toEqual([
      { kind: 'renewed', ttl_s: 10 },
      { kind: 'renewed', ttl_s: 10 },
    ]);
    expect(asked).toEqual([9, 17]);
  });

  it('tell what is left by the clock of the leader, and of nobody else', async () => {
    const { leases, expiry, renewals } = start();
    leases.grant(1n, 10);
    expect(await renewals.remaining_s(1n)).toBe(10);
    expiry.stop();
    await expect(renewals.remaining_s(1n)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
