import type { PatchRequest } from '../../../apimachinery/object-service.js';
import { apiVersionOf } from '../../../apimachinery/object.js';
import type { GroupVersionKind, KubeObject } from '../../../apimachinery/object.js';
import { jsonType } from '../../../apimachinery/patch/go-text.js';
import { floatsOfPatch } from '../../../apimachinery/patch/patch-floats.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import { cloneJson, isObject } from '../../../apimachinery/value.js';
import type { CachedObject } from '../cacher/cached-object.js';
import { checkType } from './body-type.js';
import { paced, step, warn } from './context.js';
import type { Call } from './context.js';
import { createObject } from './create.js';
import { checkScope, conditionOf, modified, otherUid, versionMissing } from './metadata.js';
import { applyFields, applyScale } from './fields.js';
import { checkAppliedFields, checkFields, patchWork } from './model.js';
import { refusePatched } from './patch-refusal.js';
import { scaleOf, withScale } from './scale.js';
import { bodyKind } from './target.js';
import type { NamedTarget } from './target.js';
import { updateExisting } from './update.js';

/** JSON, merge and strategic merge patches, and server-side apply, on objects and their subresources. */
export async function patch(call: Call, target: NamedTarget, request: PatchRequest): Promise<CachedObject> {
  const options = patchOptionsBody(call, request);
  return request.type === 'apply'
    ? applyPatch(call, target, request, options)
    : plainPatch(call, target, request, options);
}

function plainPatch(
  call: Call,
  target: NamedTarget,
  request: PatchRequest,
  options: Record<string, unknown>,
): Promise<CachedObject> {
  const { kind } = target;
  const { scheme } = call.registry;
  const isScale = target.subresource?.name === 'scale';
  const conditional = namesVersion(request);
  const floats = floatsOfPatch(request, call.body?.patchFloats);
  return updateExisting(call, target, {
    conditional,
    options,
    async draft(old, base) {
      const shape = bodyKind(target);
      const patched = await paced(
        call,
        'changing',
        patchWork(scheme, { kind, shape }, request, isScale ? scaleOf(kind, old) : old),
      );
      await step(call, 'checking fields', base.json.length);
      if (request.type === 'strategic') Object.assign(patched, typeOf(shape));
      refusePatched({ patched, request }, () => {
        checkType(scheme, patched, { kind, shape });
        checkFields(call, { kind, shape, floats }, patched);
      });
      checkNamed(patched, target);
      if (isScale && kind.isCustom !== true) checkScaleUid(target, patched, old);
      checkPatchedVersion(target, patched, base);
      if (!isScale) checkPatchedUid(target, patched, base.as(kind).object);
      return isScale ? withScale(kind, old, patched) : patched;
    },
  });
}

