/**
 * Errors of the Kubernetes API: a metav1.Status that can be thrown (API conventions, "Response Status Kind"). Every
 * room above the store fails with an ApiError; the REST front writes its `status`, the gRPC front maps it in one place.
 */
import { encodeJson } from './json-value.js';
import { groupResourceOf } from './object.js';
import { isObject, setOwn } from './value.js';
import type { JsonObject } from './value.js';

export type StatusReason =
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Gone'
  | 'Invalid'
  | 'ServerTimeout'
  | 'StoreReadError'
  | 'Timeout'
  | 'TooManyRequests'
  | 'BadRequest'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType'
  | 'InternalError'
  | 'Expired'
  | 'ServiceUnavailable'
  | '';

export type CauseType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTypeInvalid'
  | 'InternalError'
  | 'UnexpectedServerResponse'
  | 'FieldManagerConflict'
  | 'ResourceVersionTooLarge'
  | 'NamespaceTerminating'
  | 'DisruptionBudget'
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

/** Complaints in one answer. */
export const FIELD_ERRORS_MAX = 100;
/** No name that is accepted is longer than 253 bytes; one that is refused need not come back whole. */
const SHOWN_LENGTH_MAX = 256;
const REASON_LENGTH_MAX = 4096;
/** Room for a hundred fields by name. */
const BAD_REQUEST_LENGTH_MAX = 32 * 1024;
const MESSAGE_LENGTH_MAX = 128 * 1024;

const cut = (text: string, length_max = SHOWN_LENGTH_MAX): string =>
  text.length > length_max ? `${text.slice(0, length_max)}...` : text;

function failure(code: number, reason: StatusReason, message: string, details?: StatusDetails): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: cut(message, MESSAGE_LENGTH_MAX),
    reason,
    ...(details === undefined ? {} : { details }),
    code,
  });
}

interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

const detailsOf = (id: GroupResource, name: string): StatusDetails => ({
  ...(name === '' ? {} : { name: cut(name) }),
  ...(id.group === '' ? {} : { group: id.group }),
  kind: id.resource,
});

/** As Go prints a name: one from a URL may hold anything. */
const quoted = (name: string): string => JSON.stringify(cut(name));

