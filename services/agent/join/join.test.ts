import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { createAuthority, issueCertificate, signSigningRequest } from '../../../platform/pki/x509.js';
import { systemRandom } from '../../../platform/random.js';
import { nodeOfCertificate } from '../../nodelink/identity.js';
import { NodeServiceService } from '../../../proto/gen/navarch/node/v1/node.js';
import type { NodeServiceServer } from '../../../proto/gen/navarch/node/v1/node.js';
import { isDue, joinCluster, renewCredentials } from './join.js';

const context = { clock: systemClock, random: systemRandom };
const HOUR_MS = 3_600_000;
const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.forceShutdown()));

async function member() {
  const authority = await createAuthority('cluster', 24 * HOUR_MS, context);
  const own = await issueCertificate(authority, { subject: { commonName: 'member' }, usages: ['server'], names: ['127.0.0.1', 'localhost'], lifetime_ms: 24 * HOUR_MS }, context);
  const sign = (csr: string, node: string) => signSigningRequest(authority, csr, {
    subject: { commonName: `system:node:${node}`, organizations: ['system:nodes'] }, usages: ['client'], lifetime_ms: 24 * HOUR_MS,
  }, context);
  const seen: string[] = [];
  const implementation = {
    register(call, callback) {
      seen.push(call.request.token);
      sign(call.request.csr, call.request.nodeName).then((certificate) => callback(null, { certificate, ca: authority.certificate, endpoints: ['a:1'] }), callback);
    },
    renew(call, callback) {
      const node = nodeOfCertificate(call);
      if (node === undefined) callback(new Error('who are you?'));
      else sign(call.request.csr, node).then((certificate) => callback(null, { certificate, ca: authority.certificate }), callback);
    },
    session: (call) => call.end(),
    tunnel: (call) => call.end(),
  } satisfies NodeServiceServer;
  const server = new Server();
  servers.push(server);
  server.addService(NodeServiceService, implementation);
  const tls = ServerCredentials.createSsl(Buffer.from(authority.certificate), [{ private_key: Buffer.from(own.privateKey), cert_chain: Buffer.from(own.certificate) }]);
  // As on the members' port: a certificate is asked for, not demanded.
  Object.assign(tls._getConstructorOptions?.() ?? {}, { requestCert: true, rejectUnauthorized: false });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', tls, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { endpoint: `localhost:${port}`, ca: authority.certificate, seen };
}

it('exchanges a token for a certificate, and that for a fresh one', async () => {
  const { endpoint, ca } = await member();
  const joined = await joinCluster({ endpoints: ['localhost:1', endpoint], token: 't', nodeName: 'w1', ca, clock: systemClock });
  expect(joined.endpoints).toEqual(['a:1']);
  expect(isDue(joined, systemClock)).toBe(false);
  const renewed = await renewCredentials([endpoint], joined, 'w1', systemClock);
  expect(renewed.key).not.toBe(joined.key);
  expect(renewed.certificate).not.toBe(joined.certificate);
});

it('sends its token to no member of another cluster', async () => {
  const [{ endpoint, seen }, other] = [await member(), await member()];
  await expect(joinCluster({ endpoints: [endpoint], token: 'secret', nodeName: 'w1', ca: other.ca, clock: systemClock })).rejects.toThrow();
  expect(seen).toEqual([]);
});
