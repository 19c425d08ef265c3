/** Bodies of requests: JSON, YAML or Kubernetes protobuf, in; parsed objects out. */
import { decodeJson, duplicateKeys } from '../../../apimachinery/codec/json.js';
import { decodeProtobuf } from '../../../apimachinery/codec/protobuf/index.js';
import { decodeYaml } from '../../../apimachinery/codec/yaml.js';
import type { PatchType } from '../../../apimachinery/object-service.js';
import type { GroupVersionKind, KubeObject } from '../../../apimachinery/object.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import { headerOf } from './message.js';
import type { RestRequest } from './message.js';

/** kube-apiserver's limit for resource requests (MaxRequestBodyBytes). */
export const BODY_BYTES_MAX = 3 * 1024 * 1024;

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
  /** Paths of keys that stand twice in their object. */
  readonly duplicates: readonly string[];
}

/** An object of the expected kind, or of the kind it names itself. An empty body is a BadRequest. */
export async function readObject(request: RestRequest, expected: GroupVersionKind): Promise<DecodedBody> {
  const bytes = await request.body(BODY_BYTES_MAX);
  const { value, duplicates } = decode(bytes, mediaType(request), expected);
  if (!isObject(value)) throw apiErrors.badRequest('the body of the request must be an object');
  return { object: value as KubeObject, duplicates };
}

/** The options of a delete; undefined without a body. */
export async function readOptions(request: RestRequest): Promise<unknown> {
  const bytes = await request.body(BODY_BYTES_MAX);
  if (bytes.length === 0) return undefined;
  const type = mediaType(request);
  return decode(bytes, type === '' ? JSON_TYPE : type, { group: '', version: 'v1', kind: 'DeleteOptions' }).value;
}

export async function readPatch(request: RestRequest): Promise<{ readonly type: PatchType; readonly patch: unknown }> {
  const type = mediaType(request);
  const patchType = Object.hasOwn(PATCH_TYPES, type) ? PATCH_TYPES[type] : undefined;
  if (patchType === undefined) {
    throw apiErrors.unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${Object.keys(PATCH_TYPES).join(', ')}`);
  }
  const bytes = await request.body(BODY_BYTES_MAX);
  const patch = patchType === 'apply' ? decodeYaml(bytes) : decodeJson(bytes);
  if (patchType === 'json' ? !Array.isArray(patch) : !isObject(patch)) {
    throw apiErrors.badRequest(`a ${type} must be ${patchType === 'json' ? 'a list of operations' : 'an object'}`);
  }
  return { type: patchType, patch };
}

function decode(bytes: Uint8Array, type: string, expected: GroupVersionKind): { readonly value: unknown; readonly duplicates: readonly string[] } {
  switch (type) {
    case '':
    case '*/*':
    case JSON_TYPE:
      return { value: decodeJson(bytes), duplicates: duplicateKeys(bytes) };
    case YAML_TYPE:
      return { value: decodeYaml(bytes), duplicates: [] };
    case PROTOBUF_TYPE:
      return { value: decodeProtobuf(bytes, { apiVersion: apiVersionOf(expected), kind: expected.kind }), duplicates: [] };
    default:
      throw apiErrors.unsupportedMediaType(
        `the body of the request was in an unknown format - accepted media types include: ${[JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE].join(', ')}`);
  }
}

const mediaType = (request: RestRequest): string => (headerOf(request, 'content-type').split(';')[0] ?? '').trim().toLowerCase();
