import type { PatchRequest } from '../../../apimachinery/object-service.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import type { CachedObject } from '../cacher/cached-object.js';
import type { Call } from './context.js';
import { checkScope, checkType, modified } from './metadata.js';
import { checkFields, patchObject } from './model.js';
import { scaleOf, withScale } from './scale.js';
import { bodyKind } from './target.js';
import type { NamedTarget } from './target.js';
import { updateExisting } from './update.js';

/** JSON, merge and strategic merge patches, and server-side apply, on objects and their subresources. */
export async function patch(call: Call, target: NamedTarget, request: PatchRequest): Promise<CachedObject> {
  const options = patchOptionsBody(call, request);
  if (request.type === 'apply') throw apiErrors.unsupportedMediaType('server-side apply is not served');
  return plainPatch(call, target, request, options);
}

function plainPatch(call: Call, target: NamedTarget, request: PatchRequest, options: Record<string, unknown>): Promise<CachedObject> {
  const { kind } = target;
  const { scheme } = call.registry;
  const isScale = target.subresource?.name === 'scale';
  const conditional = namesVersion(request);
  return updateExisting(call, target, {
    conditional, options,
    draft(old, base) {
      const shape = bodyKind(target);
      const patched = patchObject(scheme, { kind, shape }, request, isScale ? scaleOf(kind, old) : old);
      checkType(patched, shape);
      checkScope(patched, target);
      checkPatchedVersion(target, patched, base);
      checkFields(call, { kind, shape }, patched);
      return isScale ? withScale(kind, old, patched) : patched;
    },
  });
}

function namesVersion(request: PatchRequest): boolean {
  return isObject(request.patch) && isObject(request.patch['metadata']) && request.patch['metadata']['resourceVersion'] !== undefined;
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
