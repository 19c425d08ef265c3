/**
 * A worker: agent, overlay, proxy and DNS in one process, as one host has them. With the hollow runtime it is the agent alone: pods that
 * pretend need no network.
 */
import { join } from 'node:path';
import type { Clock } from '../../platform/clock.js';
import { systemExecutor } from '../../platform/exec.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import { startAll, stopAll, type Service } from '../../platform/service.js';
import type { Client } from '../../sdk/client.js';
import { connect } from '../../sdk/grpc/connect.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { createAgent, type Agent } from '../../services/agent/agent.js';
import { ImageGarbage } from '../../services/agent/node/image-garbage.js';
import { FileCheckpoints } from '../../services/agent/pod/checkpoints.js';
import { CriRuntime } from '../../services/agent/runtime/cri/cri-runtime.js';
import { HollowRuntime } from '../../services/agent/runtime/hollow.js';
import { HostVolumes } from '../../services/agent/volumes/host-volumes.js';
import { createDns } from '../../services/dns/dns.js';
import { nodePeerSource } from '../../services/overlay/node-source.js';
import { createOverlay, type Overlay } from '../../services/overlay/overlay.js';
import { createProxy } from '../../services/proxy/proxy.js';
import { dnsServiceAddress, type ClusterNetwork } from '../server/network.js';
import { NODE_PORT, NodePort } from './node-port.js';
import type { WorkerCredentials } from './credentials.js';

export type RuntimeChoice =
  | { readonly kind: 'hollow' }
  | { readonly kind: 'cri'; readonly socket: string; readonly cniConfDir: string; readonly cniDataDir: string;
      /** Shares of the disk between which unused images go. */
      readonly imageGarbage: { readonly high_percent: number; readonly low_percent: number };
    };

export interface WorkerOptions {
  readonly nodeName: string;
  readonly nodeIP: string;
  readonly endpoints: readonly string[];
  readonly dataDir: string;
  readonly runtime: RuntimeChoice;
  readonly credentials: WorkerCredentials;
  readonly network: ClusterNetwork;
  readonly labels?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export function createWorker(options: WorkerOptions): Service {
  return options.runtime.kind === 'hollow' ? hollowWorker(options) : new CriWorker(options, options.runtime);
}

function agentOptions(options: WorkerOptions) {
  const { nodeName, nodeIP, endpoints, credentials, network, clock, random, logger, labels } = options;
  return {
    nodeName, nodeIP, memberEndpoints: endpoints, clusterDNS: dnsServiceAddress(network), clusterDomain: network.clusterDomain, clock, random, logger,
    ...(labels === undefined ? {} : { labels }),
    tls: () => {
      const { ca, pair } = credentials.current;
      return { ca, certificate: pair.certificate, key: pair.privateKey };
    },
  };
}

function hollowWorker(options: WorkerOptions): Service {
  const agent: Agent = createAgent({
    ...agentOptions(options),
    runtime: new HollowRuntime({ clock: options.clock, podCIDR: () => agent.podCIDR() }),
  });
  return {
    name: 'worker',
    start: () => startAll([options.credentials, agent]),
    stop: () => stopAll([options.credentials, agent]),
  };
}

class CriWorker implements Service {
  readonly name = 'worker';
  readonly #options: WorkerOptions;
  readonly #runtime: Extract<RuntimeChoice, { kind: 'cri' }>;
  #client: Client | undefined;
  #services: Service[] = [];
  #networkReady = false;

  constructor(options: WorkerOptions, runtime: Extract<RuntimeChoice, { kind: 'cri' }>) {
    this.#options = options;
    this.#runtime = runtime;
  }

  async start(): Promise<void> {
    const { credentials, clock, random, logger, endpoints } = this.#options;
    await credentials.start();
    const agent = this.#createAgent();
    // The agent first: containers that run are adopted and watched even while no member can be reached.
    const port = new NodePort({ host: this.#options.nodeIP, port: NODE_PORT, endpoints, credentials, agent, clock, logger });
    this.#services = [agent, port];
    await agent.start();
    await port.start();
    const client = await this.#connect();
    this.#client = client;
    const informers = new InformerFactory({ client, clock, random, logger });
    const overlay = this.#createOverlay(informers);
    const network = [informers, overlay, ...this.#createFronts(informers)];
    this.#services.push(...network);
    await startAll(network);
    logger.debug({ endpoints }, 'the worker\'s network services run');
    void overlay.whenReady().then(() => {
      this.#networkReady = true;
      agent.refresh();
    }, (error: unknown) => logger.error({ error: String(error) }, 'the overlay cannot be made ready'));
  }

  async stop(): Promise<void> {
    await stopAll(this.#services);
    await this.#client?.close();
    await this.#options.credentials.stop();
  }

  #createAgent(): Agent {
    const { dataDir, clock, random, logger } = this.#options;
    return createAgent({
      ...agentOptions(this.#options), dataDir,
      runtime: new CriRuntime({ socket: this.#runtime.socket, clock }),
      imageGarbage: new ImageGarbage({ ...this.#runtime.imageGarbage, clock }),
      checkpoints: new FileCheckpoints({ directory: join(dataDir, 'checkpoints'), clock, logger }),
      volumes: new HostVolumes({ dataDir, logRoot: join(dataDir, 'logs'), random }),
      networkReady: () => this.#networkReady,
    });
  }

  /** Members may all be away for the moment: a worker waits for them, its containers do not. */
  async #connect(): Promise<Client> {
    const { endpoints, credentials, clock, random, logger } = this.#options;
    const current = () => {
      const { ca, pair } = credentials.current;
      return { ca, certificate: pair.certificate, privateKey: pair.privateKey };
    };
    for (;;) {
      try {
        return await connect({ endpoints, tls: { current, onChange: (callback) => credentials.onChange(callback) }, clock, random });
      } catch (error) {
        logger.warn({ error: String(error) }, 'no member can be reached; trying again');
        await clock.sleep(1_000);
      }
    }
  }

  #createOverlay(informers: InformerFactory): Overlay {
    const { nodeName, network, clock, logger } = this.#options;
    return createOverlay({
      nodeName, source: nodePeerSource(informers), executor: systemExecutor, clock, logger: logger.child({ component: 'overlay' }),
      cni: { confDir: this.#runtime.cniConfDir, dataDir: this.#runtime.cniDataDir },
      serviceCIDR: network.serviceCidr, ownAddresses: [dnsServiceAddress(network)],
    });
  }

  #createFronts(informers: InformerFactory): Service[] {
    const { nodeName, network, clock, random, logger } = this.#options;
    const address = dnsServiceAddress(network);
    return [
      createProxy({
        informers, executor: systemExecutor, clock, logger: logger.child({ component: 'proxy' }), nodeName,
        clusterCIDR: network.clusterCidr, serviceCIDR: network.serviceCidr, ownAddresses: [address],
      }),
      createDns({ informers, clock, random, logger: logger.child({ component: 'dns' }), address, domain: network.clusterDomain }),
    ];
  }
}
