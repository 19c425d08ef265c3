/**
 * A worker: agent, overlay, proxy and DNS in one process, as one host has them. With the hollow runtime it is the agent
 * alone: pods that pretend need no network.
 */
import { join } from 'node:path';
import type { Clock } from '../../platform/clock.js';
import { ContainedService } from '../../platform/contained-service.js';
import type { Containment, Part } from '../../platform/containment.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import { startAll, stopAll, type Service } from '../../platform/service.js';
import { createAgent, type Agent } from '../../services/agent/agent.js';
import { CgroupHierarchy, findMounts } from '../../services/agent/cgroups/hierarchy.js';
import { cgroupRootOf, KernelPodCgroups } from '../../services/agent/cgroups/pod-cgroups.js';
import { ImageGarbage } from '../../services/agent/node/image-garbage.js';
import type { CapacityOptions } from '../../services/agent/node/capacity.js';
import { FileCheckpoints } from '../../services/agent/pod/checkpoints.js';
import { CriRuntime } from '../../services/agent/runtime/cri/cri-runtime.js';
import type { HollowRule } from '../../services/agent/runtime/hollow-behaviour.js';
import { HollowRuntime } from '../../services/agent/runtime/hollow.js';
import { HostVolumes } from '../../services/agent/volumes/host-volumes.js';
import { VOLUME_PLUGINS } from '../../services/agent/volumes/plugins/index.js';
import type { CniOptions } from '../../services/overlay/cni.js';
import { dnsServiceAddress, type ClusterNetwork } from '../../services/server/network.js';
import { NODE_PORT, NodePort } from './node-port.js';
import type { WorkerCredentials } from './credentials.js';
import { WorkerNetwork, type BackendName } from './worker-network.js';

export type CniLink = NonNullable<CniOptions['link']>;

interface CriChoice {
  readonly kind: 'cri';
  readonly socket: string;
  readonly cniConfDir: string;
  readonly cniDataDir: string;
  /** How pods hang on their node. */
  readonly cniLink: CniLink;
  /** How packets get to pods of other nodes. */
  readonly overlayBackend: BackendName;
  /** Shares of the disk between which unused images go. */
  readonly imageGarbage: { readonly high_percent: number; readonly low_percent: number };
}

interface HollowChoice {
  readonly kind: 'hollow';
  readonly rules: readonly HollowRule[];
}

export type RuntimeChoice = HollowChoice | CriChoice;

export interface WorkerOptions {
  readonly nodeName: string;
  readonly nodeIP: string;
  readonly endpoints: readonly string[];
  readonly dataDir: string;
  readonly runtime: RuntimeChoice;
  readonly credentials: WorkerCredentials;
  readonly network: ClusterNetwork;
  readonly labels?: Readonly<Record<string, string>>;
  /** What the node has for pods, where it is not all of the machine. */
  readonly capacity?: CapacityOptions;
  readonly containment: Containment;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export function createWorker(options: WorkerOptions): Service {
  return options.runtime.kind === 'hollow'
    ? hollowWorker(options, options.runtime)
    : new CriWorker(options, options.runtime);
}

function agentOptions(options: WorkerOptions) {
  const { nodeName, nodeIP, endpoints, credentials, network, clock, random, logger, labels, capacity } = options;
  return {
    nodeName,
    nodeIP,
    memberEndpoints: endpoints,
    clusterDNS: dnsServiceAddress(network),
    clusterDomain: network.clusterDomain,
    clock,
    random,
    logger,
    ...(labels === undefined ? {} : { labels }),
    ...(capacity === undefined ? {} : { capacity }),
    tls: () => {
      const { ca, pair } = credentials.current;
      return { ca, certificate: pair.certificate, key: pair.privateKey };
    },
  };
}

function hollowWorker(options: WorkerOptions, { rules }: HollowChoice): Service {
  const { containment, clock, credentials } = options;
  const agent: ContainedService<Agent> = new ContainedService({
    name: 'agent',
    containment,
    clock,
    create: (part) =>
      createAgent({
        ...agentOptions(options),
        part,
        clock: part.clock(clock),
        faults: () => containment.faults(),
        runtime: new HollowRuntime({ clock: part.clock(clock), rules, podCIDR: () => agent.current?.podCIDR() }),
      }),
  });
  return {
    name: 'worker',
    start: () => startAll([credentials, agent]),
    stop: () => stopAll([credentials, agent]),
  };
}

/**
 * Agent, node port and network each fail and start again for themselves. Until a certificate is there, nothing can run:
 * that alone is fatal.
 */
class CriWorker implements Service {
  readonly name = 'worker';
  readonly #options: WorkerOptions;
  readonly #runtime: CriChoice;
  readonly #agent: ContainedService<Agent>;
  readonly #parts: readonly Service[];
  #networkReady = false;
  #cgroups: CgroupHierarchy | undefined;

