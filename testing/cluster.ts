/**
 * navarch/testing: a whole cluster inside a test. Members with the real store, API server, scheduler and controllers;
 * hollow workers with the real agent; real TLS and gRPC on loopback. Peers talk in memory, so that a test can cut them
 * off from each other.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodes } from '../apimachinery/gen/resources.js';
import { issueAdminCertificate, issueMemberCertificates } from '../services/server/certificates.js';
import { memberIdOf, peerInfoOf, type MemberAddress } from '../services/server/identity.js';
import {
  apiServiceAddress,
  DEFAULT_NETWORK,
  dnsServiceAddress,
  type ClusterNetwork,
} from '../services/server/network.js';
import { createServer, type Server } from '../services/server/index.js';
import { kubeconfigText } from '../cli/lib/kubeconfig.js';
import { holdProcess, systemClock, type Clock, type Timer } from '../platform/clock.js';
import { silentLogger, type Logger } from '../platform/log.js';
import { freePorts } from '../platform/free-ports.js';
import { createClusterPki, type ClusterPki } from '../platform/pki/cluster-pki.js';
import { issueCertificate, type KeyPair } from '../platform/pki/x509.js';
import { systemRandom, type Random } from '../platform/random.js';
import { MemoryLog, MemoryNetwork } from '../raft/index.js';
import type { Client } from '../sdk/client.js';
import { connect } from '../sdk/grpc/connect.js';
import { createAgent, type Agent } from '../services/agent/agent.js';
import { HollowRuntime } from '../services/agent/runtime/hollow.js';
import { startInlineMember } from '../services/store/member/start.js';

export interface ClusterOptions {
  /** 1 when absent. */
  readonly members?: number;
  /** Hollow workers; 1 when absent. */
  readonly nodes?: number;
  /** Where the members' state lies; a temporary folder that goes with the cluster when absent. */
  readonly dataDir?: string;
  /** Silence after which a node is NotReady; 8,000 when absent (Kubernetes: 40,000). */
  readonly nodeGrace_ms?: number;
  /** How long pods stay on an unreachable node; 5 when absent (Kubernetes: 300). */
  readonly defaultTolerationSeconds?: number;
  readonly network?: Partial<ClusterNetwork>;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** `start` waits until all nodes are Ready; true when absent. */
  readonly waitForNodes?: boolean;
}

export interface TestMember {
  readonly name: string;
  /** `https://127.0.0.1:port`: what kubectl and other clients dial. */
  readonly api: string;
  /** `127.0.0.1:port`: SDK, workers, etcd's API. */
  readonly grpc: string;
  readonly server: Server | undefined;
  /** Gone at once, as after kill -9: nothing is handed over. Its state stays. */
  kill(): Promise<void>;
  /** Comes back with the state it had. */
  start(): Promise<void>;
  /** No messages from and to the other members. */
  cutOff(): void;
}

export interface TestNode {
  readonly name: string;
  readonly agent: Agent | undefined;
  /** The worker falls silent; its pods are left as they are. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface Cluster extends AsyncDisposable {
  readonly members: readonly TestMember[];
  readonly nodes: readonly TestNode[];
  readonly pki: ClusterPki;
  /** The administrator's certificate. */
  readonly admin: KeyPair;
  /** The administrator over gRPC, failing over between members. */
  readonly client: Client;
  /** Path of the administrator's kubeconfig for the member (the first when absent). */
  kubeconfig(member?: number): Promise<string>;
  /** All cuts between members are undone. */
  heal(): void;
  /** Resolves when all nodes are Ready; rejects after `timeout_ms`. */
  whenNodesReady(timeout_ms?: number): Promise<void>;
  stop(): Promise<void>;
}

const DAY_MS = 24 * 3_600_000;
const READY_MS = 30_000;
const HOST = '127.0.0.1';

