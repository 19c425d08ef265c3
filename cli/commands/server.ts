/** `navarch server`: one member, or a server on a store elsewhere, in the foreground, until it is told to stop. */
import { mkdir } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { holdProcess, systemClock } from '../../platform/clock.js';
import { systemExecutor } from '../../platform/exec.js';
import { createLogger, type Logger, type LogLevel } from '../../platform/log.js';
import { createClusterPki, readClusterPki, writeClusterPki, type ClusterPki } from '../../platform/pki/cluster-pki.js';
import { systemRandom } from '../../platform/random.js';
import { startAll, stopAll, type Service } from '../../platform/service.js';
import { SystemdWatchdog } from '../../platform/systemd-watchdog.js';
import { DEFAULT_SETTINGS } from '../../raft/driver/options.js';
import { RaftError, type NodeId, type PeerInfo } from '../../raft/contract.js';
import type { AutoCompactionOptions } from '../../services/store/member/auto-compaction.js';
import { LIMITS } from '../../services/store/limits.js';
import { UserError, EXIT_FENCED } from '../../platform/user-error.js';
import { isShutOut } from '../lib/errors.js';
import { keepHeapSmall } from '../lib/heap.js';
import { splitEndpoint } from '../../platform/pki/join-token.js';
import { defaultDataDir, layout } from '../lib/paths.js';
import { runUntilSignal } from '../lib/run.js';
import { forgetSecret, secretIfThere } from '../lib/secret-input.js';
import type { Backing } from '../../services/server/backing.js';
import { issueMemberCertificates, type MemberCertificates } from '../../services/server/certificates.js';
import type { DetachedOptions } from '../../services/server/elected/detached.js';
import { joinCluster } from '../../services/server/membership/join.js';
import {
  knownMember,
  MemberFileKeeper,
  peerOfKnown,
  readMemberFile,
  wasRecovered,
  writeMemberFile,
  type MemberFile,
} from '../../services/server/membership/member-file.js';
import { claimProcess } from '../../services/server/membership/running.js';
import { keepPrivate } from '../../services/server/membership/file-modes.js';
import { parseTiming, type TimingFlags } from '../server/raft-timing.js';
import { hostPort, memberIdOf, peerInfoOf, type MemberAddress } from '../../services/server/identity.js';
import { apiServiceAddress, DEFAULT_NETWORK, type ClusterNetwork } from '../../services/server/network.js';
import type { PartFlags, ServerParts } from '../server/parts.js';
import { openExternalStore, parseStoreFlags, type StoreAddress, type StoreFlags } from '../server/store-flags.js';

interface ServerFlags extends StoreFlags, TimingFlags, PartFlags {
  readonly server?: string;
  readonly name: string;
  readonly dataDir: string;
  readonly pkiDir?: string;
  readonly advertiseAddress: string;
  readonly listenAddress: string;
  readonly apiPort: string;
  readonly grpcPort: string;
  readonly peerPort: string;
  readonly tlsSan?: string;
  readonly initialCluster?: string;
  readonly join?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  readonly nodeGrace: string;
  readonly defaultToleration: string;
  readonly quota: string;
  readonly maxTxnOps: string;
  readonly maxRequestBytes: string;
  readonly compaction: string;
  readonly logLevel: LogLevel;
  readonly logFile?: string;
}

const clockAndRandom = { clock: systemClock, random: systemRandom };

function firstAddress(): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find((one) => one !== undefined && one.family === 'IPv4' && !one.internal);
  return found?.address ?? '127.0.0.1';
}

