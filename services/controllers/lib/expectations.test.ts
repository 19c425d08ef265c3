/** k8s.io/kubernetes/pkg/controller ControllerExpectations. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pods } from '../../../apimachinery/gen/resources.js';
import { createTestContext } from '../testing.js';
import { expectationsOf, type Expectations } from './expectations.js';

let t: ReturnType<typeof createTestContext>;
let expectations: Expectations;
beforeEach(async () => {
  t = createTestContext();
  expectations = expectationsOf(t.context.informers.informer(pods), t.clock);
  await t.start();
});
afterEach(() => t.stop());

const ref = { namespace: 'd', name: 'p' };
const make = async (finalizers: string[] = []) =>
  (await t.client.create(pods, { metadata: { ...ref, finalizers } })).metadata?.uid ?? '';

describe('an owner', () => {
  it('waits until each of its creations has arrived, and no other owner does', async () => {
    t.service.cutWatches(new Error('away'));
    const uid = await make();
    expectations.expect('d/web', uid);
    expectations.expect('d/web', 'of another one');
    expect([expectations.satisfied('d/web'), expectations.satisfied('d/other')]).toEqual([false, true]);
    expect(expectations.pending(uid)).toBe(true);
    await t.settle(10_000);
    expect([expectations.pending(uid), expectations.satisfied('d/web')]).toEqual([false, false]);
    expectations.seen('of another one');
    expect(expectations.satisfied('d/web')).toBe(true);
  });

  it('waits for a deletion until the object is terminating or gone; another change is no sign of it', async () => {
    const uid = await make(['test/hold']);
    await t.settle();
    expectations.expect('d/web', uid);
    await t.client.patch(pods, ref, { type: 'merge', body: { metadata: { labels: { a: 'b' } } } });
    await t.settle();
    expect(expectations.satisfied('d/web')).toBe(false);
    await t.client.delete(pods, ref);
    await t.settle();
    expect(expectations.satisfied('d/web')).toBe(true);
  });

  it('does not wait for ever for an event that was lost, nor for what a key before it expected', async () => {
    expectations.expect('d/web', 'lost');
    await t.clock.advance(29_000);
    expect(expectations.satisfied('d/web')).toBe(false);
    await t.clock.advance(1000);
    expect([expectations.satisfied('d/web'), expectations.pending('lost')]).toEqual([true, false]);
    expectations.expect('d/web', 'of the one before');
    expectations.forget('d/web');
    expect(expectations.satisfied('d/web')).toBe(true);
  });
});
