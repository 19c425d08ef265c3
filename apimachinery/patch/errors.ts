import { ApiError } from '../status.js';

/** 422: the patch is well-formed, but cannot be applied to this object. */
export function cannotApply(why: string): ApiError {
  return new ApiError({
    kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason: 'Invalid', code: 422,
    message: `the server rejected our request due to an error in our request: ${why}`,
  });
}
