/**
 * Requests that a registered handler answers, or a mutation of the parent, instead of a read or write of what they
 * name.
 */
import { encodeJsonBytes } from '../../../apimachinery/json-value.js';
import type { ObjectHandle } from '../../../apimachinery/object-service.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { cloneJson } from '../../../apimachinery/value.js';
import type { ParentMutation, ResourceCall, ResourceHandler } from '../ports.js';
import { checkType } from './body-type.js';
import { warn } from './context.js';
import type { Call } from './context.js';
import { checkScope } from './metadata.js';
import { checkFields, completeBody, normaliseBody, validateBody } from './model.js';
import { admissionOf, refuse } from './prepare.js';
import { bodyKind, storageKey } from './target.js';
import type { NamedTarget, Target } from './target.js';
import { updateExisting } from './update.js';

export async function createByHandler(
  call: Call,
  target: Target & { readonly name?: string },
  body: KubeObject,
): Promise<ObjectHandle> {
  const { kind } = target;
  const object = cloneJson(body);
  const shape = bodyKind(target);
  checkType(call.registry.scheme, object, { kind, shape });
  if (target.subresource === undefined) wipeSystemFields(object);
  else {
    checkScope(object, { namespace: target.namespace });
    checkFields(call, { kind, shape }, object);
  }
  completeBody(call.registry.scheme, { kind, shape }, object);
  const { records } = call.registry;
  const handler = records.handler(kind, target.subresource?.name);
  if (handler?.judgesBody !== true)
    refuse({ ...kind, ...shape }, object, validateBody(call.registry.scheme, { kind, shape }, object));
  const attributes = admissionOf(call, target, { operation: 'CREATE', object, oldObject: undefined, options: {} });
  await call.registry.admission.mutate(attributes);
  await call.registry.admission.validate(attributes);
  const admitted = attributes.object ?? object;
  const mutation = target.subresource === undefined ? undefined : records.mutation(kind, target.subresource.name);
  if (mutation !== undefined && target.name !== undefined) {
    return mutateParent(call, { ...target, name: target.name, key: keyOf(target) }, { mutation, body: admitted });
  }
  if (handler?.create === undefined) throw apiErrors.methodNotAllowed(kind, 'create');
  const answer = await handler.create(resourceCall(call, target), admitted);
  // A binding is answered with a Status.
  if ((answer.kind ?? shape.kind) === shape.kind) normaliseBody(call.registry.scheme, { kind, shape }, answer);
  call.options.report?.created();
  return handleOf(answer, { apiVersion: apiVersionOf(shape), kind: shape.kind });
}

/** What only the server writes among the metadata of a new object. */
function wipeSystemFields({ metadata }: KubeObject): void {
  if (metadata === undefined) return;
  for (const name of ['creationTimestamp', 'uid', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const)
    delete metadata[name];
}

/** Undefined: the target is stored, and read as usual. */
export function readByHandler(call: Call, target: NamedTarget): Promise<ObjectHandle> | undefined;
export function readByHandler(call: Call, target: Target): Promise<readonly ObjectHandle[]> | undefined;
export function readByHandler(
  call: Call,
  target: Target & { readonly name?: string },
): Promise<ObjectHandle | readonly ObjectHandle[]> | undefined {
  const { kind } = target;
  const handler = call.registry.records.handler(kind, target.subresource?.name);
  if (handler === undefined) return undefined;
  return readFrom(handler, call, target);
}

async function readFrom(
  handler: ResourceHandler,
  call: Call,
  target: Target & { readonly name?: string },
): Promise<ObjectHandle | readonly ObjectHandle[]> {
  const shape = bodyKind(target);
  const type = { apiVersion: apiVersionOf(shape), kind: shape.kind };
  const asked = resourceCall(call, target);
  if (target.name !== undefined) {
    if (handler.get === undefined) throw apiErrors.methodNotAllowed(target.kind, 'get');
    return handleOf(await handler.get(asked), type);
  }
  if (handler.list === undefined) throw apiErrors.methodNotAllowed(target.kind, 'list');
  return (await handler.list(asked)).map((item) => handleOf(item, type));
}

async function mutateParent(
  call: Call,
  target: NamedTarget,
  how: { readonly mutation: ParentMutation; readonly body: KubeObject },
): Promise<ObjectHandle> {
  const written = await updateExisting(call, target, {
    conditional: false,
    options: {},
    trusted: true,
    draft(old) {
      const draft = cloneJson(old);
      how.mutation.apply(draft, how.body, resourceCall(call, target));
      return draft;
    },
  });
  if (how.mutation.answer !== 'success') return written.as(target.kind);
  call.options.report?.created();
  const status: UnknownObject = { apiVersion: 'v1', kind: 'Status', metadata: {}, status: 'Success', code: 201 };
  return handleOf(status, { apiVersion: 'v1', kind: 'Status' });
}

function resourceCall(call: Call, target: Target & { readonly name?: string }): ResourceCall {
  const { signal } = call.options;
  return {
    user: call.user,
    kind: target.kind,
    name: target.name ?? '',
    dryRun: call.dryRun,
    ...(target.namespace === undefined ? {} : { namespace: target.namespace }),
    ...(target.subresource === undefined ? {} : { subresource: target.subresource.name }),
    ...(signal === undefined ? {} : { signal }),
    warn: (message) => warn(call, message),
  };
}

function keyOf(target: Target & { readonly name?: string }): string {
  return storageKey(target.kind, target.namespace, target.name ?? '');
}

/** A handle on an object that has no version. */
function handleOf(object: KubeObject, type: { readonly apiVersion: string; readonly kind: string }): ObjectHandle {
  const typed: UnknownObject = {
    ...object,
    apiVersion: object.apiVersion ?? type.apiVersion,
    kind: object.kind ?? type.kind,
  };
  const { metadata } = typed;
  return {
    json: encodeJsonBytes(typed),
    object: typed,
    resourceVersion: metadata?.resourceVersion ?? '',
  };
}
