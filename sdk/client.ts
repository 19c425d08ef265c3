/**
 * The client every component is written against: scheduler, controllers, agents and users' operators alike. The same
 * class serves in process (on the registry) and over gRPC (on a transport): both are an ObjectService.
 */
import type {
  CallOptions,
  DeleteOptions,
  DeleteResult,
  ObjectHandle,
  PatchType,
  ServedResource,
  WatchEventType,
} from '../apimachinery/object-service.js';
import type { KubeObject, ListMeta, Resource } from '../apimachinery/object.js';

export interface NamedRef {
  readonly namespace?: string;
  readonly name: string;
}

export interface ListOptions extends CallOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  /** '0': any version, from a cache. Absent: linearizable. */
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface WatchOptions extends CallOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly resourceVersionMatch?: 'NotOlderThan';
  /** The server ends the stream after this time. */
  readonly timeoutSeconds?: number;
}

export interface WriteCallOptions extends CallOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly subresource?: string;
}

export interface TypedList<T extends KubeObject> {
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}

export interface TypedWatchEvent<T extends KubeObject> {
  readonly type: WatchEventType;
  readonly object: T;
  readonly handle: ObjectHandle<T>;
}

/**
 * Objects that come out are shared and must not be changed: copy first (`structuredClone`). Every method fails with an
 * ApiError; transport faults appear as reason ServiceUnavailable or Timeout. A call whose signal aborts fails with the
 * signal's reason instead.
 */
export interface Client {
  /** All resources that are served, now and at each change; see ResourceCatalog, which takes up again what ends. */
  discover(options?: CallOptions): AsyncIterable<readonly ServedResource[]>;
  get<T extends KubeObject>(
    resource: Resource<T>,
    ref: NamedRef,
    options?: CallOptions & { readonly resourceVersion?: string; readonly subresource?: string },
  ): Promise<T>;
  /** One page when `limit` is given, everything otherwise. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<TypedList<T>>;
  /**
   * Ends when the server ends it; throws ApiError 'Expired' when the version is too old. Informers resume by
   * themselves.
   */
  watch<T extends KubeObject>(resource: Resource<T>, options?: WatchOptions): AsyncIterable<TypedWatchEvent<T>>;
  /** Namespace and name are the object's own, except with `subresource` (then `ref` names the parent). */
  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteCallOptions & { readonly ref?: NamedRef },
  ): Promise<T>;
  /** With `object.metadata.resourceVersion`: fails with Conflict unless it is still the newest. */
  update<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteCallOptions): Promise<T>;
  /** `subresource: 'status'` update. */
  updateStatus<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteCallOptions): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: NamedRef,
    patch: { readonly type: PatchType; readonly body: unknown; readonly force?: boolean },
    options?: WriteCallOptions,
  ): Promise<T>;
  /** Server-side apply of `object` under `fieldManager`. */
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options: WriteCallOptions & { readonly fieldManager: string; readonly force?: boolean },
  ): Promise<T>;
  delete<T extends KubeObject>(
    resource: Resource<T>,
    ref: NamedRef,
    options?: CallOptions & DeleteOptions,
  ): Promise<DeleteResult>;
  deleteCollection<T extends KubeObject>(resource: Resource<T>, options?: ListOptions & DeleteOptions): Promise<void>;
  close(): Promise<void>;
}
