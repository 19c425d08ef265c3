/** Resource requests: one ObjectService call each, translated from HTTP and back. Nothing per kind. */
import { scalePrinter } from '../../../apimachinery/kinds/printers/workloads.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type {
  DeleteResult,
  ObjectHandle,
  ObjectService,
  UserInfo,
  WatchEvent,
} from '../../../apimachinery/object-service.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import type { FieldError } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { TurnBudget } from '../../../platform/turn-budget.js';
import type { Heavy } from '../work/heavy-work.js';
import type { YamlPool } from '../work/yaml-pool.js';
import { readObject, readOptions, readPatch } from './body.js';
import { headerOf } from './message.js';
import type { RestRequest, RestResponse } from './message.js';
import { CONTENT_TYPES, namesKnownType, negotiate, routeNotAcceptable } from './negotiate.js';
import type { Offers } from './negotiate.js';
import { booleanOption, deleteOptions, integerOption, listOptions, writeOptions } from './query.js';
import type { ListOptions } from './query.js';
import { renderAnswer, renderList, renderStatus } from './render.js';
import type { IncludeObject, Rendering, SentStatus } from './render.js';
import type { Report } from './report.js';
import type { ParsedUrl, Route } from './url.js';
import { watchStream } from './watch-stream.js';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';
export type ResourceRoute = Extract<Route, { kind: 'resource' }>;

export interface ObjectRequest {
  readonly request: RestRequest;
  readonly url: ParsedUrl;
  readonly route: ResourceRoute;
  readonly verb: Verb;
  readonly kind: Kind;
  /** Protobuf is for these only. */
  readonly isBuiltIn: boolean;
  readonly user: UserInfo;
  readonly service: ObjectService;
  readonly report: Report;
  readonly heavy: Heavy;
  readonly yaml: YamlPool;
  /** Of events that watches send. */
  readonly events: TurnBudget;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Aborts a stream when the server stops. */
  readonly closing: AbortSignal;
  /** Throws Forbidden: may the user create what the URL names. */
  mayCreate(): Promise<void>;
}

/** The verb of the API that an HTTP method on a path means; undefined for a method that the path does not take. */
export function verbOf(method: string, route: ResourceRoute, query: URLSearchParams): Verb | undefined {
  const named = route.name !== undefined;
  if (route.watches !== undefined) return method === 'GET' ? 'watch' : undefined;
  switch (method) {
    case 'GET':
      if (named) return 'get';
      return booleanOption(query, 'watch') === true ? 'watch' : 'list';
    case 'POST':
      return !named || route.subresource !== undefined ? 'create' : undefined;
    case 'PUT':
      return named ? 'update' : undefined;
    case 'PATCH':
      return named ? 'patch' : undefined;
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
    default:
      return undefined;
  }
}

export async function serveObjects(call: ObjectRequest): Promise<RestResponse> {
  const accept = headerOf(call.request, 'accept');
  if (call.isBuiltIn && !namesKnownType(accept))
    throw routeNotAcceptable(call.verb === 'list' || call.verb === 'watch');
  const accepted = negotiate(accept, offersOf(call), hasTable(call));
  checkMetadataForm(call, accepted.ofList);
  const rendering: Rendering = {
    kind: call.kind,
    accepted,
    includeObject: includeObject(call.url.query),
    now_ms: call.clock.now(),
  };
  switch (call.verb) {
    case 'get':
      return get(call, rendering);
    case 'list':
      return listObjects(call, listOptions(call.url.query), rendering);
    case 'watch':
      return watchObjects(call, listOptions(call.url.query), rendering);
    case 'create':
    case 'update':
      return write(call, rendering, call.verb);
    case 'patch':
      return patchObject(call, rendering);
    case 'delete':
      return deleteOne(call, rendering);
    case 'deletecollection':
      return deleteMany(call, rendering);
  }
}

/** What is only ever answered, as reviews and tokens, is no row of a table. */
const hasTable = ({ kind, route }: ObjectRequest): boolean =>
  kind.verbs.includes('get') && !TABLELESS.has(route.subresource ?? '');
const TABLELESS = new Set(['binding', 'eviction', 'token']);

/**
 * Metadata of a list for lists alone, of an object for objects (k8s.io/apiserver/pkg/endpoints/handlers/response.go).
 */
