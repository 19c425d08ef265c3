/**
 * Issue 7, seam 5: what a member reaches through a worker. The addresses are the runtime's, whatever the API's
 * objects say (CVE-2022-3294).
 */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { PodStream, PodStreamRequest } from '../../apimachinery/pod-streams.js';
import { systemClock } from '../../platform/clock.js';
import { FakeRuntime } from './runtime/fake.js';
import type { SandboxRecord } from './runtime/runtime.js';
import { openPodStream, type StreamParts } from './streams.js';

const NODE_IP = '192.0.2.7';
const { signal } = new AbortController();
const opened = {} as PodStream;

const sandbox: SandboxRecord = {
  id: 's',
  namespace: 'd',
  name: 'web',
  uid: 'u1',
  attempt: 0,
  ready: true,
  createdAt_ms: 1,
  ips: ['10.244.1.5', 'fd00::5'],
  labels: {},
  annotations: {},
};

function parts(hostNetwork: boolean): { readonly parts: StreamParts; readonly dialled: string[][] } {
  const dialled: string[][] = [];
  const runtime = Object.assign(new FakeRuntime(systemClock), {
    openPort(of: SandboxRecord, port: number) {
      dialled.push([of.ips[0] ?? '', String(port)]);
      return Promise.resolve(opened);
    },
  });
  const own = hostNetwork ? { ...sandbox, ips: [] } : sandbox;
  const pod = {
    metadata: { namespace: 'd', name: 'web', uid: 'u1' },
    spec: { hostNetwork, containers: [] },
    status: { podIP: '203.0.113.1' },
  };
  const worker = {
    key: { namespace: 'd', name: 'web', uid: 'u1' },
    pod,
    snapshot: { sandboxes: [own], containers: [] },
  };
  return { dialled, parts: { workers: new Map([['u1', worker]]), runtime, nodeIP: NODE_IP } };
}

const forward = (address?: string): PodStreamRequest => ({
  kind: 'port-forward',
  namespace: 'd',
  pod: 'web',
  uid: 'u1',
  port: 80,
  ...(address === undefined ? {} : { address }),
});

describe('the address of a pod', () => {
  it.each([
    ['its first address', { hostNetwork: false, address: '10.244.1.5', expected: '10.244.1.5' }],
    ['its second address', { hostNetwork: false, address: 'fd00::5', expected: 'fd00::5' }],
    ["the node, of a pod with the node's network", { hostNetwork: true, address: NODE_IP, expected: NODE_IP }],
    ['none: as for kubectl port-forward', { hostNetwork: false, address: undefined, expected: '10.244.1.5' }],
  ])('is reached when it is %s', async (_, { hostNetwork, address, expected }) => {
    const test = parts(hostNetwork);
    expect(await openPodStream(forward(address), test.parts, signal)).toBe(opened);
    expect(test.dialled).toEqual([[expected, '80']]);
  });

  it.each([
    ['another pod', { hostNetwork: false, address: '10.244.1.6' }],
    ['what somebody wrote into its status', { hostNetwork: false, address: '203.0.113.1' }],
    ['loopback', { hostNetwork: false, address: '127.0.0.1' }],
    ['the node, of a pod with its own network', { hostNetwork: false, address: NODE_IP }],
    ["loopback, of a pod with the node's network", { hostNetwork: true, address: '127.0.0.1' }],
    ["another node, of a pod with the node's network", { hostNetwork: true, address: '192.0.2.8' }],
  ])('is refused when it is %s', (_, { hostNetwork, address }) => {
    const test = parts(hostNetwork);
    expect(() => openPodStream(forward(address), test.parts, signal)).toThrow(
      `pod web does not have the address ${address}`,
    );
    expect(test.dialled).toEqual([]);
  });
});

describe("the worker's own port", () => {
  const open = (port: number, serving?: StreamParts['serving']) =>
    openPodStream(
      { kind: 'node-port', port },
      { ...parts(false).parts, ...(serving === undefined ? {} : { serving }) },
      signal,
    );

  it('is reached, and no other port of its machine', async () => {
    const server = createServer((socket) => socket.end('metrics'));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const serving = { host: '127.0.0.1', port };
    const stream = await open(port, serving);
    const read: string[] = [];
    for await (const frame of stream) if (frame.kind === 'stdout') read.push(Buffer.from(frame.data).toString());
    expect(read.join('')).toBe('metrics');
    server.close();
    for (const other of [22, 0, port + 1, 65_535])
      expect(() => open(other, serving)).toThrow(`port ${other} of its machine is not reached`);
  });

  it('is unavailable on a worker that serves none', () => {
    expect(() => open(10_250)).toThrow('the worker serves no port');
  });
});
