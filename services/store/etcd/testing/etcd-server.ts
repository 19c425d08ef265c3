/** Debian's etcd-server as a process of one test: one member, plain text, on ports of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../../platform/clock.js';
import { freePorts } from '../../../../platform/free-ports.js';
import { EtcdStore } from '../../external/etcd-store.js';

/** Says what is missing, once, on standard error. */
export function lacksEtcd(tests: string): boolean {
  const missing = spawnSync('etcd', ['--version']).error !== undefined;
  if (missing) process.stderr.write(`skipped: ${tests} (missing: etcd, Debian package etcd-server)\n`);
  return missing;
}

export interface EtcdServer {
  /** host:port */
  readonly address: string;
  stop(): Promise<void>;
}

/** Resolves when it serves. */
export async function startEtcdServer(): Promise<EtcdServer> {
  const directory = await mkdtemp(join(tmpdir(), 'etcd-'));
  const [client = 0, peer = 0] = await freePorts(2);
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`];
  const etcd = spawn(
    'etcd',
    [
      '--data-dir',
      directory,
      '--listen-client-urls',
      clientUrl,
      '--advertise-client-urls',
      clientUrl,
      '--listen-peer-urls',
      peerUrl,
      '--initial-advertise-peer-urls',
      peerUrl,
      '--initial-cluster',
      `default=${peerUrl}`,
    ],
    { stdio: 'ignore', env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch } },
  );
  const exited = new Promise<void>((resolve) => void etcd.once('exit', () => resolve()));
  const address = `127.0.0.1:${client}`;
  const store = new EtcdStore({ endpoints: [address], clock: systemClock });
  for (let ready = false; !ready && etcd.exitCode === null;)
    ready = await store.readRevision().then(
      () => true,
      () => systemClock.sleep(50).then(() => false),
    );
  await store.close();
  return {
    address,
    async stop() {
      etcd.kill('SIGTERM');
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}