export function addServerCommand(program: Command): void {
  program
    .command('server')
    .description(
      'run one member of the control plane: store, API server, scheduler and controllers; or these without the store',
    )
    .option('--name <name>', "this member's name: unique in the cluster, kept for its life", hostname().toLowerCase())
    .option('--data-dir <directory>', "this member's own state; nobody else's", join(defaultDataDir(), 'server'))
    .option(
      '--pki-dir <directory>',
      "the cluster's secrets, the same on all members; made here when missing (default: <data-dir>/pki)",
    )
    .option('--advertise-address <address>', 'where clients, workers and peers reach this member', firstAddress())
    .option('--listen-address <address>', 'interface to listen on', '0.0.0.0')
    .option(
      '--tls-san <names>',
      'more names and addresses for the certificates of its listeners, such as those of a load balancer: name,...',
    )
    .option('--api-port <port>', 'REST, for kubectl', '6443')
    .option('--grpc-port <port>', "gRPC: SDK, workers, etcd's API", '2379')
    .option('--peer-port <port>', 'Raft, for the other members', '2380')
    .option(
      '--initial-cluster <members>',
      'all members of a new cluster, as name=host[:peerPort[:grpcPort[:apiPort]]],...; the same text on each',
    )
    .option(
      '--join <members>',
      'become a member of a cluster that runs: host:port[,host:port] of gRPC listeners; needed once',
    )
    .option(
      '--token-file <file>',
      'for --join: what `navarch token --member` prints on a member; deleted once it has joined; -: standard input',
    )
    .option('--token <token>', 'the same, where everybody on this machine may see it')
    .option('--store-endpoints <urls>', 'hold no store: use this etcd v3, or members of ours, http(s)://host:port,...')
    .option(
      '--store-ca <file>',
      "authority of the store's certificates (default: the cluster's own, as for members of ours)",
    )
    .option(
      '--store-cert <file>',
      "certificate to show to the store (default without --store-ca: one made by the cluster's own authority)",
    )
    .option('--store-key <file>', 'its private key')
    .option(
      '--only <parts>',
      'of apiserver (in a member: with its store), scheduler and controllers; the others are left to other servers',
    )
    .option(
      '--controllers <list>',
      'which controllers: * for all, name for one, -name for all but one, as in "*,-disruption-controller"',
    )
    .option(
      '--server <members>',
      'with --only, without apiserver: members to work against, host:port[,host:port] of gRPC listeners',
    )
    .option(
      '--heartbeat-interval <ms>',
      "between the leader's heartbeats; the same on all members",
      String(DEFAULT_SETTINGS.heartbeat_ms),
    )
    .option(
      '--election-timeout <ms>',
      'silence of the leader after which others stand for election; the same on all members',
      String(DEFAULT_SETTINGS.election_ms),
    )
    .option('--cluster-cidr <cidr>', 'addresses of pods', DEFAULT_NETWORK.clusterCidr)
    .option('--service-cidr <cidr>', 'addresses of Services', DEFAULT_NETWORK.serviceCidr)
    .option('--cluster-domain <name>', 'DNS domain of the cluster', DEFAULT_NETWORK.clusterDomain)
    .option('--node-grace <seconds>', 'silence after which a worker is NotReady', '40')
    .option(
      '--default-toleration <seconds>',
      'how long pods stay on an unreachable worker unless they say otherwise',
      '300',
    )
    .option('--quota <MiB>', 'size of the store at which nothing may grow until something is deleted; 0: none', '2048')
    .option('--max-txn-ops <number>', 'operations of one transaction of an etcd client, up to 2048', '128')
    .option(
      '--max-request-bytes <bytes>',
      'longest write that the store takes, up to 10 MiB; objects of the API count too',
      '1572864',
    )
    .option(
      '--compaction <period or revisions>',
      'history that the store keeps: a time such as 15m, a number of revisions, or off (also of an external store)',
      '5m',
    )
    .option('--log-level <level>', 'debug, info, warn or error', 'info')
    .option('--log-file <file>', 'log here instead of to standard error')
    .addHelpText(
      'after',
      `
A cluster of one:
  navarch server --data-dir /var/lib/navarch/server
A cluster of three, on each host with its own --name and the same --pki-dir content:
  navarch server --name a --initial-cluster a=10.0.0.1,b=10.0.0.2,c=10.0.0.3 --pki-dir /etc/navarch/pki
One more, or one in the place of a dead one, on a host with an empty data directory (docs/members.md):
  ssh root@10.0.0.1 navarch token --member --pki-dir /etc/navarch/pki | navarch server --name d --join 10.0.0.1:2379 --token-file -
Without a store of its own, on an etcd or on members of ours (docs/operating.md); the same --pki-dir content on each:
  navarch server --name s1 --store-endpoints https://10.0.1.1:2379,https://10.0.1.2:2379 --store-ca ca.crt --store-cert s1.crt --store-key s1.key
  navarch server --name s2 --only apiserver --store-endpoints https://10.0.0.1:2379,https://10.0.0.2:2379 --pki-dir /etc/navarch/pki
Scheduler and controllers on a host of their own, by members that run with --only apiserver:
  navarch server --name k1 --only scheduler,controllers --server 10.0.0.1:2379,10.0.0.2:2379 --pki-dir /etc/navarch/pki
All of it on this machine, with workers:
  navarch up`,
    )
    .action(async (flags: ServerFlags) => runServer(flags));
}

