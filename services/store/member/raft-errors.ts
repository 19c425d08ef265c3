/** What Raft refuses, in the store's words. */
import { RaftError } from '../../../raft/contract.js';
import { StoreError } from '../store.js';

/** Whether a write happened is what matters to a caller. */
export function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  if (!(error instanceof RaftError))
    return new StoreError('unknown-outcome', error instanceof Error ? error.message : String(error));
  switch (error.code) {
    case 'not-leader':
      return new StoreError('unavailable', 'etcdserver: no leader');
    case 'dropped':
      return new StoreError('unavailable', 'etcdserver: too many requests');
    case 'unknown-outcome':
      return new StoreError(
        'unknown-outcome',
        'etcdserver: request timed out, possibly due to previous leader failure',
      );
    case 'timeout':
      return new StoreError('unknown-outcome', 'etcdserver: request timed out');
    case 'stopped':
      return new StoreError('unknown-outcome', 'etcdserver: server stopped');
    case 'removed':
    case 'fenced':
    case 'outdated':
    case 'wrong-cluster':
      return new StoreError('unavailable', error.message);
    case 'invalid':
      return new StoreError('invalid', error.message);
    case 'corrupt':
      return new StoreError('corrupt', error.message);
    default:
      return error.code satisfies never;
  }
}

/** As `storeErrorOf`, of what writes nothing: it has no outcome to be unsure of. */
export function readErrorOf(error: unknown): StoreError {
  const mapped = storeErrorOf(error);
  return mapped.code === 'unknown-outcome' ? new StoreError('unavailable', mapped.message) : mapped;
}
