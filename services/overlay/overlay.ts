/**
 * The overlay joins the pods of all nodes: each node has a subnet, and every other node a way to it.
 *
 * In: peers (this node among them) from a PeerSource. Out: by way of the Executor a VXLAN device, routes, permanent
 * neighbours and forwarding entries, forwarding switched on, and the CNI configuration for the runtime. backend.ts says
 * what the kernel should hold and kernel-state.ts what leads there; changes are written as deltas. Every half minute,
 * and after a failure, the kernel itself is looked at and what differs is mended.
 *
 * It must never delete anything before its source is complete, nor touch a route without its own protocol number, nor
 * write a CNI configuration before the kernel can carry what pods send.
 */
import { Coalesced } from '../../platform/coalesced.js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Part } from '../../platform/containment.js';
import type { Executor } from '../../platform/exec.js';
import type { Logger } from '../../platform/log.js';
import type { Service } from '../../platform/service.js';
import { VXLAN_DEVICE, hostGateway, vxlan } from './backend.js';
import type { Backend, Underlay } from './backend.js';
import { removeCniConfig, writeCniConfig } from './cni.js';
import type { CniOptions } from './cni.js';
import { OverlayKernel } from './kernel.js';
import { commandsBetween } from './kernel-state.js';
import type { KernelState } from './kernel-state.js';
import type { Peer, PeerSource } from './peers.js';

export interface OverlayOptions {
  readonly nodeName: string;
  readonly source: PeerSource;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Restarts this service when its peers are not followed any more; absent: that is logged. */
  readonly part?: Part;
  readonly cni: CniOptions;
  readonly backend?: Backend['name'];
  /**
   * Addresses of all ClusterIPs. A route for them lets processes of the node itself, which may have no default route,
   * reach Services: the proxy translates what is sent.
   */
  readonly serviceCIDR: string;
  /**
   * Addresses that this node answers itself, such as that of the cluster's DNS; they are put on the loopback device.
   */
  readonly ownAddresses?: readonly string[];
}

export interface Overlay extends Service {
  /**
   * Resolves when pods can be made: the kernel is set up for what is known now and the CNI configuration is written.
   */
  whenReady(): Promise<void>;
}

const CHECK_INTERVAL_MS = 30_000;
const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 10_000;

/**
 * `start` puts the node's own addresses in place and does not wait for peers: what an earlier run left in the kernel
 * goes on working.
 */
export function createOverlay(options: OverlayOptions): Overlay {
  return new NodeOverlay(options);
}

/** Takes the overlay off this machine (or network namespace). */
export async function removeOverlay(
  options: Pick<OverlayOptions, 'executor' | 'ownAddresses'> & { readonly cni: Pick<CniOptions, 'confDir'> },
): Promise<void> {
  await removeCniConfig(options.cni);
  await new OverlayKernel(options.executor).remove(options.ownAddresses ?? []);
}

interface Ground {
  readonly self: Peer;
  readonly underlay: Underlay;
  readonly backend: Backend;
}

