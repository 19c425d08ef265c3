/**
 * All that is wrong with a custom resource besides its metadata and its rules, in the order of
 * registry/customresource/strategy.go.
 */
import type { Work } from '../../platform/work.js';
import type { Kind } from '../kind.js';
import { customValueWork } from '../schema/custom-values.js';
import type { SchemaResolver } from '../schema/resolve.js';
import type { FieldError } from '../status.js';
import { getOwn, isObject } from '../value.js';
import { embeddedErrors } from './embedded-errors.js';
import { listErrors } from './list-errors.js';
import { scaleValueErrors } from './scale-values.js';

export interface InstanceChange {
  readonly object: unknown;
  readonly old: unknown;
  /** The write goes to the status subresource: nothing else is judged. */
  readonly onlyStatus: boolean;
}

export function* instanceErrors(
  { schema, scale }: Pick<Kind, 'schema' | 'scale'>,
  { object, old, onlyStatus }: InstanceChange,
  resolver: SchemaResolver,
): Work<FieldError[]> {
  const errors = onlyStatus
    ? yield* statusErrors({ schema }, { object, old, onlyStatus }, resolver)
    : yield* customValueWork(schema, object, resolver, { old });
  if (scale !== undefined) errors.push(...scaleValueErrors(object, scale, onlyStatus));
  if (!onlyStatus) errors.push(...(yield* embeddedErrors(schema, object, resolver)));
  const ofLists = yield* listErrors(schema, object, resolver);
  // What was stored with an item twice may stay so.
  if (ofLists.length > 0 && (old === undefined || (yield* listErrors(schema, old, resolver)).length === 0))
    errors.push(...ofLists);
  return errors;
}

function* statusErrors(
  { schema }: Pick<Kind, 'schema'>,
  { object, old }: InstanceChange,
  resolver: SchemaResolver,
): Work<FieldError[]> {
  const statusOf = (one: unknown): unknown => (isObject(one) ? getOwn(one, 'status') : undefined);
  const status = schema.properties?.['status'];
  if (status === undefined || statusOf(object) === undefined) return [];
  return yield* customValueWork(status, statusOf(object), resolver, { old: statusOf(old), base: 'status' });
}
