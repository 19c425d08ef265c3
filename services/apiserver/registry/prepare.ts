/** From a client's object to one that may be stored: the same steps for every kind and every way in. */
import { validateMetadataUpdate } from '../../../apimachinery/kinds/metadata.js';
import { warningsOf } from '../../../apimachinery/kinds/warnings/index.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { FieldError } from '../../../apimachinery/status.js';
import type { AdmissionAttributes, AdmissionOperation, WriteGuard } from '../ports.js';
import { step, strategyContext, warn } from './context.js';
import type { Call } from './context.js';
import { clearForCreate, fillForCreate, keepForUpdate, metaOf } from './metadata.js';
import { trackFields } from './fields.js';
import { normaliseObject, setDefaults, validateObject, validateStructure } from './model.js';
import { bodyKind } from './target.js';
import type { Target } from './target.js';
import { NO_GUARD } from './record.js';

export interface Prepared {
  readonly object: KubeObject;
  readonly guard: WriteGuard;
}

export interface PrepareOptions {
  /** What the request asked for, as webhooks see it. */
  readonly options: Readonly<Record<string, unknown>>;
  /** How often a guard failed before. */
  readonly attempt: number;
  /** Server-side apply keeps its own books: managedFields are set already. */
  readonly fieldsTracked?: boolean;
  /** The server's own change of the parent of a subresource: the kind's rules for clients' updates do not apply. */
  readonly trusted?: boolean;
  /** Of the object as it is stored; on updates. */
  readonly bytes?: number;
}

/** Type, scope and fields of the draft have been checked. */
export async function prepareCreate(
  call: Call,
  target: Target,
  draft: KubeObject,
  how: PrepareOptions,
): Promise<Prepared> {
  const { kind } = target;
  const context = strategyContext(call, target);
  clearForCreate(draft, call);
  await step(call, 'setting defaults');
  setDefaults(call.registry.scheme, kind, draft);
  await step(call, 'finding the owners of fields');
  // Before admission and the kind's strategy: what they put in is not the client's.
  const tracked = how.fieldsTracked === true ? draft : await trackFields(call, target, draft, undefined);
  const attributes = admissionOf(call, target, {
    operation: 'CREATE',
    object: tracked,
    oldObject: undefined,
    options: how.options,
  });
  await call.registry.admission.mutate(attributes);
  const object = attributes.object ?? tracked;
  await step(call, 'setting defaults after admission');
  setDefaults(call.registry.scheme, kind, object);
  clearForCreate(object, call);
  fillForCreate(object, { now_ms: context.now_ms, random: call.registry.random });
  kind.strategy.prepareForCreate?.(object, context);
  await step(call, 'validating by schema');
  const structural = await validateStructure(call, target, object);
  normaliseObject(call.registry.scheme, kind, object);
  await step(call, 'preparing');
  const guard = await runHook(call, kind, { operation: 'CREATE', draft: object, old: undefined, attempt: how.attempt });
  refuse(kind, object, await validateObject(call, kind, { object, structural }, context));
  await step(call, 'looking for what is unwise');
  for (const warning of warningsOf(kind, { object })) warn(call, warning);
  await step(call, 'admitting');
  await call.registry.admission.validate({
    ...attributes,
    object,
    name: metaOf(object).name ?? '',
    warn: attributes.warn,
  });
  return { object, guard };
}

export async function prepareUpdate(
  call: Call,
  target: Target,
  draft: KubeObject,
  old: KubeObject,
  how: PrepareOptions,
): Promise<Prepared> {
  const { kind } = target;
  const context = strategyContext(call, target);
  keepForUpdate(draft, old, kind);
  const bytes = how.bytes;
  await step(call, 'setting defaults', bytes);
  setDefaults(call.registry.scheme, kind, draft);
  await step(call, 'finding the owners of fields', bytes);
  const tracked = how.fieldsTracked === true ? draft : await trackFields(call, target, draft, old);
  const attributes = admissionOf(call, target, {
    operation: 'UPDATE',
    object: tracked,
    oldObject: old,
    options: how.options,
  });
  await call.registry.admission.mutate(attributes);
  const object = attributes.object ?? tracked;
  await step(call, 'setting defaults after admission', bytes);
  setDefaults(call.registry.scheme, kind, object);
  keepForUpdate(object, old, kind);
  if (how.trusted !== true) kind.strategy.prepareForUpdate?.(object, old, context);
  await step(call, 'validating by schema', bytes);
  const structural = await validateStructure(call, target, object, old);
  normaliseObject(call.registry.scheme, kind, object);
  await step(call, 'preparing', bytes);
  const guard =
    target.subresource === undefined
      ? await runHook(call, kind, { operation: 'UPDATE', draft: object, old, attempt: how.attempt })
      : NO_GUARD;
  const errors = await validateObject(call, kind, { object, old, structural, bytes }, context);
  await step(call, 'validating the update', bytes);
  refuse(kind, object, [
    ...errors,
    ...validateMetadataUpdate(object, old),
    ...(how.trusted === true ? [] : (kind.strategy.validateUpdate?.(object, old, context) ?? [])),
  ]);
  await step(call, 'looking for what is unwise', bytes);
  for (const warning of warningsOf(kind, { object, old, subresource: target.subresource?.name })) warn(call, warning);
  await step(call, 'admitting', bytes);
  await call.registry.admission.validate({ ...attributes, object, warn: attributes.warn });
  return { object, guard };
}

export async function admitDelete(
  call: Call,
  target: Target,
  old: KubeObject,
  options: Readonly<Record<string, unknown>>,
): Promise<void> {
  const attributes = admissionOf(call, target, { operation: 'DELETE', object: undefined, oldObject: old, options });
  await call.registry.admission.mutate(attributes);
  await call.registry.admission.validate(attributes);
}

interface Admitted {
  readonly operation: AdmissionOperation;
  readonly object: KubeObject | undefined;
  readonly oldObject: KubeObject | undefined;
  readonly options: Readonly<Record<string, unknown>>;
}

export function admissionOf(
  call: Call,
  target: Target & { readonly name?: string },
  what: Admitted,
): AdmissionAttributes {
  const meta = what.object?.metadata ?? what.oldObject?.metadata;
  return {
    kind: target.kind,
    objectKind: bodyKind(target),
    ...(target.subresource === undefined ? {} : { subresource: target.subresource.name }),
    operation: what.operation,
    ...(target.namespace === undefined ? {} : { namespace: target.namespace }),
    name: target.name ?? meta?.name ?? '',
    object: what.object,
    oldObject: what.oldObject,
    user: call.user,
    dryRun: call.dryRun,
    options: what.options,
    warn: (message) => warn(call, message),
  };
}

export async function runHook(
  call: Call,
  kind: Kind,
  change: {
    readonly operation: 'CREATE' | 'UPDATE' | 'DELETE';
    readonly draft: KubeObject;
    readonly old: KubeObject | undefined;
    readonly attempt: number;
  },
): Promise<WriteGuard> {
  return call.registry.records.guard(kind, { ...change, user: call.user, dryRun: call.dryRun });
}

export function refuse(kind: Kind, object: KubeObject, errors: readonly FieldError[]): void {
  if (errors.length > 0)
    throw apiErrors.invalid(
      { group: kind.complaintGroup ?? kind.group, kind: kind.kind },
      object.metadata?.name ?? '',
      errors,
    );
}