/** Resolves when the cluster is ready for work. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = new TestCluster(options);
  try {
    await cluster.start();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

interface Parts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly network: ClusterNetwork;
}

class TestCluster implements Cluster {
  readonly members: MemberInTest[] = [];
  readonly nodes: NodeInTest[] = [];
  readonly #options: ClusterOptions;
  readonly #parts: Parts;
  readonly #wire: MemoryNetwork;
  #pki: ClusterPki | undefined;
  #admin: KeyPair | undefined;
  #client: Client | undefined;
  #directory: string | undefined;
  /** Until the listeners are up, and while they go, nothing else may keep a script's process alive. */
  #hold: Timer | undefined;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const clock = options.clock ?? systemClock;
    this.#parts = {
      clock,
      random: options.random ?? systemRandom,
      logger: options.logger ?? silentLogger,
      network: { ...DEFAULT_NETWORK, ...options.network },
    };
    this.#wire = new MemoryNetwork(clock);
  }

  get pki(): ClusterPki {
    return started(this.#pki);
  }

  get admin(): KeyPair {
    return started(this.#admin);
  }

  get client(): Client {
    return started(this.#client);
  }

  async start(): Promise<void> {
    this.#hold = holdProcess();
    const { members = 1, nodes: workers = 1 } = this.#options;
    const [pki, ports, directory] = await Promise.all([
      createClusterPki(this.#parts),
      freePorts(members * 2),
      this.#options.dataDir ?? mkdtemp(join(tmpdir(), 'navarch-cluster-')),
    ]);
    this.#pki = pki;
    this.#directory = directory;
    const addresses = Array.from({ length: members }, (_, index): MemberAddress => ({
      name: `m${index + 1}`,
      host: HOST,
      apiPort: ports[index * 2] ?? 0,
      grpcPort: ports[index * 2 + 1] ?? 0,
      peerPort: 1 + index,
    }));
    for (const address of addresses) {
      this.members.push(
        new MemberInTest({
          ...this.#parts,
          options: this.#options,
          pki,
          wire: this.#wire,
          address,
          addresses,
          dataDir: join(directory, address.name),
        }),
      );
    }
    await Promise.all([
      ...this.members.map((member) => member.start()),
      issueAdminCertificate(pki, this.#parts).then((admin) => (this.#admin = admin)),
    ]);
    const endpoints = this.members.map((member) => member.grpc);
    for (let index = 1; index <= workers; index++) {
      this.nodes.push(
        new NodeInTest({ ...this.#parts, pki, name: `w${index}`, endpoints, podCIDR: `10.244.${index}.0/24` }),
      );
    }
    await Promise.all(this.nodes.map((node) => node.start()));
    const { certificate, privateKey } = this.admin;
    this.#client = await connect({
      endpoints,
      tls: { ca: pki.clusterAuthority.certificate, certificate, privateKey },
      clock: this.#parts.clock,
      random: this.#parts.random,
    });
    if (this.#options.waitForNodes !== false) await this.whenNodesReady();
  }

  async kubeconfig(member = 0): Promise<string> {
    const path = join(started(this.#directory), `kubeconfig-${member}`);
    const text = kubeconfigText({
      server: this.members[member]?.api ?? '',
      clusterAuthority: this.pki.clusterAuthority.certificate,
      user: 'kubernetes-admin',
      credential: this.admin,
    });
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }

  heal(): void {
    this.#wire.heal();
  }

  async whenNodesReady(timeout_ms = READY_MS): Promise<void> {
    const signal = AbortSignal.timeout(timeout_ms);
    const missing = new Set(this.nodes.map((node) => node.name));
    if (missing.size === 0) return;
    try {
      for await (const event of this.client.watch(nodes, { signal })) {
        const ready =
          event.object.status?.conditions?.some(
            (condition) => condition.type === 'Ready' && condition.status === 'True',
          ) === true;
        if (event.type !== 'BOOKMARK' && ready) missing.delete(event.object.metadata?.name ?? '');
        if (missing.size === 0) return;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    throw new Error(`after ${timeout_ms} ms these nodes are not Ready: ${[...missing].join(', ')}`);
  }

  async stop(): Promise<void> {
    try {
      await this.#client?.close();
      await Promise.all(this.nodes.map((node) => node.stop()));
      await Promise.all(this.members.map((member) => member.stop()));
      if (this.#options.dataDir === undefined && this.#directory !== undefined)
        await rm(this.#directory, { recursive: true, force: true });
    } finally {
      this.#hold?.cancel();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function started<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the cluster has not been started');
  return value;
}

interface MemberParts extends Parts {
  readonly options: ClusterOptions;
  readonly pki: ClusterPki;
  readonly wire: MemoryNetwork;
  readonly address: MemberAddress;
  readonly addresses: readonly MemberAddress[];
  readonly dataDir: string;
}

class MemberInTest implements TestMember {
  readonly name: string;
  readonly api: string;
  readonly grpc: string;
  readonly #parts: MemberParts;
  readonly #log = new MemoryLog();
  #server: Server | undefined;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    const { address } = parts;
    this.name = address.name;
    this.api = `https://${address.host}:${address.apiPort}`;
    this.grpc = `${address.host}:${address.grpcPort}`;
  }

  get server(): Server | undefined {
    return this.#server;
  }

  async start(): Promise<void> {
    const { clock, random, logger, pki, address, addresses, network, wire, dataDir, options } = this.#parts;
    const certificates = await issueMemberCertificates({
      pki,
      name: address.name,
      context: { clock, random },
      names: [
        'localhost',
        address.host,
        'kubernetes',
        'kubernetes.default',
        'kubernetes.default.svc',
        `kubernetes.default.svc.${network.clusterDomain}`,
        apiServiceAddress(network),
      ],
    });
    const member = await startInlineMember({
      clusterId: pki.clusterId,
      id: memberIdOf(pki.clusterId, address.name),
      name: address.name,
      dataDir,
      network: wire,
      raftLog: this.#log,
      peers: addresses.map((other) => peerInfoOf(pki.clusterId, other)),
      clock,
      random,
      log: { level: 'silent' },
    });
    this.#server = createServer({
      address,
      listenHost: address.host,
      backing: { kind: 'member', member },
      pki,
      certificates,
      network,
      clock,
      random,
      logger: logger.child({ member: address.name }),
      nodeGrace_ms: options.nodeGrace_ms ?? 8_000,
      defaultTolerationSeconds: options.defaultTolerationSeconds ?? 5,
    });
    await this.#server.start();
  }

  async kill(): Promise<void> {
    this.cutOff();
    await this.stop();
    this.#parts.wire.heal();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.stop();
  }

  cutOff(): void {
    const { pki, wire, address, addresses } = this.#parts;
    const self = memberIdOf(pki.clusterId, address.name);
    for (const other of addresses) {
      if (other.name === address.name) continue;
      const id = memberIdOf(pki.clusterId, other.name);
      wire.cut(self, id);
      wire.cut(id, self);
    }
  }
}

interface NodeParts extends Parts {
  readonly pki: ClusterPki;
  readonly name: string;
  readonly endpoints: readonly string[];
  readonly podCIDR: string;
}

class NodeInTest implements TestNode {
  readonly name: string;
  readonly #parts: NodeParts;
  readonly #runtime: HollowRuntime;
  #agent: Agent | undefined;
  #pair: KeyPair | undefined;

  constructor(parts: NodeParts) {
    this.#parts = parts;
    this.name = parts.name;
    this.#runtime = new HollowRuntime({ clock: parts.clock, podCIDR: () => parts.podCIDR });
  }

  get agent(): Agent | undefined {
    return this.#agent;
  }

  async start(): Promise<void> {
    const { pki, clock, random, logger, endpoints, network } = this.#parts;
    const pair = (this.#pair ??= await issueCertificate(
      pki.clusterAuthority,
      {
        subject: { commonName: `system:node:${this.name}`, organizations: ['system:nodes'] },
        usages: ['client'],
        lifetime_ms: 30 * DAY_MS,
      },
      { clock, random },
    ));
    this.#agent = createAgent({
      nodeName: this.name,
      memberEndpoints: endpoints,
      runtime: this.#runtime,
      nodeIP: HOST,
      clusterDNS: dnsServiceAddress(network),
      clusterDomain: network.clusterDomain,
      clock,
      random,
      logger: logger.child({ node: this.name }),
      tls: () => ({ ca: pki.clusterAuthority.certificate, certificate: pair.certificate, key: pair.privateKey }),
    });
    await this.#agent.start();
  }

  async stop(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    await agent?.stop();
  }
}
