/** `navarch agent`: one worker, in the foreground, until it is told to stop. Its containers stay. */
import { hostname } from 'node:os';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { systemClock } from '../../platform/clock.js';
import { Containment } from '../../platform/containment.js';
import { createLogger, type LogLevel } from '../../platform/log.js';
import { systemRandom } from '../../platform/random.js';
import { WorkerCredentials } from '../agent/credentials.js';
import { createWorker, type CniLink, type RuntimeChoice } from '../agent/worker.js';
import { parseCapacity, type CapacityOptions } from '../../services/agent/node/capacity.js';
import type { BackendName } from '../agent/worker-network.js';
import { parseHollowRules, type HollowRule } from '../../services/agent/runtime/hollow-behaviour.js';
import { UserError } from '../../platform/user-error.js';
import { splitEndpoint } from '../../platform/pki/join-token.js';
import { defaultDataDir } from '../lib/paths.js';
import { runUntilSignal } from '../lib/run.js';
import { forgetSecret, secretOf } from '../lib/secret-input.js';
import { hostPort } from '../../services/server/identity.js';
import { DEFAULT_NETWORK } from '../../services/server/network.js';

interface AgentFlags {
  readonly name: string;
  readonly server: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly nodeIp: string;
  readonly dataDir: string;
  readonly runtime: string;
  readonly runtimeSocket: string;
  readonly hollowRules?: string;
  readonly cniConfDir: string;
  readonly cniDataDir?: string;
  readonly cniLink: CniLink;
  readonly overlayBackend: BackendName;
  readonly imageGcHigh: string;
  readonly imageGcLow: string;
  readonly clusterCidr: string;
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  readonly label: readonly string[];
  readonly capacity: string;
  readonly workersHere: string;
  readonly logLevel: LogLevel;
  readonly logFile?: string;
}

export const CNI_LINKS = ['ptp', 'bridge'] as const satisfies readonly CniLink[];
export const BACKENDS = ['vxlan', 'host-gw'] as const satisfies readonly BackendName[];

const collect = (value: string, all: readonly string[]) => [...all, value];

export function addAgentCommand(program: Command): void {
  program
    .command('agent')
    .description('run one worker: pods in containerd (or pretended ones), overlay, Services, DNS')
    .requiredOption('--server <endpoints>', 'gRPC addresses of members, host:port,...; one that answers is enough')
    .option(
      '--token-file <file>',
      'join token, as `navarch token create` prints it; needed the first time, deleted then; -: standard input',
    )
    .option('--token <token>', 'the same, where everybody on this machine may see it')
    .option('--name <name>', "the node's name", hostname().toLowerCase())
    .option('--node-ip <address>', 'where other workers reach this one', '127.0.0.1')
    .option('--data-dir <directory>', 'certificates, volumes and logs of this worker', join(defaultDataDir(), 'agent'))
    .option('--runtime <kind>', 'cri: containers; hollow: pods that only pretend, for tests and for scale', 'cri')
    .option('--runtime-socket <path>', 'the CRI socket', '/run/containerd/containerd.sock')
    .option('--hollow-rules <file>', 'what hollow containers of some images do (docs/workers.md)')
    .option('--cni-conf-dir <directory>', 'where the runtime reads its network configuration', '/etc/cni/net.d')
    .option('--cni-data-dir <directory>', 'where the address leases of pods lie (default: <data-dir>/cni)')
    .addOption(
      new Option(
        '--cni-link <kind>',
        'ptp: each pod on a routed link of its own; bridge: all pods of the node on one bridge, which needs br_netfilter',
      )
        .choices(CNI_LINKS)
        .default('ptp'),
    )
    .addOption(
      new Option(
        '--overlay-backend <kind>',
        'vxlan: a tunnel between nodes; host-gw: plain routes, for nodes on one link. The same on all nodes',
      )
        .choices(BACKENDS)
        .default('vxlan'),
    )
    .option('--image-gc-high <percent>', 'unused images go when the disk is fuller than this; 100: never', '85')
    .option('--image-gc-low <percent>', 'and until it is no fuller than this', '80')
    .option('--cluster-cidr <cidr>', "addresses of pods: the cluster's own", DEFAULT_NETWORK.clusterCidr)
    .option('--service-cidr <cidr>', "addresses of Services: the cluster's own", DEFAULT_NETWORK.serviceCidr)
    .option('--cluster-domain <name>', 'DNS domain of the cluster', DEFAULT_NETWORK.clusterDomain)
    .option('--label <key=value>', 'label of the node; may be repeated', collect, [])
    .option(
      '--capacity <cpu=2,memory=4Gi,...>',
      'what pods may have here of cpu, memory, ephemeral-storage and pods, instead of all that the machine has',
      '',
    )
    .option('--workers-here <n>', 'workers on this machine, which each have an equal part of it', '1')
    .option('--log-level <level>', 'debug, info, warn or error', 'info')
    .option('--log-file <file>', 'log here instead of to standard error')
    .addHelpText(
      'after',
      `
Join a cluster with a token from one of its members:
  ssh root@10.0.0.1 navarch token create --uses 1 | navarch agent --server 10.0.0.1:2379,10.0.0.2:2379 --node-ip 10.0.0.9 --token-file -
Stopping the agent, even with kill -9, leaves the containers running; started again, it adopts them.`,
    )
    .action(async (flags: AgentFlags) => runAgent(flags));
}

