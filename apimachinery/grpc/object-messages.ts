/**
 * Requests and answers of the ObjectService as messages of navarch.objects.v1 and back: both ends of the wire use
 * these, so that no field can be sent and not read. Bytes of objects pass through untouched. `from...` functions throw
 * ApiError BadRequest for messages that lack what every request has.
 */
import type * as wire from '../../proto/gen/navarch/objects/v1/objects.js';
import { decodeJson } from '../codec/json.js';
import { encodeJsonBytes } from '../json-value.js';
import { handleOfJson } from '../object-handle.js';
import type {
  CreateRequest,
  DeleteCollectionRequest,
  DeleteOptions,
  DeleteRequest,
  GetRequest,
  ListRequest,
  ObjectHandle,
  PatchRequest,
  PatchType,
  ServedResource,
  UpdateRequest,
  WatchEvent,
  WatchEventType,
  WatchRequest,
} from '../object-service.js';
import type { KubeObject, ListMeta, ResourceId } from '../object.js';
import { apiErrors } from '../status.js';

/** T, where properties that may be absent may also be undefined: what the generated messages have. */
type Loose<T> = { [K in keyof T]: object extends Pick<T, K> ? T[K] | undefined : T[K] };

/** Leaves out what is undefined. */
function defined<T extends object>(value: Loose<T>): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

/** Two-way tables between our words and the wire's numbers; 0 is 'absent'. */
function codes<W extends string, N extends number>(table: Readonly<Record<W, N>>) {
  const words = new Map<number, W>(Object.entries(table).map(([word, code]) => [code as N, word as W]));
  return {
    code: (word: W | undefined): N | 0 => (word === undefined ? 0 : table[word]),
    word: (code: number): W | undefined => words.get(code),
  };
}

const eventTypes = codes({ ADDED: 1, MODIFIED: 2, DELETED: 3, BOOKMARK: 4 } as const satisfies Record<
  WatchEventType,
  number
>);
const patchTypes = codes({ json: 1, merge: 2, strategic: 3, apply: 4 } as const satisfies Record<PatchType, number>);
const versionMatches = codes({ Exact: 1, NotOlderThan: 2 } as const);
const fieldValidations = codes({ Ignore: 1, Warn: 2, Strict: 3 } as const);
const propagationPolicies = codes({ Orphan: 1, Background: 2, Foreground: 3 } as const);

/** A view, not a copy. */
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function required<T>(value: T | undefined, field: string): T {
  if (value === undefined) throw apiErrors.badRequest(`the request lacks ${field}`);
  return value;
}

const toInt64 = (value: number | undefined): bigint | undefined =>
  value === undefined ? undefined : BigInt(Math.trunc(value));

function fromInt64(value: bigint | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw apiErrors.badRequest(`the number ${value} is out of range`);
  return number;
}

// ---- Parts

interface TargetFields {
  readonly resource: ResourceId;
  readonly namespace?: string;
  readonly name: string;
  readonly subresource?: string;
}

const toResource = (id: ResourceId): wire.ResourceId => ({
  group: id.group,
  version: id.version,
  resource: id.resource,
});

function fromResource(message: wire.ResourceId | undefined): ResourceId {
  const resource = required(message, 'resource');
  if (resource.version === '' || resource.resource === '')
    throw apiErrors.badRequest('the request lacks a resource or its version');
  return resource;
}

export const toDiscovery = (resources: readonly ServedResource[]): wire.DiscoverResponse => ({
  resources: resources.map((one) => ({
    id: toResource(one),
    kind: one.kind,
    namespaced: one.namespaced,
    verbs: [...one.verbs],
    stored: one.stored,
    builtIn: one.builtIn,
  })),
});

export const fromDiscovery = ({ resources }: wire.DiscoverResponse): readonly ServedResource[] =>
  resources.map(({ id, ...rest }) => ({ ...fromResource(id), ...rest }));

const toTarget = (request: TargetFields): wire.Target => ({
  resource: toResource(request.resource),
  namespace: request.namespace,
  name: request.name,
  subresource: request.subresource,
});

