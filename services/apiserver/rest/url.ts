/** What a URL asks for (k8s.io/apiserver/pkg/endpoints/request.RequestInfo). */
import type { ResourceId } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';

export type Route =
  | {
      readonly kind: 'resource';
      readonly id: ResourceId;
      readonly namespace?: string;
      readonly name?: string;
      readonly subresource?: string;
      /** What stands behind the subresource: the path of a proxy. */
      readonly rest: readonly string[];
    }
  | { readonly kind: 'other'; readonly path: string };

export interface ParsedUrl {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly route: Route;
}

/** Throws BadRequest for percent-encoding that cannot be decoded. */
export function parseUrl(url: string): ParsedUrl {
  const mark = url.indexOf('?');
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  return { path, query, route: routeOf(path) };
}

function routeOf(path: string): Route {
  const segments = path.split('/').filter((segment) => segment !== '').map(decode);
  const [root, ...rest] = segments;
  if (root === 'api' && rest.length >= 2) return resourceRoute('', rest[0] ?? '', rest.slice(1));
  if (root === 'apis' && rest.length >= 3) return resourceRoute(rest[0] ?? '', rest[1] ?? '', rest.slice(2));
  return { kind: 'other', path };
}

function resourceRoute(group: string, version: string, parts: readonly string[]): Route {
  let at = 0;
  let namespace: string | undefined;
  // `namespaces/x/pods` is pods in x; `namespaces/x` and `namespaces/x/status` are the namespace itself.
  if (parts[0] === 'namespaces' && parts.length >= 3 && !OWN_SUBRESOURCES.has(parts[2] ?? '')) {
    namespace = parts[1];
    at = 2;
  }
  const [resource = '', name, subresource, ...rest] = parts.slice(at);
  return {
    kind: 'resource', id: { group, version, resource }, rest,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
  };
}

const OWN_SUBRESOURCES = new Set(['status', 'finalize']);

function decode(segment: string): string {
  try {
    return segment.includes('%') ? decodeURIComponent(segment) : segment;
  } catch {
    throw apiErrors.badRequest('the URL holds a percent-encoding that cannot be decoded');
  }
}
