/**
 * The REST front: takes a request without a socket and gives the answer, and never throws. In this order: who asks,
 * flow control, what is asked, whether it is allowed, then one call of the registry. It knows HTTP, URLs and media
 * types; about kinds it knows what their rows say.
 */
import type { Kind } from '../../../apimachinery/kind.js';
import type { PodStreamer } from '../../../apimachinery/pod-streams.js';
import type { ObjectService, UserInfo } from '../../../apimachinery/object-service.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import type { Logger } from '../../../platform/log.js';
import type { Random } from '../../../platform/random.js';
import { TurnBudget } from '../../../platform/turn-budget.js';
import { forbidden } from '../auth/forbidden.js';
import type { AskedAttributes, Authenticator, Authorizer, ObjectReader } from '../ports.js';
import { methodNotAllowed, noSuchResource } from '../registry/target.js';
import { toApiError } from '../registry/store-errors.js';
import type { RegistryAdmission } from '../registry/connect.js';
import { askedOf } from './asked.js';
import { Discovery } from './discovery.js';
import type { Document } from './discovery.js';
import { cacheable } from './conditional.js';
import type { Documents } from './documents.js';
import type { FlowClass, FlowControl } from './flow.js';
import { healthPaths, isHealthPath, serveHealth } from './health.js';
import type { HealthCheck } from './health.js';
import { headerOf } from './message.js';
import type { RestRequest, RestResponse } from './message.js';
import type { RestMetrics } from './metrics.js';
import { CONTENT_TYPES, negotiateError, negotiatePlain } from './negotiate.js';
import type { Encoding } from './negotiate.js';
import { serveObjects, verbOf } from './objects.js';
import type { ResourceRoute, Verb } from './objects.js';
import { serveLog } from './pod-log.js';
import { checkPath, isInScope, offers, refusedMethod } from './path-check.js';
import { podTarget } from './pod-target.js';
import { prettyWhenAsked, printJson } from './pretty.js';
import { encode, renderStatus } from './render.js';
import { Report } from './report.js';
import type { HeavyWork } from '../work/heavy-work.js';
import type { YamlPool } from '../work/yaml-pool.js';
import { parseUrl } from './url.js';
import type { ParsedUrl } from './url.js';
import { EVENT_UNITS_OF_TURN } from './watch-stream.js';

export interface RestOptions {
  readonly scheme: MutableScheme;
  readonly as: (user: UserInfo) => ObjectService;
  readonly connect: RegistryAdmission;
  readonly reader: ObjectReader;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly streamer: PodStreamer;
  readonly flow: FlowControl;
  readonly heavy: HeavyWork;
  readonly yaml: YamlPool;
  readonly metrics: RestMetrics;
  readonly health: readonly HealthCheck[];
  /** Host and port at which clients reach this server. */
  readonly serverAddress: string;
  /** Documents by path, as `/version` or `/openapi/v3`; undefined when there is none. */
  readonly documents: Documents;
  /** Resolves when the watch cache has everything acknowledged before the call. */
  readonly fresh: () => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** kube-apiserver's --request-timeout. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Subresources that hand a connection through. */
const CONNECT_SUBRESOURCES = new Set(['exec', 'attach', 'portforward']);

/** What is learned of a request on its way. */
interface Seen {
  labels: { readonly verb: string; readonly group: string; readonly resource: string };
  readonly report: Report;
}

interface Asked {
  readonly url: ParsedUrl;
  readonly report: Report;
  readonly user: UserInfo;
}

export class RestFront {
  readonly #options: RestOptions;
  readonly #discovery: Discovery;
  readonly #closing = new AbortController();
  readonly #events: TurnBudget;

  constructor(options: RestOptions) {
    this.#options = options;
    this.#events = new TurnBudget(options.clock, EVENT_UNITS_OF_TURN);
    this.#discovery = new Discovery(options.scheme, options.serverAddress);
  }