function fromTarget(message: wire.Target | undefined): TargetFields {
  const { resource, namespace, name, subresource } = required(message, 'target');
  return defined<TargetFields>({ resource: fromResource(resource), namespace, name, subresource });
}

const toSelection = (request: ListRequest): wire.Selection => ({
  resource: toResource(request.resource),
  namespace: request.namespace,
  labelSelector: request.labelSelector,
  fieldSelector: request.fieldSelector,
  limit: toInt64(request.limit),
  continueToken: request.continue,
  resourceVersion: request.resourceVersion,
  resourceVersionMatch: versionMatches.code(request.resourceVersionMatch),
});

function fromSelection(message: wire.Selection | undefined): ListRequest {
  const { resource, limit, continueToken, resourceVersionMatch, ...rest } = required(message, 'selection');
  return defined<ListRequest>({
    ...rest,
    resource: fromResource(resource),
    limit: fromInt64(limit),
    continue: continueToken,
    resourceVersionMatch: versionMatches.word(resourceVersionMatch),
  });
}

type WriteFields = Pick<CreateRequest, 'dryRun' | 'fieldManager' | 'fieldValidation'>;

const toWriteOptions = (request: WriteFields): wire.WriteOptions => ({
  dryRun: request.dryRun ?? false,
  fieldManager: request.fieldManager,
  fieldValidation: fieldValidations.code(request.fieldValidation),
});

function fromWriteOptions(message: wire.WriteOptions | undefined): WriteFields {
  if (message === undefined) return {};
  return defined<WriteFields>({
    dryRun: message.dryRun ? true : undefined,
    fieldManager: message.fieldManager,
    fieldValidation: fieldValidations.word(message.fieldValidation),
  });
}

const toDeleteOptions = (options: DeleteOptions): wire.DeleteOptions => ({
  gracePeriodSeconds: toInt64(options.gracePeriodSeconds),
  propagationPolicy: propagationPolicies.code(options.propagationPolicy),
  preconditions: options.preconditions,
  dryRun: options.dryRun ?? false,
});

function fromDeleteOptions(message: wire.DeleteOptions | undefined): { options?: DeleteOptions } {
  if (message === undefined) return {};
  return {
    options: defined<DeleteOptions>({
      gracePeriodSeconds: fromInt64(message.gracePeriodSeconds),
      propagationPolicy: propagationPolicies.word(message.propagationPolicy),
      preconditions: message.preconditions === undefined ? undefined : defined(message.preconditions),
      dryRun: message.dryRun ? true : undefined,
    }),
  };
}

/** The body of a write, within the limits of every body. */
const parsed = (bytes: Uint8Array): unknown => decodeJson(bytes);

function parsedObject(bytes: Uint8Array): KubeObject {
  const value = parsed(bytes);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw apiErrors.badRequest('the object provided is no JSON object');
  return value;
}

// ---- Objects, lists, events

export const toObjectData = (handle: ObjectHandle): wire.ObjectData => ({
  json: asBuffer(handle.json),
  resourceVersion: handle.resourceVersion,
});

export function fromObjectData(message: wire.ObjectData | undefined): ObjectHandle {
  const { json, resourceVersion } = required(message, 'object');
  return handleOfJson(json, resourceVersion);
}

export const toListMeta = (metadata: ListMeta): wire.ListMeta => ({
  resourceVersion: metadata.resourceVersion,
  continueToken: metadata.continue,
  remainingItemCount: toInt64(metadata.remainingItemCount),
});

export const fromListMeta = (message: wire.ListMeta): ListMeta =>
  defined<ListMeta>({
    resourceVersion: message.resourceVersion,
    continue: message.continueToken,
    remainingItemCount: fromInt64(message.remainingItemCount),
  });

export const toWatchEvent = (event: WatchEvent): wire.WatchEvent => ({
  type: eventTypes.code(event.type),
  object: toObjectData(event.handle),
});

