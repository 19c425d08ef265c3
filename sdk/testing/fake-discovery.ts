/** TEST SUPPORT: what the fake ObjectService serves: the built-in resources, and what a test adds. */
import * as builtIn from '../../apimachinery/gen/resources.js';
import type { ServedResource } from '../../apimachinery/object-service.js';
import type { Resource, ResourceId } from '../../apimachinery/object.js';
import { apiErrors } from '../../apimachinery/status.js';
import { PushStream } from '../../platform/stream.js';
import { resourceKeyOf } from '../key.js';

export interface ServedChange {
  readonly add?: readonly Resource[];
  readonly remove?: readonly ResourceId[];
}

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const BUFFERED_MAX = 1_000;

const served = (resource: Resource, isBuiltIn: boolean): ServedResource => ({
  ...resource,
  verbs: VERBS,
  stored: `${resource.group}/${resource.resource}`,
  builtIn: isBuiltIn,
});

export class FakeDiscovery {
  readonly #streams = new Set<PushStream<readonly ServedResource[]>>();
  #resources: readonly ServedResource[] = Object.values(builtIn).map((resource) => served(resource, true));

  serve({ add = [], remove = [] }: ServedChange): void {
    const leaving = new Set(remove.map(resourceKeyOf));
    const staying = this.#resources.filter((one) => !leaving.has(resourceKeyOf(one)));
    this.#resources = [...staying, ...add.map((one) => served(one, false))];
    for (const stream of this.#streams) stream.push(this.#resources);
  }

  cut(error?: Error): void {
    for (const stream of this.#streams) {
      if (error === undefined) stream.end();
      else stream.fail(error);
    }
  }

  async *follow(signal?: AbortSignal): AsyncGenerator<readonly ServedResource[]> {
    const stream = new PushStream<readonly ServedResource[]>({
      limit: BUFFERED_MAX,
      onOverflow: () => apiErrors.timeout('the reader is too slow'),
    });
    const end = () => stream.end();
    signal?.addEventListener('abort', end, { once: true });
    this.#streams.add(stream);
    stream.push(this.#resources);
    try {
      yield* stream;
    } finally {
      signal?.removeEventListener('abort', end);
      this.#streams.delete(stream);
    }
  }
}
