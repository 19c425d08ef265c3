/** Who owns which field: managedFields on every write, and server-side apply. */
import { applyPatch, trackUpdate, withManagedFields } from '../../../apimachinery/apply/apply.js';
import type { FieldOwner, KindFacts } from '../../../apimachinery/apply/apply.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import { resolverOf } from '../../../apimachinery/schema/resolve.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { toTime } from '../../../platform/clock.js';
import type { Call } from './context.js';
import type { Target } from './target.js';

/** The object with its owners after a create, update or patch by this call's manager. */
export function trackFields(call: Call, target: Target, after: KubeObject, before: KubeObject | undefined): KubeObject {
  return withManagedFields(after, trackUpdate({ before, after, owner: ownerOf(call, target) }, factsOf(call, target)));
}

export interface Apply {
  readonly live: KubeObject | undefined;
  readonly applied: KubeObject;
  readonly force: boolean;
}

/** A fresh object with what is applied merged in. Throws Conflict for fields that others own. */
export function applyFields(call: Call, target: Target, { live, applied, force }: Apply): KubeObject {
  const { managedFields, resourceVersion: _, ...metadata } = applied.metadata ?? {};
  if (managedFields !== undefined && managedFields.length > 0) {
    throw apiErrors.badRequest('metadata.managedFields must be nil');
  }
  return applyPatch({
    live, config: { ...applied, metadata }, owner: ownerOf(call, target), force, resetFields: resetFields(target, applied),
  }, factsOf(call, target));
}

/** What the endpoint does not let a client set: status on the object, all but status on status. */
function resetFields(target: Target, applied: KubeObject): string[] {
  if (target.subresource?.name === 'status') return Object.keys(applied).filter((field) => !STATUS_KEEPS.has(field));
  return target.kind.subresources.some((sub) => sub.name === 'status') ? ['status'] : [];
}

const STATUS_KEEPS = new Set(['apiVersion', 'kind', 'metadata', 'status']);

function ownerOf(call: Call, target: Target): FieldOwner {
  return {
    manager: call.fieldManager, apiVersion: apiVersionOf(target.kind), time: toTime(call.registry.clock.now()),
    ...(target.subresource === undefined ? {} : { subresource: target.subresource.name }),
  };
}

function factsOf(call: Call, { kind }: Target): KindFacts {
  return { schema: kind.schema, resolver: resolverOf(call.registry.scheme) };
}
