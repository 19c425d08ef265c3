/**
 * The proxy makes Services work on one node: what a client sends to a ClusterIP or a node port reaches a ready backend.
 *
 * In: Services and EndpointSlices from the worker's informers. Out: one nftables table (family ip), written through the
 * Executor, and deleted UDP flows. Between them everything is pure: frontends.ts (what a Service means), table.ts
 * (which elements change), nft-text.ts (the transaction). At start the table is replaced in one transaction; from then
 * on only what changes is written. A transaction that fails, or a table that is gone, leads to a full one. Established
 * connections live in the kernel's tracking table and survive all of it, and the proxy's own death as well.
 *
 * It must never write rules from caches that are not complete, nor put text from an object into a transaction
 * unchecked, nor do work that grows with the number of Services when one of them changes.
 */
import { Coalesced } from '../../platform/coalesced.js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Executor } from '../../platform/exec.js';
import { CommandError, mustRun } from '../../platform/exec.js';
import type { Logger } from '../../platform/log.js';
import type { Service as Runnable } from '../../platform/service.js';
import { endpointSlices, services } from '../../apimachinery/gen/resources.js';
import type { EndpointSlice, Service } from '../../apimachinery/gen/types.js';
import { SERVICE_NAME_LABEL } from '../../apimachinery/well-known.js';
import type { Informer } from '../../sdk/informer/informer.js';
import type { InformerFactory } from '../../sdk/informer/informer-factory.js';
import { keyOf } from '../../sdk/key.js';
import { forgetFlows, forgetStrayFlows } from './conntrack.js';
import { frontendsOf } from './frontends.js';
import type { NodeContext } from './frontends.js';
import { deltaText, fullText } from './nft-text.js';
import type { TableConfig } from './nft-text.js';
import { ProxyTable } from './table.js';
import { Transaction } from './transaction.js';

/** Name of the table when nothing else is asked for. */
const PROXY_TABLE = 'navarch-proxy';
const BY_SERVICE = 'service';

const CHECK_INTERVAL_MS = 30_000;
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 30_000;

export interface ProxyOptions {
  /** Started and stopped by whoever composes the worker; shared with DNS. */
  readonly informers: InformerFactory;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
  /** Addresses in the service range that this node answers itself, such as that of the cluster's DNS. */
  readonly ownAddresses?: readonly string[];
  readonly table?: string;
}

export interface Proxy extends Runnable {
  /** Resolves when all Services known now have been written to the kernel. */
  whenSettled(): Promise<void>;
  /** Transactions written since the start, and those that failed. */
  readonly stats: { readonly full: number; readonly delta: number; readonly failed: number };
}

/** `start` does not wait for the API: rules of an earlier run go on working until the caches are complete. */
export function createProxy(options: ProxyOptions): Proxy {
  return new NftProxy(options);
}

/** Takes the table off this machine (or network namespace). Nothing to take off is fine. */
export async function removeProxyTable(executor: Executor, table = PROXY_TABLE): Promise<void> {
  await mustRun(executor, 'nft', ['-f', '-'], { stdin: `add table ip ${table}\ndelete table ip ${table}\n` });
}

function serviceKeysOf(slice: EndpointSlice): string[] {
  const name = slice.metadata?.labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? [] : [`${slice.metadata?.namespace ?? ''}/${name}`];
}

