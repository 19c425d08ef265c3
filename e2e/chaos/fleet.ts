/**
 * The members: three processes, each with its own directory, on its own small disk and in its own network where the
 * machine lets us (root), else on the loopback. Starts, ends, stops them; knows who leads; keeps their logs.
 */
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../platform/free-ports.js';
import { systemExecutor, type CommandResult } from '../../platform/exec.js';
import { systemClock } from '../../platform/clock.js';
import type { StatusResponse } from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { OUTER_FOLDER } from '../../testing/run-folder.js';
import { makeSecrets, type Secrets } from '../bench/clusters.js';
import { Process } from '../bench/processes.js';
import { CLI } from '../lib/up-cluster.js';
import { until } from '../lib/until.js';
import { LoopDisk } from './disks.js';
import { EtcdClient } from './etcd-client.js';
import { BridgedNetwork } from './network.js';

const MEMBERS = 3;
/** As `navarch up` starts them. */
const NODE_FLAGS = ['--max-semi-space-size=4'];
/**
 * How long a member may take for what it must do in the end. Not a promise about time: beyond it, it is called hung.
 */
export const PATIENCE_MS = 120_000;
const COMMAND_MS_MAX = 90_000;

interface Place {
  readonly host: string;
  readonly api: number;
  readonly grpc: number;
  readonly peer: number;
}

export class Member {
  readonly index: number;
  readonly name: string;
  readonly place: Place;
  /** Root of its disk. */
  readonly home: string;
  readonly dataDir: string;
  readonly pkiDir: string;
  readonly log: string;
  readonly namespace: string | undefined;
  readonly disk: LoopDisk | undefined;
  readonly client: EtcdClient;
  /** Beside those that every start has. */
  flags: readonly string[] = [];
  process: Process | undefined;
  isPaused = false;
  /** It was this suite that ended its process. */
  wasEnded = false;

  constructor(parts: {
    index: number;
    place: Place;
    root: string;
    namespace: string | undefined;
    disk: LoopDisk | undefined;
    secrets: Secrets;
  }) {
    const { index, place, root, secrets } = parts;
    this.index = index;
    this.name = `m${index}`;
    this.place = place;
    this.home = join(root, this.name);
    this.dataDir = join(this.home, 'data');
    this.pkiDir = join(root, `${this.name}-pki`);
    this.log = join(root, `${this.name}.log`);
    this.namespace = parts.namespace;
    this.disk = parts.disk;
    this.client = new EtcdClient(this.endpoint, secrets.client);
  }

  get endpoint(): string {
    return `${this.place.host}:${this.place.grpc}`;
  }

  get isRunning(): boolean {
    return this.process?.isRunning === true;
  }

  start(): void {
    const { host, api, grpc, peer } = this.place;
    const args = [
      CLI,
      'server',
      '--name',
      this.name,
      '--data-dir',
      this.dataDir,
      '--pki-dir',
      this.pkiDir,
      '--advertise-address',
      host,
      '--listen-address',
      host,
      '--api-port',
      String(api),
      '--grpc-port',
      String(grpc),
      '--peer-port',
      String(peer),
      '--compaction',
      'off',
      ...this.flags,
    ];
    const [command, ...rest] =
      this.namespace === undefined
        ? [process.execPath, ...NODE_FLAGS, ...args]
        : ['nsenter', `--net=/run/netns/${this.namespace}`, '--', process.execPath, ...NODE_FLAGS, ...args];
    this.note('starts');
    this.isPaused = false;
    this.wasEnded = false;
    this.process = new Process(command as string, rest, { log: this.log });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isRunning) return;
    this.wasEnded = true;
    this.note(`is sent ${signal}`);
    // One that is stopped hears SIGKILL alone.
    if (this.isPaused && signal !== 'SIGKILL') this.resume();
    this.isPaused = false;
    await this.process?.end(signal);
  }

  pause(): void {
    this.note('is stopped (SIGSTOP)');
    this.isPaused = true;
    this.process?.signal('SIGSTOP');
  }

  resume(): void {
    this.isPaused = false;
    this.process?.signal('SIGCONT');
  }

  /** A line in its log, beside its own. */
  note(text: string): void {
    appendFileSync(this.log, `--- ${new Date(systemClock.now()).toISOString()} ${text}\n`);
  }

  /** Its log from a place on (see `logEnd`). */
  logSince(offset: number): string {
    return existsSync(this.log) ? readFileSync(this.log).subarray(offset).toString() : '';
  }

  logEnd(): number {
    return existsSync(this.log) ? readFileSync(this.log).length : 0;
  }

  async status(): Promise<StatusResponse | undefined> {
    if (!this.isRunning || this.isPaused) return undefined;
    const outcome = await this.client.status();
    return outcome.kind === 'ok' ? outcome.value : undefined;
  }
}

export interface FleetOptions {
  readonly root: string;
  /** Own networks and disks; needs root. */
  readonly isolated: boolean;
}

export class Fleet {
  readonly root: string;
  readonly secrets: Secrets;
  readonly members: readonly Member[];
  /** Undefined: all are on the loopback. */
  readonly network: BridgedNetwork | undefined;

