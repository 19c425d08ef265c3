/** A request's body by its media type: what the fronts hand to the registry. */
import { apiErrors } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { decodeJson, duplicateKeys } from './json.js';
import { DEFAULT_LIMITS } from './limits.js';
import type { DecodeLimits } from './limits.js';
import { decodeProtobuf } from './protobuf/index.js';
import type { KindHint } from './protobuf/index.js';
import { decodeYaml } from './yaml.js';

export interface BodyOptions {
  /** The kind a protobuf body may leave unsaid. */
  readonly hint?: KindHint;
  readonly limits?: DecodeLimits;
  /** Look for duplicate fields: for `fieldValidation` Warn and Strict. YAML with duplicates is refused in any case. */
  readonly findDuplicates?: boolean;
}

export interface DecodedBody {
  readonly object: JsonObject;
  /** Paths, as `spec.replicas`. */
  readonly duplicateFields: readonly string[];
}

/** Throws ApiError: UnsupportedMediaType, RequestEntityTooLarge, or BadRequest. An absent media type means JSON. */
export function decodeBody(bytes: Uint8Array, contentType: string | undefined, options: BodyOptions = {}): DecodedBody {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const mediaType = (contentType ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
  switch (mediaType) {
    case 'application/json': {
      const object = objectOf(decodeJson(bytes, limits));
      return { object, duplicateFields: options.findDuplicates === true ? duplicateKeys(bytes) : [] };
    }
    case 'application/yaml': return { object: objectOf(decodeYaml(bytes, limits)), duplicateFields: [] };
    case 'application/vnd.kubernetes.protobuf': return { object: decodeProtobuf(bytes, options.hint, limits), duplicateFields: [] };
    default: throw apiErrors.unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf`);
  }
}

function objectOf(value: unknown): JsonObject {
  if (!isObject(value)) throw apiErrors.badRequest('couldn\'t get version/kind; the body is not an object');
  return value;
}