class NftProxy implements Proxy {
  readonly name = 'proxy';
  readonly stats = { full: 0, delta: 0, failed: 0 };
  readonly #options: ProxyOptions;
  readonly #config: TableConfig;
  readonly #context: NodeContext;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #dirty = new Set<string>();
  readonly #stop = new AbortController();
  readonly #settled = new Set<() => void>();
  readonly #table = new ProxyTable();
  /** The kernel's table must be written as a whole: at start, after a failure, when it has gone. */
  #stale = true;
  readonly #writes = new Coalesced({
    run: () => this.#write(),
    onFailure: (error) => this.#failed(error),
    onIdle: () => {
      if (this.#isSettled) this.#tellSettled();
    },
  });
  #retry: Timer | undefined;
  #retry_ms = RETRY_MS_MIN;
  #check: Timer | undefined;
  #detach: (() => void)[] = [];

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#config = {
      table: options.table ?? PROXY_TABLE,
      clusterCIDR: options.clusterCIDR,
      serviceCIDR: options.serviceCIDR,
    };
    this.#context = { nodeName: options.nodeName, ownAddresses: new Set(options.ownAddresses) };
    this.#services = options.informers.informer(services);
    this.#slices = options.informers.informer(endpointSlices);
    this.#slices.addIndex(BY_SERVICE, serviceKeysOf);
  }

  start(): Promise<void> {
    const service = (object: Service) => this.#touch([keyOf(object)]);
    const slice = (object: EndpointSlice) => this.#touch(serviceKeysOf(object));
    this.#detach = [
      this.#services.addHandler({ add: service, update: service, delete: service }),
      this.#slices.addHandler({
        add: slice,
        delete: slice,
        update: (object, old) => this.#touch([...serviceKeysOf(old), ...serviceKeysOf(object)]),
      }),
    ];
    this.#check = this.#options.clock.every(CHECK_INTERVAL_MS, () => this.#checkTable());
    this.#kick();
    return Promise.resolve();
  }

  /** Leaves the rules in place: pods go on reaching Services while the worker restarts. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the proxy was stopped'));
    for (const detach of this.#detach) detach();
    this.#check?.cancel();
    this.#retry?.cancel();
    await this.#writes.stop();
  }

  whenSettled(): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    return new Promise((resolve) => this.#settled.add(resolve));
  }

  #touch(keys: readonly string[]): void {
    for (const key of keys) this.#dirty.add(key);
    this.#kick();
  }

  get #isSettled(): boolean {
    return !this.#stale && this.#dirty.size === 0 && this.#writes.isIdle;
  }

  #tellSettled(): void {
    for (const resolve of this.#settled) resolve();
    this.#settled.clear();
  }

  /** What changes while a transaction runs becomes the next one. */
  #kick(): void {
    if (this.#retry === undefined) this.#writes.request();
  }

  async #write(): Promise<void> {
    const { signal } = this.#stop;
    await Promise.all([this.#services.whenSynced(signal), this.#slices.whenSynced(signal)]);
    // Events of one burst arrive in one turn: take them together.
    await new Promise<void>((resolve) => this.#options.clock.immediate(resolve));
    if (signal.aborted) return;
    if (this.#stale) await this.#writeAll();
    else if (this.#dirty.size > 0) await this.#writeChanges();
    this.#retry_ms = RETRY_MS_MIN;
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.stats.failed++;
    this.#stale = true;
    this.#options.logger.error(
      { error: error instanceof CommandError ? error.message : error, retry_ms: this.#retry_ms },
      'the service rules could not be written',
    );
    this.#retry = this.#options.clock.after(this.#retry_ms, () => {
      this.#retry = undefined;
      this.#kick();
    });
    this.#retry_ms = Math.min(this.#retry_ms * 2, RETRY_MS_MAX);
  }

  #planInto(transaction: Transaction, keys: Iterable<string>): void {
    const queue = new Set(keys);
    for (const key of queue) {
      const service = this.#services.lister.get(key);
      const frontends =
        service === undefined ? [] : frontendsOf(service, this.#slices.lister.byIndex(BY_SERVICE, key), this.#context);
      const change = this.#table.set(key, frontends);
      transaction.add(change);
      for (const freed of change.freed) {
        // A Set yields what is added while it is walked; a key that was walked already has to go to its end again.
        queue.delete(freed);
        queue.add(freed);
      }
    }
  }

  async #writeAll(): Promise<void> {
    this.#dirty.clear();
    this.#planInto(new Transaction(), new Set([...this.#table.services(), ...this.#services.lister.keys()]));
    const contents = this.#table.contents();
    await this.#apply(fullText(this.#config, contents));
    this.#stale = false;
    this.stats.full++;
    this.#options.logger.info(
      { services: this.#services.lister.size, elements: contents.elements.length },
      'service rules written',
    );
    this.#complain(await forgetStrayFlows(this.#options.executor, this.#table.udpBackends()));
  }

  async #writeChanges(): Promise<void> {
    const keys = [...this.#dirty];
    this.#dirty.clear();
    const transaction = new Transaction();
    this.#planInto(transaction, keys);
    if (transaction.isEmpty) return;
    await this.#apply(deltaText(this.#config.table, transaction));
    this.stats.delta++;
    this.#complain(await forgetFlows(this.#options.executor, transaction.stale));
  }

  async #apply(text: string): Promise<void> {
    await mustRun(this.#options.executor, 'nft', ['-f', '-'], { stdin: text });
  }

  #complain(complaints: readonly string[]): void {
    for (const complaint of complaints)
      this.#options.logger.warn({ complaint }, 'stale UDP flows could not be deleted');
  }

  /** Somebody may have flushed the ruleset: the dispatching chain stands for the table. */
  async #checkTable(): Promise<void> {
    if (this.#stale || !this.#writes.isIdle) return;
    const result = await this.#options.executor.run('nft', ['list', 'chain', 'ip', this.#config.table, 'prerouting']);
    if (result.code === 0 && result.stdout.includes('jump dispatch')) return;
    this.#options.logger.warn({}, 'the service rules have gone; writing them again');
    this.#stale = true;
    this.#kick();
  }
}
