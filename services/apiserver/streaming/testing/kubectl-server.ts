/**
 * For tests: an HTTPS server that answers just what kubectl asks before `exec`, `attach`, `cp` and `port-forward` to
 * the pod `default/p`, and hands the upgrade to the front under test.
 */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PodStream, PodStreamRequest } from '../../../../apimachinery/pod-streams.js';
import { createAuthority, issueCertificate } from '../../../../platform/pki/x509.js';
import { systemClock } from '../../../../platform/clock.js';
import { systemRandom } from '../../../../platform/random.js';
import type { UpgradeRequest } from '../../ports.js';
import { createStreamingFront } from '../index.js';

const POD = {
  kind: 'Pod',
  apiVersion: 'v1',
  metadata: { name: 'p', namespace: 'default', uid: 'u' },
  spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i', stdin: true }] },
  status: { phase: 'Running', podIP: '10.0.0.1', containerStatuses: [{ name: 'c', ready: true }] },
};

const PODS = [
  ['pods', ['get', 'list', 'create']],
  ['pods/exec', ['create', 'get']],
  ['pods/attach', ['create', 'get']],
  ['pods/portforward', ['create', 'get']],
] as const;

const DOCUMENTS: Readonly<Record<string, unknown>> = {
  '/version': { major: '1', minor: '36', gitVersion: 'v1.36.0' },
  '/api': { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] },
  '/apis': { kind: 'APIGroupList', apiVersion: 'v1', groups: [] },
  '/api/v1': {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: 'v1',
    resources: PODS.map(([name, verbs]) => ({
      name,
      singularName: '',
      namespaced: true,
      kind: 'Pod',
      verbs,
      shortNames: [],
    })),
  },
  '/api/v1/namespaces/default/pods/p': POD,
};

const KINDS: Readonly<Record<string, UpgradeRequest['kind']>> = {
  exec: 'exec',
  attach: 'attach',
  portforward: 'port-forward',
};

export interface KubectlServerOptions {
  open(request: PodStreamRequest, options: { readonly signal: AbortSignal }): Promise<PodStream>;
  reach?(): Promise<void>;
}

/** `upgrades` tells how each client came: `websocket v5.channel.k8s.io`, `spdy/3.1 v4.channel.k8s.io`. */
export async function startKubectlServer(options: KubectlServerOptions) {
  const context = { clock: systemClock, random: systemRandom };
  const authority = await createAuthority('test', 3_600_000, context);
  const { certificate, privateKey } = await issueCertificate(
    authority,
    { subject: { commonName: 'test' }, usages: ['server'], names: ['127.0.0.1'], lifetime_ms: 3_600_000 },
    context,
  );
  const front = createStreamingFront();
  const upgrades: string[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer({ cert: certificate, key: privateKey }, answer);
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = new URL(request.url ?? '/', 'https://test');
    const { headers } = request;
    upgrades.push(
      `${headers.upgrade?.toLowerCase()} ${headers['sec-websocket-protocol'] ?? String(headers['x-stream-protocol-version'])}`,
    );
    const flag = (name: string) => url.searchParams.get(name) === 'true';
    void front.serve({
      kind: KINDS[url.pathname.split('/').at(-1) ?? ''] ?? 'exec',
      user: { name: 'u', groups: [] },
      namespace: 'default',
      pod: 'p',
      uid: 'u',
      container: url.searchParams.get('container') ?? 'c',
      command: url.searchParams.getAll('command'),
      stdin: flag('stdin'),
      stdout: flag('stdout'),
      stderr: flag('stderr'),
      tty: flag('tty'),
      ports: url.searchParams.getAll('ports').map(Number),
      request,
      socket,
      head,
      reach: options.reach ?? (() => Promise.resolve()),
      open: options.open,
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://127.0.0.1:${port}`,
    upgrades,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '/', 'https://test');
  const document = Object.hasOwn(DOCUMENTS, pathname) ? DOCUMENTS[pathname] : undefined;
  response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify(
      document ?? {
        kind: 'Status',
        apiVersion: 'v1',
        status: 'Failure',
        reason: 'NotFound',
        code: 404,
        message: `${pathname} not found`,
      },
    ),
  );
}
