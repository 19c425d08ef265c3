/**
 * The network side of a worker: a connection to the members, informers on it, and what follows them: overlay, proxy and
 * DNS, each of which fails and starts again for itself. A fault of the connection or of the informers restarts all of
 * it.
 */
import type { Clock } from '../../platform/clock.js';
import { ContainedService } from '../../platform/contained-service.js';
import type { Containment } from '../../platform/containment.js';
import { systemExecutor } from '../../platform/exec.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import { startAll, stopAll, type Service } from '../../platform/service.js';
import type { Client } from '../../sdk/client.js';
import { connect } from '../../sdk/grpc/connect.js';
import { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { createDns } from '../../services/dns/dns.js';
import { nodePeerSource } from '../../services/overlay/node-source.js';
import type { Backend } from '../../services/overlay/backend.js';
import { createOverlay, type Overlay, type OverlayOptions } from '../../services/overlay/overlay.js';
import { createProxy } from '../../services/proxy/proxy.js';
import { dnsServiceAddress, type ClusterNetwork } from '../../services/server/network.js';
import type { WorkerCredentials } from './credentials.js';

export type BackendName = Backend['name'];

export interface WorkerNetworkOptions {
  readonly nodeName: string;
  readonly endpoints: readonly string[];
  readonly credentials: WorkerCredentials;
  readonly network: ClusterNetwork;
  readonly cni: OverlayOptions['cni'];
  readonly backend: BackendName;
  readonly containment: Containment;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Pods can be made now. */
  readonly onReady: () => void;
}

const RETRY_MS = 1_000;

export class WorkerNetwork implements Service {
  readonly name = 'network';
  readonly #options: WorkerNetworkOptions;
  readonly #stop = new AbortController();
  #client: Client | undefined;
  #services: readonly Service[] = [];

  constructor(options: WorkerNetworkOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { clock, random, logger } = this.#options;
    const client = await this.#connect();
    this.#client = client;
    if (this.#stop.signal.aborted) return client.close();
    const informers = new InformerFactory({ client, clock, random, logger });
    // DNS after the overlay, which puts its address on the node.
    this.#services = [informers, this.#overlay(informers), this.#proxy(informers), this.#dns(informers)];
    await startAll(this.#services);
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the network of the worker stops'));
    await stopAll(this.#services);
    await this.#client?.close();
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
        return await connect({
          endpoints,
          tls: { current, onChange: (callback) => credentials.onChange(callback) },
          clock,
          random,
        });
      } catch (error) {
        logger.warn({ error: String(error) }, 'no member can be reached; trying again');
        await clock.sleep(RETRY_MS, this.#stop.signal);
      }
    }
  }

  #overlay(informers: InformerFactory): Service {
    const { nodeName, network, cni, backend, containment, clock, logger, onReady } = this.#options;
    return new ContainedService<Overlay>({
      name: 'overlay',
      containment,
      clock,
      create: (part) =>
        createOverlay({
          nodeName,
          cni,
          backend,
          part,
          source: nodePeerSource(informers),
          executor: systemExecutor,
          clock: part.clock(clock),
          logger: logger.child({ component: 'overlay' }),
          serviceCIDR: network.serviceCidr,
          ownAddresses: [dnsServiceAddress(network)],
        }),
      onStarted: (overlay) => void overlay.whenReady().then(onReady),
    });
  }

  #proxy(informers: InformerFactory): Service {
    const { nodeName, network, containment, clock, logger } = this.#options;
    return new ContainedService({
      name: 'proxy',
      containment,
      clock,
      create: (part) =>
        createProxy({
          informers,
          executor: systemExecutor,
          clock: part.clock(clock),
          logger: logger.child({ component: 'proxy' }),
          nodeName,
          clusterCIDR: network.clusterCidr,
          serviceCIDR: network.serviceCidr,
          ownAddresses: [dnsServiceAddress(network)],
        }),
    });
  }

  #dns(informers: InformerFactory): Service {
    const { network, containment, clock, random, logger } = this.#options;
    return new ContainedService({
      name: 'dns',
      containment,
      clock,
      create: (part) =>
        createDns({
          informers,
          clock: part.clock(clock),
          random,
          part,
          logger: logger.child({ component: 'dns' }),
          address: dnsServiceAddress(network),
          domain: network.clusterDomain,
        }),
    });
  }
}
