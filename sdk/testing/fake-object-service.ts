/**
 * TEST SUPPORT: an ObjectService in memory, good enough to unit-test controllers, informers and schedulers.
 *
 * It has one sequence of resource versions, optimistic concurrency, watches that resume, expire and can be cut, label
 * and field selectors, finalizers, graceful deletion of pods, generations, the status subresource and the binding and
 * eviction of pods. It knows no schemas: no defaults, no validation, no admission, no authorization. Server-side apply
 * is a merge. Faults are handed in by `failNext`, `cutWatches` and `compact`.
 */
import type { Clock } from '../../platform/clock.js';
import { toTime } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { PushStream } from '../../platform/stream.js';
import { encodeJson } from '../../apimachinery/json-value.js';
import { handleOfObject } from '../../apimachinery/object-handle.js';
import type {
  CallOptions,
  CreateRequest,
  DeleteCollectionRequest,
  DeleteRequest,
  DeleteResult,
  GetRequest,
  ListRequest,
  ObjectHandle,
  ObjectList,
  ObjectService,
  PatchRequest,
  ServedResource,
  UpdateRequest,
  WatchEvent,
  WatchRequest,
} from '../../apimachinery/object-service.js';
import { apiVersionOf } from '../../apimachinery/object.js';
import type { KubeObject, ResourceId, UnknownObject } from '../../apimachinery/object.js';
import { apiErrors } from '../../apimachinery/status.js';
import type { ApiError } from '../../apimachinery/status.js';
import { keyOfRef, resourceKeyOf } from '../key.js';
import { FakeDiscovery, type ServedChange } from './fake-discovery.js';
import { bindPod, changedSpec, withMetadata, withoutStatusOf, withStatusOf } from './fake-objects.js';
import { patched } from './fake-patch.js';
import { selects } from './selectors.js';

export type FakeVerb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deleteCollection';

export interface FakeObjectServiceOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Resources without a status subresource, as `leases`: their status, if any, is written with the rest. */
  readonly withoutStatus?: readonly string[];
  /** Events a watch may have waiting before it is closed as too slow; 10,000 when absent. */
  readonly watchBuffer?: number;
}

/** What was asked, for assertions: verb, resource, subresource if any, and key. */
export interface FakeCall {
  readonly verb: FakeVerb;
  readonly resource: string;
  readonly subresource?: string;
  readonly key: string;
}

interface LoggedEvent {
  readonly resource: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly handle: ObjectHandle;
  readonly previous: KubeObject | undefined;
  readonly version: number;
}

interface Watcher {
  readonly resource: string;
  readonly stream: PushStream<WatchEvent>;
  deliver(event: LoggedEvent): void;
}

interface Fault {
  readonly verb: FakeVerb;
  readonly resource: string;
  readonly error: ApiError;
  left: number;
}

const DEFAULT_GRACE_S = 30;

export class FakeObjectService implements ObjectService {
  readonly #options: FakeObjectServiceOptions;
  readonly #objects = new Map<string, Map<string, ObjectHandle>>();
  readonly #watchers = new Set<Watcher>();
  readonly #discovery = new FakeDiscovery();
  readonly #calls: FakeCall[] = [];
  #log: LoggedEvent[] = [];
  #faults: Fault[] = [];
  #version = 1;
  #compacted = 0;

  constructor(options: FakeObjectServiceOptions) {
    this.#options = options;
  }

  // ---- for tests