export function fromWatchEvent(message: wire.WatchEvent): WatchEvent {
  return {
    type: required(eventTypes.word(message.type), 'an event type that is known'),
    handle: fromObjectData(message.object),
  };
}

// ---- Requests

export const toGet = (request: GetRequest): wire.GetRequest => ({
  target: toTarget(request),
  resourceVersion: request.resourceVersion,
});

export const fromGet = (message: wire.GetRequest): GetRequest =>
  defined<GetRequest>({ ...fromTarget(message.target), resourceVersion: message.resourceVersion });

export const toList = (request: ListRequest): wire.ListRequest => ({ selection: toSelection(request) });

export const fromList = (message: wire.ListRequest): ListRequest => fromSelection(message.selection);

export const toWatch = (request: WatchRequest): wire.WatchRequest => ({
  selection: toSelection(request),
  allowWatchBookmarks: request.allowWatchBookmarks ?? false,
  sendInitialEvents: request.sendInitialEvents,
  timeoutSeconds: toInt64(request.timeoutSeconds),
});

export function fromWatch(message: wire.WatchRequest): WatchRequest {
  const { limit: _, continue: __, resourceVersionMatch, ...selection } = fromSelection(message.selection);
  if (resourceVersionMatch === 'Exact') throw apiErrors.badRequest('resourceVersionMatch Exact is forbidden for watch');
  return defined<WatchRequest>({
    ...selection,
    resourceVersionMatch,
    allowWatchBookmarks: message.allowWatchBookmarks ? true : undefined,
    sendInitialEvents: message.sendInitialEvents,
    timeoutSeconds: fromInt64(message.timeoutSeconds),
  });
}

export const toCreate = (request: CreateRequest): wire.CreateRequest => ({
  resource: toResource(request.resource),
  namespace: request.namespace,
  name: request.name,
  subresource: request.subresource,
  object: encodeJsonBytes(request.object),
  options: toWriteOptions(request),
});

export function fromCreate(message: wire.CreateRequest): CreateRequest {
  const { resource, namespace, name, subresource, object, options } = message;
  return defined<CreateRequest>({
    resource: fromResource(resource),
    namespace,
    name,
    subresource,
    object: parsedObject(object),
    ...fromWriteOptions(options),
  });
}

export const toUpdate = (request: UpdateRequest): wire.UpdateRequest => ({
  target: toTarget(request),
  object: encodeJsonBytes(request.object),
  options: toWriteOptions(request),
});

export const fromUpdate = (message: wire.UpdateRequest): UpdateRequest => ({
  ...fromTarget(message.target),
  object: parsedObject(message.object),
  ...fromWriteOptions(message.options),
});

export const toPatch = (request: PatchRequest): wire.PatchRequest => ({
  target: toTarget(request),
  type: patchTypes.code(request.type),
  patch: encodeJsonBytes(request.patch),
  force: request.force,
  options: toWriteOptions(request),
});

export const fromPatch = (message: wire.PatchRequest): PatchRequest =>
  defined<PatchRequest>({
    ...fromTarget(message.target),
    type: required(patchTypes.word(message.type), 'a patch type that is known'),
    patch: parsed(message.patch),
    force: message.force,
    ...fromWriteOptions(message.options),
  });

export const toDelete = (request: DeleteRequest): wire.DeleteRequest => ({
  target: toTarget(request),
  options: request.options === undefined ? undefined : toDeleteOptions(request.options),
});

export const fromDelete = (message: wire.DeleteRequest): DeleteRequest => ({
  ...fromTarget(message.target),
  ...fromDeleteOptions(message.options),
});

export const toDeleteCollection = (request: DeleteCollectionRequest): wire.DeleteCollectionRequest => ({
  selection: toSelection(request),
  options: request.options === undefined ? undefined : toDeleteOptions(request.options),
});

export const fromDeleteCollection = (message: wire.DeleteCollectionRequest): DeleteCollectionRequest => ({
  ...fromSelection(message.selection),
  ...fromDeleteOptions(message.options),
});
