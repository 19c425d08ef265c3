/** Bodies of requests: JSON, YAML or Kubernetes protobuf, in; parsed objects out. */
import {
  jsonIssues,
  jsonPatchIssues,
  patchIssues,
  untypedIssues,
  yamlIssues,
} from '../../../apimachinery/codec/issues.js';
import { decodeJson, JsonSyntaxError } from '../../../apimachinery/codec/json.js';
import { OPEN_BRACE } from '../../../apimachinery/codec/scan.js';
import { decodeProtobuf } from '../../../apimachinery/codec/protobuf/index.js';
import type { PatchType, BodyIssues } from '../../../apimachinery/object-service.js';
import type { GroupVersionKind, KubeObject } from '../../../apimachinery/object.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import { NO_ISSUES } from '../../../apimachinery/schema/strict.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import type { Heavy } from '../work/heavy-work.js';
import type { YamlPool } from '../work/yaml-pool.js';
import { headerOf } from './message.js';
import type { RestRequest } from './message.js';

/** kube-apiserver's limit for resource requests (MaxRequestBodyBytes). */
const BODY_BYTES_MAX = 3 * 1024 * 1024;

/** The options of a delete have a handful of fields. */
const OPTIONS_BYTES_MAX = 64 * 1024;

const JSON_TYPE = 'application/json';
const YAML_TYPE = 'application/yaml';
const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export interface DecodedBody {
  readonly object: KubeObject;
  readonly issues: BodyIssues;
}

/** What a body is read with: a large one waits for its turn, and large YAML is read elsewhere. */
export interface BodyTools {
  readonly heavy: Heavy;
  readonly yaml: YamlPool;
}

export interface ExpectedType extends GroupVersionKind {
  readonly isCustom: boolean;
}

/** An object of the expected kind, or of the kind it names itself. An empty body is a BadRequest. */
export async function readObject(request: RestRequest, tools: BodyTools, expected: ExpectedType): Promise<DecodedBody> {
  const bytes = await readBytes(request, tools);
  const unrecognized = (why: string) =>
    apiErrors.badRequest(
      `the object provided is unrecognized (must be of type ${expected.kind}): ${why} (${shownBody(bytes)})`,
    );
  const { value, issues } = await decode(bytes, mediaType(request), tools, expected).catch((error: unknown) => {
    throw error instanceof JsonSyntaxError ? unrecognized(untyped(error.detail)) : error;
  });
  const fault = typeFault(value);
  if (fault !== undefined) throw unrecognized(untyped(fault));
  const object: KubeObject = isObject(value) ? value : {};
  // Go has no type that would say what a custom resource is.
  if (expected.isCustom && (object.kind ?? '') === '')
    throw unrecognized(`Object 'Kind' is missing in '${textOf(bytes)}'`);
  if (expected.isCustom) object.apiVersion ??= '';
  return { object, issues };
}

/** How kube-apiserver begins when a body's apiVersion and kind cannot be read. */
const untyped = (detail: string): string => `couldn't get version/kind; json parse error: ${detail}`;

const TYPE_META = String.raw`struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }`;

/** Why no apiVersion and kind can be read from a value; null has none, and Go takes it for an empty object. */
function typeFault(value: unknown): string | undefined {
  if (value === null) return undefined;
  if (!isObject(value)) return `json: cannot unmarshal ${jsonTypeOf(value)} into Go value of type ${TYPE_META}`;
  for (const field of ['apiVersion', 'kind']) {
    const given = value[field] ?? '';
    if (typeof given !== 'string')
      return `json: cannot unmarshal ${jsonTypeOf(given)} into Go struct field .${field} of type string`;
  }
  return undefined;
}

function jsonTypeOf(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'string' || typeof value === 'object') return typeof value;
  return typeof value === 'boolean' ? 'bool' : 'number';
}

const SHOWN_BYTES_MAX = 30;

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');

/** The beginning of a body, as hexadecimal digits unless it looks like JSON. */
function shownBody(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const head = Buffer.from(bytes.subarray(0, SHOWN_BYTES_MAX));
  return `${head.toString(head[0] === OPEN_BRACE ? 'utf8' : 'hex')}${bytes.length > SHOWN_BYTES_MAX ? ' ...' : ''}`;
}