  get resourceVersion(): string {
    return String(this.#version);
  }

  get calls(): readonly FakeCall[] {
    return this.#calls;
  }

  clearCalls(): void {
    this.#calls.length = 0;
  }

  /** The next `times` calls of this verb on this resource fail. */
  failNext(verb: FakeVerb, resource: string, error: ApiError, times = 1): void {
    this.#faults.push({ verb, resource, error, left: times });
  }

  /** Ends all watches as a server does that restarts; with an error, fails them. */
  cutWatches(error?: Error): void {
    this.#discovery.cut(error);
    for (const watcher of this.#watchers) {
      if (error === undefined) watcher.stream.end();
      else watcher.stream.fail(error);
    }
  }

  get watchCount(): number {
    return this.#watchers.size;
  }

  /** Forgets the history: a watch from an older version fails with Expired. */
  compact(): void {
    this.#compacted = this.#version;
    this.#log = [];
  }

  /** Sends every watch that asked for bookmarks one of the newest version. */
  bookmark(): void {
    for (const watcher of this.#watchers) watcher.stream.push(bookmarkOf(this.resourceVersion));
  }

  /** Resources that come or go, as when a CustomResourceDefinition does. */
  serve(change: ServedChange): void {
    this.#discovery.serve(change);
  }

  // ---- ObjectService

  discover(options: CallOptions = {}): AsyncIterable<readonly ServedResource[]> {
    return this.#discovery.follow(options.signal);
  }

  async get(request: GetRequest, _options?: CallOptions): Promise<ObjectHandle> {
    this.#note('get', request);
    return this.#existing(request);
  }

  async list(request: ListRequest, _options?: CallOptions): Promise<ObjectList> {
    this.#note('list', request);
    const matches = selects(request.labelSelector, request.fieldSelector);
    let items = [...this.#table(request.resource).entries()]
      .filter(([, { object }]) => inNamespace(request.namespace, object) && matches(object))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    if (request.continue !== undefined) {
      const [after = '', version = '0'] = JSON.parse(request.continue) as string[];
      if (Number(version) < this.#compacted) throw apiErrors.expired('The provided continue parameter is too old');
      items = items.filter(([key]) => key > after);
    }
    const page = request.limit === undefined || request.limit === 0 ? items : items.slice(0, request.limit);
    const last = page.at(-1)?.[0];
    const more = page.length < items.length && last !== undefined;
    return {
      metadata: {
        resourceVersion: this.resourceVersion,
        ...(more
          ? { continue: JSON.stringify([last, this.resourceVersion]), remainingItemCount: items.length - page.length }
          : {}),
      },
      items: page.map(([, handle]) => handle),
    };
  }

  watch(request: WatchRequest, options: CallOptions = {}): AsyncIterable<WatchEvent> {
    return { [Symbol.asyncIterator]: () => this.#openWatch(request, options) };
  }

  async create(request: CreateRequest, _options?: CallOptions): Promise<ObjectHandle> {
    this.#note('create', request);
    if (request.subresource !== undefined) return this.#createSubresource(request, request.subresource);
    const { resource } = request;
    const metadata = request.object.metadata ?? {};
    if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') {
      throw apiErrors.badRequest('resourceVersion should not be set on objects to be created');
    }
    const name = metadata.name ?? (metadata.generateName === undefined ? '' : metadata.generateName + this.#suffix());
    if (name === '') throw apiErrors.badRequest('name or generateName is required');
    const namespace = request.namespace ?? metadata.namespace;
    const key = keyOfRef({ namespace, name });
    if (this.#table(resource).has(key)) throw apiErrors.alreadyExists(resource, name);
    const draft = withMetadata(structuredClone(request.object), {
      name,
      uid: this.#options.random.uuid(),
      creationTimestamp: toTime(this.#options.clock.now()),
      generation: 1,
      ...(namespace === undefined ? {} : { namespace }),
    });
    draft.apiVersion ??= apiVersionOf(resource);
    if (request.dryRun === true) return handleOfObject(draft);
    return this.#store(resource, key, draft);
  }

  async update(request: UpdateRequest, _options?: CallOptions): Promise<ObjectHandle> {
    this.#note('update', request);
    return this.#replace(request, structuredClone(request.object) as UnknownObject);
  }

  async patch(request: PatchRequest, _options?: CallOptions): Promise<ObjectHandle> {
    this.#note('patch', request);
    const exists = this.#table(request.resource).has(keyOfRef(request));
    if (!exists && request.type === 'apply') {
      const object = withMetadata(structuredClone(request.patch) as UnknownObject, { name: request.name });
      return this.create({ ...request, object } as CreateRequest);
    }
    const old = this.#existing(request).object;
    return this.#replace(request, patched(old, { ...request, patch: structuredClone(request.patch) }));
  }

  async delete(request: DeleteRequest, _options?: CallOptions): Promise<DeleteResult> {
    this.#note('delete', request);
    return this.#remove(request);
  }

  async deleteCollection(request: DeleteCollectionRequest, options?: CallOptions): Promise<ObjectList> {
    this.#note('deleteCollection', request);
    const { options: deletion, ...selection } = request;
    const list = await this.list(selection, options);
    for (const { object } of list.items) {
      const { namespace, name = '' } = object.metadata ?? {};
      this.#remove({
        resource: request.resource,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(deletion === undefined ? {} : { options: deletion }),
      });
    }
    return list;
  }

  // ---- writes

  #replace(request: UpdateRequest | PatchRequest, draft: UnknownObject): ObjectHandle {
    const { resource, name } = request;
    const key = keyOfRef(request);
    const old = this.#existing(request).object as UnknownObject;
    const asked = draft.metadata ?? {};
    if (
      asked.resourceVersion !== undefined &&
      asked.resourceVersion !== '' &&
      asked.resourceVersion !== old.metadata?.resourceVersion
    ) {
      throw apiErrors.conflict(
        resource,
        name,
        'the object has been modified; please apply your changes to the latest version and try again',
      );
    }
    if (asked.uid !== undefined && asked.uid !== '' && asked.uid !== old.metadata?.uid) {
      throw apiErrors.conflict(
        resource,
        name,
        `Precondition failed: UID in precondition: ${asked.uid}, UID in object meta: ${old.metadata?.uid ?? ''}`,
      );
    }
    const {
      uid,
      creationTimestamp,
      deletionTimestamp,
      deletionGracePeriodSeconds,
      generation = 1,
    } = old.metadata ?? {};
    let next: UnknownObject = withMetadata(draft, {
      ...Object.fromEntries(
        Object.entries({ uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds }).filter(
          ([, v]) => v !== undefined,
        ),
      ),
      name,
      generation,
    });
    const splitsStatus = this.#options.withoutStatus?.includes(resource.resource) !== true;
    if (request.subresource === 'status') next = withStatusOf(old, next);
    else if (splitsStatus) next = withoutStatusOf(next, old);
    if (changedSpec(old, next)) next = withMetadata(next, { generation: generation + 1 });
    if (encodeJson(next) === encodeJson(old)) return this.#existing(request);
    if (request.dryRun === true) return handleOfObject(next);
    const finalized =
      next.metadata?.deletionTimestamp !== undefined &&
      (next.metadata.finalizers ?? []).length === 0 &&
      (next.metadata.deletionGracePeriodSeconds ?? 0) === 0;
    return finalized ? this.#erase(resource, key, next) : this.#store(resource, key, next);
  }

  #remove(request: DeleteRequest): DeleteResult {
    const { resource, name, options = {} } = request;
    const key = keyOfRef(request);
    const old = this.#existing(request).object;
    const { preconditions } = options;
    if (preconditions?.uid !== undefined && preconditions.uid !== old.metadata?.uid) {
      throw apiErrors.conflict(resource, name, 'Precondition failed: UID');
    }
    if (
      preconditions?.resourceVersion !== undefined &&
      preconditions.resourceVersion !== old.metadata?.resourceVersion
    ) {
      throw apiErrors.conflict(resource, name, 'Precondition failed: resourceVersion');
    }
    const grace_s = graceOf(resource, old, options.gracePeriodSeconds);
    const finalizers = finalizersFor(old, options.propagationPolicy);
    const held = finalizers.length > 0;
    if (grace_s === 0 && !held) return { handle: this.#erase(resource, key, old), gone: true };
    const pending = old.metadata?.deletionTimestamp !== undefined;
    if (pending && (old.metadata?.deletionGracePeriodSeconds ?? 0) <= grace_s)
      return { handle: this.#existing(request), gone: false };
    const marked = withMetadata(structuredClone(old), {
      deletionTimestamp: toTime(this.#options.clock.now() + grace_s * 1000),
      deletionGracePeriodSeconds: grace_s,
      ...(held ? { finalizers } : {}),
      generation: (old.metadata?.generation ?? 1) + (pending ? 0 : 1),
    });
    return { handle: this.#store(resource, key, marked), gone: false };
  }

  #createSubresource(request: CreateRequest, subresource: string): ObjectHandle {
    const { resource, name = '' } = request;
    const target = { resource, name, ...(request.namespace === undefined ? {} : { namespace: request.namespace }) };
    if (resource.resource === 'pods' && subresource === 'binding') {
      const bound = bindPod(this.#existing(target).object, request.object, toTime(this.#options.clock.now()));
      this.#store(resource, keyOfRef(target), bound);
      return handleOfObject(request.object);
    }
    if (resource.resource === 'pods' && subresource === 'eviction') {
      this.#remove(target);
      return handleOfObject(request.object);
    }
    throw apiErrors.notFound(resource, `${name}/${subresource}`);
  }

  #store(resource: ResourceId, key: string, draft: UnknownObject): ObjectHandle {
    const table = this.#table(resource);
    const previous = table.get(key)?.object;
    this.#version++;
    const handle = handleOfObject<KubeObject>(
      deepFreeze(withMetadata(draft, { resourceVersion: this.resourceVersion })),
    );
    table.set(key, handle);
    this.#publish({
      resource: resourceKeyOf(resource),
      type: previous === undefined ? 'ADDED' : 'MODIFIED',
      handle,
      previous,
      version: this.#version,
    });
    return handle;
  }

  #erase(resource: ResourceId, key: string, last: KubeObject): ObjectHandle {
    const table = this.#table(resource);
    const previous = table.get(key)?.object;
    table.delete(key);
    this.#version++;
    const handle = handleOfObject<KubeObject>(
      deepFreeze(withMetadata(structuredClone(last), { resourceVersion: this.resourceVersion })),
    );
    this.#publish({ resource: resourceKeyOf(resource), type: 'DELETED', handle, previous, version: this.#version });
    return handle;
  }

  // ---- watches

  #publish(event: LoggedEvent): void {
    this.#log.push(event);
    for (const watcher of this.#watchers) if (watcher.resource === event.resource) watcher.deliver(event);
  }

  #openWatch(request: WatchRequest, { signal }: CallOptions): AsyncIterator<WatchEvent> {
    const onAbort = () => watcher.stream.fail(signal?.reason as Error);
    const stream = new PushStream<WatchEvent>({
      limit: this.#options.watchBuffer ?? 10_000,
      onOverflow: () => apiErrors.tooManyRequests('the watch is too slow', 1),
      onClose: () => {
        this.#watchers.delete(watcher);
        signal?.removeEventListener('abort', onAbort);
      },
    });
    const matches = selects(request.labelSelector, request.fieldSelector);
    const within = (object: KubeObject) => inNamespace(request.namespace, object) && matches(object);
    const watcher: Watcher = {
      resource: resourceKeyOf(request.resource),
      stream,
      deliver: (event) => {
        const translated = translate(event, within);
        if (translated !== undefined) stream.push(translated);
      },
    };
    this.#watchers.add(watcher);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      this.#note('watch', request);
      this.#replay(request, watcher, within);
    } catch (error) {
      stream.fail(error as Error);
    }
    return stream;
  }

  #replay(request: WatchRequest, watcher: Watcher, within: (object: KubeObject) => boolean): void {
    const from = request.resourceVersion ?? '0';
    if (from === '' || from === '0' || request.sendInitialEvents === true) {
      for (const handle of this.#table(request.resource).values()) {
        if (within(handle.object)) watcher.stream.push({ type: 'ADDED', handle });
      }
      if (request.sendInitialEvents === true) {
        watcher.stream.push(bookmarkOf(this.resourceVersion, { 'k8s.io/initial-events-end': 'true' }));
      }
      return;
    }
    const version = Number(from);
    if (version < this.#compacted) throw apiErrors.expired(`too old resource version: ${from} (${this.#compacted})`);
    if (version > this.#version) throw apiErrors.resourceVersionTooLarge(version, this.#version);
    for (const event of this.#log)
      if (event.version > version && event.resource === watcher.resource) watcher.deliver(event);
  }

  // ---- small things

  #table(resource: ResourceId): Map<string, ObjectHandle> {
    const key = resourceKeyOf(resource);
    let table = this.#objects.get(key);
    if (table === undefined) this.#objects.set(key, (table = new Map<string, ObjectHandle>()));
    return table;
  }

  #existing(target: {
    readonly resource: ResourceId;
    readonly namespace?: string;
    readonly name: string;
  }): ObjectHandle {
    const handle = this.#table(target.resource).get(keyOfRef(target));
    if (handle === undefined) throw apiErrors.notFound(target.resource, target.name);
    return handle;
  }

