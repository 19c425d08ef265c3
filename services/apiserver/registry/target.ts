import type { Kind, Scheme, SubresourceFacts } from '../../../apimachinery/kind.js';
import { groupResourceOf } from '../../../apimachinery/object.js';
import type { GroupVersionKind, ResourceId } from '../../../apimachinery/object.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import { REGISTRY_PREFIX } from '../cacher/cacher.js';

/** A resource as one request names it, checked against its row. */
export interface Target {
  readonly kind: Kind;
  /** Absent for cluster-scoped kinds, and for requests on all namespaces. */
  readonly namespace: string | undefined;
  readonly subresource: SubresourceFacts | undefined;
}

export interface NamedTarget extends Target {
  readonly name: string;
  readonly key: string;
}

export interface TargetRequest {
  readonly resource: ResourceId;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/**
 * 404 for what the scheme does not hold, 405 for a verb it does not offer, 400 for a scope that is not the kind's
 * (CVE-2019-11247).
 */
export function resolveTarget(scheme: Scheme, request: TargetRequest, verb: string): Target {
  const kind = scheme.byResource(request.resource);
  if (kind === undefined) throw noSuchResource();
  let subresource: SubresourceFacts | undefined;
  if (request.subresource !== undefined && request.subresource !== '') {
    subresource = kind.subresources.find((candidate) => candidate.name === request.subresource);
    if (subresource === undefined)
      throw kind.isCustom === true ? apiErrors.notFound(kind, request.name ?? '') : noSuchResource();
  }
  if (!(subresource ?? kind).verbs.includes(verb)) throw apiErrors.methodNotAllowed(kind, verb);
  const namespace = request.namespace === '' ? undefined : request.namespace;
  if (!kind.namespaced && namespace !== undefined) {
    throw apiErrors.badRequest(`${groupResourceOf(kind)} is cluster-scoped: the request must not name a namespace`);
  }
  if (namespace !== undefined) checkSegment('Namespace', namespace);
  return { kind, namespace, subresource };
}

export function resolveNamed(scheme: Scheme, request: TargetRequest, verb: string): NamedTarget {
  const target = resolveTarget(scheme, request, verb);
  const { kind, namespace } = target;
  if (kind.namespaced && namespace === undefined) throw namespaceMissing(kind);
  const name = request.name ?? '';
  if (name === '') throw apiErrors.badRequest('name must be provided');
  checkSegment('Name', name);
  return { ...target, name, key: storageKey(kind, namespace, name) };
}

export function namespaceMissing(kind: Kind): ApiError {
  return apiErrors.badRequest(`an empty namespace may not be set: ${groupResourceOf(kind)} is namespaced`);
}

export function storageKey(kind: Pick<Kind, 'storagePrefix'>, namespace: string | undefined, name: string): string {
  return `${REGISTRY_PREFIX}${kind.storagePrefix}/${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

/** The type of the request's body. */
export function bodyKind(target: Target): GroupVersionKind {
  return target.subresource?.kind ?? target.kind;
}

/** For a method that means no verb at the path, whatever stands there. */
export function methodNotAllowed(): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason: 'MethodNotAllowed',
    code: 405,
    details: {},
    message: 'the server does not allow this method on the requested resource',
  });
}

export function noSuchResource(): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason: 'NotFound',
    code: 404,
    details: {},
    message: 'the server could not find the requested resource',
  });
}

/** A name becomes a part of a key: it must not be able to leave its place (CVE-2022-3162). */
function checkSegment(what: 'Name' | 'Namespace', value: string): void {
  const part = ['/', '%', '\0'].find((char) => value.includes(char));
  const why =
    value === '.' || value === '..'
      ? `may not be '${value}'`
      : part === undefined
        ? undefined
        : `may not contain '${part}'`;
  if (why !== undefined)
    throw apiErrors.badRequest(`${what} parameter invalid: ${JSON.stringify(value.slice(0, 256))}: ${why}`);
}
