/**
 * Who may answer at an address: TLS knows no server names that are addresses (RFC 6066, section 3), so something else
 * must tell.
 */
import { credentials, Metadata, Server, ServerCredentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { createAuthority, issueCertificate, type KeyPair } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import { ClusterServiceClient } from '../../proto/gen/navarch/cluster/v1/cluster.js';
import { MEMBER_SERVER_NAME, serverNameOptions } from './server-name.js';

const context = { clock: systemClock, random: systemRandom };
const lifetime_ms = 3_600_000;
const servers: Server[] = [];
const warnings: string[] = [];
const onWarning = ({ message }: Error) => void warnings.push(message);
afterEach(() => {
  for (const server of servers.splice(0)) server.forceShutdown();
  process.off('warning', onWarning);
});

/** Answers nothing but that it answers: UNIMPLEMENTED. */
async function serverWith(authority: KeyPair, names: readonly string[]): Promise<string> {
  const own = await issueCertificate(
    authority,
    { subject: { commonName: 'x' }, usages: ['server'], names: [...names], lifetime_ms },
    context,
  );
  const server = new Server();
  servers.push(server);
  const tls = ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(own.privateKey), cert_chain: Buffer.from(own.certificate) },
  ]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', tls, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return `127.0.0.1:${port}`;
}

function ask(endpoint: string, authority: KeyPair): Promise<string> {
  const client = new ClusterServiceClient(
    endpoint,
    credentials.createSsl(Buffer.from(authority.certificate)),
    serverNameOptions(endpoint),
  );
  return new Promise((resolve) => {
    client.getStatus({}, new Metadata(), { deadline: systemClock.now() + 10_000 }, (error: ServiceError | null) => {
      client.close();
      resolve(error?.details ?? 'answered');
    });
  });
}

it("takes for a member at an address who has a member's certificate, whatever addresses it is for, and nobody else", async () => {
  process.on('warning', onWarning);
  const authority = await createAuthority('cluster', lifetime_ms, context);
  const answers = async (names: readonly string[]) => ask(await serverWith(authority, names), authority);
  expect(await answers([MEMBER_SERVER_NAME, '127.0.0.1'])).toContain('does not implement');
  expect(await answers([MEMBER_SERVER_NAME, '127.0.0.2'])).toContain('does not implement');
  // A worker of the same cluster, at this address and at another one.
  expect(await answers(['w1', '127.0.0.1'])).toContain(`Host: ${MEMBER_SERVER_NAME}. is not in the cert's altnames`);
  expect(await answers(['w1', '127.0.0.2'])).toContain("is not in the cert's altnames");
  expect(warnings).toEqual([]);
});

it('checks a name as it is', () => {
  expect(serverNameOptions('m1.example:2379')).toEqual({});
  expect(serverNameOptions('m1.example:2379', 'm1')).toEqual({ 'grpc.ssl_target_name_override': 'm1' });
  for (const address of ['10.0.0.1:2379', '[fd00::1]:2379'])
    expect(serverNameOptions(address)).toEqual({ 'grpc.ssl_target_name_override': MEMBER_SERVER_NAME });
});