  #note(
    verb: FakeVerb,
    request: {
      readonly resource: ResourceId;
      readonly namespace?: string;
      readonly name?: string;
      readonly subresource?: string;
      readonly object?: KubeObject;
    },
  ): void {
    const { resource, subresource } = request;
    const name = request.name ?? request.object?.metadata?.name ?? '';
    this.#calls.push({
      verb,
      resource: resource.resource,
      key: keyOfRef({ namespace: request.namespace, name }),
      ...(subresource === undefined ? {} : { subresource }),
    });
    const fault = this.#faults.find((candidate) => candidate.verb === verb && candidate.resource === resource.resource);
    if (fault === undefined) return;
    fault.left--;
    if (fault.left <= 0) this.#faults = this.#faults.filter((candidate) => candidate !== fault);
    throw fault.error;
  }

  #suffix(): string {
    const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
    return Array.from({ length: 5 }, () => alphabet[this.#options.random.int(alphabet.length)]).join('');
  }
}

const inNamespace = (namespace: string | undefined, object: KubeObject): boolean =>
  namespace === undefined || object.metadata?.namespace === namespace;

function translate(event: LoggedEvent, within: (object: KubeObject) => boolean): WatchEvent | undefined {
  const was = event.previous !== undefined && within(event.previous);
  const is = event.type !== 'DELETED' && within(event.handle.object);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', handle: event.handle };
  return was ? { type: 'DELETED', handle: event.handle } : undefined;
}

