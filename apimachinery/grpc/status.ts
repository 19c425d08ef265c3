/**
 * The one place where a Kubernetes Status becomes a gRPC status and back. The gRPC code is for tools that know nothing
 * of Kubernetes; between our own ends the whole Status travels in a binary trailer, so that nothing is lost.
 */
import { Metadata, status as grpc } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { ApiError, apiErrors } from '../status.js';
import type { Status, StatusReason } from '../status.js';

const STATUS_TRAILER = 'navarch-status-bin';

/**
 * Header blocks are bounded by every HTTP/2 peer; a Status that is larger loses its causes, then the end of its
 * message.
 */
const STATUS_BYTES_MAX = 16 * 1024;
/** For logs and foreign tools. */
const DETAILS_LENGTH_MAX = 256;
const MESSAGE_LENGTH_MAX = 4096;
const NAME_LENGTH_MAX = 256;

/** What a grpc-js handler fails a call with. */
export interface GrpcFailure {
  readonly code: grpc;
  readonly details: string;
  readonly metadata: Metadata;
}

const CODE_OF_REASON: Readonly<Partial<Record<StatusReason, grpc>>> = {
  Unauthorized: grpc.UNAUTHENTICATED,
  Forbidden: grpc.PERMISSION_DENIED,
  NotFound: grpc.NOT_FOUND,
  AlreadyExists: grpc.ALREADY_EXISTS,
  Conflict: grpc.ABORTED,
  Gone: grpc.OUT_OF_RANGE,
  Expired: grpc.OUT_OF_RANGE,
  Invalid: grpc.INVALID_ARGUMENT,
  BadRequest: grpc.INVALID_ARGUMENT,
  MethodNotAllowed: grpc.UNIMPLEMENTED,
  NotAcceptable: grpc.INVALID_ARGUMENT,
  UnsupportedMediaType: grpc.INVALID_ARGUMENT,
  RequestEntityTooLarge: grpc.RESOURCE_EXHAUSTED,
  TooManyRequests: grpc.RESOURCE_EXHAUSTED,
  ServerTimeout: grpc.DEADLINE_EXCEEDED,
  Timeout: grpc.DEADLINE_EXCEEDED,
  ServiceUnavailable: grpc.UNAVAILABLE,
};

/** Any error as a failure of a gRPC call. What is no ApiError is an internal error, whose text stays on the server. */
export function toGrpcFailure(error: unknown): GrpcFailure {
  const { status } =
    error instanceof ApiError ? error : apiErrors.internal('unexpected error; see the log of the server');
  const metadata = new Metadata();
  metadata.set(STATUS_TRAILER, encode(status));
  return {
    code: CODE_OF_REASON[status.reason ?? ''] ?? grpc.INTERNAL,
    details: (status.message ?? '').slice(0, DETAILS_LENGTH_MAX),
    metadata,
  };
}

function encode(status: Status): Buffer {
  const whole = Buffer.from(JSON.stringify(status));
  if (whole.length <= STATUS_BYTES_MAX) return whole;
  const { causes, ...details } = status.details ?? {};
  const { name } = details;
  const message = `${(status.message ?? '').slice(0, MESSAGE_LENGTH_MAX)}...`;
  const short = name === undefined ? details : { ...details, name: name.slice(0, NAME_LENGTH_MAX) };
  const kept = (causes ?? []).slice(0, 8).map((cause) => ({
    ...cause,
    message: (cause.message ?? '').slice(0, NAME_LENGTH_MAX),
    field: (cause.field ?? '').slice(0, NAME_LENGTH_MAX),
  }));
  return Buffer.from(JSON.stringify({ ...status, message, details: { ...short, causes: kept } }));
}

/** The failure of a call as the ApiError that the server threw, or as what the transport's code comes nearest to. */
export function fromGrpcError(error: ServiceError): ApiError {
  const carried = carriedStatus(error);
  if (carried !== undefined) return new ApiError(carried);
  const text = error.details === '' ? error.message : error.details;
  if (isTransportFault(error)) return apiErrors.serviceUnavailable(text);
  switch (error.code) {
    case grpc.DEADLINE_EXCEEDED:
      return apiErrors.timeout(text);
    case grpc.UNAUTHENTICATED:
      return apiErrors.unauthorized(text);
    case grpc.PERMISSION_DENIED:
      return new ApiError(plain(403, 'Forbidden', text));
    case grpc.RESOURCE_EXHAUSTED:
      return apiErrors.requestEntityTooLarge(text);
    case grpc.INVALID_ARGUMENT:
      return apiErrors.badRequest(text);
    case grpc.UNIMPLEMENTED:
      return new ApiError(plain(405, 'MethodNotAllowed', text));
    default:
      return apiErrors.internal(text);
  }
}

/**
 * The connection failed: no answer of the server says what became of the call. Not for calls that we cancelled
 * ourselves.
 */
export function isTransportFault(error: ServiceError): boolean {
  if (carriedStatus(error) !== undefined) return false;
  // A peer that ends resets its streams, which grpc-js reports as CANCELLED or INTERNAL.
  return (
    error.code === grpc.UNAVAILABLE ||
    error.code === grpc.CANCELLED ||
    ((error.code === grpc.INTERNAL || error.code === grpc.UNKNOWN) &&
      /RST_STREAM|ECONNRESET|closed|GOAWAY/i.test(error.details))
  );
}

/** The call never left this process: not even a write can have happened. */
export function neverSent(error: ServiceError): boolean {
  return (
    error.code === grpc.UNAVAILABLE &&
    carriedStatus(error) === undefined &&
    /^(No connection established|Name resolution failed)/.test(error.details)
  );
}

function carriedStatus(error: ServiceError): Status | undefined {
  const [bytes] = error.metadata?.get(STATUS_TRAILER) ?? [];
  if (bytes === undefined) return undefined;
  try {
    const status: unknown = JSON.parse(bytes.toString('utf8'));
    return isStatus(status) ? status : undefined;
  } catch {
    return undefined;
  }
}

function isStatus(value: unknown): value is Status {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as Status).kind === 'Status' &&
    typeof (value as Status).code === 'number'
  );
}

const plain = (code: number, reason: StatusReason, message: string): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message,
  reason,
  code,
});
