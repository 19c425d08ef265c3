/** Bodies of requests: JSON, YAML or Kubernetes protobuf, in; parsed objects out. */
import { jsonIssues, untypedIssues, yamlIssues } from '../../../apimachinery/codec/issues.js';
import { decodeJson } from '../../../apimachinery/codec/json.js';
import { decodeProtobuf } from '../../../apimachinery/codec/protobuf/index.js';
import type { PatchType } from '../../../apimachinery/object-service.js';
import type { GroupVersionKind, KubeObject } from '../../../apimachinery/object.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import { NO_ISSUES } from '../../../apimachinery/schema/strict.js';
import type { BodyIssues } from '../../../apimachinery/schema/strict.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import type { Heavy } from '../work/heavy-work.js';
import type { YamlPool } from '../work/yaml-pool.js';
import { headerOf } from './message.js';
import type { RestRequest } from './message.js';

/** kube-apiserver's limit for resource requests (MaxRequestBodyBytes). */
export const BODY_BYTES_MAX = 3 * 1024 * 1024;

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
export async function readObject(
  request: RestRequest, tools: BodyTools, expected: ExpectedType,
): Promise<DecodedBody> {
  const bytes = await readBytes(request, tools);
  const { value, issues } = await decode(bytes, mediaType(request), tools, expected);
  if (!isObject(value)) throw apiErrors.badRequest('the body of the request must be an object');
  return { object: value as KubeObject, issues };
}

/** The options of a delete; undefined without a body. */
export async function readOptions(request: RestRequest, tools: BodyTools): Promise<unknown> {
  const bytes = await readBytes(request, tools, OPTIONS_BYTES_MAX);
  if (bytes.length === 0) return undefined;
  const type = mediaType(request);
  return (await decode(bytes, type === '' ? JSON_TYPE : type, tools, { group: '', version: 'v1', kind: 'DeleteOptions', isCustom: false })).value;
}

export async function readPatch(request: RestRequest, tools: BodyTools): Promise<{ readonly type: PatchType; readonly patch: unknown; readonly issues: BodyIssues }> {
  const type = mediaType(request);
  const patchType = Object.hasOwn(PATCH_TYPES, type) ? PATCH_TYPES[type] : undefined;
  if (patchType === undefined) {
    throw apiErrors.unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${Object.keys(PATCH_TYPES).join(', ')}`);
  }
  const bytes = await readBytes(request, tools);
  const { value: patch, issues } = patchType === 'apply' ? await readYaml(bytes, tools.yaml) : { value: decodeJson(bytes), issues: untypedIssues(bytes) };
  return { type: patchType, patch, issues };
}

async function readBytes(request: RestRequest, { heavy }: BodyTools, limit_bytes = BODY_BYTES_MAX): Promise<Uint8Array> {
  const announced = Number(headerOf(request, 'content-length'));
  const isPlain = headerOf(request, 'content-encoding') === '' && Number.isSafeInteger(announced) && headerOf(request, 'content-length') !== '';
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

async function decode(bytes: Uint8Array, type: string, { yaml }: BodyTools, expected: ExpectedType): Promise<Decoded> {
  switch (type) {
    case '':
    case '*/*':
    case JSON_TYPE:
      return { value: decodeJson(bytes), issues: expected.isCustom ? untypedIssues(bytes) : jsonIssues(bytes) };
    case YAML_TYPE:
      return readYaml(bytes, yaml);
    case PROTOBUF_TYPE:
      return { value: decodeProtobuf(bytes, { apiVersion: apiVersionOf(expected), kind: expected.kind }), issues: NO_ISSUES };
    default:
      throw apiErrors.unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: ${[JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE].join(', ')}`);
  }
}

const mediaType = (request: RestRequest): string => (headerOf(request, 'content-type').split(';')[0] ?? '').trim().toLowerCase();
