/** A whole API server in memory behind TLS, with a certificate of its own making. For test files only. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { PodStreamer } from '../../../apimachinery/pod-streams.js';
import { systemClock } from '../../../platform/clock.js';
import { silentLogger } from '../../../platform/log.js';
import { systemRandom } from '../../../platform/random.js';
import { MemoryStore } from '../../store/backend/memory-store.js';
import { createApiServer } from '../index.js';
import type { ApiServerOptions } from '../index.js';
import type { Authenticator, Authorizer, TlsProvider } from '../ports.js';
import { admitEverything } from '../registry/testing.js';

const YEAR_MS = 365 * 24 * 3600 * 1000;

/** A server certificate for 127.0.0.1 that is its own CA. */
export async function selfSigned(): Promise<{ certificate: string; key: string }> {
  const crypto = webcrypto;
  x509.cryptoProvider.set(crypto as unknown as Parameters<typeof x509.cryptoProvider.set>[1]);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=test',
    keys,
    signingAlgorithm: algorithm,
    serialNumber: '01',
    notBefore: new Date(systemClock.now() - YEAR_MS),
    notAfter: new Date(systemClock.now() + YEAR_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension([
        { type: 'ip', value: '127.0.0.1' },
        { type: 'dns', value: 'localhost' },
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return {
    certificate: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${(pkcs8.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`,
  };
}

/** A bearer token is the user's name; without one: the administrator. `nobody` is nobody. */
const nameIsToken: Authenticator = {
  authenticate({ headers }) {
    const name = /^Bearer (.+)$/.exec(String(headers['authorization'] ?? ''))?.[1] ?? 'admin';
    return Promise.resolve(
      name === 'nobody' ? undefined : { name, groups: name === 'admin' ? ['system:masters'] : [] },
    );
  },
};

/** Users whose names begin with `no-` may do nothing. */
const mostMay: Authorizer = {
  authorize: ({ user }) => Promise.resolve({ allowed: !user.name.startsWith('no-'), reason: '' }),
};

const refuseAll = () => Promise.reject(apiErrors.serviceUnavailable('there are no nodes'));
const noNodes: PodStreamer = { reach: refuseAll, open: refuseAll };

export async function startApiServer(options: Partial<ApiServerOptions> = {}) {
  const { certificate, key } = await selfSigned();
  const tls: TlsProvider = {
    current: () => ({ certificate, key, clientCa: certificate }),
    onChange: () => () => undefined,
  };
  const store = new MemoryStore();
  const server = createApiServer({
    store,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    authenticator: () => nameIsToken,
    authorizer: () => mostMay,
    admission: () => admitEverything,
    streamer: noNodes,
    streaming: {
      serve: (upgrade) => Promise.reject(new ApiError(apiErrors.serviceUnavailable(`no ${upgrade.kind} here`).status)),
    },
    listen: { host: '127.0.0.1', port: 0, tls },
    ...options,
  });
  await server.start();
  const { port = 0 } = server.address ?? {};
  return {
    server,
    store,
    certificate,
    url: `https://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await store.close();
    },
  };
}
