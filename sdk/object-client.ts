/**
 * The one Client. It adds to an ObjectService what is the same wherever the service lives: types, paging, and the
 * promise that every failure is an ApiError. It holds no state and opens nothing.
 */
import type {
  CallOptions,
  DeleteOptions,
  DeleteResult,
  ListRequest,
  ObjectHandle,
  ObjectService,
  PatchType,
  ServedResource,
  WatchRequest,
} from '../apimachinery/object-service.js';
import type { KubeObject, ListMeta, Resource } from '../apimachinery/object.js';
import { apiVersionOf } from '../apimachinery/object.js';
import { ApiError, apiErrors, isApiError } from '../apimachinery/status.js';
import type {
  Client,
  ListOptions,
  NamedRef,
  TypedList,
  TypedWatchEvent,
  WatchOptions,
  WriteCallOptions,
} from './client.js';

/** client-go's pager asks for pages of this size too. */
const PAGE_SIZE = 500;

export interface ClientOfOptions {
  /** Called by `close`; for services that hold connections. */
  readonly close?: () => Promise<void>;
}

/** A client on any service: the registry of this process, a transport, or the fake. */
export function clientOf(service: ObjectService, options: ClientOfOptions = {}): Client {
  return new ObjectClient(service, options);
}

class ObjectClient implements Client {
  readonly #service: ObjectService;
  readonly #options: ClientOfOptions;

  constructor(service: ObjectService, options: ClientOfOptions) {
    this.#service = service;
    this.#options = options;
  }

  async *discover(options: CallOptions = {}): AsyncGenerator<readonly ServedResource[]> {
    try {
      yield* this.#service.discover(callOf(options));
      options.signal?.throwIfAborted();
    } catch (error) {
      throw asApiError(error, options.signal);
    }
  }

