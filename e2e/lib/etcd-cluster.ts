/** Debian's etcd-server as processes: one or several members with a data directory each; clients come by mutual TLS. */
import { existsSync, mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { systemClock } from '../../platform/clock.js';
import { freePorts } from '../../platform/free-ports.js';
import { createAuthority, issueCertificate, type KeyPair } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import { Child } from './child.js';
import { Etcdctl, type EtcdFiles } from './etcdctl.js';
import { until } from './until.js';

export function hasEtcd(): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, 'etcd')));
}

const HOST = '127.0.0.1';
const DAY_MS = 24 * 3_600_000;
const context = { clock: systemClock, random: systemRandom };

class EtcdMember {
  readonly endpoint: string;
  readonly #args: readonly string[];
  #child: Child | undefined;

  constructor(endpoint: string, args: readonly string[]) {
    this.endpoint = endpoint;
    this.#args = args;
  }

  start(): void {
    this.#child = new Child('etcd', this.#args, { ETCD_UNSUPPORTED_ARCH: process.arch });
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#child?.stop(signal);
  }
}

export class EtcdCluster {
  readonly directory: string;
  readonly members: readonly EtcdMember[];
  /** Of the authority, and of a client it trusts: files. */
  readonly files: EtcdFiles;
  readonly etcdctl: Etcdctl;

  private constructor(directory: string, members: readonly EtcdMember[]) {
    this.directory = directory;
    this.members = members;
    this.files = {
      endpoints: members.map(({ endpoint }) => `https://${endpoint}`),
      ca: join(directory, 'ca.crt'),
      certificate: join(directory, 'client.crt'),
      key: join(directory, 'client.key'),
    };
    this.etcdctl = new Etcdctl(this.files);
  }

  /** Resolves when all members have a leader. */
  static async start(count: number): Promise<EtcdCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'navarch-etcd-'));
    const authority = await createAuthority('etcd', DAY_MS, context);
    await writeFile(join(directory, 'ca.crt'), authority.certificate);
    const issue = async (name: string, usages: readonly ('server' | 'client')[]) => {
      const pair: KeyPair = await issueCertificate(
        authority,
        { subject: { commonName: name }, usages, names: ['localhost', HOST], lifetime_ms: DAY_MS },
        context,
      );
      await writeFile(join(directory, `${name}.crt`), pair.certificate);
      await writeFile(join(directory, `${name}.key`), pair.privateKey, { mode: 0o600 });
    };
    // etcd's gateway is a client of the server, with the server's certificate.
    await Promise.all([issue('server', ['server', 'client']), issue('client', ['client'])]);
    const ports = await freePorts(count * 2);
    const places = Array.from({ length: count }, (_, i) => ({
      name: `e${i + 1}`,
      client: `${HOST}:${ports[i * 2] ?? 0}`,
      peer: `http://${HOST}:${ports[i * 2 + 1] ?? 0}`,
    }));
    const all = places.map(({ name, peer }) => `${name}=${peer}`).join(',');
    const members = places.map(
      ({ name, client, peer }) =>
        new EtcdMember(client, [
          '--name',
          name,
          '--data-dir',
          join(directory, name),
          '--initial-cluster',
          all,
          '--initial-cluster-token',
          directory,
          '--listen-client-urls',
          `https://${client}`,
          '--advertise-client-urls',
          `https://${client}`,
          '--listen-peer-urls',
          peer,
          '--initial-advertise-peer-urls',
          peer,
          '--client-cert-auth',
          '--trusted-ca-file',
          join(directory, 'ca.crt'),
          '--cert-file',
          join(directory, 'server.crt'),
          '--key-file',
          join(directory, 'server.key'),
        ]),
    );
    const cluster = new EtcdCluster(directory, members);
    try {
      for (const member of members) member.start();
      await cluster.whenHealthy();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  async whenHealthy(): Promise<void> {
    await until('etcd to be healthy', async () => {
      const found = await this.etcdctl.status();
      return found.length === this.members.length && found.every(({ Status }) => Status.leader !== 0);
    });
  }

  async leader(): Promise<EtcdMember> {
    return until('a leader of etcd', async () => {
      const leading = (await this.etcdctl.status()).find(
        ({ Status }) => Status.leader === Status.header.member_id,
      )?.Endpoint;
      return this.members.find(({ endpoint }) => leading?.endsWith(endpoint) === true);
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    if (process.env['NAVARCH_KEEP'] === undefined) await rm(this.directory, { recursive: true, force: true });
  }
}