class NodeOverlay implements Overlay {
  readonly name = 'overlay';
  readonly #options: OverlayOptions;
  readonly #kernel: OverlayKernel;
  readonly #peers = new Map<string, Peer>();
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #complete = false;
  /** What the kernel holds, as far as we know; undefined: it must be looked at. */
  #known: KernelState | undefined;
  #ground: Ground | undefined;
  #ready = false;
  readonly #setup = new Coalesced({
    run: async () => {
      // A burst of peers becomes one batch.
      await new Promise<void>((resolve) => this.#options.clock.immediate(resolve));
      if (this.#stop.signal.aborted) return;
      await this.#sync();
      this.#retry_ms = RETRY_MS_MIN;
    },
    onFailure: (error) => this.#failed(error),
    onIdle: () => {
      if (this.#isSettled) this.#tellReady();
    },
  });
  #following: Promise<void> | undefined;
  #timer: Timer | undefined;
  #retry: Timer | undefined;
  #retry_ms = RETRY_MS_MIN;

  constructor(options: OverlayOptions) {
    this.#options = options;
    this.#kernel = new OverlayKernel(options.executor);
  }

  async start(): Promise<void> {
    const { source, clock, logger } = this.#options;
    // Who listens on these addresses starts after us, and cannot wait for the node's subnet.
    await this.#kernel.ensureLocalAddresses(this.#options.ownAddresses ?? []);
    this.#following = source
      .run(
        {
          upsert: (peer) => {
            this.#peers.set(peer.name, peer);
            this.#touch();
          },
          remove: (name) => {
            this.#peers.delete(name);
            this.#touch();
          },
          synced: () => {
            this.#complete = true;
            this.#touch();
          },
        },
        this.#stop.signal,
      )
      .catch((error: unknown) => {
        logger.error({ error }, 'peers are not followed any more');
        this.#options.part?.fault(error);
      });
    this.#timer = clock.every(CHECK_INTERVAL_MS, () => {
      this.#known = undefined;
      this.#touch();
    });
  }

  /** Leaves the kernel as it is: pods go on talking while the worker restarts. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the overlay was stopped'));
    this.#timer?.cancel();
    this.#retry?.cancel();
    await this.#setup.stop();
    await this.#following;
  }

  whenReady(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  /** The kernel has all that is known, and nothing waits to be tried again. */
  get #isSettled(): boolean {
    return this.#ready && this.#setup.isIdle && this.#retry === undefined;
  }

  #touch(): void {
    if (this.#retry === undefined && this.#complete) this.#setup.request();
  }

  #tellReady(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #failed(error: unknown): void {
    this.#known = undefined;
    this.#options.logger.error({ error: String(error), retry_ms: this.#retry_ms }, 'the overlay could not be set up');
    if (this.#stop.signal.aborted) return;
    this.#retry = this.#options.clock.after(this.#retry_ms, () => {
      this.#retry = undefined;
      this.#touch();
    });
    this.#retry_ms = Math.min(this.#retry_ms * 2, RETRY_MS_MAX);
  }

  async #sync(): Promise<void> {
    const self = this.#peers.get(this.#options.nodeName);
    // No subnet yet: the node is registered, and the subnet controller will see to it.
    if (self === undefined) return;
    if (this.#known === undefined || this.#ground?.self !== self) this.#ground = await this.#prepare(self);
    const { backend, underlay } = this.#ground;
    const device = backend.device(self, underlay);
    const actual = this.#known ?? (await this.#kernel.observe(device?.name));
    const desired = this.#desired(this.#ground);
    const commands = commandsBetween(actual, desired);
    if (commands.ip.length + commands.bridge.length > 0) {
      this.#options.logger.info(
        { ip: commands.ip.length, bridge: commands.bridge.length, peers: this.#peers.size },
        'overlay changed',
      );
    }
    await this.#kernel.apply(commands);
    this.#known = desired;
    await writeCniConfig({ ...this.#options.cni, podCIDR: self.podCIDR, mtu: underlay.mtu - backend.overhead });
    this.#ready = true;
  }

  #desired({ backend, self }: Ground): KernelState {
    const state = backend.state(self, this.#peers.values());
    return { ...state, routes: new Map([...state.routes, [this.#options.serviceCIDR, `dev lo src ${self.address}`]]) };
  }

  async #prepare(self: Peer): Promise<Ground> {
    const underlay = await this.#kernel.underlay(self.address);
    if (underlay === undefined) throw new Error(`no link of this node has its address ${self.address}`);
    const backend = this.#options.backend === 'host-gw' ? hostGateway(underlay.dev) : vxlan;
    const device = backend.device(self, underlay);
    if (device !== undefined) await this.#kernel.ensureDevice(device);
    else await this.#kernel.removeDevice(VXLAN_DEVICE);
    if (this.#options.cni.link === 'bridge') await this.#kernel.enableBridgeFiltering();
    // A new device, or another subnet: what was there is not known any more.
    this.#known = undefined;
    await this.#kernel.ensureLocalAddresses(this.#options.ownAddresses ?? []);
    await this.#kernel.enableForwarding();
    return { self, underlay, backend };
  }
}
