/**
 * Whether a path leads anywhere, and takes the method: what kube-apiserver's routers decide before anything is read.
 */
import type { Kind } from '../../../apimachinery/kind.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { ApiError } from '../../../apimachinery/status.js';
import { methodNotAllowed, noSuchResource } from '../registry/target.js';
import type { ResourceRoute, Verb } from './objects.js';

interface Target {
  readonly route: ResourceRoute;
  readonly verb: string;
  readonly isBuiltIn: boolean;
}

/**
 * The router in front of built-in kinds has no path for a subresource that they lack, nor for one object of what is
 * never kept.
 */
export function checkPath(kind: Kind, { route, verb, isBuiltIn }: Target): void {
  const { name, subresource, rest } = route;
  if (rest.length > 0 && subresource !== 'proxy') throw noSuchResource();
  const lacks = subresource !== undefined && !kind.subresources.some((known) => known.name === subresource);
  if (lacks && !isBuiltIn) throw apiErrors.notFound(kind, name ?? '');
  if (
    lacks ||
    (isBuiltIn && name !== undefined && subresource === undefined && kind.verbs.every((only) => only === 'create'))
  )
    throw noSuchResource();
  if (isInScope(kind, route, verb)) return;
  if (!kind.namespaced || name !== undefined || route.watches?.name !== undefined || !kind.verbs.includes('list'))
    throw noSuchResource();
  throw methodNotAllowed();
}

/**
 * The URL's scope is the resource's (CVE-2019-11247). Across namespaces objects are listed and watched, no more; what
 * cannot be listed has no such path.
 */
export function isInScope(kind: Kind, route: ResourceRoute, verb: string): boolean {
  if (kind.namespaced === (route.namespace !== undefined)) return true;
  return (
    kind.namespaced &&
    route.name === undefined &&
    route.watches?.name === undefined &&
    kind.verbs.includes('list') &&
    (verb === 'list' || verb === 'watch')
  );
}

/** For a method that means no verb at the path. The handler of custom resources looks for a name first. */
export function refusedMethod(kind: Kind, { route: { name }, verb, isBuiltIn }: Target): ApiError {
  if (isBuiltIn) return methodNotAllowed();
  return name === undefined && (verb === 'update' || verb === 'patch')
    ? apiErrors.badRequest('name must be provided')
    : apiErrors.methodNotAllowed(kind, verb);
}

/** A subresource that is not there is another refusal. */
export function offers(kind: Kind, { subresource }: ResourceRoute, verb: Verb): boolean {
  const { verbs } =
    subresource === undefined
      ? kind
      : (kind.subresources.find(({ name }) => name === subresource) ?? { verbs: [verb] });
  return verbs.includes(verb);
}
