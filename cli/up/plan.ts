/** What `navarch up` is to make, as data: which members and workers, where, and how each is started. */
import { join } from 'node:path';
import { agentDataDir, type HostsPlan } from '../hosts/plan.js';
import { layout } from '../lib/paths.js';
import { hostPort, type MemberAddress } from '../../services/server/identity.js';

export interface UpOptions {
  readonly dataDir: string;
  readonly members: number;
  readonly workers: number;
  /** First ports on loopback: those of later members follow. */
  readonly apiPort: number;
  readonly grpcPort: number;
  readonly peerPort: number;
  /** Silence after which a worker is NotReady. */
  readonly nodeGrace_s: number;
  /** How long pods stay on an unreachable worker. */
  readonly toleration_s: number;
  /**
   * What each worker has for pods, as `cpu=2,memory=4Gi`; what is not named is an equal part of the machine, or all of
   * it for hollow ones.
   */
  readonly workerCapacity?: string;
  /** Of real workers, as the flags of `agent`; its defaults when absent. */
  readonly cniLink?: string;
  /** A file of rules for hollow workers. */
  readonly hollowRules?: string;
  readonly overlayBackend?: string;
}

interface PlannedProcess {
  readonly name: string;
  /** Network namespace; undefined: this machine's own. */
  readonly namespace: string | undefined;
  readonly args: readonly string[];
}

interface PlannedWorker {
  readonly name: string;
  readonly address: string;
  readonly runtime: 'cri' | 'hollow';
  /** Its key and certificate. */
  readonly pkiDir: string;
}

/** The address that the kubeconfig names: passed on to whichever member is well. */
interface PlannedFront {
  readonly host: string;
  readonly port: number;
  readonly process: PlannedProcess;
}

export interface UpPlan {
  readonly front: PlannedFront;
  readonly mode: 'hosts' | 'loopback';
  readonly members: readonly MemberAddress[];
  readonly workers: readonly PlannedWorker[];
  readonly processes: readonly PlannedProcess[];
}

const initialCluster = (members: readonly MemberAddress[]) =>
  members.map((m) => `${m.name}=${m.host}:${m.peerPort}:${m.grpcPort}:${m.apiPort}`).join(',');

const API_PORT = 6443;
/** On loopback: behind the REST ports of as many members as there may be. */
const FRONT_PORT_OFFSET = 9;

function frontOf(
  options: UpOptions,
  at: { readonly host: string; readonly port: number },
  members: readonly MemberAddress[],
): PlannedFront {
  const to = members.map((m) => `${m.name}=${hostPort(m.host, m.apiPort)}`).join(',');
  return {
    ...at,
    process: {
      name: 'front',
      namespace: undefined,
      args: [
        'front',
        '--listen',
        hostPort(at.host, at.port),
        '--to',
        to,
        '--ca',
        join(layout(options.dataDir).pki, 'cluster-ca.crt'),
      ],
    },
  };
}

function serverArgs(options: UpOptions, self: MemberAddress, members: readonly MemberAddress[]): string[] {
  return [
    'server',
    '--name',
    self.name,
    '--data-dir',
    layout(options.dataDir).member(self.name),
    '--pki-dir',
    layout(options.dataDir).pki,
    '--advertise-address',
    self.host,
    '--listen-address',
    self.host,
    '--api-port',
    String(self.apiPort),
    '--grpc-port',
    String(self.grpcPort),
    '--peer-port',
    String(self.peerPort),
    '--initial-cluster',
    initialCluster(members),
    '--node-grace',
    String(options.nodeGrace_s),
    '--default-toleration',
    String(options.toleration_s),
  ];
}

const endpoints = (members: readonly MemberAddress[]) => members.map((m) => `${m.host}:${m.grpcPort}`).join(',');

const capacityArgs = ({ workerCapacity = '' }: UpOptions): string[] =>
  workerCapacity === '' ? [] : ['--capacity', workerCapacity];

