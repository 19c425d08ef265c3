/**
 * The registry: every verb on every kind, driven by the rows of the scheme. In: one identity's requests, from the
 * fronts and from clients in this process. Out: objects of the watch cache, writes to the store. It knows no kind by
 * name and no transport. It admits (admission) but does not authorize: the fronts do, and in-process identities are
 * trusted.
 */
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
  UserInfo,
  WatchEvent,
  WatchRequest,
} from '../../../apimachinery/object-service.js';
import { customResourceDefinitions } from '../../../apimachinery/gen/resources.js';
import type { KubeObject, ResourceId } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { cloneJson, isObject } from '../../../apimachinery/value.js';
import type { CachedObject } from '../cacher/cached-object.js';
import { list, parseResourceVersion } from '../cacher/list.js';
import { watch } from '../cacher/watch.js';
import { present } from '../../../platform/assert.js';
import { checkType } from './body-type.js';
import type { ParentMutation } from '../ports.js';
import { paceOf, step } from './context.js';
import type { Call, RegistryContext } from './context.js';
import { createObject } from './create.js';
import { deleteObject } from './delete.js';
import { createByHandler, readByHandler } from './handlers.js';
import { checkReplacedUid, checkScope, conditionOf, metaOf, modified, versionMissing } from './metadata.js';
import { checkFields } from './model.js';
import { patch } from './patch.js';
import { ResourceRecords, type ResourceRecord } from './record.js';
import { scaleOf, withScale } from './scale.js';
import { served } from './served.js';
import { selectionOf, selectsHandled } from './selection.js';
import { storeCall, toApiError } from './store-errors.js';
import { bodyKind, namespaceMissing, resolveNamed, resolveTarget, storageKey } from './target.js';
import type { NamedTarget } from './target.js';
import { unwritten, updateExisting } from './update.js';

/** Deletions of one deleteCollection that run at a time, and what their objects may weigh together unless it is one. */
const DELETE_CONCURRENCY = 16;
const DELETE_BYTES = 256 * 1024;

export type RegistryOptions = Omit<RegistryContext, 'records'>;

export class Registry {
  readonly #context: RegistryContext;

  constructor(options: RegistryOptions) {
    this.#context = { ...options, records: new ResourceRecords() };
  }