  async get<T extends KubeObject>(
    resource: Resource<T>,
    ref: NamedRef,
    options: CallOptions & { readonly resourceVersion?: string; readonly subresource?: string } = {},
  ): Promise<T> {
    const { resourceVersion, subresource } = options;
    return objectOf(
      await this.#call(options, () =>
        this.#service.get(
          {
            resource,
            ...ref,
            ...(resourceVersion === undefined ? {} : { resourceVersion }),
            ...(subresource === undefined ? {} : { subresource }),
          },
          callOf(options),
        ),
      ),
    );
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<TypedList<T>> {
    const { signal: _, ...selection } = options;
    const request: ListRequest = { resource, ...selection };
    if (options.limit !== undefined || options.continue !== undefined) return this.#page(request, options);
    try {
      return await this.#everything(request, options);
    } catch (error) {
      // The version of the first page was compacted while later pages were read: ask for all at once, as client-go
      // does.
      if (!isApiError(error, 'Expired') || options.resourceVersion !== undefined) throw error;
      return this.#page(request, options);
    }
  }

  async #everything<T extends KubeObject>(request: ListRequest, options: CallOptions): Promise<TypedList<T>> {
    const items: T[] = [];
    let page = await this.#page<T>({ ...request, limit: PAGE_SIZE }, options);
    if (page.metadata.continue === undefined || page.metadata.continue === '') return page;
    const { resourceVersion: _, resourceVersionMatch: __, ...rest } = request;
    for (;;) {
      items.push(...page.items);
      const next = page.metadata.continue;
      if (next === undefined || next === '') return { metadata: metadataOf(page.metadata), items };
      page = await this.#page<T>({ ...rest, limit: PAGE_SIZE, continue: next }, options);
    }
  }

  async #page<T extends KubeObject>(request: ListRequest, options: CallOptions): Promise<TypedList<T>> {
    const list = await this.#call(options, () => this.#service.list(request, callOf(options)));
    return { metadata: list.metadata, items: list.items.map((handle) => handle.object as T) };
  }

  async *watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions = {},
  ): AsyncGenerator<TypedWatchEvent<T>> {
    const { signal, ...selection } = options;
    const request: WatchRequest = { resource, ...selection };
    try {
      for await (const event of this.#service.watch(request, callOf(options))) {
        const handle = event.handle as ObjectHandle<T>;
        yield {
          type: event.type,
          handle,
          get object() {
            return handle.object;
          },
        };
      }
      // Some services end in silence when they are aborted; that must not pass for the server's own end.
      signal?.throwIfAborted();
    } catch (error) {
      throw asApiError(error, signal);
    }
  }

  async create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteCallOptions & { readonly ref?: NamedRef } = {},
  ): Promise<T> {
    const { subresource, ref } = options;
    const namespace = ref?.namespace ?? object.metadata?.namespace;
    return objectOf(
      await this.#call(options, () =>
        this.#service.create(
          {
            resource,
            object,
            ...writeOf(options),
            ...(namespace === undefined ? {} : { namespace }),
            ...(subresource === undefined ? {} : { subresource, name: ref?.name ?? object.metadata?.name ?? '' }),
          },
          callOf(options),
        ),
      ),
    );
  }

  async update<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteCallOptions = {}): Promise<T> {
    return objectOf(
      await this.#call(options, () =>
        this.#service.update(
          {
            resource,
            object,
            ...refOf(object),
            ...writeOf(options),
            ...subresourceOf(options),
          },
          callOf(options),
        ),
      ),
    );
  }

  updateStatus<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteCallOptions = {}): Promise<T> {
    return this.update(resource, object, { ...options, subresource: 'status' });
  }

  async patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: NamedRef,
    patch: { readonly type: PatchType; readonly body: unknown; readonly force?: boolean },
    options: WriteCallOptions = {},
  ): Promise<T> {
    return objectOf(
      await this.#call(options, () =>
        this.#service.patch(
          {
            resource,
            ...ref,
            type: patch.type,
            patch: patch.body,
            ...writeOf(options),
            ...subresourceOf(options),
            ...(patch.force === undefined ? {} : { force: patch.force }),
          },
          callOf(options),
        ),
      ),
    );
  }

  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteCallOptions & { readonly fieldManager: string; readonly force?: boolean },
  ): Promise<T> {
    const body = {
      ...object,
      apiVersion: object.apiVersion ?? apiVersionOf(resource),
      kind: object.kind ?? resource.kind,
    };
    const force = options.force === undefined ? {} : { force: options.force };
    return this.patch(resource, refOf(object), { type: 'apply', body, ...force }, options);
  }

  delete<T extends KubeObject>(
    resource: Resource<T>,
    ref: NamedRef,
    options: CallOptions & DeleteOptions = {},
  ): Promise<DeleteResult> {
    const { signal: _, ...deletion } = options;
    return this.#call(options, () => this.#service.delete({ resource, ...ref, options: deletion }, callOf(options)));
  }

  async deleteCollection<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & DeleteOptions = {},
  ): Promise<void> {
    const { signal: _, gracePeriodSeconds, propagationPolicy, preconditions, dryRun, ...selection } = options;
    const deletion: DeleteOptions = {
      ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
      ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
      ...(preconditions === undefined ? {} : { preconditions }),
      ...(dryRun === undefined ? {} : { dryRun }),
    };
    await this.#call(options, () =>
      this.#service.deleteCollection({ resource, ...selection, options: deletion }, callOf(options)),
    );
  }

  async close(): Promise<void> {
    await this.#options.close?.();
  }

  async #call<R>(options: CallOptions, run: () => Promise<R>): Promise<R> {
    try {
      options.signal?.throwIfAborted();
      return await run();
    } catch (error) {
      throw asApiError(error, options.signal);
    }
  }
}

/** An aborted call fails with the signal's reason: whoever aborts knows why. Everything else is an ApiError. */
function asApiError(error: unknown, signal: AbortSignal | undefined): Error {
  if (error instanceof ApiError) return error;
  if (signal?.aborted === true)
    return signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason));
  return apiErrors.internal(error instanceof Error ? error.message : String(error));
}

const objectOf = <T extends KubeObject>(handle: ObjectHandle): T => handle.object as T;

const callOf = (options: CallOptions): CallOptions => (options.signal === undefined ? {} : { signal: options.signal });

function metadataOf(last: ListMeta): ListMeta {
  return last.resourceVersion === undefined ? {} : { resourceVersion: last.resourceVersion };
}

function refOf(object: KubeObject): NamedRef {
  const { namespace, name } = object.metadata ?? {};
  if (name === undefined || name === '') throw apiErrors.badRequest('the object has no metadata.name');
  return namespace === undefined ? { name } : { namespace, name };
}

const writeOf = (options: WriteCallOptions) => ({
  ...(options.dryRun === undefined ? {} : { dryRun: options.dryRun }),
  ...(options.fieldManager === undefined ? {} : { fieldManager: options.fieldManager }),
});

const subresourceOf = (options: WriteCallOptions) =>
  options.subresource === undefined ? {} : { subresource: options.subresource };
