/**
 * Errors of the Kubernetes API: a metav1.Status that can be thrown (API conventions, "Response Status Kind"). Every room
 * above the store fails with an ApiError; the REST front writes its `status`, the gRPC front maps it in one place.
 */
import { encodeJson } from './codec/json-value.js';
import { groupResourceOf } from './object.js';

export type StatusReason =
  | 'Unauthorized' | 'Forbidden' | 'NotFound' | 'AlreadyExists' | 'Conflict' | 'Gone' | 'Invalid' | 'ServerTimeout'
  | 'StoreReadError' | 'Timeout' | 'TooManyRequests' | 'BadRequest' | 'MethodNotAllowed' | 'NotAcceptable'
  | 'RequestEntityTooLarge' | 'UnsupportedMediaType' | 'InternalError' | 'Expired' | 'ServiceUnavailable' | '';

export type CauseType =
  | 'FieldValueNotFound' | 'FieldValueRequired' | 'FieldValueDuplicate' | 'FieldValueInvalid' | 'FieldValueNotSupported'
  | 'FieldValueForbidden' | 'FieldValueTooLong' | 'FieldValueTooMany' | 'FieldValueTypeInvalid' | 'InternalError'
  | 'UnexpectedServerResponse' | 'FieldManagerConflict' | 'ResourceVersionTooLarge' | 'NamespaceTerminating' | 'DisruptionBudget'
  | 'ExitCode';

export interface StatusCause {
  /** One of CauseType for errors of this API server; servers of others may send more. */
  reason?: string;
  message?: string;
  /** The path of the field, as `spec.containers[0].image`. */
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  /** `continue`: how to go on with a list whose token has expired. */
  metadata: { continue?: string };
  status: 'Success' | 'Failure';
  message?: string;
  reason?: StatusReason;
  details?: StatusDetails;
  code: number;
}

/** One complaint about one field; `validate` functions return lists of these. */
export interface FieldError {
  readonly type: CauseType;
  readonly field: string;
  /** What follows `field: ` in the message, as `Invalid value: -1: must be greater than or equal to 0`. */
  readonly detail: string;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: Status;

  constructor(status: Status) {
    super(status.message ?? status.reason ?? 'unknown error');
    this.status = status;
  }

  get code(): number {
    return this.status.code;
  }

  get reason(): StatusReason {
    return this.status.reason ?? '';
  }
}

function failure(code: number, reason: StatusReason, message: string, details?: StatusDetails): ApiError {
  return new ApiError({
    kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason,
    ...(details === undefined ? {} : { details }), code,
  });
}

interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

const detailsOf = (id: GroupResource, name: string): StatusDetails => ({
  ...(name === '' ? {} : { name }),
  ...(id.group === '' ? {} : { group: id.group }),
  kind: id.resource,
});