/** The options of a delete; undefined without a body. */
export async function readOptions(request: RestRequest, tools: BodyTools): Promise<unknown> {
  const bytes = await readBytes(request, tools, OPTIONS_BYTES_MAX);
  if (bytes.length === 0) return undefined;
  const type = mediaType(request);
  const { value } = await decode(bytes, type === '' ? JSON_TYPE : type, tools, {
    group: '',
    version: 'v1',
    kind: 'DeleteOptions',
    isCustom: false,
  }).catch((error: unknown) => {
    throw error instanceof JsonSyntaxError ? apiErrors.badRequest(untyped(error.detail)) : error;
  });
  const fault = typeFault(value);
  if (fault !== undefined) throw apiErrors.badRequest(untyped(fault));
  return value ?? undefined;
}

export async function readPatch(
  request: RestRequest,
  tools: BodyTools,
  isCustom: boolean,
): Promise<{ readonly type: PatchType; readonly patch: unknown; readonly issues: BodyIssues }> {
  const type = mediaType(request);
  const patchType = Object.hasOwn(PATCH_TYPES, type) ? PATCH_TYPES[type] : undefined;
  if (patchType === undefined || (isCustom && patchType === 'strategic')) throw unknownPatchType(isCustom);
  const bytes = await readBytes(request, tools);
  if (patchType === 'apply') {
    const { value, issues } = await readYaml(bytes, tools.yaml);
    return { type: patchType, patch: value, issues };
  }
  const patch = decodePatch(bytes, patchType);
  const issues = patchType === 'json' ? jsonPatchIssues(bytes, patch) : untypedIssues(bytes);
  return { type: patchType, patch, issues: isCustom ? issues : patchIssues(bytes, issues) };
}

/** Built-in kinds have a router in front, which knows their types; definitions say nothing of how lists merge. */
function unknownPatchType(isCustom: boolean): ApiError {
  if (!isCustom)
    return new ApiError({ ...apiErrors.unsupportedMediaType('415: Unsupported Media Type').status, details: {} });
  const types = Object.keys(PATCH_TYPES).filter((type) => PATCH_TYPES[type] !== 'strategic');
  return apiErrors.unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`,
  );
}

function decodePatch(bytes: Uint8Array, type: PatchType): unknown {
  try {
    return decodeJson(bytes);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    throw apiErrors.badRequest(type === 'strategic' ? error.detail : `error decoding patch: ${error.detail}`);
  }
}

async function readBytes(
  request: RestRequest,
  { heavy }: BodyTools,
  limit_bytes = BODY_BYTES_MAX,
): Promise<Uint8Array> {
  const announced = Number(headerOf(request, 'content-length'));
  const isPlain =
    headerOf(request, 'content-encoding') === '' &&
    Number.isSafeInteger(announced) &&
    headerOf(request, 'content-length') !== '';
  heavy.expect(isPlain ? Math.min(announced, limit_bytes) : limit_bytes);
  const bytes = await request.body(limit_bytes);
  await heavy.arrived(bytes.length);
  return bytes;
}

interface Decoded {
  readonly value: unknown;
  readonly issues: BodyIssues;
}

async function readYaml(bytes: Uint8Array, yaml: YamlPool): Promise<Decoded> {
  const { value, duplicates } = await yaml.read(bytes);
  return { value, issues: yamlIssues(duplicates) };
}

async function decode(
  bytes: Uint8Array,
  type: string,
  { yaml, heavy }: BodyTools,
  expected: ExpectedType,
): Promise<Decoded> {
  switch (type) {
    case '':
    case '*/*':
    case JSON_TYPE: {
      const value = decodeJson(bytes);
      if (expected.isCustom) return { value, issues: untypedIssues(bytes) };
      // Another pass over all bytes.
      await heavy.step('looking at numbers');
      return { value, issues: jsonIssues(bytes) };
    }
    case YAML_TYPE:
      return readYaml(bytes, yaml);
    case PROTOBUF_TYPE:
      return {
        value: decodeProtobuf(bytes, { apiVersion: apiVersionOf(expected), kind: expected.kind }),
        issues: NO_ISSUES,
      };
    default:
      throw apiErrors.unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: ${[JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE].join(', ')}`,
      );
  }
}

const mediaType = (request: RestRequest): string =>
  (headerOf(request, 'content-type').split(';')[0] ?? '').trim().toLowerCase();
