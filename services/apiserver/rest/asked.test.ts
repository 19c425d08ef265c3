/** What authorizers are asked about a request (issue 6, row 42; k8s.io/apiserver/pkg/endpoints/request.RequestInfo). */
import { describe, expect, it } from 'vitest';
import { askedOf } from './asked.js';
import { parseUrl } from './url.js';

const PODS = '/api/v1/namespaces/d/pods';

/** verb, resource, namespace, name; selectors where they count. */
type Asked = readonly [
  verb: string,
  resource: string,
  namespace?: string | undefined,
  name?: string | undefined,
  fieldSelector?: string,
];

describe('what a request asks for', () => {
  it.each<[request: string, asked: Asked]>([
    [`GET ${PODS}`, ['list', 'pods', 'd']],
    [`HEAD ${PODS}/p`, ['get', 'pods', 'd', 'p']],
    [`HEAD ${PODS}?watch=1`, ['watch', 'pods', 'd']],
    // Of methods that the path does not take, too.
    [`PUT ${PODS}`, ['update', 'pods', 'd']],
    [`PATCH ${PODS}`, ['patch', 'pods', 'd']],
    [`POST ${PODS}/p`, ['create', 'pods', 'd', 'p']],
    [`OPTIONS ${PODS}`, ['', 'pods', 'd']],
    // Streams by their method, as everything else.
    [`GET ${PODS}/p/exec?command=sh`, ['get', 'pods/exec', 'd', 'p']],
    [`POST ${PODS}/p/exec?command=sh`, ['create', 'pods/exec', 'd', 'p']],
    [`DELETE ${PODS}/p/proxy/x`, ['delete', 'pods/proxy', 'd', 'p']],
    // A namespace is in itself.
    ['GET /api/v1/namespaces', ['list', 'namespaces']],
    ['GET /api/v1/namespaces/n', ['get', 'namespaces', 'n', 'n']],
    ['DELETE /api/v1/namespaces/n', ['delete', 'namespaces', 'n', 'n']],
    ['PUT /api/v1/namespaces/n/finalize', ['update', 'namespaces/finalize', 'n', 'n']],
    [
      'GET /api/v1/namespaces?fieldSelector=metadata.name%3Dn',
      ['list', 'namespaces', undefined, 'n', 'metadata.name=n'],
    ],
    ['GET /api/v1/nodes/n', ['get', 'nodes', undefined, 'n']],
    // The older form of a watch says what to do, whatever the method.
    ['GET /api/v1/watch/pods?fieldSelector=a%3Db', ['watch', 'pods']],
    ['DELETE /api/v1/watch/namespaces/d/pods/p', ['watch', 'pods', 'd', 'p']],
    ['POST /api/v1/watch/namespaces/n', ['watch', 'namespaces', 'n', 'n']],
    // One name may be selected among other things; a name that cannot be one, and selectors that cannot be read, name
    // nothing.
    [
      `GET ${PODS}?fieldSelector=spec.nodeName%3Dn,metadata.name%3D%3Dp`,
      ['list', 'pods', 'd', 'p', 'spec.nodeName=n,metadata.name==p'],
    ],
    [`GET ${PODS}?fieldSelector=metadata.name!%3Dp`, ['list', 'pods', 'd', undefined, 'metadata.name!=p']],
    [`GET ${PODS}?fieldSelector=metadata.name%3Da/b`, ['list', 'pods', 'd', undefined, 'metadata.name=a/b']],
    [`GET ${PODS}?fieldSelector=metadata.name`, ['list', 'pods', 'd', undefined, 'metadata.name']],
    [`DELETE ${PODS}?fieldSelector=metadata.name%3Dp`, ['deletecollection', 'pods', 'd', undefined, 'metadata.name=p']],
    [`GET ${PODS}/p?fieldSelector=metadata.name%3Dq`, ['get', 'pods', 'd', 'p']],
  ])('%s', (request, [verb, full, namespace, name, fieldSelector]) => {
    const [method = '', url = ''] = request.split(' ');
    const [resource, subresource] = full.split('/');
    const defined = Object.entries({ namespace, name, subresource, fieldSelector }).filter(
      ([, value]) => value !== undefined,
    );
    expect(askedOf({ method }, parseUrl(url))).toEqual({
      kind: 'resource',
      group: '',
      version: 'v1',
      verb,
      resource,
      ...Object.fromEntries(defined),
    });
  });

  it('is the path of what is no resource', () => {
    expect(askedOf({ method: 'HEAD' }, parseUrl('/livez?verbose'))).toEqual({
      kind: 'nonResource',
      verb: 'head',
      path: '/livez',
    });
  });
});
