/**
 * Real nftables in network namespaces: `node` is a worker, `pods` holds backends (several addresses on one link), `out`
 * is a machine beside the worker. Skipped, and said so, without root, nft or namespaces.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { inNetworkNamespace, mustRun, systemExecutor } from '../../platform/exec.js';
import { createLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import { endpointSlices, services } from '../../apimachinery/gen/resources.js';
import type { EndpointSlice, Service } from '../../apimachinery/gen/types.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { clientOf } from '../../sdk/object-client.js';
import { FakeObjectService } from '../../sdk/testing/fake-object-service.js';
import { createProxy, removeProxyTable } from './proxy.js';
import type { Proxy } from './proxy.js';

const why =
  process.getuid?.() !== 0
    ? 'not root'
    : ['nft', 'ip', 'conntrack'].find((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
if (why !== undefined) process.stderr.write(`skipped: the proxy against real nftables (${why})\n`);

const id = `nvp${process.pid}`;
const [node, pods, out] = [`${id}n`, `${id}p`, `${id}o`];
const inNode = inNetworkNamespace(systemExecutor, node);
const inPods = inNetworkNamespace(systemExecutor, pods);
const inOut = inNetworkNamespace(systemExecutor, out);
const ip = (executor: typeof systemExecutor, line: string) => mustRun(executor, 'ip', line.split(' '));

/** Answers with its own address and the client's, over TCP (then closes, unless asked to stay) and UDP. */
const SERVER = `
const net = require('net'), dgram = require('dgram');
for (const address of process.argv.slice(1)) {
  net.createServer((s) => { s.on('error', () => {}); s.on('data', (d) => { s.write(address + ' ' + s.remoteAddress + '\\n'); if (!/stay/.test(d)) s.end(); }); }).listen(8080, address);
  const u = dgram.createSocket('udp4'); u.on('message', (m, r) => u.send(address, r.port, r.address)); u.bind(8080, address);
}
console.log('up');`;
/** Connects argv[4] times to argv[2]:argv[3], prints a line for each: the answer or the error's code. */
const CLIENT = `
const net = require('net'); const [host, port, times] = process.argv.slice(1);
const once = () => new Promise((done) => { let got = ''; const s = net.connect(+port, host, () => s.write('hi'));
  s.setTimeout(3000, () => s.destroy(new Error('timeout'))); s.on('data', (d) => got += d); s.on('error', (e) => done(e.code || e.message)); s.on('end', () => done(got.trim())); });
(async () => { for (let i = 0; i < +times; i++) console.log(await once()); process.exit(); })();`;

const ask = async (from: typeof systemExecutor, host: string, port: number, times = 1) =>
  (await mustRun(from, process.execPath, ['-e', CLIENT, host, String(port), String(times)])).trim().split('\n');

