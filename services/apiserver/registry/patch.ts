import { encodeJson } from '../../../apimachinery/codec/json-value.js';
import type { PatchRequest } from '../../../apimachinery/object-service.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { goText } from '../../../apimachinery/patch/go-text.js';
import { apiErrors, fieldErrors, isApiError } from '../../../apimachinery/status.js';
import { cloneJson, isObject } from '../../../apimachinery/value.js';
import type { CachedObject } from '../cacher/cached-object.js';
import { step, warn } from './context.js';
import type { Call } from './context.js';
import { createObject } from './create.js';
import { checkScope, checkType, modified } from './metadata.js';
import { applyFields } from './fields.js';
import { checkAppliedFields, checkFields, patchObject } from './model.js';
import type { Shape } from './model.js';
import { scaleOf, withScale } from './scale.js';
import { bodyKind } from './target.js';
import type { NamedTarget } from './target.js';
import { updateExisting } from './update.js';

/** JSON, merge and strategic merge patches, and server-side apply, on objects and their subresources. */
export async function patch(call: Call, target: NamedTarget, request: PatchRequest): Promise<CachedObject> {
  const options = patchOptionsBody(call, request);
  return request.type === 'apply' ? applyPatch(call, target, request, options) : plainPatch(call, target, request, options);
}

function plainPatch(call: Call, target: NamedTarget, request: PatchRequest, options: Record<string, unknown>): Promise<CachedObject> {
  const { kind } = target;
  const { scheme } = call.registry;
  const isScale = target.subresource?.name === 'scale';
  const conditional = namesVersion(request);
  return updateExisting(call, target, {
    conditional, options,
    async draft(old, base) {
      const shape = bodyKind(target);
      const patched = patchObject(scheme, { kind, shape }, request, isScale ? scaleOf(kind, old) : old);
      await step(call, 'checking fields', base.json.length);
      checkType(patched, shape);
      checkScope(patched, target);
      checkPatchedVersion(target, patched, base);
      checkPatchedFields(call, { kind, shape }, { patched, request });
      return isScale ? withScale(kind, old, patched) : patched;
    },
  });
}

async function applyPatch(call: Call, target: NamedTarget, request: PatchRequest, options: Record<string, unknown>): Promise<CachedObject> {
  const { kind } = target;
  if (request.fieldManager === undefined || request.fieldManager === '') {
    throw apiErrors.badRequest('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch');
  }
  if (!isObject(request.patch)) throw apiErrors.badRequest('an apply patch must be an object');
  const applied = cloneJson(request.patch) as KubeObject;
  const shape = bodyKind(target);
  checkType(applied, shape);
  checkScope(applied, target);
  reportAppliedDuplicates(call);
  await step(call, 'checking fields');
  checkAppliedFields(call, { kind, shape }, applied);
  const isScale = target.subresource?.name === 'scale';
  const how = { options, fieldsTracked: true };
  const force = request.force === true;
  return updateExisting(call, target, {
    ...how, conditional: namesVersion(request),
    draft(old, base) {
      checkPatchedVersion(target, applied, base);
      if (isScale) return withScale(kind, old, applied);
      return applyFields(call, target, { live: old, applied, force });
    },
    ...(target.subresource === undefined ? {
      whenMissing: () => {
        const uid = applied.metadata?.uid;
        if (uid !== undefined) {
          throw apiErrors.conflict(kind, target.name, `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`);
        }
        const created = applyFields(call, target, { live: undefined, applied, force });
        return createObject(call, target, created, how);
      },
    } : {}),
  });
}

/** Keys that stand twice in the YAML of what is applied; of unknown fields something else is said. */
function reportAppliedDuplicates(call: Call): void {
  const { body, fieldValidation } = call;
  if (body === undefined || fieldValidation === 'Ignore') return;
  const [error] = fieldValidation === 'Strict' ? (body.errors?.([]) ?? []) : [];
  if (error !== undefined) throw apiErrors.badRequest(`error strict decoding YAML: ${error}`);
  for (const line of body.lines([])) warn(call, line);
}

/** What makes a body a bad request makes a patch invalid: the patch is shown as Go prints it (endpoints/handlers/patch.go). */
function checkPatchedFields(call: Call, shape: Shape, { patched, request }: { readonly patched: KubeObject; readonly request: PatchRequest }): void {
  try {
    checkFields(call, shape, patched);
  } catch (error) {
    if (!isApiError(error, 'BadRequest')) throw error;
    const why = error.message.replace(/^.* cannot be handled as a \w+: /s, '');
    const shown = request.type === 'strategic' ? goText(request.patch) : encodeJson(patched);
    throw apiErrors.invalid({ group: '', kind: '' }, '', [fieldErrors.invalid('patch', shown, why)]);
  }
}

function namesVersion(request: PatchRequest): boolean {
  const { patch: body } = request;
  return isObject(body) && isObject(body['metadata']) && body['metadata']['resourceVersion'] !== undefined;
}

/** A patch that sets resourceVersion is optimistic locking. */
function checkPatchedVersion(target: NamedTarget, patched: KubeObject, base: CachedObject): void {
  const version = patched.metadata?.resourceVersion;
  if (version !== undefined && version !== '' && version !== base.resourceVersion) throw modified(target.kind, target.name);
}

function patchOptionsBody(call: Call, request: PatchRequest): Record<string, unknown> {
  return {
    apiVersion: 'meta.k8s.io/v1', kind: 'PatchOptions',
    ...(request.fieldManager === undefined ? {} : { fieldManager: request.fieldManager }),
    ...(request.force === undefined ? {} : { force: request.force }),
    ...(call.dryRun ? { dryRun: ['All'] } : {}),
  };
}
