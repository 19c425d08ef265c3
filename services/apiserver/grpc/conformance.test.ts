/** The client conformance suite against the registry itself: in process, and through the gRPC front with mutual TLS. */
import { Server } from '@grpc/grpc-js';
import { systemClock } from '../../../platform/clock.js';
import { silentLogger } from '../../../platform/log.js';
import { createAuthority, issueCertificate } from '../../../platform/pki/x509.js';
import { systemRandom } from '../../../platform/random.js';
import { connect } from '../../../sdk/grpc/connect.js';
import { clientOf } from '../../../sdk/object-client.js';
import { clientConformance } from '../../../sdk/testing/client-conformance.js';
import { admin, startRegistry } from '../registry/testing.js';
import { rotatingServerCredentials } from './credentials.js';
import { HeavyWork } from '../work/heavy-work.js';
import { createObjectFront } from './front.js';

const HOUR_MS = 3_600_000;

clientConformance('in process, on the registry', async () => {
  const cluster = await startRegistry();
  return {
    client: clientOf(cluster.service),
    close: async () => {
      await cluster[Symbol.asyncDispose]();
    },
  };
});

clientConformance('over gRPC, on the registry', async () => {
  const context = { clock: systemClock, random: systemRandom };
  const authority = await createAuthority('test', HOUR_MS, context);
  const pair = await issueCertificate(
    authority,
    {
      subject: { commonName: 'member' },
      names: ['kubernetes.default.svc'],
      usages: ['server', 'client'],
      lifetime_ms: HOUR_MS,
    },
    context,
  );
  const cluster = await startRegistry();
  const server = new Server();
  const front = createObjectFront({
    as: (user) => cluster.registry.as(user),
    authenticator: {
      authenticate: async ({ peerCertificate }) => (peerCertificate?.verified === true ? admin : undefined),
    },
    authorizer: { authorize: async () => ({ allowed: true, reason: '' }) },
    heavy: new HeavyWork({ clock: systemClock, holds: { note: () => undefined } }),
    clock: systemClock,
    logger: silentLogger,
  });
  server.addService(front.definition, front.implementation);
  const material = { certificate: pair.certificate, key: pair.privateKey, clientCa: authority.certificate };
  const credentials = rotatingServerCredentials({ current: () => material, onChange: () => () => undefined });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  const client = await connect({ endpoints: [`127.0.0.1:${port}`], tls: { ...pair, ca: authority.certificate } });
  return {
    client,
    close: async () => {
      await client.close();
      server.forceShutdown();
      await cluster[Symbol.asyncDispose]();
    },
  };
});
