/** Documents that are no objects: `/version` and the OpenAPI descriptions, built when first asked for. */
import { OpenApi } from '../../../apimachinery/openapi/openapi.js';
import type { OpenApiDocument } from '../../../apimachinery/openapi/openapi.js';
import type { Pace } from '../../../apimachinery/object-service.js';
import type { MutableScheme } from '../../../apimachinery/scheme/scheme.js';
import { inSlices } from '../../../platform/work.js';
import type { Work } from '../../../platform/work.js';
import { cacheable } from './conditional.js';
import { headerOf } from './message.js';
import type { RestRequest, RestResponse } from './message.js';
import { mediaRanges, negotiate } from './negotiate.js';
import { printJson } from './pretty.js';

const KUBERNETES_VERSION = 'v1.36.0';

/**
 * Over lines, as kube-apiserver prints it whoever asks. It emulates no other version, and talks to nobody older than
 * one minor.
 */
const VERSION = Buffer.from(
  printJson(
    JSON.stringify({
      major: '1',
      minor: '36',
      emulationMajor: '1',
      emulationMinor: '36',
      minCompatibilityMajor: '1',
      minCompatibilityMinor: '35',
      gitVersion: KUBERNETES_VERSION,
      gitCommit: '',
      gitTreeState: 'clean',
      buildDate: '1970-01-01T00:00:00Z',
      goVersion: `node ${process.version}`,
      compiler: 'node',
      platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
    }),
  ),
);

const V2_PROTOBUF_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** The other spelling has a character no media type may hold: clients send it, and fail on it when it is sent back. */
const V2_PROTOBUF = new Set([V2_PROTOBUF_TYPE, 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf']);
const JSON_TYPES = new Set(['application/json', 'application/*', '*/*']);

export type Documents = (path: string, request: RestRequest, pace?: Pace) => Promise<RestResponse | undefined>;

/** `pause`: lets others have their turn where the caller has no pace. */
export function documents(scheme: MutableScheme, pause: () => Promise<void>): Documents {
  const openApi = new OpenApi(scheme, { version: KUBERNETES_VERSION });
  /** What is being made, by its name and the generation: who asks meanwhile gets the same. */
  const making = new Map<string, Promise<OpenApiDocument>>();
  const made = (name: string, work: Work<OpenApiDocument>, pace: Pace | undefined): Promise<OpenApiDocument> => {
    const key = `${openApi.generation} ${name}`;
    let document = making.get(key);
    if (document === undefined) {
      document = inSlices(work, pace === undefined ? pause : () => pace.step('describing the API', Infinity)).finally(
        () => making.delete(key),
      );
      making.set(key, document);
    }
    return document;
  };
  return async (path, request, pace) => {
    if (path === '/version' || path === '/version/')
      return { status: 200, headers: { 'content-type': 'application/json' }, body: VERSION };
    const asked = askedOf(path, request, openApi);
    if (asked === undefined) return undefined;
    const { bytes, hash } = await made(asked.name, asked.work, pace);
    return cacheable(request, bytes, asked.contentType, `"${hash}"`);
  };
}

interface Asked {
  readonly name: string;
  readonly work: Work<OpenApiDocument>;
  readonly contentType: string;
}

/** Throws NotAcceptable. */
function askedOf(path: string, request: RestRequest, openApi: OpenApi): Asked | undefined {
  const contentType = 'application/json';
  if (path === '/openapi/v2') {
    // Clients before 1.29 ask for protobuf alone; anybody else for JSON.
    const protobuf = mediaRanges(headerOf(request, 'accept')).find(
      ({ type }) => V2_PROTOBUF.has(type) || JSON_TYPES.has(type),
    );
    if (protobuf !== undefined && V2_PROTOBUF.has(protobuf.type))
      return { name: 'v2 protobuf', work: openApi.v2('v2 protobuf'), contentType: V2_PROTOBUF_TYPE };
    negotiate(headerOf(request, 'accept'), ['json']);
    return { name: 'v2', work: openApi.v2(), contentType };
  }
  if (path === '/openapi/v3' || path === '/openapi/v3/') return { name: 'index', work: openApi.index(), contentType };
  if (!path.startsWith('/openapi/v3/')) return undefined;
  const name = path.slice('/openapi/v3/'.length);
  const work = openApi.document(name);
  return work === undefined ? undefined : { name: `v3/${name}`, work, contentType };
}
