/** Issue 6, row 33: one port for gRPC, HTTP/1.1 and plain HTTP/2; ALPN and the content type decide. */
import { ChannelCredentials, Metadata } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { connect } from 'node:http2';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { MaintenanceClient } from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { StatusResponse } from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { TestAuthority } from '../../raft/testing/certificates.js';
import { etcdServices } from '../store/etcd/index.js';
import { MemoryStore } from '../store/backend/memory-store.js';
import { rotatingServerCredentials } from '../apiserver/grpc/credentials.js';
import { GrpcServer } from './grpc-server.js';

let server: GrpcServer;
let ca: Buffer;
let own: { readonly cert: Buffer; readonly key: Buffer };
const store = new MemoryStore();
const seen: string[] = [];
let ahead_ms = 0;
const pem = (text: string | Buffer) => Buffer.from(text);

beforeAll(async () => {
  const authority = await TestAuthority.create(systemClock.now());
  const certificates = await authority.issue('server');
  const client = await authority.issue('alice, O=system:monitoring');
  ca = pem(certificates.ca);
  own = { cert: pem(client.cert), key: pem(client.key) };
  server = new GrpcServer({
    host: '127.0.0.1',
    port: 0,
    clock: { ...systemClock, now: () => systemClock.now() + ahead_ms },
    logger: silentLogger,
    authenticates: async () => false,
    credentials: rotatingServerCredentials({
      current: () => ({
        certificate: pem(certificates.cert).toString(),
        key: pem(certificates.key).toString(),
        clientCa: ca.toString(),
      }),
      onChange: () => () => undefined,
    }),
    endpoints: etcdServices({ backend: store, tls: true, authorize: () => true }).map(
      ({ definition, implementation }) => ({ definition, implementation }),
    ),
    http: async ({ method, url, identity }) => {
      seen.push(`${method} ${url} ${identity?.name ?? '-'} ${identity?.roles.join() ?? ''}`);
      return { status: 200, type: 'text/plain; charset=utf-8', body: `answer to ${url}` };
    },
  });
  await server.start();
});
afterAll(async () => {
  await server.stop();
  await store.close();
});

function get(
  options: {
    readonly cert?: Buffer;
    readonly key?: Buffer;
    readonly ALPNProtocols?: string[];
    readonly method?: string;
    readonly agent?: Agent;
  } = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request(
      {
        host: '127.0.0.1',
        port: server.port,
        path: '/health?x=1',
        ca,
        agent: false,
        checkServerIdentity: () => undefined,
        ...options,
      },
      (response: IncomingMessage) => {
        let body = '';
        response.on('data', (chunk: Buffer) => void (body += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    )
      .on('error', reject)
      .end();
  });
}

it.each([[['http/1.1']], [undefined]])('HTTP/1.1, by ALPN %j', async (ALPNProtocols) => {
  const alpn = ALPNProtocols === undefined ? {} : { ALPNProtocols };
  expect(await get({ ...alpn, ...own })).toEqual({ status: 200, body: 'answer to /health?x=1' });
  expect(await get(alpn)).toEqual({ status: 200, body: 'answer to /health?x=1' });
  expect(await get({ ...alpn, method: 'HEAD' })).toEqual({ status: 200, body: '' });
  expect(seen.splice(0)).toEqual([
    'GET /health?x=1 alice system:monitoring',
    'GET /health?x=1 - ',
    'HEAD /health?x=1 - ',
  ]);
});

it('HTTP/2 that is not gRPC', async () => {
  const session = connect(`https://127.0.0.1:${server.port}`, { ca, ...own, checkServerIdentity: () => undefined });
  const stream = session.request({ ':path': '/version' });
  const status = await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])));
  let body = '';
  for await (const chunk of stream) body += String(chunk);
  expect([status, body]).toEqual([200, 'answer to /version']);
  expect(seen.splice(0)).toEqual(['GET /version alice system:monitoring']);
  session.close();
});

it('looks at the certificate for each request of a connection (row 8)', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const session = connect(`https://127.0.0.1:${server.port}`, { ca, ...own, checkServerIdentity: () => undefined });
  const overHttp2 = () =>
    new Promise((resolve) => session.request({ ':path': '/2' }).on('response', resolve).resume().end());
  await get({ ...own, agent });
  await overHttp2();
  ahead_ms = 1000 * 365 * 86_400_000;
  await get({ ...own, agent });
  await overHttp2();
  ahead_ms = 0;
  agent.destroy();
  session.close();
  // Over HTTP/2 the guard of the listener has refused it already.
  expect(seen.splice(0)).toEqual([
    'GET /health?x=1 alice system:monitoring',
    'GET /2 alice system:monitoring',
    'GET /health?x=1 - ',
  ]);
});

it('and gRPC goes on as before', async () => {
  const client = new MaintenanceClient(
    `127.0.0.1:${server.port}`,
    ChannelCredentials.createSsl(ca, own.key, own.cert, { checkServerIdentity: () => undefined }),
  );
  const found = await new Promise<StatusResponse>((resolve, reject) => {
    client.status({}, new Metadata(), (error: ServiceError | null, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
  expect(found.version).toMatch(/^3\.5/);
  client.close();
});