  constructor(options: WorkerOptions, runtime: CriChoice) {
    this.#options = options;
    this.#runtime = runtime;
    const { containment, clock, logger, nodeIP, endpoints, credentials } = options;
    this.#agent = new ContainedService({
      name: 'agent',
      containment,
      clock,
      create: (part) => this.#createAgent(part),
    });
    const agent = {
      health: () => this.#agent.current?.health() ?? Promise.resolve('the agent starts again after a fault'),
      metrics: () =>
        this.#agent.current?.metrics() ?? Promise.reject(new Error('the agent starts again after a fault')),
    };
    const port = new ContainedService({
      name: 'node-port',
      containment,
      clock,
      create: (part) =>
        new NodePort({
          host: nodeIP,
          port: NODE_PORT,
          endpoints,
          credentials,
          agent,
          clock: part.clock(clock),
          logger,
        }),
    });
    const network = new ContainedService({
      name: 'network',
      containment,
      clock,
      create: (part) => this.#createNetwork(part),
    });
    // The agent first: containers that run are adopted and watched even while no member can be reached.
    this.#parts = [this.#agent, port, network];
  }

  async start(): Promise<void> {
    const { credentials, containment, endpoints, logger } = this.#options;
    await containment.part('credentials').run(() => credentials.start());
    const mounts = await findMounts();
    if (mounts === undefined)
      logger.warn({}, 'this machine has no control groups: requests and limits of pods do not hold');
    else this.#cgroups = new CgroupHierarchy(mounts);
    await startAll(this.#parts);
    logger.debug({ endpoints }, 'the worker runs');
  }

  async stop(): Promise<void> {
    await stopAll(this.#parts);
    await this.#options.credentials.stop();
  }

  #createAgent(part: Part): Agent {
    const { dataDir, nodeIP, random, logger, containment } = this.#options;
    const clock = part.clock(this.#options.clock);
    const root = cgroupRootOf(dataDir);
    return createAgent({
      ...agentOptions(this.#options),
      clock,
      dataDir,
      part,
      faults: () => containment.faults(),
      runtime: new CriRuntime({ socket: this.#runtime.socket, clock }),
      imageGarbage: new ImageGarbage({ ...this.#runtime.imageGarbage, clock }),
      checkpoints: new FileCheckpoints({ directory: join(dataDir, 'checkpoints'), clock, logger }),
      volumes: new HostVolumes({ dataDir, logRoot: join(dataDir, 'logs'), random, plugins: VOLUME_PLUGINS }),
      networkReady: () => this.#networkReady,
      serving: { host: nodeIP, port: NODE_PORT },
      ...(this.#cgroups === undefined
        ? {}
        : { cgroups: { root, pods: new KernelPodCgroups({ root, hierarchy: this.#cgroups, clock }) } }),
    });
  }

  #createNetwork(part: Part): Service {
    const { nodeName, endpoints, credentials, network, containment, random, logger } = this.#options;
    return new WorkerNetwork({
      nodeName,
      endpoints,
      credentials,
      network,
      containment,
      random,
      logger,
      clock: part.clock(this.#options.clock),
      backend: this.#runtime.overlayBackend,
      cni: { confDir: this.#runtime.cniConfDir, dataDir: this.#runtime.cniDataDir, link: this.#runtime.cniLink },
      onReady: () => {
        this.#networkReady = true;
        this.#agent.current?.refresh();
      },
    });
  }
}
