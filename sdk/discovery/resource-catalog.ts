/**
 * What a cluster serves, kept up to date: built-in kinds and those of CustomResourceDefinitions, which come and go
 * while a program runs. Whoever works on every kind asks `resources` at each look, or hears of changes.
 */
import type { ServedResource } from '../../apimachinery/object-service.js';
import { apiErrors } from '../../apimachinery/status.js';
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import { Backoff } from '../backoff.js';
import type { Client } from '../client.js';

export interface ResourceCatalogOptions {
  readonly client: Pick<Client, 'discover'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

interface Waiting {
  resolve(): void;
  reject(reason: Error): void;
}

export class ResourceCatalog implements Service {
  readonly name = 'resource catalog';
  readonly #options: ResourceCatalogOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  readonly #waiting: Waiting[] = [];
  #isKnown = false;
  readonly #backoff: Backoff;
  #running: Promise<void> | undefined;
  #resources: readonly ServedResource[] = [];
  #generation = 0;

  constructor(options: ResourceCatalogOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ base_ms: 200, max_ms: 10_000, random: options.random });
  }

  /** Preferred versions first; none before the server has answered once. */
  get resources(): readonly ServedResource[] {
    return this.#resources;
  }

  /** Grows with every change: what was derived from an older list must be derived anew. */
  get generation(): number {
    return this.#generation;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Does not wait for the server: see whenKnown. */
  start(): Promise<void> {
    this.#running ??= this.#follow();
    return Promise.resolve();
  }

  /** Resolves when the server has answered once; rejects when the catalog is stopped before. */
  async whenKnown(): Promise<void> {
    this.#stop.signal.throwIfAborted();
    if (this.#isKnown) return;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Asks once more, for what must not miss a kind that came a moment ago. */
  async refresh(signal?: AbortSignal): Promise<void> {
    for await (const resources of this.#options.client.discover(signal === undefined ? {} : { signal })) {
      this.#take(resources);
      return;
    }
    throw apiErrors.serviceUnavailable('the server says nothing of the resources it serves');
  }

  async stop(): Promise<void> {
    const reason = new Error('the resource catalog was stopped');
    this.#stop.abort(reason);
    for (const { reject } of this.#waiting.splice(0)) reject(reason);
    await this.#running;
  }

  async #follow(): Promise<void> {
    const { client, clock, logger } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        for await (const resources of client.discover({ signal })) this.#take(resources);
      } catch (error) {
        if (!signal.aborted)
          logger.warn({ error: String(error) }, 'the list of served resources was lost; asking again');
      }
      await clock.sleep(this.#backoff.next(), signal).catch(() => undefined);
    }
  }

  #take(resources: readonly ServedResource[]): void {
    this.#backoff.reset();
    this.#isKnown = true;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    if (sameResources(resources, this.#resources)) return;
    this.#resources = resources;
    this.#generation += 1;
    for (const listener of this.#listeners) listener();
  }
}

const identityOf = ({ group, version, resource, kind, namespaced, verbs, stored }: ServedResource) =>
  [group, version, resource, kind, namespaced, verbs.join(), stored].join(' ');

function sameResources(a: readonly ServedResource[], b: readonly ServedResource[]): boolean {
  return (
    a.length === b.length && a.every((one, index) => b[index] !== undefined && identityOf(one) === identityOf(b[index]))
  );
}