async function hollowRulesOf({ hollowRules }: AgentFlags): Promise<HollowRule[]> {
  if (hollowRules === undefined) return [];
  try {
    return parseHollowRules(await readFile(hollowRules, 'utf8'));
  } catch (error) {
    throw new UserError(`--hollow-rules ${hollowRules}: ${(error as Error).message}`, 2);
  }
}

async function runtimeOf(flags: AgentFlags): Promise<RuntimeChoice> {
  switch (flags.runtime) {
    case 'hollow':
      return { kind: 'hollow', rules: await hollowRulesOf(flags) };
    case 'cri':
      return {
        kind: 'cri',
        cniLink: flags.cniLink,
        overlayBackend: flags.overlayBackend,
        socket: flags.runtimeSocket,
        cniConfDir: flags.cniConfDir,
        cniDataDir: flags.cniDataDir ?? join(flags.dataDir, 'cni'),
        imageGarbage: imageGarbageOf(flags),
      };
    default:
      throw new UserError(`--runtime must be cri or hollow, not "${flags.runtime}"`, 2);
  }
}

function imageGarbageOf({ imageGcHigh, imageGcLow }: AgentFlags): { high_percent: number; low_percent: number } {
  const [high_percent, low_percent] = [Number(imageGcHigh), Number(imageGcLow)];
  if (!(low_percent > 0 && low_percent < high_percent && high_percent <= 100)) {
    throw new UserError(
      `--image-gc-high and --image-gc-low are percents of the disk, the second below the first, not "${imageGcHigh}" and "${imageGcLow}"`,
      2,
    );
  }
  return { high_percent, low_percent };
}

function capacityOptionsOf({ capacity, workersHere }: AgentFlags): CapacityOptions {
  const count = Number(workersHere);
  if (!Number.isInteger(count) || count < 1)
    throw new UserError(`--workers-here must be a number of workers, 1 or more, not "${workersHere}"`, 2);
  try {
    return { workersHere: count, told: parseCapacity(capacity) };
  } catch (error) {
    throw new UserError(`--capacity: ${(error as Error).message}`, 2);
  }
}

function labelsOf(flags: AgentFlags): Record<string, string> {
  return Object.fromEntries(
    flags.label.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new UserError(`--label must be key=value, not "${text}"`, 2);
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}

async function runAgent(flags: AgentFlags): Promise<void> {
  const runtime = await runtimeOf(flags);
  const labels = labelsOf(flags);
  const capacity = capacityOptionsOf(flags);
  const endpoints = flags.server.split(',').map((text) => {
    const { host, port } = splitEndpoint(text.trim());
    return hostPort(host, port);
  });
  const logger = createLogger('navarch', {
    level: flags.logLevel,
    ...(flags.logFile === undefined ? {} : { file: flags.logFile }),
  }).child({ node: flags.name });
  await mkdir(flags.dataDir, { recursive: true, mode: 0o700 });
  const token = secretOf(flags);
  const containment = new Containment({ clock: systemClock, logger });
  containment.guardProcess((error) => {
    logger.error(
      { error: error instanceof Error ? error.stack : String(error) },
      'an error of no part of the worker: it ends',
    );
    process.exit(1);
  });
  const credentials = new WorkerCredentials({
    nodeName: flags.name,
    directory: join(flags.dataDir, 'pki'),
    endpoints,
    clock: systemClock,
    logger,
    ...(token === undefined ? {} : { token }),
    onJoined: async () => {
      const reason = await forgetSecret(flags);
      if (reason !== undefined)
        logger.warn({ reason }, 'the token is needed no longer, and its file could not be deleted');
    },
  });
  const worker = createWorker({
    nodeName: flags.name,
    nodeIP: flags.nodeIp,
    endpoints,
    dataDir: flags.dataDir,
    runtime,
    credentials,
    labels,
    capacity,
    containment,
    clock: systemClock,
    random: systemRandom,
    logger,
    network: {
      ...DEFAULT_NETWORK,
      clusterCidr: flags.clusterCidr,
      serviceCidr: flags.serviceCidr,
      clusterDomain: flags.clusterDomain,
    },
  });
  await runUntilSignal(worker, logger);
}
