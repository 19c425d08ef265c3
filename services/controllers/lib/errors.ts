/** Errors of the API after which there is nothing left to do. */
import { isApiError, type StatusReason } from '../../../apimachinery/status.js';

/** For `.catch`: the reasons that are no fault here give undefined; every other error is thrown again. */
export function ignoring(...reasons: readonly StatusReason[]): (error: unknown) => undefined {
  return (error) => {
    if (!reasons.some((reason) => isApiError(error, reason))) throw error;
    return undefined;
  };
}
