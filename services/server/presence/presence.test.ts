import { describe, expect, it } from 'vitest';
import { leases } from '../../../apimachinery/gen/resources.js';
import { VirtualClock } from '../../../platform/clock.js';
import { silentLogger } from '../../../platform/log.js';
import { seededRandom } from '../../../platform/random.js';
import { clientOf } from '../../../sdk/object-client.js';
import { FakeObjectService } from '../../../sdk/testing/index.js';
import { Presence } from './presence.js';

const RENEWAL_MS = 2_000;

function setUp() {
  const clock = new VirtualClock();
  const client = clientOf(new FakeObjectService({ clock, random: seededRandom(1), withoutStatus: ['leases'] }));
  const server = (name: string, saysGoodbye = true) =>
    new Presence({
      client,
      name,
      identity: `${name}_${clock.monotonic()}`,
      grpcAddress: `${name}:2379`,
      renewal_ms: RENEWAL_MS,
      saysGoodbye,
      clock,
      logger: silentLogger,
    });
  const seen = (presence: Presence) =>
    presence
      .servers()
      .map(({ name, grpcAddress, alive }) => `${name} ${grpcAddress} ${alive ? 'alive' : 'silent'}`)
      .toSorted();
  return { clock, client, server, seen };
}

describe('Presence', () => {
  it('shows every server to every other, and takes one for dead that is silent for the length of its lease', async () => {
    const { clock, server, seen, client } = setUp();
    const [a, b] = [server('a'), server('b', false)];
    await Promise.all([a.start(), b.start()]);
    await clock.advance(3 * RENEWAL_MS);
    expect(seen(a)).toEqual(['a a:2379 alive', 'b b:2379 alive']);
    expect(seen(b)).toEqual(seen(a));
    await b.stop();
    await clock.advance(3 * RENEWAL_MS);
    expect(seen(a)).toContain('b b:2379 alive');
    await clock.advance(3 * RENEWAL_MS);
    expect(seen(a)).toEqual(['a a:2379 alive', 'b b:2379 silent']);
    // Much later it is forgotten.
    await clock.advance(100 * RENEWAL_MS);
    expect(seen(a)).toEqual(['a a:2379 alive']);
    expect((await client.list(leases, { namespace: 'kube-system' })).items).toHaveLength(1);
    await a.stop();
    expect((await client.list(leases, { namespace: 'kube-system' })).items).toEqual([]);
  });

  it('takes over its own lease when it comes back under another identity', async () => {
    const { clock, server, seen } = setUp();
    const first = server('a', false);
    await first.start();
    await clock.advance(RENEWAL_MS);
    await first.stop();
    const second = server('a');
    await second.start();
    await clock.advance(10 * RENEWAL_MS);
    expect(seen(second)).toEqual(['a a:2379 alive']);
    await second.stop();
  });
});