async function applyPatch(
  call: Call,
  target: NamedTarget,
  request: PatchRequest,
  options: Record<string, unknown>,
): Promise<CachedObject> {
  const { kind } = target;
  const shape = bodyKind(target);
  if ((request.fieldManager ?? '') === '') {
    throw apiErrors.invalid({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [
      fieldErrors.required('fieldManager', 'is required for apply patch'),
    ]);
  }
  const applied = configuration(request.patch);
  checkAppliedType(applied, shape);
  if (applied.metadata?.managedFields !== undefined) throw apiErrors.badRequest('metadata.managedFields must be nil');
  await step(call, 'checking fields');
  checkAppliedFields(call, { kind, shape }, applied);
  const isScale = target.subresource?.name === 'scale';
  const how = { options, fieldsTracked: true };
  const force = request.force === true;
  return updateExisting(call, target, {
    ...how,
    conditional: namesVersion(request),
    async draft(old, base) {
      checkPatchedVersion(target, applied, base);
      if (isScale) return applyScale(call, target, { live: old, applied, force });
      const draft = await applyFields(call, target, { live: old, applied, force });
      reportAppliedDuplicates(call);
      await step(call, 'checking fields', base.json.length);
      checkFields(call, { kind, shape }, draft);
      checkScope(draft, target);
      return draft;
    },
    ...(target.subresource === undefined
      ? {
          whenMissing: async () => {
            const uid = applied.metadata?.uid;
            if (uid !== undefined) {
              throw apiErrors.conflict(
                kind,
                target.name,
                `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`,
              );
            }
            await call.options.mayCreate?.();
            const created = await applyFields(call, target, { live: undefined, applied, force });
            reportAppliedDuplicates(call);
            checkFields(call, { kind, shape }, created);
            checkNamed(created, target);
            return createObject(call, target, created, how);
          },
        }
      : {}),
  });
}

/**
 * Keys that stand twice in the YAML of what is applied; of unknown fields something else is said. What cannot be
 * applied at all goes before.
 */
function reportAppliedDuplicates(call: Call): void {
  const { body, fieldValidation } = call;
  if (body === undefined || fieldValidation === 'Ignore') return;
  const [error] = fieldValidation === 'Strict' ? (body.errors?.([]) ?? []) : [];
  if (error !== undefined)
    throw apiErrors.badRequest(`error strict decoding YAML: error converting YAML to JSON: ${error}`);
  for (const line of body.lines([])) warn(call, line);
}

function configuration(patch: unknown): KubeObject {
  if (isObject(patch)) return cloneJson(patch) as KubeObject;
  if (patch === null) return {};
  throw apiErrors.badRequest(
    `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${jsonType(patch)} into Go value of type map[string]interface {}`,
  );
}

/** What a patch leaves or makes names itself: the URL alone does not name it. */
function checkNamed(object: KubeObject, target: NamedTarget): void {
  if ((object.metadata?.name ?? '') === '') {
    throw apiErrors.badRequest(
      `the name of the object (${target.name} based on URL) was undeterminable: name must be provided`,
    );
  }
  checkScope(object, target);
}

/** Of a custom resource a Scale's uid means nothing here. */
function checkScaleUid(
  { kind, name }: NamedTarget,
  { metadata: { uid = '' } = {} }: KubeObject,
  old: KubeObject,
): void {
  if (uid !== '' && uid !== old.metadata?.uid)
    throw apiErrors.conflict(
      { group: kind.group, resource: `${kind.resource}/scale` },
      name,
      otherUid(uid, old.metadata?.uid),
    );
}

/** A PUT with another uid is a conflict; a patch that sets another is invalid. */
function checkPatchedUid(target: NamedTarget, patched: KubeObject, old: KubeObject): void {
  const uid = patched.metadata?.uid ?? '';
  // The status of a custom resource is all that such a write keeps.
  if (
    uid === '' ||
    uid === old.metadata?.uid ||
    (target.kind.isCustom === true && target.subresource?.name === 'status')
  )
    return;
  const complaint = fieldErrors.invalid('metadata.uid', uid, 'field is immutable');
  throw apiErrors.invalid(target.kind, target.name, [complaint, complaint]);
}

const typeOf = ({ group, version, kind }: GroupVersionKind) => ({ apiVersion: apiVersionOf({ group, version }), kind });

/** An apply configuration names its type itself. */
function checkAppliedType(applied: KubeObject, { group, version, kind }: GroupVersionKind): void {
  const [apiVersion, named] = [applied.apiVersion, applied.kind].map((text: unknown) =>
    typeof text === 'string' ? text : '',
  ) as [string, string];
  if (apiVersion === apiVersionOf({ group, version }) && named === kind) return;
  throw apiErrors.badRequest(
    `invalid object type: ${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${named}`,
  );
}

function namesVersion(request: PatchRequest): boolean {
  const { patch: body } = request;
  const version = isObject(body) && isObject(body['metadata']) ? body['metadata']['resourceVersion'] : undefined;
  return version !== undefined && !(typeof version === 'string' && /^0*$/.test(version));
}

/** A patch that sets resourceVersion is optimistic locking. */
function checkPatchedVersion(target: NamedTarget, patched: KubeObject, base: CachedObject): void {
  const version = conditionOf(patched.metadata);
  if (
    version === '' &&
    (patched.metadata?.resourceVersion ?? '') !== '' &&
    target.kind.strategy.allowUnconditionalUpdate === false
  )
    throw versionMissing(target);
  if (version !== '' && version !== base.resourceVersion) throw modified(target.kind, target.name);
}

function patchOptionsBody(call: Call, request: PatchRequest): Record<string, unknown> {
  return {
    apiVersion: 'meta.k8s.io/v1',
    kind: 'PatchOptions',
    ...(request.fieldManager === undefined ? {} : { fieldManager: request.fieldManager }),
    ...(request.force === undefined ? {} : { force: request.force }),
    ...(call.dryRun ? { dryRun: ['All'] } : {}),
  };
}
