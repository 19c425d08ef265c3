/** Issue 7, seam 5: TLS on what has been dialled, and connections outside of the pod network, on real sockets. */
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import { text as textOf } from 'node:stream/consumers';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isApiError } from '../../../apimachinery/status.js';
import { systemClock } from '../../../platform/clock.js';
import { createClusterPki, type ClusterPki } from '../../../platform/pki/cluster-pki.js';
import { issueCertificate, type KeyPair } from '../../../platform/pki/x509.js';
import { systemRandom } from '../../../platform/random.js';
import { systemNetwork } from './network.js';
import { secured, serviceServerName } from './tls.js';

const context = { clock: systemClock, random: systemRandom };
const NAME = serviceServerName('d', 'web');
let pki: ClusterPki;
let other: ClusterPki;
let pair: KeyPair;
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeAll(async () => {
  [pki, other] = await Promise.all([createClusterPki(context), createClusterPki(context)]);
  pair = await issueCertificate(
    pki.clusterAuthority,
    { subject: { commonName: 'web' }, usages: ['server'], names: [NAME, '127.0.0.1'], lifetime_ms: 3_600_000 },
    context,
  );
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => void server.close(resolve))));
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  server.on('connection', (socket) => void sockets.push(socket.on('error', () => undefined)));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const dial = (port: number, idle_ms = 60_000) =>
  systemNetwork.connect({ host: '127.0.0.1', port, idle_ms, signal: new AbortController().signal });

describe('TLS', () => {
  const secureServer = () =>
    createServer(
      {
        cert: pair.certificate,
        key: pair.privateKey,
        requestCert: true,
        rejectUnauthorized: false,
        ca: pki.clusterAuthority.certificate,
      },
      (socket) => {
        socket.on('error', () => undefined);
        socket.end(`${String(socket.servername)} ${String(socket.authorized)}`);
      },
    ).on('tlsClientError', () => undefined);

  it('names a Service as its certificate does', () => expect(NAME).toBe('web.d.svc'));

  it.each([
    [NAME, `${NAME} false`],
    ['127.0.0.1', 'false false'],
  ])('is trusted when the certificate is for %s', async (serverName, answer) => {
    const connection = await dial(await listening(secureServer()));
    expect(
      await textOf(
        await secured(connection, { serverName, caBundle: pki.clusterAuthority.certificate, clock: systemClock }),
      ),
    ).toBe(answer);
  });

  it('shows who this member is', async () => {
    const { certificate, privateKey } = await issueCertificate(
      pki.clusterAuthority,
      { subject: { commonName: 'm1' }, usages: ['client'], lifetime_ms: 3_600_000 },
      context,
    );
    const connection = await dial(await listening(secureServer()));
    const socket = await secured(connection, {
      serverName: NAME,
      caBundle: pki.clusterAuthority.certificate,
      identity: { certificate, key: privateKey },
      clock: systemClock,
    });
    expect(await textOf(socket)).toBe(`${NAME} true`);
  });

  it.each([
    ['another name', { serverName: serviceServerName('e', 'web'), ca: () => pki }],
    ['another address', { serverName: '127.0.0.2', ca: () => pki }],
    ['another authority', { serverName: NAME, ca: () => other }],
    ['the authorities of the system', { serverName: NAME, ca: () => undefined }],
  ])('is refused with %s, and the connection is closed', async (_, { serverName, ca }) => {
    const connection = await dial(await listening(secureServer()));
    const caBundle = ca()?.clusterAuthority.certificate;
    const failure: unknown = await secured(connection, {
      serverName,
      ...(caBundle === undefined ? {} : { caBundle }),
      clock: systemClock,
    }).catch((error: unknown) => error);
    expect(isApiError(failure, 'ServiceUnavailable')).toBe(true);
    expect(String(failure)).toContain(`TLS with "${serverName}" failed`);
    expect(connection.destroyed).toBe(true);
  });

  it('is refused by what does not speak it', async () => {
    const port = await listening(createTcpServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n')));
    await expect(
      secured(await dial(port), { serverName: NAME, caBundle: pki.clusterAuthority.certificate, clock: systemClock }),
    ).rejects.toThrow('TLS with "web.d.svc" failed');
  });
});

describe('a connection outside of the pod network', () => {
  it('is refused where nobody listens, and ends with the signal', async () => {
    const port = await listening(createTcpServer());
    const abort = new AbortController();
    const reason = new Error('gone');
    abort.abort(reason);
    const dialling = systemNetwork.connect({ host: '127.0.0.1', port, idle_ms: 1000, signal: abort.signal });
    await expect(dialling).rejects.toBe(reason);
    await expect(dial(1)).rejects.toThrow('ECONNREFUSED');
  });

  it('ends when no byte passes', async () => {
    const port = await listening(createTcpServer());
    // Under load the limit may be reached before the connection is.
    const error: unknown = await dial(port, 200).then(
      (connection) => new Promise((resolve) => void connection.once('error', resolve)),
      (failure: unknown) => failure,
    );
    expect(isApiError(error, 'Timeout')).toBe(true);
  });
});
