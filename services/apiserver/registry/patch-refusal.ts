/**
 * Why what a patch made is not an object of its kind, as kube-apiserver words it (endpoints/handlers/patch.go): 422,
 * with the patch in it.
 */
import { encodeJson } from '../../../apimachinery/json-value.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import type { PatchRequest } from '../../../apimachinery/object-service.js';
import { goText } from '../../../apimachinery/patch/go-text.js';
import { isObject } from '../../../apimachinery/value.js';
import { apiErrors, fieldErrors, isApiError } from '../../../apimachinery/status.js';

export interface Patched {
  readonly patched: KubeObject;
  readonly request: PatchRequest;
}

/** Runs a check of the patched object; what makes a body a bad request makes a patch invalid. */
export function refusePatched({ patched, request }: Patched, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!isApiError(error, 'BadRequest')) throw error;
    const why = error.message.replace(/^.* cannot be handled as a \w+: /s, '');
    const isStrategic = request.type === 'strategic';
    const shown = isStrategic ? goText(request.patch) : encodeJson(inGoOrder(patched));
    throw apiErrors.invalid({ group: '', kind: '' }, '', [
      fieldErrors.invalid('patch', shown, isStrategic ? asConverter(why) : why),
    ]);
  }
}

const METADATA = [
  'name',
  'generateName',
  'namespace',
  'selfLink',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'labels',
  'annotations',
  'ownerReferences',
  'finalizers',
  'managedFields',
];

/** The beginning as Go prints it; more of it is not shown. */
function inGoOrder(object: KubeObject): KubeObject {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = object;
  const pick = (from: object, names: readonly string[]): object =>
    Object.fromEntries(
      names.flatMap((name) => (name in from ? [[name, (from as Record<string, unknown>)[name]]] : [])),
    );
  return {
    ...pick(object, ['apiVersion', 'kind']),
    ...(isObject(metadata) ? { metadata: pick(metadata, METADATA) } : pick(object, ['metadata'])),
    ...rest,
  };
}

const KINDS: Readonly<Record<string, string>> = {
  number: 'int64',
  string: 'string',
  bool: 'bool',
  array: 'slice',
  object: 'map',
};

/**
 * Strategic merge patches never become text: Go's converter of unstructured objects complains where the decoder of JSON
 * would.
 */
function asConverter(why: string): string {
  const match = /cannot unmarshal (\w+)(?: [^ ]+)? into Go (?:struct field \S+|value) of type (\S+)$/.exec(why);
  if (match === null) return why.startsWith('illegal base64') ? `error decoding from json: ${why}` : why;
  const [, from = '', to = ''] = match;
  const kind = Object.hasOwn(KINDS, from) ? (KINDS[from] ?? from) : from;
  if (to.startsWith('map[')) return `cannot restore map from ${kind}`;
  if (to.startsWith('[]')) return `cannot restore slice from ${kind}`;
  if (to.includes('.')) return `cannot restore struct from: ${kind}`;
  if (from === 'number' && /^u?int\d+$/.test(to) && /number -?\d*[.eE]/.test(why))
    return `cannot convert float64 to ${to}`;
  return kind === 'int64' && to === 'string' ? 'cannot convert int64 to string' : `unrecognized type: ${to}`;
}
