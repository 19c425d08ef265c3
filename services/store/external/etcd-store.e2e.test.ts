/** The external driver against Debian's etcd-server; skipped, with a word, where there is none. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { storeConformance } from '../conformance.js';
import { EtcdStore } from './etcd-store.js';

const missing = spawnSync('etcd', ['--version']).error !== undefined;
if (missing) process.stderr.write('skipped: external etcd (missing: etcd-server)\n');

describe.skipIf(missing)('etcd', () => {
  storeConformance('external etcd', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'etcd-'));
    const client = 'http://127.0.0.1:23790';
    const peer = 'http://127.0.0.1:23800';
    const args = ['--data-dir', directory, '--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer,
      '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`];
    const etcd = spawn('etcd', args, { stdio: 'ignore' });
    const store = new EtcdStore({ endpoints: ['127.0.0.1:23790'], clock: systemClock });
    for (let ready = false; !ready;) ready = await store.readRevision().then(() => true, () => systemClock.sleep(50).then(() => false));
    return {
      store,
      close: async () => {
        await store.close();
        const exited = new Promise((resolve) => etcd.once('exit', resolve));
        etcd.kill('SIGTERM');
        await exited;
        await rm(directory, { recursive: true, force: true });
      },
    };
  });
});
