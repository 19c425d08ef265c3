import { Server, ServerCredentials, credentials } from '@grpc/grpc-js';
import type { ChannelCredentials } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { createAuthority, issueCertificate } from '../../platform/pki/x509.js';
import type { KeyPair } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import { NodeServiceClient, NodeServiceService } from '../../proto/gen/navarch/node/v1/node.js';
import type { NodeServiceServer } from '../../proto/gen/navarch/node/v1/node.js';
import { nodeOfCertificate } from './identity.js';

const context = { clock: systemClock, random: systemRandom };
const lifetime_ms = 24 * 3_600_000;
const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.forceShutdown()));

/** Answers every renewal with the node it takes the caller for. */
async function member(authority: KeyPair): Promise<string> {
  const own = await issueCertificate(
    authority,
    { subject: { commonName: 'member' }, usages: ['server'], names: ['localhost'], lifetime_ms },
    context,
  );
  const server = new Server();
  servers.push(server);
  server.addService(NodeServiceService, {
    register: (_call, callback) => callback(null, { certificate: '', ca: '', endpoints: [] }),
    signServing: (_call, callback) => callback(null, { certificate: '', ca: '' }),
    renew: (call, callback) => callback(null, { certificate: nodeOfCertificate(call) ?? 'nobody', ca: '' }),
    session: (call) => call.end(),
    tunnel: (call) => call.end(),
  } satisfies NodeServiceServer);
  const tls = ServerCredentials.createSsl(Buffer.from(authority.certificate), [
    { private_key: Buffer.from(own.privateKey), cert_chain: Buffer.from(own.certificate) },
  ]);
  // As on the members' port: a certificate is asked for, not demanded.
  Object.assign(tls._getConstructorOptions?.() ?? {}, { requestCert: true, rejectUnauthorized: false });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', tls, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return `localhost:${port}`;
}

function caller(endpoint: string, channel: ChannelCredentials): Promise<string> {
  const client = new NodeServiceClient(endpoint, channel);
  return new Promise((resolve, reject) => {
    client.renew({ csr: '' }, (error, answer) => {
      client.close();
      if (error === null) resolve(answer.certificate);
      else reject(error);
    });
  });
}

it.each([
  ['a node', 'system:node:w1', ['system:nodes'], true, 'w1'],
  ['a node of another cluster', 'system:node:w1', ['system:nodes'], false, 'nobody'],
  ['a user of that name', 'system:node:w1', ['system:masters'], true, 'nobody'],
  ['somebody in the group', 'w1', ['system:nodes'], true, 'nobody'],
  ['nobody in particular', 'system:node:', ['system:nodes'], true, 'nobody'],
])('%s', async (_what, commonName, organizations, known, expected) => {
  const authority = await createAuthority('cluster', lifetime_ms, context);
  const signer = known ? authority : await createAuthority('cluster', lifetime_ms, context);
  const pair = await issueCertificate(
    signer,
    { subject: { commonName, organizations }, usages: ['client'], lifetime_ms },
    context,
  );
  const channel = credentials.createSsl(
    Buffer.from(authority.certificate),
    Buffer.from(pair.privateKey),
    Buffer.from(pair.certificate),
  );
  expect(await caller(await member(authority), channel)).toBe(expected);
});

it('a caller without a certificate', async () => {
  const authority = await createAuthority('cluster', lifetime_ms, context);
  expect(await caller(await member(authority), credentials.createSsl(Buffer.from(authority.certificate)))).toBe(
    'nobody',
  );
});
