import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../clock.js';
import { systemRandom } from '../random.js';
import { createClusterPki, readClusterPki, writeClusterPki } from './cluster-pki.js';
import {
  authorityPin,
  certificateIdentity,
  createAuthority,
  createSigningRequest,
  dueForRotation,
  issueCertificate,
  signSigningRequest,
} from './x509.js';

const context = { clock: systemClock, random: systemRandom };
const DAY_MS = 24 * 3_600_000;

describe('certificates', () => {
  it('serve mutual TLS within one trust domain and not across two', async () => {
    const ours = await createAuthority('ours', DAY_MS, context);
    const theirs = await createAuthority('theirs', DAY_MS, context);
    const server = await issueCertificate(
      ours,
      { subject: { commonName: 'm1' }, usages: ['server'], names: ['localhost', '127.0.0.1'], lifetime_ms: DAY_MS },
      context,
    );
    const listener = createServer(
      {
        cert: server.certificate,
        key: server.privateKey,
        ca: ours.certificate,
        requestCert: true,
        rejectUnauthorized: true,
      },
      (socket) => socket.end('hello'),
    );
    listener.on('tlsClientError', () => undefined);
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as { port: number };
    const dial = async (authority: typeof ours): Promise<string> => {
      const client = await issueCertificate(
        authority,
        { subject: { commonName: 'c' }, usages: ['client'], lifetime_ms: DAY_MS },
        context,
      );
      const socket: TLSSocket = connect({
        host: '127.0.0.1',
        port,
        cert: client.certificate,
        key: client.privateKey,
        ca: ours.certificate,
      });
      let text = '';
      for await (const chunk of socket) text += String(chunk);
      return text;
    };
    await expect(dial(ours)).resolves.toBe('hello');
    await expect(dial(theirs).catch(() => 'refused')).resolves.not.toBe('hello');
    listener.close();
  });

  it('carry the identity that the signer decided, not what the request asked for', async () => {
    const authority = await createAuthority('ca', DAY_MS, context);
    const csr = await createSigningRequest({ commonName: 'system:node:evil', organizations: ['system:masters'] });
    const pem = await signSigningRequest(
      authority,
      csr.request,
      {
        subject: { commonName: 'system:node:w1', organizations: ['system:nodes'] },
        usages: ['client'],
        lifetime_ms: DAY_MS,
      },
      context,
    );
    expect(certificateIdentity(new X509Certificate(pem))).toEqual({
      commonName: 'system:node:w1',
      organizations: ['system:nodes'],
    });
  });

  it('refuse a request that is garbage or too large', async () => {
    const authority = await createAuthority('ca', DAY_MS, context);
    const decided = { subject: { commonName: 'n' }, usages: ['client'] as const, lifetime_ms: DAY_MS };
    await expect(signSigningRequest(authority, 'garbage', decided, context)).rejects.toThrow('not valid');
    await expect(signSigningRequest(authority, 'x'.repeat(20_000), decided, context)).rejects.toThrow('too large');
  });

  it('fall due at two thirds of their life', async () => {
    const clock = new VirtualClock(Date.now());
    const authority = await createAuthority('ca', 90 * DAY_MS, { clock, random: systemRandom });
    expect(dueForRotation(authority.certificate, clock.now() + 59 * DAY_MS)).toBe(false);
    expect(dueForRotation(authority.certificate, clock.now() + 61 * DAY_MS)).toBe(true);
  });

  it('keep separators in names apart', async () => {
    const authority = await createAuthority('ca', DAY_MS, context);
    const pair = await issueCertificate(
      authority,
      {
        subject: { commonName: 'a,O=system:masters', organizations: ['x+y'] },
        usages: ['client'],
        lifetime_ms: DAY_MS,
      },
      context,
    );
    expect(certificateIdentity(new X509Certificate(pair.certificate))).toEqual({
      commonName: 'a,O=system:masters',
      organizations: ['x+y'],
    });
  });
});

describe('the cluster PKI on disk', () => {
  let directory = '';
  let folder = '';
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('reads back what it wrote, keys 0600 in a folder 0700', async () => {
    folder = await mkdtemp(join(tmpdir(), 'pki-'));
    directory = join(folder, 'pki');
    expect(await readClusterPki(directory)).toBeUndefined();
    const pki = await createClusterPki(context);
    await writeClusterPki(directory, pki);
    expect(await readClusterPki(directory)).toEqual(pki);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    for (const name of ['cluster-ca.key', 'service-account.key', 'cluster.json']) {
      expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    }
    expect(await authorityPin(pki.clusterAuthority.certificate)).toMatch(/^[0-9a-f]{64}$/);
    await rm(join(directory, 'peer-ca.key'));
    await expect(readClusterPki(directory)).rejects.toThrow('lacks peer-ca');
  });
});
