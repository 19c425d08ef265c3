/**
 * The whole way of a packet: two workers as hosts, sandboxes made by containerd from the overlay's CNI configuration,
 * Services by the proxy. Skipped, and said so, where the machine cannot.
 */
import { credentials } from '@grpc/grpc-js';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { inNetworkNamespace, mustRun, systemExecutor } from '../../platform/exec.js';
import { createLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import type { Service as Runnable } from '../../platform/service.js';
import { stopAll } from '../../platform/service.js';
import { PodSandboxConfig, RuntimeServiceClient } from '../../proto/gen/cri/runtime/v1/api.js';
import type { PodSandboxStatusResponse, RunPodSandboxResponse } from '../../proto/gen/cri/runtime/v1/api.js';
import { endpointSlices, nodes, services } from '../../apimachinery/gen/resources.js';
import type { EndpointSlice, Node, Service } from '../../apimachinery/gen/types.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { clientOf } from '../../sdk/object-client.js';
import { FakeObjectService } from '../../sdk/testing/fake-object-service.js';
import { nodePeerSource } from '../../services/overlay/node-source.js';
import { createOverlay } from '../../services/overlay/overlay.js';
import { createProxy } from '../../services/proxy/proxy.js';
import { importImages } from './containerd.js';
import { createHosts, missingForHosts, removeHosts, startInHost } from './hosts.js';
import { planHosts } from './plan.js';
import type { Host } from './plan.js';
import { IMAGE, buildImage } from './test-image.js';

const missing = await missingForHosts(systemExecutor);
if (!existsSync('/bin/busybox')) missing.push('/bin/busybox is missing (Debian package busybox-static)');
if (missing.length > 0) process.stderr.write(`skipped: pods of two workers with containerd (${missing.join('; ')})\n`);

interface Pod {
  readonly pid: number;
  readonly address: string;
}

async function runPod(host: Host, name: string): Promise<Pod> {
  const client = new RuntimeServiceClient(`unix:${host.containerd?.socket ?? ''}`, credentials.createInsecure());
  try {
    const config = PodSandboxConfig.fromPartial({
      metadata: { name, uid: name, namespace: 'd', attempt: 0 },
      logDirectory: join(host.dataDir, 'logs'),
    });
    const { podSandboxId } = await new Promise<RunPodSandboxResponse>((resolve, reject) =>
      client.runPodSandbox({ config, runtimeHandler: '' }, (error, response) =>
        error === null ? resolve(response) : reject(error),
      ),
    );
    const { status, info } = await new Promise<PodSandboxStatusResponse>((resolve, reject) =>
      client.podSandboxStatus({ podSandboxId, verbose: true }, (error, response) =>
        error === null ? resolve(response) : reject(error),
      ),
    );
    const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
    return { pid, address: status?.network?.ip ?? '' };
  } finally {
    client.close();
  }
}

const inPod = (pod: Pod, script: string): [string, string[]] => [
  'nsenter',
  [`--net=/proc/${pod.pid}/ns/net`, '--', process.execPath, '-e', script],
];

describe.skipIf(missing.length > 0)('pods of two workers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nvw-'));
  const plan = planHosts({ dataDir: folder, members: 0, workers: 2, underlay: '198.18.80.0/24', sandboxImage: IMAGE });
  const clock = systemClock;
  const random = seededRandom(1);
  const deps = { executor: systemExecutor, clock, logger: createLogger('hosts', { level: 'error' }) };
  const client = clientOf(new FakeObjectService({ clock, random }));
  const running: Runnable[] = [];
  const servers: ChildProcess[] = [];
  const [first, second] = plan.hosts;
  if (first === undefined || second === undefined) throw new Error('two hosts were planned');
  let pods: Pod[] = [];

  const connect = async (from: [string, string[]] | Host | undefined, script: string): Promise<string> => {
    const executor =
      from === undefined || Array.isArray(from) ? systemExecutor : inNetworkNamespace(systemExecutor, from.namespace);
    return Array.isArray(from) ? mustRun(executor, ...from) : mustRun(executor, process.execPath, ['-e', script]);
  };
  const asking = (host: string, port: number) => `
    const s = require('net').connect(${port}, '${host}'); s.setTimeout(3000, () => s.destroy(new Error('timeout')));
    s.on('data', (d) => process.stdout.write(d)); s.on('error', (e) => process.stdout.write(e.message));`;

  beforeAll(async () => {
    await createHosts(plan, deps);
    const archive = buildImage(folder);
    for (const host of plan.hosts) await importImages(host, [{ reference: IMAGE, path: archive }], deps);
    for (const [index, host] of plan.hosts.entries()) {
      await client.create<Node>(nodes, { metadata: { name: host.name }, spec: { podCIDR: `10.244.${index}.0/24` } });
      const node = await client.get(nodes, { name: host.name });
      await client.updateStatus<Node>(nodes, {
        ...node,
        status: { addresses: [{ type: 'InternalIP', address: host.address }] },
      });
    }
    for (const host of plan.hosts) {
      const executor = inNetworkNamespace(systemExecutor, host.namespace);
      const informers = new InformerFactory({ client, clock, random, logger: deps.logger });
      const overlay = createOverlay({
        nodeName: host.name,
        source: nodePeerSource(informers),
        executor,
        clock,
        logger: deps.logger,
        serviceCIDR: '10.96.0.0/12',
        ownAddresses: ['10.96.0.10'],
        cni: { confDir: host.containerd?.cniConfDir ?? '', dataDir: host.containerd?.cniDataDir ?? '' },
      });
      const proxy = createProxy({
        informers,
        executor,
        clock,
        logger: deps.logger,
        nodeName: host.name,
        clusterCIDR: '10.244.0.0/16',
        serviceCIDR: '10.96.0.0/12',
        ownAddresses: ['10.96.0.10'],
      });
      running.push(informers, overlay, proxy);
      await informers.start();
      await overlay.start();
      await proxy.start();
      await overlay.whenReady();
    }
    // Pods wait for the runtime to see its configuration, as an agent does.
    const once = async (host: Host, name: string): Promise<Pod> => {
      for (let i = 0; ; i++) {
        try {
          return await runPod(host, name);
        } catch (error) {
          if (i > 50) throw error;
          await clock.sleep(50);
        }
      }
    };
    pods = [await once(first, 'a'), await once(first, 'b'), await once(second, 'c')];
    for (const pod of pods) {
      const server = spawn(
        ...inPod(
          pod,
          `require('net').createServer((s) => { s.on('error', () => {}); s.end('${pod.address} ' + s.remoteAddress); }).listen(8080, '0.0.0.0', () => console.log('up'))`,
        ),
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      servers.push(server);
      await new Promise((resolve) => server.stdout?.once('data', resolve));
    }
    for (const [name, ip, members] of [
      ['near', '10.96.1.1', [0]],
      ['far', '10.96.1.2', [2]],
      ['all', '10.96.1.3', [0, 1, 2]],
    ] as const) {
      await client.create<EndpointSlice>(endpointSlices, {
        metadata: { name, namespace: 'd', labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        ports: [{ port: 8080 }],
        endpoints: members.map((index) => ({
          addresses: [pods[index]?.address ?? ''],
          nodeName: index === 2 ? second.name : first.name,
        })),
      });
      await client.create<Service>(services, {
        metadata: { name, namespace: 'd' },
        spec: { clusterIP: ip, ports: [{ port: 80, ...(name === 'all' ? { nodePort: 30080 } : {}) }] },
      });
    }
    for (const host of plan.hosts) {
      const table = inNetworkNamespace(systemExecutor, host.namespace);
      for (
        let i = 0;
        i < 200 && !(await table.run('nft', ['list', 'table', 'ip', 'navarch-proxy'])).stdout.includes('10.96.1.3');
        i++
      )
        await clock.sleep(20);
    }
  }, 60_000);

  afterAll(async () => {
    for (const server of servers) server.kill('SIGKILL');
    await stopAll(running);
    await removeHosts(plan, deps);
    rmSync(folder, { recursive: true });
  }, 60_000);

  it("have addresses of their node's subnet", () => {
    expect(pods.map((pod) => pod.address.split('.').slice(0, 3).join('.'))).toEqual([
      '10.244.0',
      '10.244.0',
      '10.244.1',
    ]);
  });

  it('reach a Service on their own node, across, and themselves, and are seen with their own address', async () => {
    const [a, b, c] = pods;
    if (a === undefined || b === undefined || c === undefined) throw new Error('three pods');
    expect(await connect(inPod(b, asking('10.96.1.1', 80)), '')).toBe(`${a.address} ${b.address}`);
    expect(await connect(inPod(b, asking('10.96.1.2', 80)), '')).toBe(`${c.address} ${b.address}`);
    expect(await connect(inPod(c, asking('10.96.1.1', 80)), '')).toBe(`${a.address} ${c.address}`);
    expect((await connect(inPod(a, asking('10.96.1.1', 80)), '')).split(' ')[0]).toBe(a.address);
  });

  it('reach what listens on the address that their own node answers itself', async () => {
    for (const [host, pod] of [
      [first, pods[0]],
      [second, pods[2]],
    ] as const) {
      if (pod === undefined) throw new Error('three pods');
      await startInHost(host, {
        name: 'own',
        command: process.execPath,
        args: [
          '-e',
          `const u = require('dgram').createSocket('udp4'); u.on('message', (m, from) => u.send('${host.name}', from.port, from.address)); u.bind(53, '10.96.0.10')`,
        ],
      });
      // Connected: the kernel takes an answer only from the address that was asked.
      const script = `const u = require('dgram').createSocket('udp4'); u.on('error', () => {}); u.on('message', (m) => { process.stdout.write(m); process.exit(); });
        u.connect(53, '10.96.0.10', () => setInterval(() => u.send('?', () => {}), 50)); setTimeout(() => process.exit(1), 5000);`;
      expect(await connect(inPod(pod, script), '')).toBe(host.name);
    }
  });

  it('are reached by a Service from both nodes, and by node ports of both from the machine', async () => {
    for (const host of plan.hosts) {
      expect((await connect(host, asking('10.96.1.2', 80))).split(' ')[0]).toBe(pods[2]?.address);
      expect((await connect(host, asking('10.96.1.1', 80))).split(' ')[0]).toBe(pods[0]?.address);
      const seen = new Set<string | undefined>();
      for (let i = 0; i < 60 && seen.size < 3; i++)
        seen.add((await connect(undefined, asking(host.address, 30080))).split(' ')[0]);
      expect(seen).toEqual(new Set(pods.map((pod) => pod.address)));
    }
  });
});