describe.skipIf(why !== undefined)('the proxy on real nftables', () => {
  const clock = systemClock;
  const random = seededRandom(1);
  const client = clientOf(new FakeObjectService({ clock, random }));
  let informers: InformerFactory;
  let proxy: Proxy;
  let server: ChildProcess;
  let sizes: number[] = [];

  const startProxy = async () => {
    informers = new InformerFactory({ client, clock, random, logger: createLogger('proxy', { level: 'warn' }) });
    const executor: typeof inNode = {
      run: (command, args, options) => {
        if (command === 'nft' && options?.stdin !== undefined) sizes.push(options.stdin.length);
        return inNode.run(command, args, options);
      },
    };
    proxy = createProxy({
      informers,
      executor,
      clock,
      logger: createLogger('proxy', { level: 'warn' }),
      nodeName: 'node',
      clusterCIDR: '10.244.0.0/16',
      serviceCIDR: '10.96.0.0/12',
    });
    await informers.start();
    await proxy.start();
    await proxy.whenSettled();
  };
  const putService = (name: string, ip4: string, more: object = {}, port: object = {}) =>
    client.create<Service>(services, {
      metadata: { name, namespace: 'd' },
      spec: { clusterIP: ip4, ports: [{ port: 80, ...port }], ...more },
    });
  const putSlice = (name: string, addresses: string[], protocol = 'TCP') =>
    client.create<EndpointSlice>(endpointSlices, {
      metadata: { name, namespace: 'd', labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ port: 8080, protocol }],
      endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true }, nodeName: 'node' })),
    });
  /** Lets the informers' events arrive, then waits for the transaction. */
  const settled = async (until: () => boolean) => {
    for (let i = 0; i < 500 && !until(); i++) await clock.sleep(5);
    await proxy.whenSettled();
    expect(until()).toBe(true);
  };

  beforeAll(async () => {
    for (const name of [node, pods, out]) await ip(systemExecutor, `netns add ${name}`);
    for (const executor of [inNode, inPods, inOut]) await ip(executor, 'link set lo up');
    await ip(systemExecutor, `link add pods netns ${node} type veth peer name eth0 netns ${pods}`);
    await ip(systemExecutor, `link add out netns ${node} type veth peer name eth0 netns ${out}`);
    await ip(inNode, 'address add 10.244.0.1/24 dev pods');
    await ip(inNode, 'address add 198.18.77.1/24 dev out');
    for (const dev of ['pods', 'out']) await ip(inNode, `link set ${dev} up`);
    for (const last of [2, 3, 4, 5]) await ip(inPods, `address add 10.244.0.${last}/24 dev eth0`);
    await ip(inOut, 'address add 198.18.77.2/24 dev eth0');
    for (const executor of [inPods, inOut]) await ip(executor, 'link set eth0 up');
    await ip(inPods, 'route add 10.96.0.0/12 via 10.244.0.1');
    await ip(inPods, 'route add 198.18.77.0/24 via 10.244.0.1');
    await ip(inOut, 'route add 10.96.0.0/12 via 198.18.77.1');
    await ip(inNode, 'route add 10.96.0.0/12 dev lo src 198.18.77.1');
    await mustRun(inNode, 'sh', ['-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward']);
    server = spawn(
      'nsenter',
      [`--net=/run/netns/${pods}`, process.execPath, '-e', SERVER, '10.244.0.2', '10.244.0.3', '10.244.0.4'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await new Promise((resolve) => server.stdout?.once('data', resolve));
    await putService('web', '10.96.0.1', { type: 'NodePort', externalIPs: [] }, { nodePort: 30080 });
    await putSlice('web', ['10.244.0.2', '10.244.0.3', '10.244.0.4']);
    await putService('none', '10.96.0.2');
    await startProxy();
  });

  afterAll(async () => {
    await proxy.stop();
    await informers.stop();
    server.kill('SIGKILL');
    for (const name of [node, pods, out]) await systemExecutor.run('ip', ['netns', 'del', name]);
  });

  it('a ClusterIP is answered by all backends, from outside and from the node', async () => {
    for (const from of [inOut, inNode]) {
      const answers = await ask(from, '10.96.0.1', 80, 40);
      expect(new Set(answers.map((line) => line.split(' ')[0]))).toEqual(
        new Set(['10.244.0.2', '10.244.0.3', '10.244.0.4']),
      );
    }
  });

  it('a pod reaches itself through its Service', async () => {
    const before = proxy.stats.delta;
    await putSlice('self', ['10.244.0.2']);
    await putService('self', '10.96.0.7');
    await settled(() => proxy.stats.delta > before);
    expect(await ask(inPods, '10.96.0.7', 80)).toEqual(['10.244.0.2 10.244.0.1']);
  });

  it('a node port is answered on every address of the node, with the sender masqueraded', async () => {
    const answers = await ask(inOut, '198.18.77.1', 30080, 10);
    expect(new Set(answers.map((line) => line.split(' ')[1]))).toEqual(new Set(['10.244.0.1']));
    expect((await ask(inPods, '10.244.0.1', 30080, 5)).every((line) => line.startsWith('10.244.0.'))).toBe(true);
  });

  it('refuses at once where nobody answers', async () => {
    expect(await ask(inOut, '10.96.0.2', 80)).toEqual(['ECONNREFUSED']);
    expect(await ask(inNode, '10.96.0.2', 80)).toEqual(['ECONNREFUSED']);
  });

  it('a rolling change fails no request and breaks no connection, nor does a new proxy', async () => {
    const hold = spawn(
      'nsenter',
      [
        `--net=/run/netns/${out}`,
        process.execPath,
        '-e',
        `
      const s = require('net').connect(80, '10.96.0.1', () => s.write('stay')); s.on('data', (d) => process.stdout.write(d));
      process.stdin.on('data', () => s.write('stay')); s.on('close', () => process.exit(9)); s.on('error', () => process.exit(8));`,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    const reply = () =>
      new Promise<string>((resolve) => hold.stdout.once('data', (data: Buffer) => resolve(data.toString())));
    const first = await reply();
    const asking = ask(inOut, '10.96.0.1', 80, 600);
    for (const addresses of [
      ['10.244.0.2'],
      ['10.244.0.3', '10.244.0.4'],
      ['10.244.0.4'],
      ['10.244.0.2', '10.244.0.3', '10.244.0.4'],
      ['10.244.0.3'],
    ]) {
      const deltas = proxy.stats.delta;
      const slice = await client.get(endpointSlices, { namespace: 'd', name: 'web' });
      await client.update(endpointSlices, {
        ...slice,
        endpoints: addresses.map((address) => ({ addresses: [address], nodeName: 'node' })),
      });
      await settled(() => proxy.stats.delta > deltas);
    }
    await proxy.stop();
    await informers.stop();
    await startProxy();
    const answers = await asking;
    expect(answers.filter((line) => !line.startsWith('10.244.0.'))).toEqual([]);
    expect(new Set((await ask(inOut, '10.96.0.1', 80, 10)).map((line) => line.split(' ')[0]))).toEqual(
      new Set(['10.244.0.3']),
    );
    const again = reply();
    hold.stdin.write('x');
    expect(await again).toBe(first);
    hold.kill('SIGKILL');
  });

  it('keeps a client with its backend under affinity', async () => {
    const before = proxy.stats.delta;
    await putSlice('sticky', ['10.244.0.2', '10.244.0.3', '10.244.0.4']);
    await putService('sticky', '10.96.0.5', { sessionAffinity: 'ClientIP' });
    await settled(() => proxy.stats.delta > before);
    expect(new Set(await ask(inOut, '10.96.0.5', 80, 20)).size).toBe(1);
  });

  it('moves UDP clients on when their backend goes', async () => {
    let before = proxy.stats.delta;
    const slice = await putSlice('udp', ['10.244.0.2'], 'UDP');
    await putService('udp', '10.96.0.6', {}, { protocol: 'UDP' });
    await settled(() => proxy.stats.delta > before);
    const sender = spawn(
      'nsenter',
      [
        `--net=/run/netns/${out}`,
        process.execPath,
        '-e',
        `
      const u = require('dgram').createSocket('udp4'); u.on('message', (m) => process.stdout.write(m + '\\n')); setInterval(() => u.send('hi', 80, '10.96.0.6'), 20);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const seen: string[] = [];
    sender.stdout.on('data', (data: Buffer) => seen.push(...data.toString().trim().split('\n')));
    for (let i = 0; i < 500 && seen.length === 0; i++) await clock.sleep(5);
    expect(seen[0]).toBe('10.244.0.2');
    before = proxy.stats.delta;
    await client.update(endpointSlices, { ...slice, endpoints: [{ addresses: ['10.244.0.3'], nodeName: 'node' }] });
    for (let i = 0; i < 500 && !seen.includes('10.244.0.3'); i++) await clock.sleep(5);
    sender.kill('SIGKILL');
    expect(seen.at(-1)).toBe('10.244.0.3');
  });

  it('with a thousand services one change is one small transaction', async () => {
    for (let i = 0; i < 1000; i++) {
      await putService(`s${i}`, `10.97.${i >> 8}.${i & 255}`);
      await putSlice(`s${i}`, ['10.244.0.2', '10.244.0.3']);
    }
    await settled(() => informers.informer(endpointSlices).lister.size >= 1000);
    const slice = await client.get(endpointSlices, { namespace: 'd', name: 's500' });
    sizes = [];
    const before = proxy.stats.delta;
    await client.update(endpointSlices, { ...slice, endpoints: [{ addresses: ['10.244.0.4'], nodeName: 'node' }] });
    await settled(() => proxy.stats.delta > before);
    expect(sizes).toHaveLength(1);
    expect(sizes[0]).toBeLessThan(600);
    expect(proxy.stats.failed).toBe(0);
    expect((await ask(inOut, '10.97.1.244', 80))[0]?.split(' ')[0]).toBe('10.244.0.4');
  });

  it('leaves nothing when it is removed, twice too', async () => {
    await removeProxyTable(inNode);
    await removeProxyTable(inNode);
    expect(await mustRun(inNode, 'nft', ['list', 'tables'])).toBe('');
  });
});
