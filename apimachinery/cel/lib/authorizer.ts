/**
 * Kubernetes' library of authorization checks, for expressions of admission. Only its types are here: expressions of
 * admission are checked when they are written, and no variable of these types is ever given a value yet.
 */
import type { Library } from '../check/declare.js';
import { member } from '../check/declare.js';
import { CelError } from '../values/values.js';
import type { Value } from '../values/values.js';

const unavailable = (): Value => new CelError('authorization checks cannot be evaluated here');

/** Function, receiver and result. The first argument is text but where none is said. */
const TEXT: readonly (readonly [name: string, receiver: string, result: string])[] = [
  ['path', 'Authorizer', 'PathCheck'],
  ['group', 'Authorizer', 'GroupCheck'],
  ['resource', 'GroupCheck', 'ResourceCheck'],
  ['subresource', 'ResourceCheck', 'ResourceCheck'],
  ['namespace', 'ResourceCheck', 'ResourceCheck'],
  ['name', 'ResourceCheck', 'ResourceCheck'],
  ['fieldSelector', 'ResourceCheck', 'ResourceCheck'],
  ['labelSelector', 'ResourceCheck', 'ResourceCheck'],
];
const READ: readonly (readonly [name: string, result: string])[] = [
  ['allowed', 'bool'],
  ['reason', 'string'],
  ['error', 'string'],
  ['errored', 'bool'],
];

export const AUTHORIZER: Library = {
  ...Object.fromEntries(
    TEXT.map(([name, receiver, result]) => [
      name,
      [member(`${receiver}_${name}`, `(${receiver}, string) ${result}`, unavailable)],
    ]),
  ),
  ...Object.fromEntries(
    READ.map(([name, result]) => [name, [member(`decision_${name}`, `(Decision) ${result}`, unavailable)]]),
  ),
  serviceAccount: [member('authorizer_serviceaccount', '(Authorizer, string, string) Authorizer', unavailable)],
  check: [
    member('pathcheck_check', '(PathCheck, string) Decision', unavailable),
    member('resourcecheck_check', '(ResourceCheck, string) Decision', unavailable),
  ],
};
