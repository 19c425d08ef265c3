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
      /**
       * A path of the older form, which says what to do: to watch, whatever the method; of the one object, if it names
       * one.
       */
      readonly watches?: { readonly name?: string };
      /** What stands behind the subresource: the path of a proxy. */
      readonly rest: readonly string[];
    }
  | { readonly kind: 'other'; readonly path: string };

export interface ParsedUrl {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly route: Route;
}

/** Throws BadRequest for percent-encoding that cannot be decoded. The query is as if the path had the usual form. */
export function parseUrl(url: string): ParsedUrl {
  const target = url.replace(ABSOLUTE_FORM, '');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  return { path, query, route: routeOf(path, query) };
}

/** What clients of a proxy put before the path (RFC 9112, section 3.2.2). */
const ABSOLUTE_FORM = /^https?:\/\/[^/?#]*/i;

function routeOf(path: string, query: URLSearchParams): Route {
  const segments = withoutEmptyNamespace(path)
    .split('/')
    .filter((segment) => segment !== '')
    .map(decode);
  const [root, ...rest] = segments;
  if (root === 'api' && rest.length >= 2) return watchedRoute('', rest[0] ?? '', { parts: rest.slice(1), query });
  if (root === 'apis' && rest.length >= 3)
    return watchedRoute(rest[0] ?? '', rest[1] ?? '', { parts: rest.slice(2), query });
  return { kind: 'other', path };
}

/** Clients that leave a namespace empty mean all of them: `/api/v1/namespaces//pods`. */
const withoutEmptyNamespace = (path: string): string =>
  path.replace(/^(\/(?:api|apis\/[^/]+)\/[^/]+(?:\/watch)?)\/namespaces\/\/(?=[^/])/, '$1/');

/** `/api/v1/watch/...`, the older way to say `?watch=true`; a name in it selects that one object. */
function watchedRoute(
  group: string,
  version: string,
  { parts, query }: { readonly parts: readonly string[]; readonly query: URLSearchParams },
): Route {
  if (parts[0] !== 'watch' || parts.length < 2) return resourceRoute(group, version, parts);
  query.set('watch', 'true');
  const route = resourceRoute(group, version, parts.slice(1));
  if (route.kind === 'other') return route;
  if (route.name === undefined) return { ...route, watches: {} };
  const { name, ...collection } = route;
  const selector = query.get('fieldSelector') ?? '';
  query.set('fieldSelector', `${selector === '' ? '' : `${selector},`}metadata.name=${name}`);
  return { ...collection, watches: { name } };
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
    kind: 'resource',
    id: { group, version, resource },
    rest,
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
