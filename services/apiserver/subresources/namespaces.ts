/** Namespaces go when their content has gone: `spec.finalizers` hold them, `finalize` lets them go. */
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { isObject } from '../../../apimachinery/value.js';
import type { ParentMutation } from '../ports.js';
import type { DeletionRule } from '../registry/record.js';

const specOf = (object: KubeObject): Record<string, unknown> => {
  const spec = (object as UnknownObject)['spec'];
  return isObject(spec) ? spec : {};
};

export const namespaceDeletion: DeletionRule = {
  held(object) {
    const { finalizers } = specOf(object);
    return Array.isArray(finalizers) && finalizers.length > 0;
  },
  begin(draft) {
    const open = draft as UnknownObject;
    open['status'] = { ...(isObject(open['status']) ? open['status'] : {}), phase: 'Terminating' };
  },
};

export const finalizeMutation: ParentMutation = {
  apply(draft, body) {
    const { finalizers } = specOf(body);
    (draft as UnknownObject)['spec'] = { ...specOf(draft), finalizers: Array.isArray(finalizers) ? finalizers : [] };
  },
};
