/**
 * Validation of conditions of the common type (metav1.Condition). Kinds with types of conditions of their own are less
 * strict.
 */
import { qualifiedName } from '../../names.js';
import type { Complaints } from './complaints.js';
import { num, recs, str, unset, type Rec } from './value.js';

const STATUSES = ['False', 'True', 'Unknown'];
const REASON_LENGTH_MAX = 1024;
const MESSAGE_LENGTH_MAX = 32 * 1024;
const REASON = /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/;
const NOT_A_REASON =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an " +
  "alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', " +
  "regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')";

function validateCondition(complaints: Complaints, condition: Rec, path: string): void {
  complaints.form(`${path}.type`, str(condition['type']), qualifiedName);
  if (!STATUSES.includes(str(condition['status'])))
    complaints.unsupported(`${path}.status`, condition['status'] ?? '', STATUSES);
  if (num(condition['observedGeneration']) < 0)
    complaints.invalid(
      `${path}.observedGeneration`,
      condition['observedGeneration'],
      'must be greater than or equal to zero',
    );
  if (unset(condition['lastTransitionTime'])) complaints.required(`${path}.lastTransitionTime`);
  const reason = str(condition['reason']);
  if (reason === '') complaints.required(`${path}.reason`);
  else if (!REASON.test(reason)) complaints.invalid(`${path}.reason`, reason, NOT_A_REASON);
  if (Buffer.byteLength(reason) > REASON_LENGTH_MAX) complaints.tooLong(`${path}.reason`, REASON_LENGTH_MAX);
  if (Buffer.byteLength(str(condition['message'])) > MESSAGE_LENGTH_MAX)
    complaints.tooLong(`${path}.message`, MESSAGE_LENGTH_MAX);
}

export function validateConditions(complaints: Complaints, conditions: unknown, path: string): void {
  const seen = new Set<string>();
  for (const [index, condition] of recs(conditions).entries()) {
    const type = str(condition['type']);
    if (seen.has(type)) complaints.duplicate(`${path}[${index}].type`, type);
    seen.add(type);
    validateCondition(complaints, condition, `${path}[${index}]`);
  }
}
