/** Documents that are no objects: `/version` and the OpenAPI descriptions, built when first asked for. */
import { OpenApi } from '../../../apimachinery/openapi/openapi.js';
import type { OpenApiDocument } from '../../../apimachinery/openapi/openapi.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import { cacheable } from './front.js';
import { headerOf } from './message.js';
import type { RestRequest, RestResponse } from './message.js';
import { mediaRanges, negotiate } from './negotiate.js';

export const KUBERNETES_VERSION = 'v1.36.0';

const VERSION = Buffer.from(JSON.stringify({
  major: '1', minor: '36', gitVersion: KUBERNETES_VERSION, gitCommit: '', gitTreeState: 'clean', buildDate: '1970-01-01T00:00:00Z',
  goVersion: `node ${process.version}`, compiler: 'node', platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
}));

const V2_PROTOBUF_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** The other spelling has a character no media type may hold: clients send it, and fail on it when it is sent back. */
const V2_PROTOBUF = new Set([V2_PROTOBUF_TYPE, 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf']);
const JSON_TYPES = new Set(['application/json', 'application/*', '*/*']);

export function documents(scheme: MutableScheme): (path: string, request: RestRequest) => RestResponse | undefined {
  const openApi = new OpenApi(scheme, { version: KUBERNETES_VERSION });
  const answer = (request: RestRequest, document: OpenApiDocument | undefined, contentType = 'application/json') =>
    (document === undefined ? undefined : cacheable(request, document.bytes, contentType, `"${document.hash}"`));
  return (path, request) => {
    if (path === '/version' || path === '/version/') return { status: 200, headers: { 'content-type': 'application/json' }, body: VERSION };
    if (path === '/openapi/v2') {
      // Clients before 1.29 ask for protobuf alone; anybody else for JSON.
      const protobuf = mediaRanges(headerOf(request, 'accept')).find(({ type }) => V2_PROTOBUF.has(type) || JSON_TYPES.has(type));
      if (protobuf !== undefined && V2_PROTOBUF.has(protobuf.type)) return answer(request, openApi.v2Protobuf(), V2_PROTOBUF_TYPE);
      negotiate(headerOf(request, 'accept'), ['json']);
      return answer(request, openApi.v2());
    }
    if (path === '/openapi/v3' || path === '/openapi/v3/') return answer(request, openApi.index());
    return path.startsWith('/openapi/v3/') ? answer(request, openApi.document(path.slice('/openapi/v3/'.length))) : undefined;
  };
}
