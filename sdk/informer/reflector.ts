/**
 * Mirrors one selection of objects: list once, then watch from the version of the list, for ever. A stream that ends is
 * resumed from the last version seen; only a version that was compacted costs another list.
 */
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { KubeObject, Resource } from '../../apimachinery/object.js';
import { isApiError } from '../../apimachinery/status.js';
import { Backoff } from '../backoff.js';
import type { Client, TypedWatchEvent } from '../client.js';

/** Servers end a watch after this time, up to twice as long: a connection that died without a word is found at last. */
const WATCH_TIMEOUT_S_MIN = 300;
const BACKOFF_BASE_MS = 100;
const BACKOFF_MAX_MS = 30_000;
/** A stream that lived this long was healthy: its end is no reason to wait. */
const HEALTHY_WATCH_MS = 1000;

export interface Selection {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

interface ReflectorSink<T extends KubeObject> {
  /** The complete state at one version. */
  replace(items: readonly T[]): void;
  put(object: T): void;
  remove(object: T): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client;
  readonly resource: Resource<T>;
  readonly selection: Selection;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly sink: ReflectorSink<T>;
}

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #backoff: Backoff;
  /** The version up to which the sink is complete; undefined: a list is due. */
  #resourceVersion: string | undefined;
  /** The highest version ever seen: a relist must not lead back behind it, though another member may answer. */
  #floor = '0';

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff({ base_ms: BACKOFF_BASE_MS, max_ms: BACKOFF_MAX_MS, random: options.random });
  }

  get resourceVersion(): string | undefined {
    return this.#resourceVersion;
  }

  /** Runs until the signal aborts; then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(error);
        await this.#pause(signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, selection, sink } = this.#options;
    // Said in words: with a page limit, a bare version would mean exactly that version, which may be compacted.
    const version =
      this.#floor === '' ? {} : { resourceVersion: this.#floor, resourceVersionMatch: 'NotOlderThan' as const };
    const list = await client.list(resource, { ...selection, ...version, signal });
    if (signal.aborted) return;
    sink.replace(list.items);
    this.#advance(list.metadata.resourceVersion);
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, resource, selection, clock, random } = this.#options;
    const started_ms = clock.monotonic();
    const stream = client.watch(resource, {
      ...selection,
      ...(this.#resourceVersion === undefined ? {} : { resourceVersion: this.#resourceVersion }),
      allowWatchBookmarks: true,
      timeoutSeconds: WATCH_TIMEOUT_S_MIN + random.int(WATCH_TIMEOUT_S_MIN),
      signal,
    });
    let events = 0;
    for await (const event of stream) {
      if (signal.aborted) return;
      events++;
      this.#apply(event);
      this.#backoff.reset();
    }
    const lived_ms = clock.monotonic() - started_ms;
    if (events === 0 && lived_ms < HEALTHY_WATCH_MS) await this.#pause(signal);
    else this.#backoff.reset();
  }

  #apply(event: TypedWatchEvent<T>): void {
    const { sink } = this.#options;
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        sink.put(event.object);
        break;
      case 'DELETED':
        sink.remove(event.object);
        break;
      case 'BOOKMARK':
        break;
      default:
        event.type satisfies never;
    }
    this.#advance(event.handle.resourceVersion);
  }

  #advance(resourceVersion: string | undefined): void {
    this.#resourceVersion = resourceVersion;
    if (resourceVersion !== undefined && resourceVersion !== '') this.#floor = resourceVersion;
  }

  #failed(error: unknown): void {
    const { logger, resource } = this.#options;
    const fields = { resource: resource.resource, resourceVersion: this.#resourceVersion, error: String(error) };
    if (isApiError(error, 'Expired') || isApiError(error, 'Gone')) {
      logger.info(fields, 'watch expired; listing again');
      if (this.#resourceVersion === undefined) this.#floor = '';
      this.#resourceVersion = undefined;
      return;
    }
    if (isApiError(error, 'BadRequest') || isApiError(error, 'Invalid')) {
      // After a restore the old version may lie in the future for ever: the newest list is the way out.
      this.#resourceVersion = undefined;
      this.#floor = '';
    }
    if (isTooLarge(error) && this.#resourceVersion === undefined) this.#floor = '';
    logger.warn(fields, 'list or watch failed; trying again');
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(this.#backoff.next(), signal).catch(() => undefined);
  }
}

const isTooLarge = (error: unknown): boolean =>
  isApiError(error) &&
  error.status.details?.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') === true;
