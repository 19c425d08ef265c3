/**
 * The verbs of the API on objects: the one contract between fronts and registry, and between clients and either.
 *
 * The API server's registry implements it for one authenticated user; the REST and gRPC fronts call it; the SDK's
 * client is built on it, in process (on the registry itself) and over gRPC (on a transport that implements it). What
 * one accepts, the others accept, with the same ApiErrors.
 */
import type { KubeObject, ListMeta, Resource, ResourceId } from './object.js';

/**
 * An object on its way: bytes and parsed form of one version, each made at most once.
 * `object` is shared between all who hold the handle: it is frozen in tests and must never be changed; copy it first.
 */
export interface ObjectHandle<T extends KubeObject = KubeObject> {
  /** UTF-8 JSON, with apiVersion, kind and metadata.resourceVersion. */
  readonly json: Uint8Array;
  readonly object: T;
  readonly resourceVersion: string;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Hears what a call has to say besides its result. */
  readonly report?: CallReport;
  /** Awaited before each step of the work; absent: all of it is done at once. */
  readonly pace?: Pace;
  /**
   * Throws Forbidden: asked before a PUT or apply makes what was not there, since its caller may be allowed to change
   * alone. Absent: trusted.
   */
  readonly mayCreate?: () => Promise<void>;
}

/** How work on large objects shares its thread with others. */
export interface Pace {
  /**
   * Resolves when the caller may hold the thread for the named step, on an object of so many bytes as far as they are
   * known. Infinity: the step may be long whatever the size.
   */
  step(name: string, bytes?: number): Promise<void>;
}

/** What the fronts turn into headers and status codes. */
export interface CallReport {
  /** Shown to the user, as HTTP's `Warning: 299`. */
  warn(message: string): void;
  /** The object did not exist before (create, apply, a PUT that creates): HTTP's 201. */
  created(): void;
}

interface Target {
  readonly resource: ResourceId;
  /** Absent for cluster-scoped resources; absent on list, watch and deleteCollection means all namespaces. */
  readonly namespace?: string;
}

interface NamedTarget extends Target {
  readonly name: string;
  /** `status`, `scale`, `eviction`, `binding`, `token`, `approval`, `ephemeralcontainers`, `resize`, `finalize`. */
  readonly subresource?: string;
}

/** What is known of a body beside its value: keys that stand twice, and the order of its fields. */
export interface BodyIssues {
  /**
   * `duplicate field "a"`, `unknown field "b"`, in the order in which kube-apiserver finds them. `unknown`: paths, in
   * the order of the value.
   */
  lines(unknown: readonly string[]): string[];
  /** The same as parts of one error. Absent: the lines. */
  errors?(unknown: readonly string[]): string[];
  /** Whole numbers written as floats: path -> literal. Absent: none, or the form of the body knows no difference. */
  readonly floats?: ReadonlyMap<string, string>;
  /** The same of a patch, by their paths in it. */
  readonly patchFloats?: ReadonlyMap<string, string>;
}

interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
  /** What the bytes of the object, or patch, said that its value does not; it does not travel. */
  readonly body?: BodyIssues;
}

export interface GetRequest extends NamedTarget {
  /** '0': any version will do, from the cache. Absent: linearizable. */
  readonly resourceVersion?: string;
}

export interface ListRequest extends Target {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface WatchRequest extends Target {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Events after this version; absent or '0': synthetic ADDED events of what exists come first. */
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  /** KEP-3157: ADDED events of what exists, then a BOOKMARK annotated `k8s.io/initial-events-end: "true"`. */
  readonly sendInitialEvents?: boolean;
  readonly resourceVersionMatch?: 'NotOlderThan';
  readonly timeoutSeconds?: number;
}

/** For a subresource such as `eviction` or `token`, `name` is the parent's; otherwise it is absent. */
export interface CreateRequest extends Target, WriteOptions {
  readonly name?: string;
  readonly subresource?: string;
  readonly object: KubeObject;
}

/** `object.metadata.resourceVersion`, when present, must match: optimistic concurrency (API conventions). */
export interface UpdateRequest extends NamedTarget, WriteOptions {
  readonly object: KubeObject;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface PatchRequest extends NamedTarget, WriteOptions {
  readonly type: PatchType;
  /** The parsed patch: an array of operations for 'json', an object otherwise. */
  readonly patch: unknown;
  /** Server-side apply: take over fields of other managers. */
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
}

export interface DeleteRequest extends NamedTarget {
  readonly options?: DeleteOptions;
}

export interface DeleteCollectionRequest extends ListRequest {
  readonly options?: DeleteOptions;
}

export interface ObjectList<T extends KubeObject = KubeObject> {
  readonly metadata: ListMeta;
  readonly items: readonly ObjectHandle<T>[];
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';

/**
 * One event. A DELETED event carries the last state, with the version of the deletion. The stream ends when the server
 * closes it (resume from the last version seen) and throws an ApiError with reason Expired when it cannot be resumed.
 */
export interface WatchEvent<T extends KubeObject = KubeObject> {
  readonly type: WatchEventType;
  readonly handle: ObjectHandle<T>;
}

/** Result of a delete: gone, or still there with a deletionTimestamp (finalizers, grace period). */
export interface DeleteResult {
  readonly handle: ObjectHandle;
  readonly gone: boolean;
}

/** A resource that is served, in one of its versions. */
export interface ServedResource extends Resource {
  /** create delete deletecollection get list patch update watch */
  readonly verbs: readonly string[];
  /** The same for all versions of one stored thing. */
  readonly stored: string;
  /** False for those of CustomResourceDefinitions, which come and go. */
  readonly builtIn: boolean;
}

export interface ObjectService {
  /**
   * All resources that are served: now, and all of them again whenever one came, went or changed its verbs. Preferred
   * versions come first. Ends when the server ends it.
   */
  discover(options?: CallOptions): AsyncIterable<readonly ServedResource[]>;
  get(request: GetRequest, options?: CallOptions): Promise<ObjectHandle>;
  list(request: ListRequest, options?: CallOptions): Promise<ObjectList>;
  watch(request: WatchRequest, options?: CallOptions): AsyncIterable<WatchEvent>;
  create(request: CreateRequest, options?: CallOptions): Promise<ObjectHandle>;
  update(request: UpdateRequest, options?: CallOptions): Promise<ObjectHandle>;
  patch(request: PatchRequest, options?: CallOptions): Promise<ObjectHandle>;
  delete(request: DeleteRequest, options?: CallOptions): Promise<DeleteResult>;
  deleteCollection(request: DeleteCollectionRequest, options?: CallOptions): Promise<ObjectList>;
}

/** Who asks: what authentication found out (k8s.io/apiserver/pkg/authentication/user.Info). */
export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}
