/** Which options of a list or watch go together (k8s.io/apimachinery/pkg/apis/meta/internalversion/validation). */
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import type { FieldError } from '../../../apimachinery/status.js';

/** As they stand in the query; '' is absent. */
export interface AskedOptions {
  readonly watch: boolean;
  readonly sendInitialEvents: boolean | undefined;
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  readonly continue: string;
}

const MATCH = 'resourceVersionMatch';
const LIST_OPTIONS = { group: 'meta.k8s.io', kind: 'ListOptions' };

/** Throws ApiError Invalid with all that is wrong. */
export function checkListOptions(options: AskedOptions): void {
  const errors = options.watch ? watchErrors(options) : listErrors(options);
  if (errors.length > 0) throw apiErrors.invalid(LIST_OPTIONS, '', errors);
}

function listErrors({
  resourceVersionMatch: match,
  resourceVersion,
  sendInitialEvents,
  ...options
}: AskedOptions): FieldError[] {
  const errors: FieldError[] = [];
  if (match !== '') {
    if (resourceVersion === '')
      errors.push(fieldErrors.forbidden(MATCH, 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
    if (options.continue !== '')
      errors.push(fieldErrors.forbidden(MATCH, 'resourceVersionMatch is forbidden when continue is provided'));
    if (match !== 'Exact' && match !== 'NotOlderThan')
      errors.push(fieldErrors.notSupported(MATCH, match, ['Exact', 'NotOlderThan', '']));
    if (match === 'Exact' && resourceVersion === '0')
      errors.push(fieldErrors.forbidden(MATCH, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  if (sendInitialEvents !== undefined)
    errors.push(fieldErrors.forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  return errors;
}

function watchErrors({ resourceVersionMatch: match, sendInitialEvents, ...options }: AskedOptions): FieldError[] {
  const errors: FieldError[] = [];
  // Such a watch begins with what there is, and has these options by default.
  const isWhole =
    sendInitialEvents === undefined &&
    match === '' &&
    (options.resourceVersion === '' || options.resourceVersion === '0');
  if (isWhole && options.continue !== '')
    return [fieldErrors.forbidden(MATCH, 'resourceVersionMatch is forbidden when continue is provided')];
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    errors.push(
      fieldErrors.forbidden(MATCH, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'),
    );
  }
  if (match === '') return errors;
  if (sendInitialEvents === undefined)
    errors.push(
      fieldErrors.forbidden(MATCH, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'),
    );
  if (match !== 'NotOlderThan') errors.push(fieldErrors.notSupported(MATCH, match, ['NotOlderThan']));
  if (options.continue !== '')
    errors.push(fieldErrors.forbidden(MATCH, 'resourceVersionMatch is forbidden when continue is provided'));
  return errors;
}
