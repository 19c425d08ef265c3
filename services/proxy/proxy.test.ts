import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import type { CommandResult, Executor } from '../../platform/exec.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import { endpointSlices, services } from '../../apimachinery/gen/resources.js';
import type { EndpointSlice, Service } from '../../apimachinery/gen/types.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { clientOf } from '../../sdk/object-client.js';
import { FakeObjectService } from '../../sdk/testing/fake-object-service.js';
import { createProxy } from './proxy.js';

async function setUp() {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const client = clientOf(new FakeObjectService({ clock, random }));
  const informers = new InformerFactory({ client, clock, random, logger: silentLogger });
  const texts: string[] = [];
  const answers: CommandResult[] = [];
  const commands: string[] = [];
  const executor: Executor = {
    run: (command, args, options) => {
      commands.push([command, ...args].join(' '));
      if (options?.stdin !== undefined) texts.push(options.stdin);
      const fine = { code: 0, stdout: args.includes('prerouting') ? 'jump dispatch' : '', stderr: '' };
      return Promise.resolve(answers.shift() ?? fine);
    },
  };
  const proxy = createProxy({
    informers,
    executor,
    clock,
    logger: silentLogger,
    nodeName: 'n1',
    clusterCIDR: '10.244.0.0/16',
    serviceCIDR: '10.96.0.0/12',
  });
  const service = (name: string, ip: string, protocol = 'TCP') =>
    client.create<Service>(services, {
      metadata: { name, namespace: 'd' },
      spec: { clusterIP: ip, ports: [{ port: 80, protocol }] },
    });
  const slice = (name: string, addresses: string[], protocol = 'TCP') =>
    client.create<EndpointSlice>(endpointSlices, {
      metadata: { name, namespace: 'd', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ port: 8080, protocol }],
      endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    });
  await service('a', '10.96.0.1');
  await slice('a', ['10.244.0.1']);
  return { clock, client, informers, proxy, texts, answers, commands, service, slice };
}

describe('the proxy', () => {
  it('writes nothing before its caches are complete, then everything once, then changes', async () => {
    const t = await setUp();
    await t.proxy.start();
    await t.clock.advance(1000);
    expect(t.texts).toEqual([]);
    await t.informers.start();
    await t.clock.advance(10);
    await t.proxy.whenSettled();
    expect(t.texts).toHaveLength(1);
    expect(t.texts[0]).toContain('10.96.0.1 . 80 . 0 : 10.244.0.1 . 8080');
    await t.service('b', '10.96.0.2');
    await t.slice('b', ['10.244.0.2', '10.244.0.3']);
    await t.clock.advance(10);
    expect(t.texts).toHaveLength(2);
    expect(t.texts[1]).not.toContain('10.96.0.1 ');
    expect(t.proxy.stats).toEqual({ full: 1, delta: 1, failed: 0 });
    await t.proxy.stop();
    await t.informers.stop();
  });

  it('writes everything again after a transaction that failed', async () => {
    const t = await setUp();
    await t.informers.start();
    await t.proxy.start();
    await t.clock.advance(10);
    t.answers.push({ code: 1, stdout: '', stderr: 'No such file or directory' });
    await t.service('b', '10.96.0.2');
    await t.clock.advance(10);
    expect(t.proxy.stats).toEqual({ full: 1, delta: 0, failed: 1 });
    await t.clock.advance(500);
    expect(t.proxy.stats).toEqual({ full: 2, delta: 0, failed: 1 });
    expect(t.texts.at(-1)).toContain('10.96.0.2 . tcp . 80 : goto do-reject');
    await t.proxy.stop();
    await t.informers.stop();
  });

  it('notices that somebody flushed the ruleset', async () => {
    const t = await setUp();
    await t.informers.start();
    await t.proxy.start();
    await t.clock.advance(30_000);
    expect(t.proxy.stats.full).toBe(1);
    t.answers.push({ code: 1, stdout: '', stderr: 'No such file or directory' });
    await t.clock.advance(30_010);
    expect(t.proxy.stats.full).toBe(2);
    await t.proxy.stop();
    await t.informers.stop();
  });

  it('forgets UDP flows to a backend that left', async () => {
    const t = await setUp();
    await t.service('u', '10.96.0.3', 'UDP');
    const slice = await t.slice('u', ['10.244.0.1', '10.244.0.2'], 'UDP');
    await t.informers.start();
    await t.proxy.start();
    await t.clock.advance(10);
    t.commands.length = 0;
    await t.client.update(endpointSlices, { ...slice, endpoints: (slice.endpoints ?? []).slice(0, 1) });
    await t.clock.advance(10);
    expect(t.commands).toEqual([
      'nft -f -',
      'conntrack -D -f ipv4 -p udp --orig-port-dst 80 --orig-dst 10.96.0.3 --dst-nat 10.244.0.2',
    ]);
    await t.proxy.stop();
    await t.informers.stop();
  });
});