function portOf(text: string, flag: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535)
    throw new UserError(`${flag} must be a port from 1 to 65535, not "${text}"`, 2);
  return port;
}

const PERIOD_MS = { s: 1000, m: 60_000, h: 3_600_000 } as const;

/** `15m` keeps what is not older, `10000` that many revisions, `off` everything. */
export function parseCompaction(text: string): AutoCompactionOptions | undefined {
  if (text === 'off') return undefined;
  const [, count, unit] = /^([1-9]\d{0,8})([smh])?$/.exec(text) ?? [];
  if (count === undefined)
    throw new UserError(`--compaction must be a time such as 15m, a number of revisions, or off, not "${text}"`, 2);
  if (unit === undefined) return { mode: 'revisions', keep: Number(count) };
  return { mode: 'periodic', keep_ms: Number(count) * PERIOD_MS[unit as keyof typeof PERIOD_MS] };
}

function countOf(text: string, flag: string, max: number): number {
  const count = Number(text);
  if (!/^[1-9]\d*$/.test(text) || count > max)
    throw new UserError(`${flag} must be a number from 1 to ${max}, not "${text}"`, 2);
  return count;
}

function storeLimits(flags: ServerFlags): {
  quota_bytes: number;
  request_bytes: number;
  autoCompaction?: AutoCompactionOptions;
} {
  if (!/^\d{1,9}$/.test(flags.quota)) throw new UserError(`--quota must be a number of MiB, not "${flags.quota}"`, 2);
  const autoCompaction = parseCompaction(flags.compaction);
  const request_bytes = countOf(flags.maxRequestBytes, '--max-request-bytes', LIMITS.requestMax_bytes);
  return {
    quota_bytes: Number(flags.quota) * 2 ** 20,
    request_bytes,
    ...(autoCompaction === undefined ? {} : { autoCompaction }),
  };
}

function secondsOf(text: string, flag: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 0 || text.trim() === '')
    throw new UserError(`${flag} must be a number of seconds, not "${text}"`, 2);
  return seconds;
}

function selfOf(flags: ServerFlags): MemberAddress {
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(flags.name)) {
    throw new UserError(`--name must be lower-case letters, digits and '-', 63 at most, not "${flags.name}"`, 2);
  }
  return {
    name: flags.name,
    host: flags.advertiseAddress,
    apiPort: portOf(flags.apiPort, '--api-port'),
    grpcPort: portOf(flags.grpcPort, '--grpc-port'),
    peerPort: portOf(flags.peerPort, '--peer-port'),
  };
}

/** `a=10.0.0.1,b=10.0.0.2:2380`; ports default to this member's own. */
export function parseInitialCluster(text: string, self: MemberAddress): MemberAddress[] {
  const members = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part): MemberAddress => {
      const match = /^([a-z0-9][-a-z0-9]*)=([^:,=\s]+)(?::(\d+))?(?::(\d+))?(?::(\d+))?$/.exec(part);
      if (match === null)
        throw new UserError(`--initial-cluster: "${part}" is not name=host[:peerPort[:grpcPort[:apiPort]]]`, 2);
      const [, name = '', host = '', peer, grpc, api] = match;
      const port = (given: string | undefined, own: number) =>
        given === undefined ? own : portOf(given, '--initial-cluster');
      return {
        name,
        host,
        peerPort: port(peer, self.peerPort),
        grpcPort: port(grpc, self.grpcPort),
        apiPort: port(api, self.apiPort),
      };
    });
  const names = new Set(members.map((member) => member.name));
  if (names.size !== members.length) throw new UserError('--initial-cluster names a member twice', 2);
  if (!names.has(self.name))
    throw new UserError(`--initial-cluster does not name this member, "${self.name}": ${[...names].join(', ')}`, 2);
  return members;
}

function networkOf(flags: ServerFlags): ClusterNetwork {
  const cidr = (text: string, flag: string) => {
    if (!/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/.test(text))
      throw new UserError(`${flag} must be an IPv4 CIDR such as 10.244.0.0/16, not "${text}"`, 2);
    return text;
  };
  return {
    ...DEFAULT_NETWORK,
    clusterCidr: cidr(flags.clusterCidr, '--cluster-cidr'),
    serviceCidr: cidr(flags.serviceCidr, '--service-cidr'),
    clusterDomain: flags.clusterDomain,
  };
}