const networkArgs = ({ cniLink, overlayBackend }: UpOptions): string[] => [
  ...(cniLink === undefined ? [] : ['--cni-link', cniLink]),
  ...(overlayBackend === undefined ? [] : ['--overlay-backend', overlayBackend]),
];

/** Members on loopback ports, workers that pretend. */
export function planLoopback(options: UpOptions): UpPlan {
  const members = Array.from({ length: options.members }, (_, i): MemberAddress => ({
    name: `m${i + 1}`,
    host: '127.0.0.1',
    apiPort: options.apiPort + i,
    grpcPort: options.grpcPort + 10 * i,
    peerPort: options.peerPort + 10 * i,
  }));
  const workers = Array.from({ length: options.workers }, (_, i): PlannedWorker => ({
    name: `w${i + 1}`,
    address: '127.0.0.1',
    runtime: 'hollow',
    pkiDir: join(layout(options.dataDir).worker(`w${i + 1}`), 'pki'),
  }));
  return {
    mode: 'loopback',
    members,
    workers,
    front: frontOf(options, { host: '127.0.0.1', port: options.apiPort + FRONT_PORT_OFFSET }, members),
    processes: [
      ...members.map((m): PlannedProcess => ({
        name: m.name,
        namespace: undefined,
        args: serverArgs(options, m, members),
      })),
      ...workers.map((w): PlannedProcess => ({
        name: w.name,
        namespace: undefined,
        args: [
          'agent',
          '--name',
          w.name,
          '--server',
          endpoints(members),
          '--node-ip',
          w.address,
          '--runtime',
          'hollow',
          '--data-dir',
          layout(options.dataDir).worker(w.name),
          ...capacityArgs(options),
          ...(options.hollowRules === undefined ? [] : ['--hollow-rules', options.hollowRules]),
        ],
      })),
    ],
  };
}

/** Each member and worker on a host of its own, workers with a containerd. */
export function planOnHosts(options: UpOptions, hosts: HostsPlan): UpPlan {
  // The machine's own address among the hosts: from here and from each of them it is reached.
  const machine = hosts.bridgeAddress.split('/')[0] ?? '';
  const memberHosts = hosts.hosts.filter((host) => host.role === 'member');
  const workerHosts = hosts.hosts.filter((host) => host.role === 'worker');
  const members = memberHosts.map((host, i): MemberAddress => ({
    name: `m${i + 1}`,
    host: host.address,
    apiPort: API_PORT,
    grpcPort: 2379,
    peerPort: 2380,
  }));
  const workers = workerHosts.map((host, i): PlannedWorker => ({
    name: `w${i + 1}`,
    address: host.address,
    runtime: 'cri',
    pkiDir: join(agentDataDir(host), 'pki'),
  }));
  return {
    mode: 'hosts',
    members,
    workers,
    front: frontOf(options, { host: machine, port: API_PORT }, members),
    processes: [
      ...members.map((m, i): PlannedProcess => ({
        name: m.name,
        namespace: memberHosts[i]?.namespace,
        args: [...serverArgs(options, m, members), '--tls-san', machine],
      })),
      ...workers.map((w, i): PlannedProcess => {
        const host = workerHosts[i];
        return {
          name: w.name,
          namespace: host?.namespace,
          args: [
            'agent',
            '--name',
            w.name,
            '--server',
            endpoints(members),
            '--node-ip',
            w.address,
            '--runtime',
            'cri',
            // Its images were built and imported here: nobody could give them back.
            '--image-gc-high',
            '100',
            '--runtime-socket',
            host?.containerd?.socket ?? '',
            '--cni-conf-dir',
            host?.containerd?.cniConfDir ?? '',
            '--cni-data-dir',
            host?.containerd?.cniDataDir ?? '',
            '--data-dir',
            host === undefined ? '' : agentDataDir(host),
            '--workers-here',
            String(workers.length),
            ...capacityArgs(options),
            ...networkArgs(options),
          ],
        };
      }),
    ],
  };
}
