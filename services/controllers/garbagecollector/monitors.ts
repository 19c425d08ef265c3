/**
 * The collector's eyes: an informer for every kind that can be owned or own, following discovery. Kinds of
 * CustomResourceDefinitions get informers of their own, which keep metadata alone and end with their kind; built-in
 * ones share those of the other controllers.
 */
import { setMaxListeners } from 'node:events';
import type { KubeObject, Resource } from '../../../apimachinery/object.js';
import { Informer } from '../../../sdk/informer/informer.js';
import { resourceKeyOf } from '../../../sdk/key.js';
import type { ControllerContext } from '../context.js';
import type { Discovery } from '../discovery.js';
import type { OwnerGraph } from './graph.js';

/** A kind whose objects cannot be listed must not hold up the others for longer. */
const SYNC_MS_MAX = 10_000;

interface Monitor {
  readonly informer: Informer<KubeObject>;
  stop(): Promise<void>;
}

export interface MonitorsOptions {
  readonly context: ControllerContext;
  readonly discovery: Discovery;
  readonly graph: OwnerGraph;
  readonly enqueue: (uid: string) => void;
  /** Kinds came or went. */
  readonly changed: () => void;
}

export class Monitors {
  readonly #options: MonitorsOptions;
  readonly #monitors = new Map<string, Monitor>();
  /** Nobody waits for these again. */
  readonly #slow = new Set<Monitor>();
  #generation: number | undefined;
  #forget: (() => void) | undefined;
  #stopping: Promise<void>[] = [];

  constructor(options: MonitorsOptions) {
    this.#options = options;
  }

  start(): void {
    this.follow();
    this.#forget = this.#options.discovery.onChange(() => this.follow());
  }

  async stop(): Promise<void> {
    this.#forget?.();
    for (const monitor of this.#monitors.values()) this.#stopping.push(monitor.stop());
    this.#monitors.clear();
    await Promise.all(this.#stopping);
  }

  /** Starts and ends informers until there is one for each kind that is served now. */
  follow(): void {
    const { discovery, graph } = this.#options;
    const generation = discovery.generation();
    if (generation === this.#generation) return;
    this.#generation = generation;
    const served = new Map(discovery.deletable().map((resource) => [resourceKeyOf(resource), resource]));
    for (const [key, monitor] of this.#monitors) {
      if (served.has(key)) continue;
      this.#monitors.delete(key);
      this.#slow.delete(monitor);
      this.#stopping.push(monitor.stop());
      this.#tell(graph.removeAll(monitor.informer.resource));
    }
    for (const [key, resource] of served)
      if (!this.#monitors.has(key)) this.#monitors.set(key, this.#monitor(resource));
    this.#options.changed();
  }

  /**
   * Resolves when everything of each kind is in the graph, or the patience with those that cannot be listed is over.
   */
  async whenSynced(signal: AbortSignal): Promise<void> {
    const waiting = [...this.#monitors.values()].filter(
      (monitor) => !monitor.informer.hasSynced && !this.#slow.has(monitor),
    );
    if (waiting.length === 0) return;
    const limit = new AbortController();
    const timer = this.#options.context.clock.after(SYNC_MS_MAX, () =>
      limit.abort(new Error('not all kinds could be listed in time')),
    );
    const either = AbortSignal.any([signal, limit.signal]);
    // One listener for each kind that is waited for.
    setMaxListeners(0, either);
    await Promise.allSettled(waiting.map(({ informer }) => informer.whenSynced(either)));
    timer.cancel();
    for (const monitor of waiting) if (!monitor.informer.hasSynced) this.#slow.add(monitor);
    signal.throwIfAborted();
  }

  #monitor(resource: Resource): Monitor {
    const { context, discovery } = this.#options;
    if (discovery.isBuiltIn(resource)) {
      const informer = context.informers.informer(resource);
      const detach = this.#attach(resource, informer);
      return { informer, stop: () => Promise.resolve(detach()) };
    }
    const { client, clock, random, logger } = context;
    const informer = new Informer({ client, clock, random, logger, resource, transform: metadataOf });
    const detach = this.#attach(resource, informer);
    const end = new AbortController();
    const running = informer.run(end.signal);
    return {
      informer,
      async stop() {
        detach();
        end.abort(new Error(`${resource.resource} are served no more`));
        await running;
      },
    };
  }

  #attach(resource: Resource, informer: Informer<KubeObject>): () => void {
    const { graph } = this.#options;
    return informer.addHandler({
      add: (object) => this.#tell(graph.upsert(resource, object)),
      update: (object) => this.#tell(graph.upsert(resource, object)),
      delete: (object) => this.#tell(graph.remove(object.metadata?.uid ?? '')),
    });
  }

  #tell(uids: Iterable<string>): void {
    for (const uid of uids) this.#options.enqueue(uid);
  }
}

const metadataOf = ({ apiVersion, kind, metadata }: KubeObject): KubeObject => ({
  ...(apiVersion === undefined ? {} : { apiVersion }),
  ...(kind === undefined ? {} : { kind }),
  ...(metadata === undefined ? {} : { metadata }),
});
