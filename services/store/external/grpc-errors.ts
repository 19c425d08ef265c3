/** etcd's refusals as StoreErrors. What matters for a write: may it have happened? */
import { status } from '@grpc/grpc-js';
import type { ServiceError } from '@grpc/grpc-js';
import { StoreError } from '../store.js';
import type { StoreErrorCode } from '../store.js';

const NO_CONNECTION = 'no connection to etcd';

/** By text, since etcd uses one code for several. */
const BY_TEXT: readonly (readonly [text: string, code: StoreErrorCode])[] = [
  ['required revision has been compacted', 'compacted'],
  ['required revision is a future revision', 'future-revision'],
  ['requested lease not found', 'lease-not-found'],
  ['lease already exists', 'lease-exists'],
  ['database space exceeded', 'no-space'],
  ['corrupt', 'corrupt'],
  ['request is too large', 'too-large'],
  ['trying to send message larger than max', 'too-large'],
  // These are refused before they enter a log.
  ['etcdserver: no leader', 'unavailable'],
  ['etcdserver: too many requests', 'unavailable'],
  ['raft proposal dropped', 'unavailable'],
  [NO_CONNECTION, 'unavailable'],
  ['Name resolution failed', 'unavailable'],
];

const asServiceError = (error: unknown): ServiceError | undefined =>
  error instanceof Error && typeof (error as Partial<ServiceError>).code === 'number'
    ? (error as ServiceError)
    : undefined;

/** Another endpoint may do better. */
export function isRetryable(error: unknown): boolean {
  const code = asServiceError(error)?.code;
  return code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || code === status.INTERNAL;
}

export function toStoreError(error: unknown, writes: boolean): StoreError {
  if (error instanceof StoreError) return error;
  const failure = asServiceError(error);
  if (failure === undefined) return new StoreError(writes ? 'unknown-outcome' : 'unavailable', String(error));
  const text = plainText(failure.details);
  const known = BY_TEXT.find(([part]) => text.includes(part));
  if (known !== undefined) return new StoreError(known[1], text);
  switch (failure.code) {
    case status.INVALID_ARGUMENT:
    case status.OUT_OF_RANGE:
    case status.FAILED_PRECONDITION:
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return new StoreError('invalid', text);
    case status.UNIMPLEMENTED:
      return new StoreError('unsupported', text);
    default:
      return new StoreError(writes ? 'unknown-outcome' : 'unavailable', text === '' ? failure.message : text);
  }
}

/** What gRPC says of a connection that could not be made, without its inner life. */
function plainText(details: string): string {
  if (!details.startsWith('No connection established')) return details;
  const reason = /Last error: (?:Error: )?(.*?)\.?(?: Resolution note:.*)?$/.exec(details)?.[1];
  return reason === undefined ? NO_CONNECTION : `${NO_CONNECTION}: ${reason}`;
}