function checkMetadataForm({ verb, kind }: ObjectRequest, ofList: boolean | undefined): void {
  if (ofList === undefined || verb === 'watch') return;
  const isList = verb === 'list' || verb === 'deletecollection';
  if (isList === ofList) return;
  const type =
    kind.isCustom === true
      ? 'unstructured.Unstructured'
      : `${kind.group === '' ? 'core' : (kind.group.split('.')[0] ?? '')}.${kind.kind}`;
  throw apiErrors.notAcceptable(
    isList
      ? `you requested PartialObjectMetadata, but the requested object is a list (*${type}List)`
      : `you requested PartialObjectMetadataList, but the requested object is not a list (*${type})`,
  );
}

function offersOf({ isBuiltIn, verb }: ObjectRequest): Offers {
  return ['json', ...(verb === 'watch' ? [] : ['yaml' as const]), ...(isBuiltIn ? ['protobuf' as const] : [])];
}

function targetOf({ route }: ObjectRequest) {
  return {
    resource: route.id,
    ...(route.namespace === undefined ? {} : { namespace: route.namespace }),
    ...(route.subresource === undefined ? {} : { subresource: route.subresource }),
  };
}

const nameOf = ({ route }: ObjectRequest): string => route.name ?? '';

async function get(call: ObjectRequest, rendering: Rendering): Promise<RestResponse> {
  const version = call.url.query.get('resourceVersion');
  const handle = await call.service.get(
    {
      ...targetOf(call),
      name: nameOf(call),
      ...(version === null || version === '' ? {} : { resourceVersion: version }),
    },
    { signal: call.signal },
  );
  return answer(200, await renderAnswer(handle, shownAs(call, rendering), call), rendering);
}

async function listObjects(call: ObjectRequest, options: ListOptions, rendering: Rendering): Promise<RestResponse> {
  const list = await call.service.list({ ...targetOf(call), ...options }, { signal: call.signal, pace: call.heavy });
  return answer(200, await renderList(list, rendering, call), rendering);
}

function watchObjects(call: ObjectRequest, options: ListOptions, rendering: Rendering): Promise<RestResponse> {
  const timeoutSeconds = integerOption(call.url.query, 'timeoutSeconds') ?? WATCH_TIMEOUT_S;
  const signal = AbortSignal.any([call.request.signal, call.closing]);
  const { resourceVersionMatch, limit: _limit, continue: _continue, ...selection } = options;
  const events: AsyncIterable<WatchEvent> = call.service.watch(
    {
      ...targetOf(call),
      ...selection,
      timeoutSeconds,
      ...(resourceVersionMatch === 'NotOlderThan' ? { resourceVersionMatch } : {}),
    },
    { signal, pace: call.heavy },
  );
  return Promise.resolve({
    status: 200,
    headers: {
      'content-type':
        rendering.accepted.encoding === 'json'
          ? CONTENT_TYPES.json
          : `${CONTENT_TYPES[rendering.accepted.encoding]};stream=watch`,
      'transfer-encoding': 'chunked',
    },
    body: watchStream(events, rendering, call.events),
  });
}

/** Half an hour: kube-apiserver's --min-request-timeout. */
const WATCH_TIMEOUT_S = 1800;

async function write(call: ObjectRequest, rendering: Rendering, verb: 'create' | 'update'): Promise<RestResponse> {
  const shape = subresourceKind(call) ?? call.kind;
  const options = writeOptions(
    call.url.query,
    headerOf(call.request, 'user-agent'),
    verb === 'create' ? 'CreateOptions' : 'UpdateOptions',
  );
  const { object, issues } = await readObject(call.request, call, { ...shape, isCustom: call.kind.isCustom === true });
  const target = { ...targetOf(call), ...options, object, body: issues };
  const handle =
    verb === 'create'
      ? await call.service.create(
          { ...target, ...(call.route.name === undefined ? {} : { name: call.route.name }) },
          { signal: call.signal, report: call.report, pace: call.heavy },
        )
      : await call.service.update(
          { ...target, name: nameOf(call) },
          { signal: call.signal, report: call.report, pace: call.heavy, mayCreate: () => call.mayCreate() },
        );
  return written(call, rendering, handle);
}