async function clusterPki(directory: string, alone: boolean): Promise<ClusterPki> {
  const stored = await readClusterPki(directory);
  if (stored !== undefined) return stored;
  if (!alone)
    throw new UserError(
      `${directory} holds no cluster secrets: make them once (\`navarch pki init --pki-dir ${directory}\`) and copy the folder to each member`,
    );
  const pki = await createClusterPki(clockAndRandom);
  await writeClusterPki(directory, pki);
  return pki;
}

interface Seat {
  readonly pki: ClusterPki;
  readonly id: NodeId;
  /** Whom it starts with; ignored once it has state. */
  readonly peers: readonly PeerInfo[];
  readonly join: boolean;
}

/**
 * Which member of which cluster this data directory makes of the process. A directory belongs to one cluster and one
 * member for ever.
 */
async function takeSeat(flags: ServerFlags, self: MemberAddress, logger: Logger): Promise<Seat> {
  const { dataDir } = flags;
  const stored = await readMemberFile(dataDir);
  if (stored?.removed !== undefined) throw new UserError(stored.removed, EXIT_FENCED);
  if (stored?.external === true)
    throw new UserError(
      `${dataDir} belongs to a server without a store of its own: give --store-endpoints, or another --data-dir for a member`,
    );
  const pkiDir = resolve(flags.pkiDir ?? stored?.pkiDir ?? layout(dataDir).pki);
  if (stored?.joining === true || (stored === undefined && flags.join !== undefined)) {
    const { file, pki } = await joinCluster(
      {
        self,
        dataDir,
        pkiDir,
        endpoints: (flags.join ?? '').split(',').filter((part) => part !== ''),
        token: await secretIfThere(flags),
        logger,
        ...clockAndRandom,
      },
      stored,
    );
    const reason = await forgetSecret(flags);
    if (reason !== undefined)
      logger.warn({ reason }, 'the token is needed no longer, and its file could not be deleted');
    return seatOf(file, pki);
  }
  const members = flags.initialCluster === undefined ? [self] : parseInitialCluster(flags.initialCluster, self);
  const pki = await clusterPki(pkiDir, members.length === 1 && stored?.id === undefined);
  if (stored !== undefined) {
    checkOwner(dataDir, stored, { clusterId: pki.clusterId, name: self.name });
    if (stored.id !== undefined) return seatOf(stored, pki);
  }
  if (stored === undefined && (await wasRecovered(pkiDir))) {
    throw new UserError(
      'this cluster was recovered from a survivor and lives: an empty data directory joins it (--join and --token-file), it does not found it again',
      EXIT_FENCED,
    );
  }
  const peers = members.map((one) => peerInfoOf(pki.clusterId, one));
  await writeMemberFile(dataDir, {
    members: peers.map(knownMember),
    ...stored,
    name: self.name,
    clusterId: pki.clusterId,
    pkiDir,
  });
  return { pki, id: memberIdOf(pki.clusterId, self.name), peers, join: false };
}

/** A member that joined, or was rebuilt: its id is its own. */
function seatOf(file: MemberFile, pki: ClusterPki): Seat {
  if (file.id === undefined)
    throw new UserError('the member file tells no id; empty the data directory and let the member join anew');
  return { pki, id: file.id, peers: (file.members ?? []).map(peerOfKnown), join: true };
}

function checkOwner(
  dataDir: string,
  stored: MemberFile,
  wanted: { readonly clusterId: string; readonly name: string },
): void {
  if (stored.clusterId !== wanted.clusterId) {
    throw new UserError(
      `${dataDir} belongs to the cluster ${stored.clusterId}, and the secrets in use to the cluster ${wanted.clusterId}; ` +
        'give the right --data-dir or --pki-dir. After a recovery the members of the old cluster are emptied and join the new one (docs/members.md)',
      EXIT_FENCED,
    );
  }
  if (stored.name !== wanted.name)
    throw new UserError(
      `${dataDir} belongs to the member "${stored.name}", not to "${wanted.name}"; give the right --data-dir or --name`,
    );
}