  /** Ends watches and logs that are open. */
  close(): void {
    this.#closing.abort();
  }

  async handle(request: RestRequest): Promise<RestResponse> {
    const started_ms = this.#options.clock.monotonic();
    const seen: Seen = { labels: { verb: 'other', group: '', resource: '' }, report: new Report() };
    let response: RestResponse;
    try {
      response = await this.#answer(request, seen);
    } catch (error) {
      response = this.#failure(error, request);
    }
    Object.assign(response.headers, seen.report.headers());
    response = prettyWhenAsked(response, {
      url: request.url,
      userAgent: headerOf(request, 'user-agent'),
      accept: headerOf(request, 'accept'),
    });
    response.headers['audit-id'] = this.#options.random.uuid();
    response.headers['cache-control'] ??= 'no-cache, private';
    const streams = !(response.body instanceof Uint8Array);
    this.#options.metrics.observe({
      ...seen.labels,
      code: response.status,
      duration_s: streams ? undefined : (this.#options.clock.monotonic() - started_ms) / 1000,
    });
    return response;
  }

  /**
   * Who asks, on the path of an upgrade or of any other request. Throws Unauthorized, and Forbidden for an
   * impersonation.
   */
  async authenticate(request: RestRequest, path: string, asked: AskedAttributes): Promise<UserInfo> {
    const user = await this.#options.authenticator.authenticate({
      headers: request.headers,
      path,
      asked,
      ...(request.peerCertificate === undefined ? {} : { peerCertificate: request.peerCertificate }),
      ...(request.remoteAddress === undefined ? {} : { remoteAddress: request.remoteAddress }),
    });
    if (user === undefined) throw apiErrors.unauthorized();
    return user;
  }

  /** Throws Forbidden. */
  async authorize(user: UserInfo, asked: AskedAttributes): Promise<void> {
    const attributes = { ...asked, user };
    const decision = await this.#options.authorizer.authorize(attributes);
    if (!decision.allowed) throw forbidden(attributes, decision.reason);
  }

  async #answer(request: RestRequest, seen: Seen): Promise<RestResponse> {
    const url = parseUrl(request.url);
    const { route } = url;
    const asked = askedOf(request, url);
    const user = await this.authenticate(request, url.path, asked);
    if (route.kind === 'other') {
      await this.authorize(user, asked);
      return this.#other(request, url);
    }
    const kind = this.#options.scheme.byResource(route.id);
    // Of what is built in the router knows GET and no HEAD.
    const isHead = request.method === 'HEAD' && kind !== undefined && !this.#options.scheme.isBuiltIn(kind);
    const verb = verbOf(isHead ? 'GET' : request.method, route, url.query);
    if (kind !== undefined && verb !== undefined) seen.labels = { verb, group: kind.group, resource: kind.resource };
    const leave = this.#options.flow.enter(flowClass(verb, route, url.query));
    let entered = true;
    try {
      await this.authorize(user, asked);
      const response = await this.#resource(request, { url, user, report: seen.report }, { route, verb, asked });
      if (response.body instanceof Uint8Array) return response;
      entered = false;
      return { ...response, body: leavingAfter(response.body, leave) };
    } finally {
      if (entered) leave();
    }
  }

  async #resource(
    request: RestRequest,
    who: Asked,
    target: { readonly route: ResourceRoute; readonly verb: Verb | undefined; readonly asked: AskedAttributes },
  ): Promise<RestResponse> {
    const { route, verb, asked } = target;
    const kind = this.#options.scheme.byResource(route.id) ?? (await this.#justDefined(route));
    if (kind === undefined) return this.#nothingAt(route.id.group);
    const isBuiltIn = this.#options.scheme.isBuiltIn(kind);
    if (!isBuiltIn && !isInScope(kind, route, asked.verb)) return this.#nothingAt(route.id.group);
    checkPath(kind, { route, verb: asked.verb, isBuiltIn });
    if (isProxy(route)) throw noProxy(route);
    if (verb === undefined || !offers(kind, route, verb))
      throw refusedMethod(kind, { route, verb: asked.verb, isBuiltIn });
    if (isConnect(route)) return this.#notUpgraded(who.user, route, asked);
    // Everybody who may use a deprecated version is told, also when the request fails.
    if (kind.deprecationWarning !== undefined) who.report.warn(kind.deprecationWarning);
    if (isPodLog(route) && verb === 'get') {
      const signal = AbortSignal.any([request.signal, this.#closing.signal]);
      return serveLog(
        { namespace: route.namespace ?? '', name: route.name ?? '', query: who.url.query, signal },
        this.#options,
      );
    }
    const deadline = new AbortController();
    const timer = this.#options.clock.after(REQUEST_TIMEOUT_MS, () =>
      deadline.abort(apiErrors.timeout('request did not complete within the allotted timeout')),
    );
    const heavy = this.#options.heavy.begin(`${request.method} ${request.url}`);
    try {
      return await serveObjects({
        request,
        heavy,
        yaml: this.#options.yaml,
        events: this.#events,
        url: who.url,
        route,
        verb,
        kind,
        isBuiltIn,
        report: who.report,
        user: who.user,
        service: this.#options.as(who.user),
        clock: this.#options.clock,
        signal: AbortSignal.any([request.signal, deadline.signal]),
        closing: this.#closing.signal,
        mayCreate: () => this.authorize(who.user, { ...asked, verb: 'create' }),
      });
    } finally {
      heavy.end();
      timer.cancel();
    }
  }

  /** A stream that was asked for without an upgrade: it is refused for what is wrong with the request first. */
  async #notUpgraded(user: UserInfo, route: ResourceRoute, asked: AskedAttributes): Promise<never> {
    if (asked.verb !== 'create') await this.authorize(user, { ...asked, verb: 'create' });
    await podTarget(this.#options.reader, route.namespace ?? '', route.name ?? '');
    throw apiErrors.badRequest('Upgrade request required');
  }

  /** A custom resource may have been defined a moment ago on another member: before a 404, the cache catches up. */
  async #justDefined({ id }: ResourceRoute): Promise<Kind | undefined> {
    if (!id.group.includes('.')) return undefined;
    await this.#options.fresh();
    return this.#options.scheme.byResource(id);
  }

  async #other(request: RestRequest, { path, query }: ParsedUrl): Promise<RestResponse> {
    const response = await this.#document(request, path, query);
    if (response === undefined) return this.#nothingAt(groupOf(path));
    if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
    return response;
  }

  async #document(request: RestRequest, path: string, query: URLSearchParams): Promise<RestResponse | undefined> {
    if (isHealthPath(path)) return serveHealth(path, query, this.#options.health);
    if (path === '/metrics')
      return text(await this.#options.metrics.text(), 'text/plain; version=0.0.4; charset=utf-8');
    const discovered = this.#discovery.find(path, headerOf(request, 'accept'));
    if (discovered !== undefined) return discoveryAnswer(request, discovered);
    const document = await this.#madeDocument(request, path);
    if (document !== undefined) return document;
    if (path === '/' || path === '')
      return text(printJson(JSON.stringify({ paths: await this.#paths(request) })), 'application/json');
    return undefined;
  }

  /** A Status where a built-in group answers for the path, the page of Go's router elsewhere. */
  #nothingAt(group: string | undefined): RestResponse {
    const { scheme } = this.#options;
    if (group !== undefined && scheme.kinds().some((kind) => kind.group === group && scheme.isBuiltIn(kind)))
      throw noSuchResource();
    return {
      status: 404,
      headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
      body: Buffer.from('404 page not found\n'),
    };
  }

  async #madeDocument(request: RestRequest, path: string): Promise<RestResponse | undefined> {
    const heavy = this.#options.heavy.begin(`${request.method} ${path}`);
    try {
      return await this.#options.documents(path, request, heavy);
    } finally {
      heavy.end();
    }
  }

  async #paths(request: RestRequest): Promise<string[]> {
    const openId: string[] = [];
    for (const path of OPEN_ID_PATHS)
      if ((await this.#options.documents(path, request)) !== undefined) openId.push(path);
    return [...this.#discovery.paths(), ...healthPaths(this.#options.health), ...DOCUMENT_PATHS, ...openId].sort();
  }

  #failure(error: unknown, request: RestRequest): RestResponse {
    const translated = toApiError(error);
    let failure: ApiError;
    if (translated instanceof ApiError) {
      failure = translated;
    } else {
      // The cause is for the log alone: it may name what the client must not learn.
      this.#options.logger.error(
        { error: error instanceof Error ? (error.stack ?? error.message) : String(error), method: request.method },
        'a request failed unexpectedly',
      );
      failure = apiErrors.internal("an unexpected failure; the server's log has more");
    }
    return statusResponse(
      failure,
      failure.reason === 'NotAcceptable' ? 'json' : negotiateError(headerOf(request, 'accept')),
    );
  }
}

function statusResponse(error: ApiError, encoding: Encoding = 'json'): RestResponse {
  const { status } = error;
  const retryAfter = status.details?.retryAfterSeconds;
  return {
    status: status.code,
    body: renderStatus(status, encoding),
    headers: {
      'content-type': CONTENT_TYPES[encoding],
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    },
  };
}

const DOCUMENT_PATHS = ['/metrics', '/openapi/v2', '/openapi/v3', '/openapi/v3/', '/version'];
const OPEN_ID_PATHS = ['/.well-known/openid-configuration', '/openid/v1/jwks'];

const isConnect = ({ id, subresource = '' }: ResourceRoute): boolean =>
  id.group === '' && id.resource === 'pods' && CONNECT_SUBRESOURCES.has(subresource);

/** Undefined outside /api and /apis. */
function groupOf(path: string): string | undefined {
  const [, root, group] = path.split('/');
  return root === 'api' ? '' : root === 'apis' ? group : undefined;
}

const PROXIED = new Set(['pods', 'services', 'nodes']);

const isProxy = ({ id, subresource }: ResourceRoute): boolean =>
  id.group === '' && PROXIED.has(id.resource) && subresource === 'proxy';

const noProxy = ({ id, name = '' }: ResourceRoute): ApiError =>
  new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason: '',
    code: 501,
    details: { name, kind: id.resource },
    message: `this API server does not pass HTTP on to ${id.resource} yet: use kubectl port-forward for pods and Services`,
  });

const isPodLog = ({ id, subresource }: ResourceRoute): boolean =>
  id.group === '' && id.resource === 'pods' && subresource === 'log';

function flowClass(verb: Verb | undefined, route: ResourceRoute, query: URLSearchParams): FlowClass {
  if (verb === 'watch' || (isPodLog(route) && query.has('follow'))) return 'long-running';
  return verb === 'get' || verb === 'list' ? 'read' : 'write';
}

async function* leavingAfter(body: AsyncIterable<Uint8Array>, leave: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } finally {
    leave();
  }
}

/** The aggregated form is JSON, as its media type says; the older ones are given as objects are. */
function discoveryAnswer(request: RestRequest, { json, contentType, etag }: Document): RestResponse {
  if (etag !== undefined) return cacheable(request, json, contentType, etag);
  const encoding = negotiatePlain(headerOf(request, 'accept'));
  return cacheable(
    request,
    encoding === 'json' ? json : encode(JSON.parse(json.toString()) as object, encoding),
    CONTENT_TYPES[encoding],
    undefined,
  );
}

function text(body: string, contentType: string): RestResponse {
  return { status: 200, headers: { 'content-type': contentType }, body: Buffer.from(body) };
}
