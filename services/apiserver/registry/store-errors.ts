import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import { StoreError } from '../../store/store.js';

/** The one place where what the store says becomes what the API says. Other errors pass unchanged. */
export function toApiError(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  switch (error.code) {
    case 'unavailable':
    case 'closed':
      return retryLater(apiErrors.serviceUnavailable(`the store cannot be reached: ${error.message}`));
    case 'unknown-outcome':
      return apiErrors.timeout(
        `request did not complete within the allotted timeout; it may or may not have taken effect: ${error.message}`,
      );
    case 'compacted':
      return apiErrors.expired(`the requested version is no longer kept: ${error.message}`);
    case 'future-revision':
      return apiErrors.timeout(`this server has not seen the requested version yet: ${error.message}`);
    case 'too-large':
      return apiErrors.requestEntityTooLarge(`the object is too large to be stored: ${error.message}`);
    case 'no-space':
      return retryLater(apiErrors.tooManyRequests(`the store is out of space: ${error.message}`, RETRY_AFTER_S));
    case 'overflow':
      return apiErrors.expired(`the watch fell too far behind: ${error.message}`);
    case 'corrupt':
    case 'invalid':
    case 'lease-exists':
    case 'lease-not-found':
    case 'unsupported':
      return apiErrors.internal(`the store failed: ${error.message}`);
    default:
      return error.code satisfies never;
  }
}

const RETRY_AFTER_S = 1;

function retryLater(error: ApiError): ApiError {
  return new ApiError({ ...error.status, details: { ...error.status.details, retryAfterSeconds: RETRY_AFTER_S } });
}

/** Awaits store work, translating its errors. */
export async function storeCall<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toApiError(error);
  }
}
