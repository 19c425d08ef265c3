import { encodeJson } from '../../../apimachinery/codec/json-value.js';
import type { PatchRequest } from '../../../apimachinery/object-service.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import type { GroupVersionKind, KubeObject } from '../../../apimachinery/object.js';
import { goText, jsonType } from '../../../apimachinery/patch/go-text.js';
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
  const shape = bodyKind(target);
  if ((request.fieldManager ?? '') === '') {
    throw apiErrors.invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [fieldErrors.required('fieldManager', 'is required for apply patch')]);
  }
  const applied = configuration(request.patch);
  checkAppliedType(applied, shape);
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
      const draft = applyFields(call, target, { live: old, applied, force });
      checkScope(draft, target);
      return draft;
    },
    ...(target.subresource === undefined ? {
      whenMissing: () => {
        const uid = applied.metadata?.uid;
        if (uid !== undefined) {
          throw apiErrors.conflict(kind, target.name, `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`);
        }
        const created = applyFields(call, target, { live: undefined, applied, force });
        checkAppliedName(created, target);
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

function configuration(patch: unknown): KubeObject {
  if (isObject(patch)) return cloneJson(patch) as KubeObject;
  if (patch === null) return {};
  throw apiErrors.badRequest(
    `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${jsonType(patch)} into Go value of type map[string]interface {}`);
}

/** What apply creates names itself too: the URL alone does not name it. */
function checkAppliedName(created: KubeObject, target: NamedTarget): void {
  if ((created.metadata?.name ?? '') === '') {
    throw apiErrors.badRequest(`the name of the object (${target.name} based on URL) was undeterminable: name must be provided`);
  }
  checkScope(created, target);
}

/** An apply configuration names its type itself. */
function checkAppliedType(applied: KubeObject, { group, version, kind }: GroupVersionKind): void {
  const { apiVersion = '', kind: named = '' } = applied;
  if (apiVersion === apiVersionOf({ group, version }) && named === kind) return;
  throw apiErrors.badRequest(`invalid object type: ${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${named}`);
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
