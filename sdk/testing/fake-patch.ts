/** Test support: the patches of the fake object service, by the very functions the API server uses. */
import type { Scheme } from '../../apimachinery/kind.js';
import type { PatchRequest } from '../../apimachinery/object-service.js';
import type { KubeObject, UnknownObject } from '../../apimachinery/object.js';
import { applyJsonPatch } from '../../apimachinery/patch/json-patch.js';
import { applyMergePatch } from '../../apimachinery/patch/merge-patch.js';
import { applyStrategicMergePatch } from '../../apimachinery/patch/strategic.js';
import { builtInScheme } from '../../apimachinery/scheme/builtin.js';
import { SchemaResolver } from '../../apimachinery/schema/resolve.js';
import { apiErrors } from '../../apimachinery/status.js';

let schemas: { readonly scheme: Scheme; readonly resolver: SchemaResolver } | undefined;

function builtIn() {
  if (schemas === undefined) {
    const scheme = builtInScheme();
    schemas = { scheme, resolver: new SchemaResolver(scheme) };
  }
  return schemas;
}

/** A new object. Server-side apply is taken for a merge: the fake knows no field managers. */
export function patched(old: KubeObject, { resource, type, patch }: PatchRequest): UnknownObject {
  const object = old as UnknownObject;
  switch (type) {
    case 'json':
      return applyJsonPatch(object, patch) as UnknownObject;
    case 'merge':
    case 'apply':
      return applyMergePatch(object, patch);
    case 'strategic': {
      const { scheme, resolver } = builtIn();
      const kind = scheme.byResource(resource);
      if (kind === undefined) throw apiErrors.unsupportedMediaType('strategic merge patches are for built-in kinds');
      return applyStrategicMergePatch(object, patch, kind.schema, resolver);
    }
    default:
      return type satisfies never;
  }
}