function bookmarkOf(resourceVersion: string, annotations?: Record<string, string>): WatchEvent {
  return {
    type: 'BOOKMARK',
    handle: handleOfObject({ metadata: { resourceVersion, ...(annotations === undefined ? {} : { annotations }) } }),
  };
}

/** Pods on a node get time to end; everything else, and pods nowhere or finished, goes at once. */
function graceOf(resource: ResourceId, object: KubeObject, asked_s: number | undefined): number {
  if (resource.group !== '' || resource.resource !== 'pods') return 0;
  const { spec, status } = object as {
    spec?: { nodeName?: string; terminationGracePeriodSeconds?: number };
    status?: { phase?: string };
  };
  if (spec?.nodeName === undefined || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0;
  return asked_s ?? spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_S;
}

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value))
    if (typeof child === 'object' && child !== null && !Object.isFrozen(child)) deepFreeze(child as object);
  return Object.freeze(value);
}

/** The finalizers that leave the rest of the deletion to the garbage collector. */
function finalizersFor(object: KubeObject, policy: 'Orphan' | 'Background' | 'Foreground' | undefined): string[] {
  const finalizers = object.metadata?.finalizers ?? [];
  const asked = policy === 'Orphan' ? 'orphan' : policy === 'Foreground' ? 'foregroundDeletion' : undefined;
  return asked === undefined || finalizers.includes(asked) ? finalizers : [...finalizers, asked];
}
