/**
 * The two candidates: three members of ours, three of etcd-server; same machine, same certificates, fsync on in both.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../platform/clock.js';
import { freePorts } from '../../platform/free-ports.js';
import { createClusterPki, writeClusterPki, type ClusterPki } from '../../platform/pki/cluster-pki.js';
import { issueCertificate, type KeyPair } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import { StatusRequest, StatusResponse } from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { until } from '../lib/until.js';
import { Connection, type ClientTls } from './grpc-wire.js';
import { OneWayCut } from './one-way-cut.js';
import { Process } from './processes.js';

const context = { clock: systemClock, random: systemRandom };
const MEMBERS = 3;
const STATUS = '/etcdserverpb.Maintenance/Status';
const CLI = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

export type Candidate = 'navarch' | 'etcd';

export interface Secrets {
  readonly directory: string;
  readonly pki: ClusterPki;
  readonly client: ClientTls;
  readonly files: { readonly ca: string; readonly cert: string; readonly key: string };
}

export async function makeSecrets(directory: string): Promise<Secrets> {
  const pki = await createClusterPki(context);
  await writeClusterPki(directory, pki);
  const request = (organizations: string[], usages: ('server' | 'client')[]) => ({
    subject: { commonName: 'bench', organizations },
    usages,
    names: ['localhost', '127.0.0.1'],
    lifetime_ms: 24 * 3_600_000,
  });
  const [client, server, peer] = await Promise.all([
    issueCertificate(pki.clusterAuthority, request(['system:masters'], ['client']), context),
    issueCertificate(pki.clusterAuthority, request([], ['server', 'client']), context),
    issueCertificate(pki.peerAuthority, request([], ['server', 'client']), context),
  ]);
  const write = (name: string, { certificate, privateKey }: KeyPair) => {
    writeFileSync(join(directory, `${name}.crt`), certificate);
    writeFileSync(join(directory, `${name}.key`), privateKey, { mode: 0o600 });
  };
  write('bench-client', client);
  write('bench-server', server);
  write('bench-peer', peer);
  writeFileSync(join(directory, 'bench-peer-ca.crt'), pki.peerAuthority.certificate);
  writeFileSync(join(directory, 'bench-ca.crt'), pki.clusterAuthority.certificate);
  return {
    directory,
    pki,
    client: { ca: pki.clusterAuthority.certificate, cert: client.certificate, key: client.privateKey },
    files: {
      ca: join(directory, 'bench-ca.crt'),
      cert: join(directory, 'bench-client.crt'),
      key: join(directory, 'bench-client.key'),
    },
  };
}

export const hasEtcd = () =>
  (process.env['PATH'] ?? '').split(delimiter).some((directory) => existsSync(join(directory, 'etcd')));

interface Ports {
  readonly client: number;
  readonly peer: number;
  readonly api: number;
}

export class Cluster {
  readonly candidate: Candidate;
  readonly secrets: Secrets;
  readonly #directory: string;
  readonly #ports: readonly Ports[];
  readonly #members: Process[] = [];
  readonly #cut = new OneWayCut();

  private constructor(candidate: Candidate, secrets: Secrets, directory: string, ports: readonly Ports[]) {
    this.candidate = candidate;
    this.secrets = secrets;
    this.#directory = directory;
    this.#ports = ports;
  }

  static async start(candidate: Candidate, secrets: Secrets, directory: string): Promise<Cluster> {
    const free = await freePorts(MEMBERS * 3);
    const port = (at: number) => free[at] ?? 0;
    const ports = Array.from({ length: MEMBERS }, (_, i) => ({
      client: port(3 * i),
      peer: port(3 * i + 1),
      api: port(3 * i + 2),
    }));
    mkdirSync(directory, { recursive: true });
    const cluster = new Cluster(candidate, secrets, directory, ports);
    try {
      for (let i = 0; i < MEMBERS; i++) cluster.#members.push(cluster.#spawn(i));
      await Promise.all(ports.map((_, i) => cluster.#answers(i)));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get endpoints(): string[] {
    return this.#ports.map(({ client }) => `127.0.0.1:${client}`);
  }

  get running(): readonly Process[] {
    return this.#members.filter(({ isRunning }) => isRunning);
  }

  cpu_us(): number {
    return this.running.reduce((sum, member) => sum + member.cpu_us(), 0);
  }

  async status(member: number): Promise<StatusResponse> {
    const connection = new Connection(this.endpoints[member] ?? '', this.secrets.client);
    try {
      return StatusResponse.decode(await connection.call(STATUS, StatusRequest.encode({}).finish(), 5000));
    } finally {
      connection.close();
    }
  }

  /**
   * Place of the member that leads, once all that run agree on it: one that was stopped for a while may still believe
   * in itself.
   */
  leader(): Promise<number> {
    return until(
      'a leader',
      async () => {
        const running = this.#members.flatMap((member, place) => (member.isRunning ? [place] : []));
        const views = await Promise.all(running.map((place) => this.status(place)));
        const [first] = views;
        const areAgreed = views.every(
          ({ leader, raftTerm }) => leader === first?.leader && raftTerm === first.raftTerm,
        );
        const at = views.findIndex(({ header, leader }) => leader !== 0n && header?.memberId === leader);
        return areAgreed && at >= 0 ? running.slice(at, at + 1) : undefined;
      },
      { timeout_ms: 20_000, interval_ms: 50 },
    ).then(([place]) => place ?? 0);
  }

  async term(): Promise<number> {
    return (await this.status(await this.leader())).raftTerm;
  }

  async kill(member: number): Promise<void> {
    await this.#members[member]?.end('SIGKILL');
  }

  /** Stops it without ending it; `resume` lets it go on. */
  pause(member: number): void {
    this.#members[member]?.signal('SIGSTOP');
  }

  /**
   * The others do not hear it any more, though it hears them; until `heal`. False when the machine has no means for it.
   */
  cut(member: number): boolean {
    const own = this.#ports[member]?.peer ?? 0;
    return this.#cut.begin(member, { own, peers: this.#ports.map(({ peer }) => peer).filter((port) => port !== own) });
  }

  heal(member: number): Promise<true> {
    this.#cut.end();
    return this.#answers(member);
  }

  resume(member: number): Promise<true> {
    this.#members[member]?.signal('SIGCONT');
    return this.#answers(member);
  }

  async restart(member: number): Promise<void> {
    this.#members[member] = this.#spawn(member);
    await this.#answers(member);
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#members.map((member) => member.end(process.env['PROFILE'] === undefined ? 'SIGKILL' : 'SIGTERM')),
    );
    this.#cut.remove();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #answers(member: number): Promise<true> {
    return until(
      `${this.candidate} ${member} to answer`,
      async () => {
        if (this.#members[member]?.isRunning !== true) throw new Error(`it ended: see ${this.#log(member)}`);
        return (await this.status(member)).leader !== 0n ? (true as const) : undefined;
      },
      { timeout_ms: 30_000, interval_ms: 100 },
    );
  }

  #log(member: number): string {
    return `${this.#directory}-${member}.log`;
  }

  #spawn(member: number): Process {
    const process = this.#start(member);
    this.#cut.claim(member, process.pid);
    return process;
  }

  #start(member: number): Process {
    const ports = this.#ports[member] as Ports;
    const dataDir = join(this.#directory, `m${member}`);
    const log = this.#log(member);
    if (this.candidate === 'etcd') return new Process('etcd', this.#etcdArgs(member, dataDir, ports), { log });
    const all = this.#ports.map(({ client, peer, api }, i) => `m${i}=127.0.0.1:${peer}:${client}:${api}`).join(',');
    const profile =
      process.env['PROFILE'] === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${process.env['PROFILE']}`];
    profile.push(...(process.env['NODE_ARGS'] ?? '').split(' ').filter((arg) => arg !== ''));
    return new Process(
      process.execPath,
      [
        ...profile,
        CLI,
        'server',
        '--name',
        `m${member}`,
        '--data-dir',
        dataDir,
        '--pki-dir',
        this.secrets.directory,
        '--advertise-address',
        '127.0.0.1',
        '--listen-address',
        '127.0.0.1',
        '--api-port',
        String(ports.api),
        '--grpc-port',
        String(ports.client),
        '--peer-port',
        String(ports.peer),
        '--initial-cluster',
        all,
        '--log-level',
        'warn',
        '--quota',
        '8192',
      ],
      { log },
    );
  }

  #etcdArgs(member: number, dataDir: string, ports: Ports): string[] {
    const { directory, files } = this.secrets;
    const url = (port: number) => `https://127.0.0.1:${port}`;
    const file = (name: string) => join(directory, name);
    return [
      '--name',
      `m${member}`,
      '--data-dir',
      dataDir,
      '--log-level',
      'warn',
      '--logger',
      'zap',
      '--quota-backend-bytes',
      String(8 * 2 ** 30),
      '--listen-client-urls',
      url(ports.client),
      '--advertise-client-urls',
      url(ports.client),
      '--listen-peer-urls',
      url(ports.peer),
      '--initial-advertise-peer-urls',
      url(ports.peer),
      '--initial-cluster',
      this.#ports.map(({ peer }, i) => `m${i}=${url(peer)}`).join(','),
      '--cert-file',
      file('bench-server.crt'),
      '--key-file',
      file('bench-server.key'),
      '--client-cert-auth',
      '--trusted-ca-file',
      files.ca,
      '--peer-cert-file',
      file('bench-peer.crt'),
      '--peer-key-file',
      file('bench-peer.key'),
      '--peer-client-cert-auth',
      '--peer-trusted-ca-file',
      file('bench-peer-ca.crt'),
    ];
  }
}
