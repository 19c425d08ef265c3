/** Errors as etcd sends them. */
import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { StoreError } from '../store.js';
import type { StoreErrorCode } from '../store.js';

/** A refusal with etcd's code and text. */
export class EtcdError extends Error implements Partial<ServiceError> {
  override readonly name = 'EtcdError';
  readonly code: status;
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(code: status, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

const CODES = {
  compacted: status.OUT_OF_RANGE,
  'future-revision': status.OUT_OF_RANGE,
  'lease-not-found': status.NOT_FOUND,
  'lease-exists': status.FAILED_PRECONDITION,
  'no-space': status.RESOURCE_EXHAUSTED,
  corrupt: status.DATA_LOSS,
  'too-large': status.INVALID_ARGUMENT,
  invalid: status.INVALID_ARGUMENT,
  unavailable: status.UNAVAILABLE,
  'unknown-outcome': status.UNAVAILABLE,
  overflow: status.RESOURCE_EXHAUSTED,
  closed: status.UNAVAILABLE,
  unsupported: status.UNIMPLEMENTED,
} as const satisfies Record<StoreErrorCode, status>;

export function toEtcdError(error: unknown): EtcdError {
  if (error instanceof EtcdError) return error;
  if (error instanceof StoreError) {
    // The one refusal of a value that etcd calls out of range.
    const code = error.message === 'etcdserver: too large lease TTL' ? status.OUT_OF_RANGE : CODES[error.code];
    return new EtcdError(code, error.code === 'closed' ? 'etcdserver: server stopped' : error.message);
  }
  return new EtcdError(status.INTERNAL, error instanceof Error ? error.message : String(error));
}

/**
 * Ends a stream with a refusal. gRPC sends a status for an error that is emitted; a stream that is destroyed leaves its
 * client waiting.
 */
export function failStream(call: { emit(event: 'error', error: Error): unknown }, error: unknown): void {
  call.emit('error', toEtcdError(error));
}

export const unimplemented = (why: string) => new EtcdError(status.UNIMPLEMENTED, why);