/** Flags that make a member, and those that make a server on a store elsewhere, do not mix. */
function checkFlags(flags: ServerFlags, parts: ServerParts): StoreAddress | undefined {
  const address = parseStoreFlags(flags);
  if (parts.apiserver !== (flags.server === undefined)) {
    throw new UserError(
      parts.apiserver
        ? '--server is for scheduler and controllers without an API server: name them with --only'
        : '--only without apiserver needs --server, the members to work against',
      2,
    );
  }
  if (!parts.apiserver && address !== undefined)
    throw new UserError('--store-endpoints is for an API server, and --only leaves it out', 2);
  if (
    (address !== undefined || !parts.apiserver) &&
    (flags.initialCluster !== undefined ||
      flags.join !== undefined ||
      flags.token !== undefined ||
      flags.tokenFile !== undefined)
  ) {
    throw new UserError(
      '--initial-cluster, --join and a token make a member; a server with --store-endpoints or --server is none',
      2,
    );
  }
  return address;
}

async function runServer(flags: ServerFlags): Promise<void> {
  keepHeapSmall();
  await keepPrivate(resolve(flags.dataDir));
  // Only here: no other command needs to know the controllers.
  const { parseParts } = await import('../server/parts.js');
  const parts = parseParts(flags);
  const address = checkFlags(flags, parts);
  const self = selfOf(flags);
  // Before anything is made: a mistake in the flags leaves nothing behind.
  parseTiming(flags);
  const network = networkOf(flags);
  const timing = {
    nodeGrace_ms: secondsOf(flags.nodeGrace, '--node-grace') * 1000,
    defaultTolerationSeconds: secondsOf(flags.defaultToleration, '--default-toleration'),
  };
  const txnOps_max = countOf(flags.maxTxnOps, '--max-txn-ops', LIMITS.txnOps);
  const logger = createLogger('navarch', {
    level: flags.logLevel,
    ...(flags.logFile === undefined ? {} : { file: flags.logFile }),
  }).child({ member: self.name });
  await mkdir(flags.dataDir, { recursive: true, mode: 0o700 });
  await claimProcess(flags.dataDir);
  // Before all else: replaying a long log takes its time.
  await new SystemdWatchdog({
    executor: systemExecutor,
    clock: systemClock,
    logger,
    environment: process.env,
    pid: process.pid,
  }).start();
  if (!parts.apiserver)
    return runDetached({ flags, self, logger }, { parts, network, nodeGrace_ms: timing.nodeGrace_ms });
  const { createServer } = await import('../../services/server/index.js');
  const names = [
    'localhost',
    '127.0.0.1',
    self.host,
    self.name,
    hostname(),
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${network.clusterDomain}`,
    apiServiceAddress(network),
    ...namesOf(flags.tlsSan),
  ];
  const place =
    address === undefined
      ? await openMember({ flags, self, names, logger })
      : await openExternal({ flags, self, names, logger }, address);
  const server = createServer({
    address: self,
    listenHost: flags.listenAddress,
    backing: place.backing,
    pki: place.pki,
    certificates: place.certificates,
    network,
    logger,
    elects: parts,
    txnOps_max,
    request_bytes: storeLimits(flags).request_bytes,
    ...timing,
    ...clockAndRandom,
  });
  logger.info(
    { cluster: place.pki.clusterId, api: self.apiPort, grpc: self.grpcPort, ...place.told },
    `${server.name} starts`,
  );
  // The file first: while the others are awaited, it is known where they are.
  const services = [...place.services, server];
  await runUntilSignal({ name: server.name, start: () => startAll(services), stop: () => stopAll(services) }, logger);
}

/** Scheduler or controllers alone. */
async function runDetached(
  { flags, self, logger }: Omit<Occasion, 'names'>,
  options: Pick<DetachedOptions, 'parts' | 'network' | 'nodeGrace_ms'>,
): Promise<void> {
  const { createDetached } = await import('../../services/server/elected/detached.js');
  const pkiDir = resolve(flags.pkiDir ?? layout(flags.dataDir).pki);
  const pki = await readClusterPki(pkiDir);
  if (pki === undefined)
    throw new UserError(`${pkiDir} holds no cluster secrets: --pki-dir names the folder of the members' secrets`);
  const endpoints = (flags.server ?? '')
    .split(',')
    .map((endpoint) => endpoint.trim())
    .filter((endpoint) => endpoint !== '');
  for (const endpoint of endpoints) splitEndpoint(endpoint);
  const service = createDetached({
    ...options,
    endpoints,
    pki,
    identity: `${self.name}_${systemRandom.uuid()}`,
    logger,
    ...clockAndRandom,
  });
  await runUntilSignal(service, logger);
}

/** Names and addresses, as a certificate may carry them. */
function namesOf(text = ''): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const wrong = names.find((name) => !/^(\*\.)?[A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?$|^[0-9a-fA-F:.]+$/.test(name));
  if (wrong !== undefined) throw new UserError(`--tls-san must be names and addresses, not "${wrong}"`, 2);
  return names;
}

interface Occasion {
  readonly flags: ServerFlags;
  readonly self: MemberAddress;
  /** Under which this server is reached. */
  readonly names: readonly string[];
  readonly logger: Logger;
}

interface Place {
  readonly backing: Backing;
  readonly pki: ClusterPki;
  readonly certificates: MemberCertificates;
  readonly services: readonly Service[];
  /** For the log. */
  readonly told: Readonly<Record<string, unknown>>;
}

async function openMember({ flags, self, names, logger }: Occasion): Promise<Place> {
  // Only here: every other command, and every worker, goes without what a member is made of.
  const { startStoreMember } = await import('../../services/store/member/start.js');
  const hold = holdProcess();
  const seat = await takeSeat(flags, self, logger).finally(() => hold.cancel());
  const { pki, id, peers, join: joins } = seat;
  const certificates = await issueMemberCertificates({ pki, name: self.name, context: clockAndRandom, names });
  const peerCertificates = () => ({
    ca: pki.peerAuthority.certificate,
    cert: certificates.peer.current.certificate,
    key: certificates.peer.current.privateKey,
  });
  const member = await startStoreMember({
    clusterId: pki.clusterId,
    id,
    name: self.name,
    peers,
    join: joins,
    dataDir: flags.dataDir,
    listen: { host: flags.listenAddress, port: self.peerPort },
    certificates: peerCertificates(),
    log: { level: flags.logLevel, ...(flags.logFile === undefined ? {} : { file: flags.logFile }) },
    ...clockAndRandom,
    ...storeLimits(flags),
    raft: parseTiming(flags),
    onFatal: (error) => void dieOf(error, flags.dataDir, logger),
  });
  certificates.peer.onChange(() => member.renewCertificates(peerCertificates()));
  const keeper = new MemberFileKeeper({ dataDir: flags.dataDir, member, clock: systemClock });
  return {
    backing: { kind: 'member', member },
    pki,
    certificates,
    services: [keeper],
    told: { peer: self.peerPort, joins },
  };
}

async function openExternal({ flags, self, names, logger }: Occasion, address: StoreAddress): Promise<Place> {
  const { dataDir } = flags;
  const stored = await readMemberFile(dataDir);
  if (stored !== undefined && stored.external !== true) {
    throw new UserError(
      `${dataDir} belongs to the member "${stored.name}", which has a store of its own; a server with --store-endpoints needs another --data-dir`,
    );
  }
  const pkiDir = resolve(flags.pkiDir ?? stored?.pkiDir ?? layout(dataDir).pki);
  const pki = await clusterPki(pkiDir, stored === undefined);
  if (stored !== undefined) checkOwner(dataDir, stored, { clusterId: pki.clusterId, name: self.name });
  const here = {
    id: 0 as NodeId,
    name: self.name,
    peerAddress: '',
    clientAddresses: [hostPort(self.host, self.grpcPort)],
  };
  await writeMemberFile(dataDir, {
    name: self.name,
    clusterId: pki.clusterId,
    pkiDir,
    external: true,
    members: [here],
  });
  const certificates = await issueMemberCertificates({ pki, name: self.name, context: clockAndRandom, names });
  const backing = await openExternalStore({
    address,
    flags,
    name: self.name,
    pki,
    compaction: parseCompaction(flags.compaction),
    logger,
    ...clockAndRandom,
  });
  return { backing, pki, certificates, services: [], told: { store: address.endpoints } };
}

/**
 * A store that failed for good must not go on answering. After a fault of the disk whoever supervises may start it
 * again; a member that was removed, that the others do not take for who it says it is, or whose program is too old,
 * would only end the same way.
 */
async function dieOf(error: Error, dataDir: string, logger: Logger): Promise<void> {
  logger.error({ error: error.message }, 'the store has failed; this member stops');
  process.stderr.write(`navarch server: ${error.message}\n`);
  const code = error instanceof RaftError ? error.code : undefined;
  if (code === 'removed') {
    const file = await readMemberFile(dataDir).catch(() => undefined);
    if (file !== undefined) await writeMemberFile(dataDir, { ...file, removed: error.message }).catch(() => undefined);
  }
  process.exit(isShutOut(error) ? EXIT_FENCED : 1);
}