  /** The service as one identity sees it. Costs nothing: make one per request. */
  as(user: UserInfo): ObjectService {
    return new UserService(this.#context, user);
  }

  /**
   * Adds what a built-in resource does beyond its row, before anything is read. Throws InvariantError for what is there
   * already.
   */
  register(record: ResourceRecord): void {
    const { records, scheme, cacher } = this.#context;
    records.add(record);
    if (record.completion === undefined) return;
    const { group, resource } = record.resource;
    const row = scheme.kinds().find((kind) => kind.group === group && kind.resource === resource);
    cacher.of(present(row, `the scheme has no ${resource}`)).completeWith(record.completion);
  }

  /** Of the storage keys of a built-in resource, with the slash at its end. */
  prefixOf(id: ResourceId): string {
    return storageKey(present(this.#context.scheme.byResource(id), `the scheme has no ${id.resource}`), undefined, '');
  }
}

class UserService implements ObjectService {
  readonly #registry: RegistryContext;
  readonly #user: UserInfo;

  constructor(registry: RegistryContext, user: UserInfo) {
    this.#registry = registry;
    this.#user = user;
  }

  discover(options: CallOptions = {}): AsyncIterable<readonly ServedResource[]> {
    const { scheme, clock, cacher } = this.#registry;
    const fresh = () => storeCall(cacher.fresh(options.signal));
    return served({
      scheme,
      clock,
      fresh,
      changes: () => this.watch({ resource: customResourceDefinitions }, options),
    });
  }

  async get(request: GetRequest, options: CallOptions = {}): Promise<ObjectHandle> {
    const target = resolveNamed(this.#registry.scheme, request, 'get');
    const { kind, key } = target;
    const handled = readByHandler(this.#call({}, options), target);
    if (handled !== undefined) return handled;
    const cache = this.#registry.cacher.of(kind);
    const version = parseResourceVersion(request.resourceVersion);
    if (version === undefined) await storeCall(this.#registry.cacher.fresh(options.signal));
    else if (version > 0) await this.#registry.cacher.reached(version, options.signal);
    const object = cache.get(key);
    if (object === undefined) throw apiErrors.notFound(kind, target.name);
    return this.#view(target, object);
  }

  async list(request: ListRequest, options: CallOptions = {}): Promise<ObjectList> {
    const target = resolveTarget(this.#registry.scheme, request, 'list');
    const handled = readByHandler(this.#call({}, options), target);
    if (handled !== undefined)
      return { metadata: {}, items: (await handled).filter(selectsHandled(target.kind, request)) };
    return storeCall(
      list(this.#registry.cacher, target.kind, {
        selection: selectionOf(target.kind, { ...request, namespace: target.namespace }),
        limit: request.limit ?? 0,
        continue: request.continue,
        resourceVersion: request.resourceVersion,
        resourceVersionMatch: request.resourceVersionMatch,
        signal: options.signal,
        pace: paceOf(this.#registry, options),
      }),
    );
  }

  /** Throws at once what can be known at once; everything else while iterating. */
  watch(request: WatchRequest, options: CallOptions = {}): AsyncIterable<WatchEvent> {
    const target = resolveTarget(this.#registry.scheme, request, 'watch');
    const selection = selectionOf(target.kind, { ...request, namespace: target.namespace });
    const resourceVersion = parseResourceVersion(request.resourceVersion);
    if (request.sendInitialEvents !== undefined && request.resourceVersionMatch !== 'NotOlderThan') {
      throw apiErrors.badRequest('resourceVersionMatch must be "NotOlderThan" when sendInitialEvents is given');
    }
    if (request.sendInitialEvents === undefined && request.resourceVersionMatch !== undefined) {
      throw apiErrors.badRequest('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
    }
    return this.#watch(target.kind, { ...request, selection, resourceVersion }, options);
  }

  async *#watch(
    kind: NamedTarget['kind'],
    query: Omit<WatchRequest, 'resourceVersion'> & {
      selection: ReturnType<typeof selectionOf>;
      resourceVersion: number | undefined;
    },
    options: CallOptions,
  ): AsyncGenerator<WatchEvent> {
    const end = new AbortController();
    const signal = options.signal === undefined ? end.signal : AbortSignal.any([options.signal, end.signal]);
    const timer =
      query.timeoutSeconds === undefined || query.timeoutSeconds <= 0
        ? undefined
        : this.#registry.clock.after(query.timeoutSeconds * 1000, () => end.abort());
    try {
      yield* watch(this.#registry.cacher, kind, {
        selection: query.selection,
        resourceVersion: query.resourceVersion,
        bookmarks: query.allowWatchBookmarks === true,
        sendInitialEvents: query.sendInitialEvents,
        signal,
        pace: paceOf(this.#registry, options),
      });
    } catch (error) {
      if (!signal.aborted) throw toApiError(error);
    } finally {
      timer?.cancel();
    }
  }

  async create(request: CreateRequest, options: CallOptions = {}): Promise<ObjectHandle> {
    const call = this.#call(request, options);
    if (request.subresource !== undefined && request.subresource !== '') {
      return createByHandler(call, resolveNamed(this.#registry.scheme, request, 'create'), request.object);
    }
    const target = resolveTarget(this.#registry.scheme, request, 'create');
    const { kind } = target;
    const object = cloneJson(request.object);
    checkType(this.#registry.scheme, object, { kind, shape: kind });
    // What is no metadata has no namespace to look at.
    if (object.metadata !== undefined && !isObject(object.metadata)) checkFields(call, { kind, shape: kind }, object);
    const namespace = target.namespace ?? (kind.namespaced ? metaOf(object).namespace : undefined);
    if (kind.namespaced && (namespace === undefined || namespace === '')) throw namespaceMissing(kind);
    checkScope(object, { namespace, ...(request.name === undefined ? {} : { name: request.name }) });
    await step(call, 'checking fields');
    checkFields(call, { kind, shape: kind }, object);
    const scoped = { ...target, namespace };
    if (this.#registry.records.handler(kind) !== undefined) return createByHandler(call, scoped, object);
    if (!kind.verbs.includes('get')) throw apiErrors.methodNotAllowed(kind, 'create');
    return createObject(call, scoped, object, { options: optionsBody(call, 'CreateOptions') });
  }

  async update(request: UpdateRequest, options: CallOptions = {}): Promise<ObjectHandle> {
    const call = this.#call(request, options);
    const target = resolveNamed(this.#registry.scheme, request, 'update');
    const { kind } = target;
    const shape = bodyKind(target);
    const object = cloneJson(request.object);
    checkType(this.#registry.scheme, object, { kind, shape });
    await step(call, 'checking fields');
    checkFields(call, { kind, shape }, object);
    if ((object.metadata?.name ?? '') === '')
      throw apiErrors.badRequest(
        `the name of the object (${target.name} based on URL) was undeterminable: name must be provided`,
      );
    checkScope(object, target);
    const version = conditionOf(object.metadata);
    const isScale = target.subresource?.name === 'scale';
    const mutation = this.#mutation(target);
    const written = await updateExisting(call, target, {
      conditional: version !== '',
      options: optionsBody(call, 'UpdateOptions'),
      trusted: mutation !== undefined,
      draft: (old, base) => {
        // A Scale without a version has that of its parent.
        const takesAny =
          kind.strategy.allowUnconditionalUpdate !== false ||
          (isScale && (object.metadata?.resourceVersion ?? '') === '');
        if (version === '' && !takesAny) throw versionMissing(target);
        checkReplacedUid(object, old, target);
        if (version !== '' && version !== base.resourceVersion) throw modified(kind, target.name);
        if (isScale) return withScale(kind, old, object);
        if (mutation === undefined) return cloneJson(object);
        const draft = cloneJson(old);
        mutation.apply(draft, object, this.#resourceCall(call, target));
        return draft;
      },
      ...(kind.strategy.allowCreateOnUpdate === true && target.subresource === undefined
        ? { whenMissing: () => createReplacement(call, target, object) }
        : {}),
    });
    return this.#view(target, written);
  }

  async patch(request: PatchRequest, options: CallOptions = {}): Promise<ObjectHandle> {
    const target = resolveNamed(this.#registry.scheme, request, 'patch');
    return this.#view(target, await patch(this.#call(request, options), target, request));
  }

  async delete(request: DeleteRequest, options: CallOptions = {}): Promise<DeleteResult> {
    const target = resolveNamed(this.#registry.scheme, request, 'delete');
    return deleteObject(this.#call({ dryRun: request.options?.dryRun }, options), target, request.options ?? {});
  }

  async deleteCollection(request: DeleteCollectionRequest, options: CallOptions = {}): Promise<ObjectList> {
    const target = resolveTarget(this.#registry.scheme, request, 'deletecollection');
    if (target.kind.namespaced && target.namespace === undefined) throw namespaceMissing(target.kind);
    const call = this.#call({ dryRun: request.options?.dryRun }, options);
    const pace = paceOf(this.#registry, options);
    const { options: deleteOptions = {}, ...query } = request;
    const found = await storeCall(
      list(this.#registry.cacher, target.kind, {
        selection: selectionOf(target.kind, { ...query, namespace: target.namespace }),
        limit: query.limit ?? 0,
        continue: query.continue,
        resourceVersion: query.resourceVersion,
        resourceVersionMatch: query.resourceVersionMatch,
        signal: options.signal,
        pace,
      }),
    );
    for (const batch of batchesOf(found.items)) {
      await pace.step('deleting', Infinity);
      await Promise.all(
        batch.map(async ({ location: { key, namespace, name } }) => {
          const named = { ...target, namespace: namespace === '' ? undefined : namespace, name, key };
          await deleteObject(call, named, deleteOptions).catch(ignoreNotFound);
        }),
      );
    }
    return found;
  }

  #view(target: NamedTarget, object: CachedObject): ObjectHandle {
    const shown = object.as(target.kind);
    if (target.subresource?.name !== 'scale') return shown;
    return unwritten(object.location, object.revision, scaleOf(target.kind, shown.object));
  }

  #mutation(target: NamedTarget): ParentMutation | undefined {
    return target.subresource === undefined
      ? undefined
      : this.#registry.records.mutation(target.kind, target.subresource.name);
  }

  #resourceCall(call: Call, target: NamedTarget): Parameters<ParentMutation['apply']>[2] {
    return {
      user: call.user,
      kind: target.kind,
      name: target.name,
      dryRun: call.dryRun,
      ...(target.namespace === undefined ? {} : { namespace: target.namespace }),
      ...(target.subresource === undefined ? {} : { subresource: target.subresource.name }),
      warn: (message) => call.options.report?.warn(message),
    };
  }

  #call(
    request: {
      readonly dryRun?: boolean | undefined;
      readonly fieldManager?: string;
      readonly fieldValidation?: Call['fieldValidation'];
      readonly body?: Call['body'];
    },
    options: CallOptions,
  ): Call {
    return {
      registry: this.#registry,
      user: this.#user,
      options,
      dryRun: request.dryRun === true,
      fieldManager: request.fieldManager ?? managerOf(this.#user),
      fieldValidation: request.fieldValidation ?? 'Warn',
      body: request.body,
    };
  }
}

/** Parts of the server have no user agent: they own fields under the names that Kubernetes' programs have there. */
function managerOf({ name }: UserInfo): string {
  const component = /^system:((?:kube-)?[a-z-]+)$/.exec(name)?.[1];
  return component === undefined ? name : component === 'apiserver' ? 'kube-apiserver' : component;
}

function* batchesOf(objects: readonly CachedObject[]): Generator<readonly CachedObject[]> {
  let batch: CachedObject[] = [];
  let bytes = 0;
  for (const object of objects) {
    if (batch.length === DELETE_CONCURRENCY || (batch.length > 0 && bytes + object.json.length > DELETE_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(object);
    bytes += object.json.length;
  }
  if (batch.length > 0) yield batch;
}

/**
 * A PUT to a name that does not exist, of a kind that allows it. Which version it meant to replace does not matter;
 * which object does.
 */
async function createReplacement(call: Call, target: NamedTarget, object: KubeObject): Promise<CachedObject> {
  const { resourceVersion: _replaced, ...metadata } = metaOf(object);
  checkReplacedUid(object, {}, target);
  await call.options.mayCreate?.();
  return createObject(call, target, { ...object, metadata }, { options: optionsBody(call, 'CreateOptions') });
}

function optionsBody(call: Call, kind: 'CreateOptions' | 'UpdateOptions'): Record<string, unknown> {
  return {
    apiVersion: 'meta.k8s.io/v1',
    kind,
    fieldManager: call.fieldManager,
    fieldValidation: call.fieldValidation,
    ...(call.dryRun ? { dryRun: ['All'] } : {}),
  };
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Error && 'reason' in error && error.reason === 'NotFound')) throw error;
}