/** The errors of k8s.io/apimachinery/pkg/api/errors: same codes, reasons and wording, since clients match on them. */
export const apiErrors = {
  notFound: (id: GroupResource, name: string) =>
    failure(404, 'NotFound', `${groupResourceOf(id)} ${quoted(name)} not found`, detailsOf(id, name)),
  alreadyExists: (id: GroupResource, name: string) =>
    failure(409, 'AlreadyExists', `${groupResourceOf(id)} ${quoted(name)} already exists`, detailsOf(id, name)),
  conflict: (id: GroupResource, name: string, why: string) =>
    failure(
      409,
      'Conflict',
      `Operation cannot be fulfilled on ${groupResourceOf(id)} ${quoted(name)}: ${why}`,
      detailsOf(id, name),
    ),
  forbidden: (id: GroupResource, name: string, why: string) =>
    failure(
      403,
      'Forbidden',
      `${groupResourceOf(id)}${name === '' ? '' : ` ${quoted(name)}`} is forbidden: ${why}`,
      detailsOf(id, name),
    ),
  unauthorized: (message = 'Unauthorized') => failure(401, 'Unauthorized', message),
  badRequest: (message: string) => failure(400, 'BadRequest', cut(message, BAD_REQUEST_LENGTH_MAX)),
  methodNotAllowed: (id: GroupResource, verb: string) =>
    failure(
      405,
      'MethodNotAllowed',
      `${verb} is not supported on resources of kind "${groupResourceOf(id)}"`,
      detailsOf(id, ''),
    ),
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
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    }),
  invalid(
    kind: { readonly group: string; readonly kind: string },
    name: string,
    errors: readonly FieldError[],
  ): ApiError {
    const told = errors.slice(0, FIELD_ERRORS_MAX);
    // The message says each thing once; the causes list all, as Kubernetes' do.
    const lines = [...new Set(told.map((error) => `${error.field}: ${error.detail}`))];
    const summary = lines.length === 1 ? lines[0] : `[${lines.join(', ')}]`;
    const qualified = kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`;
    return failure(422, 'Invalid', `${qualified} ${quoted(name)} is invalid: ${summary}`, {
      ...(name === '' ? {} : { name: cut(name) }),
      ...(kind.group === '' ? {} : { group: kind.group }),
      ...(kind.kind === '' ? {} : { kind: kind.kind }),
      causes: told.map((error) => ({ reason: error.type, message: error.detail, field: error.field })),
    });
  },
};

export function isApiError(error: unknown, reason?: StatusReason): error is ApiError {
  return error instanceof ApiError && (reason === undefined || error.reason === reason);
}

/** The refusal to make something in a namespace that is being deleted: trying again is of no use. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    isApiError(error) && error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true
  );
}

/**
 * Builders of FieldErrors with the wording of k8s.io/apimachinery/pkg/util/validation/field. What is shown of a value
 * costs no more than it takes.
 */
export const fieldErrors = {
  required: (field: string, why = ''): FieldError =>
    fieldError('FieldValueRequired', field, `Required value${why === '' ? '' : `: ${cut(why, REASON_LENGTH_MAX)}`}`),
  invalid: (field: string, value: unknown, why: string): FieldError =>
    fieldError(
      'FieldValueInvalid',
      field,
      `Invalid value: ${showValue(value)}${why === '' ? '' : `: ${cut(why, REASON_LENGTH_MAX)}`}`,
    ),
  typeInvalid: (field: string, value: unknown, why: string): FieldError =>
    fieldError('FieldValueTypeInvalid', field, `Invalid value: ${showValue(value)}: ${cut(why, REASON_LENGTH_MAX)}`),
  notSupported: (field: string, value: unknown, supported: readonly string[]): FieldError =>
    fieldError(
      'FieldValueNotSupported',
      field,
      `Unsupported value: ${showValue(value)}: supported values: ${showAll(supported)}`,
    ),
  duplicate: (field: string, value: unknown): FieldError =>
    fieldError('FieldValueDuplicate', field, `Duplicate value: ${showValue(value)}`),
  forbidden: (field: string, why: string): FieldError =>
    fieldError('FieldValueForbidden', field, `Forbidden: ${cut(why, REASON_LENGTH_MAX)}`),
  notFound: (field: string, value: unknown): FieldError =>
    fieldError('FieldValueNotFound', field, `Not found: ${showValue(value)}`),
  tooLong: (field: string, limit: number): FieldError =>
    fieldError(
      'FieldValueTooLong',
      field,
      `Too long: ${limit < 0 ? 'value is too long' : `may not be more than ${limit} byte${limit === 1 ? '' : 's'}`}`,
    ),
  tooMany: (field: string, count: number, limit: number): FieldError =>
    fieldError(
      'FieldValueTooMany',
      field,
      `Too many: ${count}: ${limit < 0 ? 'has too many items' : `must have at most ${limit} item${limit === 1 ? '' : 's'}`}`,
    ),
};

/** A path may hold keys that a client chose. */
const FIELD_LENGTH_MAX = 512;

const fieldError = (type: CauseType, field: string, detail: string): FieldError => ({
  type,
  field: cut(field, FIELD_LENGTH_MAX),
  detail,
});

const SUPPORTED_MAX = 100;

const showAll = (values: readonly string[]): string =>
  values
    .slice(0, SUPPORTED_MAX)
    .map((value) => JSON.stringify(cut(value)))
    .join(', ') + (values.length > SUPPORTED_MAX ? ', ...' : '');

/** JSON of a value, cut; of a list of any length no more items are printed than are shown. */
function showValue(value: unknown): string {
  return cut(encodeJson(headOf(value, { left: SHOWN_LENGTH_MAX })));
}

/** As much of a value as its first so many characters show, or a little more. */
function headOf(value: unknown, room: { left: number }): unknown {
  if (typeof value === 'string') {
    room.left -= Math.min(value.length, SHOWN_LENGTH_MAX);
    return value.slice(0, SHOWN_LENGTH_MAX + 1);
  }
  room.left -= 1;
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (const item of value) {
      if (room.left < 0) break;
      items.push(headOf(item, room));
    }
    return items;
  }
  if (!isObject(value)) return value;
  const head: JsonObject = {};
  for (const key in value) {
    if (room.left < 0) break;
    room.left -= Math.min(key.length, SHOWN_LENGTH_MAX);
    setOwn(head, key.slice(0, SHOWN_LENGTH_MAX + 1), headOf(value[key], room));
  }
  return head;
}
