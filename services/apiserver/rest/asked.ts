/** What a request asks for, as authorizers are asked about it (k8s.io/apiserver/pkg/endpoints/request.RequestInfo). */
import { pathSegment } from '../../../apimachinery/names.js';
import { parseFieldSelector } from '../../../apimachinery/selector/fields.js';
import { isApiError } from '../../../apimachinery/status.js';
import type { AskedAttributes } from '../ports.js';
import type { RestRequest } from './message.js';
import { booleanOption } from './query.js';
import type { ResourceRoute } from './objects.js';
import type { ParsedUrl } from './url.js';

export function askedOf({ method }: Pick<RestRequest, 'method'>, { route, path, query }: ParsedUrl): AskedAttributes {
  if (route.kind === 'other') return { kind: 'nonResource', verb: method.toLowerCase(), path };
  const verb = askedVerb(method, route, query);
  const { id, subresource } = route;
  const name =
    route.name ?? route.watches?.name ?? (verb === 'list' || verb === 'watch' ? selectedName(query) : undefined);
  // A namespace is in itself: whoever may get namespaces in one may get that one.
  const namespace = route.namespace ?? (id.resource === 'namespaces' ? (route.name ?? route.watches?.name) : undefined);
  // Selectors of the older form of a watch hold for some of its paths only.
  const [fieldSelector, labelSelector] =
    route.watches === undefined && SELECTING.has(verb)
      ? [query.get('fieldSelector'), query.get('labelSelector')]
      : [null, null];
  return {
    kind: 'resource',
    verb,
    ...id,
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(fieldSelector === null ? {} : { fieldSelector }),
    ...(labelSelector === null ? {} : { labelSelector }),
  };
}

const SELECTING = new Set(['list', 'watch', 'deletecollection']);
const OF_METHODS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' };

/** Also of what the path does not take: who may not do it learns no more than that. */
function askedVerb(method: string, route: ResourceRoute, query: URLSearchParams): string {
  if (route.watches !== undefined) return 'watch';
  const isNamed = route.name !== undefined;
  if (method === 'GET' || method === 'HEAD')
    return isNamed ? 'get' : booleanOption(query, 'watch') === true ? 'watch' : 'list';
  if (method === 'DELETE') return isNamed ? 'delete' : 'deletecollection';
  return OF_METHODS[method] ?? '';
}

/** A list or watch of one name may be granted by resourceNames. */
function selectedName(query: URLSearchParams): string | undefined {
  try {
    const name = parseFieldSelector(query.get('fieldSelector') ?? undefined).find(
      ({ field, operator }) => field === 'metadata.name' && operator !== '!=',
    )?.value;
    return name === undefined || name === '' || pathSegment(name).length > 0 ? undefined : name;
  } catch (error) {
    if (isApiError(error)) return undefined;
    throw error;
  }
}
