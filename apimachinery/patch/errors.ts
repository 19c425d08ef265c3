/** How a patch is refused: codes and words are those of kube-apiserver, since clients print and match them. */
import { ApiError, apiErrors } from '../status.js';

/**
 * 422: the patch is well-formed, but does not fit the object. kube-apiserver names no reason
 * (errors.NewGenericServerResponse).
 */
export function cannotApply(): ApiError {
  return new ApiError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    reason: 'Invalid',
    code: 422,
    message: 'the server rejected our request due to an error in our request',
    details: {},
  });
}

/**
 * 500 without a reason: kube-apiserver's answer for errors that have no class of their own, as most of
 * strategicpatch's.
 */
export function unclassified(message: string): ApiError {
  return new ApiError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: 500, message });
}

/** The errors of strategicpatch that are the client's. */
export const strategicErrors = {
  primitiveList: () => apiErrors.badRequest('invalid patch format of primitive list'),
  retainKeys: () => apiErrors.badRequest('invalid patch format of retainKeys'),
  elementOrder: () => apiErrors.badRequest('invalid patch format of setElementOrder list'),
  listOfLists: () => cannotApply(),
};