  private constructor(root: string, secrets: Secrets, members: readonly Member[], network: BridgedNetwork | undefined) {
    this.root = root;
    this.secrets = secrets;
    this.members = members;
    this.network = network;
  }

  /** Started, with a leader and an answer from each. */
  static async start({ root, isolated }: FleetOptions): Promise<Fleet> {
    const pki = join(root, 'pki');
    mkdirSync(pki, { recursive: true });
    const secrets = await makeSecrets(pki);
    const hasDisks = isolated && (await LoopDisk.works(root));
    const network = isolated
      ? await BridgedNetwork.make(String(process.pid), 2 + (process.pid % 250), MEMBERS)
      : undefined;
    const members: Member[] = [];
    try {
      const ports = await freePorts(3 * MEMBERS);
      for (let index = 0; index < MEMBERS; index++) {
        const [api = 0, grpc = 0, peer = 0] = ports.slice(3 * index);
        const place =
          network === undefined
            ? { host: '127.0.0.1', api, grpc, peer }
            : { host: network.address(index), api: 6443, grpc: 2379, peer: 2380 };
        const disk = hasDisks ? await LoopDisk.make(join(root, `m${index}`)) : undefined;
        const member = new Member({ index, place, root, namespace: network?.namespace(index), disk, secrets });
        mkdirSync(member.home, { recursive: true });
        cpSync(pki, member.pkiDir, { recursive: true });
        members.push(member);
      }
    } catch (error) {
      for (const { disk } of members) await disk?.remove();
      await network?.remove();
      throw error;
    }
    const fleet = new Fleet(root, secrets, members, network);
    const all = members
      .map(({ name, place: { host, peer, grpc, api } }) => `${name}=${host}:${peer}:${grpc}:${api}`)
      .join(',');
    for (const member of members) {
      member.flags = ['--initial-cluster', all];
      member.start();
    }
    try {
      await fleet.whole();
    } catch (error) {
      await fleet.stop();
      throw new Error(`the members did not come up; logs: ${fleet.keepLogs()}`, { cause: error });
    }
    return fleet;
  }

  get endpoints(): string[] {
    return this.members.map(({ endpoint }) => endpoint);
  }

  /** The member that leads now, by its own account and a majority's. Undefined: nobody that can be reached does. */
  async leader(): Promise<Member | undefined> {
    const views = await Promise.all(this.members.map(async (member) => ({ member, status: await member.status() })));
    const named = new Map<bigint, number>();
    for (const { status } of views)
      if (status !== undefined && status.leader !== 0n) named.set(status.leader, (named.get(status.leader) ?? 0) + 1);
    return views.find(
      ({ status }) =>
        status !== undefined &&
        status.leader === status.header?.memberId &&
        2 * (named.get(status.leader) ?? 0) > MEMBERS,
    )?.member;
  }

  /** Until every member runs, votes, and agrees on who leads. A member that ended by itself is an error at once. */
  async whole(): Promise<void> {
    await until(
      'all members follow one leader',
      async () => {
        const views = await Promise.all(this.members.map((member) => member.status()));
        const leader = views[0]?.leader ?? 0n;
        return (
          leader !== 0n &&
          views.every((status) => status !== undefined && status.leader === leader && !status.isLearner)
        );
      },
      { timeout_ms: PATIENCE_MS, interval_ms: 50 },
    );
  }

  async describe(): Promise<string> {
    const lines = await Promise.all(
      this.members.map(async (member) => {
        const status = await member.status();
        const state =
          status === undefined
            ? 'no answer'
            : `term ${status.raftTerm}, leader ${status.leader}, applied ${status.raftAppliedIndex}${status.isLearner ? ', learner' : ''}`;
        return `${member.name} ${member.isRunning ? 'runs' : `ended with ${member.process?.code ?? '?'}`}: ${state}\n  ${member.logSince(0).trimEnd().split('\n').slice(-4).join('\n  ')}`;
      }),
    );
    return lines.join('\n');
  }

  navarch(...args: string[]): Promise<CommandResult> {
    return systemExecutor.run(process.execPath, [CLI, ...args], { timeout_ms: COMMAND_MS_MAX });
  }

  /** Ends everything and takes networks and disks away; logs stay. */
  async stop(): Promise<void> {
    for (const { disk } of this.members) await disk?.thaw();
    await Promise.all(this.members.map((member) => member.end('SIGKILL')));
    for (const { client, disk } of this.members) {
      client.close();
      await disk?.remove();
    }
    await this.network?.remove();
  }

  /** After a run with a fault, once it was stopped: all but the logs goes. Returns where those are from now on. */
  keepLogs(): string {
    const folder = mkdtempSync(join(process.env[OUTER_FOLDER] ?? tmpdir(), 'navarch-failed-'));
    for (const { name, log } of this.members) if (existsSync(log)) cpSync(log, join(folder, `${name}.log`));
    this.forget();
    return `${folder}/m*.log`;
  }

  /** After a run without fault. */
  forget(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