/** The errors of k8s.io/apimachinery/pkg/api/errors: same codes, reasons and wording, since clients match on them. */
export const apiErrors = {
  notFound: (id: GroupResource, name: string) =>
    failure(404, 'NotFound', `${groupResourceOf(id)} "${name}" not found`, detailsOf(id, name)),
  alreadyExists: (id: GroupResource, name: string) =>
    failure(409, 'AlreadyExists', `${groupResourceOf(id)} "${name}" already exists`, detailsOf(id, name)),
  conflict: (id: GroupResource, name: string, why: string) =>
    failure(409, 'Conflict', `Operation cannot be fulfilled on ${groupResourceOf(id)} "${name}": ${why}`, detailsOf(id, name)),
  forbidden: (id: GroupResource, name: string, why: string) =>
    failure(403, 'Forbidden', `${groupResourceOf(id)}${name === '' ? '' : ` "${name}"`} is forbidden: ${why}`, detailsOf(id, name)),
  unauthorized: (message = 'Unauthorized') => failure(401, 'Unauthorized', message),
  badRequest: (message: string) => failure(400, 'BadRequest', message),
  methodNotAllowed: (id: GroupResource, verb: string) =>
    failure(405, 'MethodNotAllowed', `${verb} is not supported on resources of kind "${groupResourceOf(id)}"`, detailsOf(id, '')),
  notAcceptable: (message: string) => failure(406, 'NotAcceptable', message),
  unsupportedMediaType: (message: string) => failure(415, 'UnsupportedMediaType', message),
  requestEntityTooLarge: (message: string) => failure(413, 'RequestEntityTooLarge', message),
  expired: (message: string) => failure(410, 'Expired', message),
  gone: (message: string) => failure(410, 'Gone', message),
  internal: (message: string) =>
    failure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] }),
  serviceUnavailable: (message: string) => failure(503, 'ServiceUnavailable', message),
  timeout: (message: string, retryAfterSeconds = 1) =>
    failure(504, 'Timeout', `Timeout: ${message}`, { retryAfterSeconds }),
  tooManyRequests: (message: string, retryAfterSeconds: number) =>
    failure(429, 'TooManyRequests', message, { retryAfterSeconds }),
  resourceVersionTooLarge: (asked: number, current: number) =>
    failure(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1,
    }),
  invalid(kind: { readonly group: string; readonly kind: string }, name: string, errors: readonly FieldError[]): ApiError {
    const lines = errors.map((error) => `${error.field}: ${error.detail}`);
    const summary = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
    const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
    return failure(422, 'Invalid', `${qualified} "${name}" is invalid: ${summary}`, {
      ...(name === '' ? {} : { name }),
      ...(kind.group === '' ? {} : { group: kind.group }),
      kind: kind.kind,
      causes: errors.map((error) => ({ reason: error.type, message: error.detail, field: error.field })),
    });
  },
};

export function isApiError(error: unknown, reason?: StatusReason): error is ApiError {
  return error instanceof ApiError && (reason === undefined || error.reason === reason);
}

/** Builders of FieldErrors with the wording of k8s.io/apimachinery/pkg/util/validation/field. */
export const fieldErrors = {
  required: (field: string, why = ''): FieldError => ({
    type: 'FieldValueRequired', field, detail: `Required value${why === '' ? '' : `: ${why}`}`,
  }),
  invalid: (field: string, value: unknown, why: string): FieldError => ({
    type: 'FieldValueInvalid', field, detail: `Invalid value: ${render(value)}: ${why}`,
  }),
  typeInvalid: (field: string, value: unknown, why: string): FieldError => ({
    type: 'FieldValueTypeInvalid', field, detail: `Invalid value: ${render(value)}: ${why}`,
  }),
  notSupported: (field: string, value: unknown, supported: readonly string[]): FieldError => ({
    type: 'FieldValueNotSupported', field,
    detail: `Unsupported value: ${render(value)}: supported values: ${supported.map((v) => JSON.stringify(v)).join(', ')}`,
  }),
  duplicate: (field: string, value: unknown): FieldError => ({
    type: 'FieldValueDuplicate', field, detail: `Duplicate value: ${render(value)}`,
  }),
  forbidden: (field: string, why: string): FieldError => ({ type: 'FieldValueForbidden', field, detail: `Forbidden: ${why}` }),
  notFound: (field: string, value: unknown): FieldError => ({
    type: 'FieldValueNotFound', field, detail: `Not found: ${render(value)}`,
  }),
  tooLong: (field: string, limit: number): FieldError => ({
    type: 'FieldValueTooLong', field, detail: `Too long: may not be more than ${limit} bytes`,
  }),
  tooMany: (field: string, count: number, limit: number): FieldError => ({
    type: 'FieldValueTooMany', field, detail: `Too many: ${count}: must have at most ${limit} items`,
  }),
};

const RENDER_LENGTH_MAX = 256;

function render(value: unknown): string {
  const text = encodeJson(value);
  return text.length > RENDER_LENGTH_MAX ? `${text.slice(0, RENDER_LENGTH_MAX)}...` : text;
}
