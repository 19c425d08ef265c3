/** Shares informers between the controllers of one process: one watch and one cache for each resource and selection. */
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import type { KubeObject, Resource } from '../../apimachinery/object.js';
import type { Client } from '../client.js';
import { resourceKeyOf } from '../key.js';
import { Informer } from './informer.js';
import type { Selection } from './reflector.js';

export interface InformerFactoryOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** See InformerOptions. */
  readonly resync_ms?: number;
}

export class InformerFactory implements Service {
  readonly name = 'informers';
  readonly #options: InformerFactoryOptions;
  readonly #informers = new Map<string, Informer<KubeObject>>();
  readonly #running: Promise<void>[] = [];
  readonly #stop = new AbortController();
  #started = false;

  constructor(options: InformerFactoryOptions) {
    this.#options = options;
  }

  /** The shared informer of the resource; runs at once when the factory runs already. */
  informer<T extends KubeObject>(resource: Resource<T>, selection: Selection = {}): Informer<T> {
    const { namespace = '', labelSelector = '', fieldSelector = '' } = selection;
    const id = [resourceKeyOf(resource), namespace, labelSelector, fieldSelector].join('\n');
    const known = this.#informers.get(id);
    // The id holds the resource, and one resource has one type.
    if (known !== undefined) return known as unknown as Informer<T>;
    const informer = new Informer<T>({ ...this.#options, ...selection, resource });
    this.#informers.set(id, informer as unknown as Informer<KubeObject>);
    if (this.#started) this.#run(informer as unknown as Informer<KubeObject>);
    return informer;
  }

  /** Starts all informers and does not wait for them: a server that is away now may come back. See whenSynced. */
  start(): Promise<void> {
    if (!this.#started) {
      this.#started = true;
      for (const informer of this.#informers.values()) this.#run(informer);
    }
    return Promise.resolve();
  }

  /** Resolves when every informer asked for so far has its first list. */
  async whenSynced(signal?: AbortSignal): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.whenSynced(signal)));
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#stop.abort(new Error('the informers were stopped'));
    await Promise.all(this.#running);
  }

  #run(informer: Informer<KubeObject>): void {
    if (this.#stop.signal.aborted) return;
    this.#running.push(informer.run(this.#stop.signal));
  }
}
