/**
 * Faults in a worker with real containers (issue 6 row 27): callbacks of its agent process throw, where nothing catches
 * them. Each part fails for itself, is counted, and starts again; what is of no part ends the process, which its
 * supervisor starts again.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { showLogsOnFailure } from './lib/on-failure.js';
import { missing } from './lib/requirements.js';
import { until } from './lib/until.js';
import { navarch, UpCluster } from './lib/up-cluster.js';

const lacking = missing('containment', ['kubectl', 'containers']);
const IMAGE = 'navarch.example/web:1';

/**
 * Loaded into every process of the cluster, and active in the agent of w1 alone: DNS throws when it connects to its
 * upstream, the proxy when a command of its has ended (once), and a probe's connection when it is there.
 */
const INJECTION = `
import { ChildProcess } from 'node:child_process';
import dgram from 'node:dgram';
import net from 'node:net';
if (process.argv.includes('agent') && process.argv[process.argv.indexOf('--name') + 1] === 'w1') {
  const connect = dgram.Socket.prototype.connect;
  dgram.Socket.prototype.connect = function (port, address) {
    return connect.call(this, port, address, () => { throw new Error('injected: upstream'); });
  };
  let injected = false;
  const emit = ChildProcess.prototype.emit;
  ChildProcess.prototype.emit = function (event, ...args) {
    const result = emit.call(this, event, ...args);
    if (event === 'close' && this.spawnfile === 'nft' && !injected) {
      injected = true;
      throw new Error('injected: nft');
    }
    return result;
  };
  const socketEmit = net.Socket.prototype.emit;
  net.Socket.prototype.emit = function (event, ...args) {
    const port = this.remotePort;
    const result = socketEmit.call(this, event, ...args);
    if (event === 'connect' && port === 8099) throw new Error('injected: probe');
    return result;
  };
}
`;

describe.skipIf(lacking.length > 0)('faults in a worker', () => {
  let cluster: UpCluster;
  let kubectl: Kubectl;
  let folder: string;
  showLogsOnFailure(() => cluster);
  const optionsBefore = process.env['NODE_OPTIONS'];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'navarch-inject-'));
    await writeFile(join(folder, 'inject.mjs'), INJECTION);
    process.env['NODE_OPTIONS'] = `--import ${join(folder, 'inject.mjs')}`;
    try {
      cluster = await UpCluster.start({ name: 'containment', members: 1, workers: 2 });
    } finally {
      if (optionsBefore === undefined) delete process.env['NODE_OPTIONS'];
      else process.env['NODE_OPTIONS'] = optionsBefore;
    }
    kubectl = new Kubectl(findKubectl() ?? '', cluster.kubeconfig);
  });

  afterAll(async () => {
    await kubectl?.close();
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const apply = (name: string, script: string, more: object = {}) =>
    kubectl.ok(['apply', '-f', '-'], {
      stdin: JSON.stringify({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name },
        spec: {
          nodeName: 'w1',
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'c', image: IMAGE, command: ['node', '-e', script], ...more }],
        },
      }),
    });
  const status = async () => (await navarch(['status', '--data-dir', cluster.dataDir])).stdout;
  const resolve = (name: string) =>
    kubectl.ok([
      'exec',
      'asks',
      '--',
      'node',
      '-e',
      `require('dns').resolve4('${name}', (error, found) => console.log(error ? error.code : found.join()))`,
    ]);

  it('end neither the agent nor each other: names, Services and pods of the node go on', async () => {
    const agent = cluster.pidOf('w1');
    await apply('asks', 'setInterval(() => {}, 1000)');
    await apply('probed', "require('net').createServer((socket) => socket.end()).listen(8099)", {
      readinessProbe: { tcpSocket: { port: 8099 }, periodSeconds: 1 },
    });
    await kubectl.ok(['wait', '--for=condition=Ready', 'pod/asks', '--timeout=60s']);
    expect(await resolve('outside.example.test')).toBe('ESERVFAIL\n');
    expect(await resolve('kubernetes.default.svc.cluster.local')).toBe('10.96.0.1\n');
    const shown = await until(
      'the faults of DNS, proxy and a pod',
      async () => {
        const text = (await status()).split('\n').find((line) => line.startsWith('w1 contained faults:')) ?? '';
        return ['dns-question ', 'proxy 1', 'pod '].every((part) => text.includes(part)) ? text : undefined;
      },
      { show: status },
    );
    expect(shown).toContain('injected: ');
    // The proxy of the next life has written the rules: a Service can be reached.
    expect(
      await kubectl.ok([
        'exec',
        'asks',
        '--',
        'node',
        '-e',
        "require('net').connect(443, '10.96.0.1', () => { console.log('reached'); process.exit(); })",
      ]),
    ).toBe('reached\n');
    expect(cluster.pidOf('w1')).toBe(agent);
    expect(await status()).not.toContain('w2 contained');
    await kubectl.ok(['delete', 'pod', 'asks', 'probed', '--wait']);
  });
});