async function patchObject(call: ObjectRequest, rendering: Rendering): Promise<RestResponse> {
  const { query } = call.url;
  const { type, patch, issues } = await readPatch(call.request, call, call.kind.isCustom === true);
  const named = query.get('fieldManager') ?? '';
  const errors: FieldError[] = [];
  if (type === 'apply' && named === '')
    errors.push(fieldErrors.required('fieldManager', 'is required for apply patch'));
  if (type !== 'apply' && query.has('force'))
    errors.push(fieldErrors.forbidden('force', 'may not be specified for non-apply patch'));
  const { fieldManager: manager, ...options } = writeOptions(
    query,
    headerOf(call.request, 'user-agent'),
    'PatchOptions',
    errors,
  );
  const handle = await call.service.patch(
    {
      ...targetOf(call),
      ...options,
      name: nameOf(call),
      type,
      patch,
      body: issues,
      force: booleanOption(query, 'force') ?? false,
      ...(manager === undefined ? {} : { fieldManager: manager }),
    },
    { signal: call.signal, report: call.report, pace: call.heavy, mayCreate: () => call.mayCreate() },
  );
  return written(call, rendering, handle);
}

async function written(call: ObjectRequest, rendering: Rendering, handle: ObjectHandle): Promise<RestResponse> {
  const body = await renderAnswer(handle, shownAs(call, rendering), call);
  return answer(call.report.isCreated ? 201 : 200, body, rendering);
}

async function deleteOne(call: ObjectRequest, rendering: Rendering): Promise<RestResponse> {
  const options = deleteOptions(call.url.query, await readOptions(call.request, call));
  const result = await call.service.delete(
    { ...targetOf(call), name: nameOf(call), options },
    { signal: call.signal, report: call.report, pace: call.heavy },
  );
  if (!result.gone || call.kind.strategy.returnsDeleted === true)
    return answer(200, await renderAnswer(result.handle, rendering, call), rendering);
  return answer(200, renderStatus(deletedStatus(call, result), rendering.accepted.encoding), rendering);
}

function deletedStatus({ kind }: ObjectRequest, { handle }: DeleteResult): SentStatus {
  const { name = '', uid } = handle.object.metadata ?? {};
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name,
      ...(kind.group === '' ? {} : { group: kind.group }),
      kind: kind.resource,
      ...(uid === undefined ? {} : { uid }),
    },
  };
}

async function deleteMany(call: ObjectRequest, rendering: Rendering): Promise<RestResponse> {
  const {
    watch: _watch,
    allowWatchBookmarks: _bookmarks,
    sendInitialEvents: _initial,
    timeoutSeconds: _timeout,
    ...selection
  } = listOptions(call.url.query);
  const options = deleteOptions(call.url.query, await readOptions(call.request, call));
  const list = await call.service.deleteCollection(
    { ...targetOf(call), ...selection, options },
    { signal: call.signal, pace: call.heavy },
  );
  return answer(200, await renderList(list, rendering, call), rendering);
}

const subresourceKind = ({ kind, route }: ObjectRequest) =>
  kind.subresources.find((sub) => sub.name === route.subresource)?.kind;

/** A Scale has a table of its own; of other types that subresources answer with there is none. */
function shownAs(call: ObjectRequest, rendering: Rendering): Rendering {
  const shape = subresourceKind(call);
  const own = shape === undefined || (shape.kind === call.kind.kind && shape.group === call.kind.group);
  if (own) return rendering;
  if (shape.kind === 'Scale') return { ...rendering, kind: { ...call.kind, printer: scalePrinter } };
  return { ...rendering, accepted: { ...rendering.accepted, view: 'object', apiVersion: '' } };
}

function includeObject(query: URLSearchParams): IncludeObject {
  const text = query.get('includeObject');
  if (text === null || text === '') return 'Metadata';
  if (text === 'None' || text === 'Metadata' || text === 'Object') return text;
  throw apiErrors.badRequest(
    `includeObject: Unsupported value: ${JSON.stringify(text.slice(0, 64))}: supported values: "None", "Metadata", "Object"`,
  );
}

function answer(status: number, body: RestResponse['body'], { accepted }: Pick<Rendering, 'accepted'>): RestResponse {
  return { status, headers: { 'content-type': CONTENT_TYPES[accepted.encoding] }, body };
}
