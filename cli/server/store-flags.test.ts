import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { createClusterPki } from '../../platform/pki/cluster-pki.js';
import { createAuthority, issueCertificate, type KeyPair } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import { etcdServices } from '../../services/store/etcd/index.js';
import { MemoryStore } from '../../services/store/backend/memory-store.js';
import { openExternalStore, parseStoreFlags } from './store-flags.js';

const context = { clock: systemClock, random: systemRandom };
const HOUR_MS = 3_600_000;
const HOST = '127.0.0.1';

const issue = (authority: KeyPair, usages: readonly ('server' | 'client')[]) =>
  issueCertificate(authority, { subject: { commonName: 'one' }, usages, names: [HOST], lifetime_ms: HOUR_MS }, context);

/** An etcd API in memory that wants a client certificate of the authority. */
async function serve(authority: KeyPair): Promise<{ address: string; stop(): Promise<void> }> {
  const backend = new MemoryStore();
  const server = new Server();
  for (const { definition, implementation } of etcdServices({ backend, authorize: () => true, tls: true }))
    server.addService(definition, implementation);
  const own = await issue(authority, ['server']);
  const credentials = ServerCredentials.createSsl(
    Buffer.from(authority.certificate),
    [{ cert_chain: Buffer.from(own.certificate), private_key: Buffer.from(own.privateKey) }],
    true,
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`${HOST}:0`, credentials, (error, bound) => (error === null ? resolve(bound) : reject(error))),
  );
  return {
    address: `${HOST}:${port}`,
    async stop() {
      server.forceShutdown();
      await backend.close();
    },
  };
}

it('shows the store the certificate in its files, also when they are replaced while it runs', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'store-flags-'));
  const [authority, stranger, pki] = await Promise.all([
    createAuthority('etcd', HOUR_MS, context),
    createAuthority('other', HOUR_MS, context),
    createClusterPki(context),
  ]);
  const etcd = await serve(authority);
  const files = {
    storeCa: join(directory, 'ca.crt'),
    storeCert: join(directory, 'one.crt'),
    storeKey: join(directory, 'one.key'),
  };
  const write = async (client: KeyPair) => {
    await writeFile(files.storeCa, authority.certificate);
    await writeFile(files.storeCert, client.certificate);
    await writeFile(files.storeKey, client.privateKey);
  };
  await write(await issue(stranger, ['client']));
  const clock = new VirtualClock(systemClock.now());
  const flags = { storeEndpoints: `https://${etcd.address}`, ...files };
  const backing = await openExternalStore({
    address: { endpoints: [etcd.address], tls: true },
    flags,
    name: 's1',
    pki,
    compaction: undefined,
    ...context,
    clock,
    logger: silentLogger,
  });
  let started = false;
  const starting = backing.start().then(() => (started = true));
  await clock.advance(5000);
  await expect(backing.store.readRevision()).rejects.toMatchObject({ code: 'unavailable' });
  expect(started).toBe(false);
  await write(await issue(authority, ['client']));
  while (!started) {
    await clock.advance(10_000);
    await systemClock.sleep(5);
  }
  await starting;
  expect(await backing.store.readRevision()).toBeGreaterThan(0);
  await backing.stop();
  await etcd.stop();
  await rm(directory, { recursive: true, force: true });
});

it('makes itself a certificate of the cluster when none is named, as members of ours want it', async () => {
  const pki = await createClusterPki(context);
  const members = await serve(pki.clusterAuthority);
  const flags = { storeEndpoints: `https://${members.address}` };
  const backing = await openExternalStore({
    address: { endpoints: [members.address], tls: true },
    flags,
    name: 's1',
    pki,
    compaction: undefined,
    ...context,
    logger: silentLogger,
  });
  await backing.start();
  expect(await backing.store.readRevision()).toBeGreaterThan(0);
  await backing.stop();
  await members.stop();
});

it('reads where an external store lies', () => {
  expect(parseStoreFlags({})).toBeUndefined();
  expect(parseStoreFlags({ storeEndpoints: 'http://10.0.0.1:2379, http://10.0.0.2' })).toEqual({
    endpoints: ['10.0.0.1:2379', '10.0.0.2:2379'],
    tls: false,
  });
  const files = { storeCa: 'ca.crt', storeCert: 'a.crt', storeKey: 'a.key' };
  expect(parseStoreFlags({ storeEndpoints: 'https://etcd-1:2379,https://[fd00::1]:2379', ...files })).toEqual({
    endpoints: ['etcd-1:2379', '[fd00::1]:2379'],
    tls: true,
  });
});

it('refuses what does not go together', () => {
  for (const storeEndpoints of [
    '10.0.0.1:2379',
    'ftp://a:1',
    'https://a:1,http://b:1',
    'http://a:99999',
    ',',
    'http://',
  ]) {
    expect(() => parseStoreFlags({ storeEndpoints }), storeEndpoints).toThrow();
  }
  expect(() => parseStoreFlags({ storeCa: 'ca.crt' })).toThrow('go with --store-endpoints');
  expect(() => parseStoreFlags({ storeEndpoints: 'https://a:1', storeCert: 'a.crt' })).toThrow('go together');
  expect(() => parseStoreFlags({ storeEndpoints: 'http://a:1', storeCa: 'ca.crt' })).toThrow('of no use with http://');
});
