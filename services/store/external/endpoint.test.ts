import { Metadata, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { createAuthority, issueCertificate } from '../../../platform/pki/x509.js';
import { systemRandom } from '../../../platform/random.js';
import { openEndpoint } from './endpoint.js';

const context = { clock: systemClock, random: systemRandom };
const lifetime_ms = 3_600_000;
const warnings: string[] = [];
const onWarning = ({ message }: Error) => void warnings.push(message);
let server: Server | undefined;
afterEach(() => {
  server?.forceShutdown();
  process.off('warning', onWarning);
});

it.each([
  [['127.0.0.1'], undefined, /does not implement/],
  [['127.0.0.2'], undefined, /IP: 127\.0\.0\.1 is not in the cert's list/],
  // The name that is sent in the handshake, since an address cannot be, proves nothing.
  [['etcd'], undefined, /IP: 127\.0\.0\.1 is not in the cert's list/],
  [['127.0.0.2', 'members'], 'members', /does not implement/],
  [['127.0.0.2', 'others'], 'members', /Host: members\. is not in the cert's altnames/],
] as const)('at 127.0.0.1, a certificate for %j, where %s would do too: %s', async (names, serverName, answer) => {
  process.on('warning', onWarning);
  const authority = await createAuthority('etcd', lifetime_ms, context);
  const own = await issueCertificate(
    authority,
    { subject: { commonName: 'x' }, usages: ['server'], names: [...names], lifetime_ms },
    context,
  );
  const tls = ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(own.privateKey), cert_chain: Buffer.from(own.certificate) },
  ]);
  const listening = (server = new Server());
  const port = await new Promise<number>((resolve, reject) => {
    listening.bindAsync('127.0.0.1:0', tls, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  const endpoint = openEndpoint(`127.0.0.1:${port}`, {
    ca: Buffer.from(authority.certificate),
    ...(serverName === undefined ? {} : { serverName }),
  });
  const error = await new Promise<ServiceError | null>((resolve) => {
    endpoint.maintenance.status({}, new Metadata(), { deadline: systemClock.now() + 10_000 }, (found) =>
      resolve(found),
    );
  });
  endpoint.close();
  expect(error?.details).toMatch(answer);
  // DEP0123: an address as TLS server name.
  expect(warnings).toEqual([]);
});
