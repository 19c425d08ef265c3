/**
 * Variables of expressions in admission, by the types that kube-apiserver gives them (apiserver,
 * pkg/admission/plugin/cel).
 */
import { OPAQUE } from '../../cel/check/declare.js';
import type { CelType } from '../../cel/values/types.js';
import { BOOL, DYN, INT, STRING, TIMESTAMP, listOf, mapOf, opaqueOf } from '../../cel/values/types.js';

const object = (name: string, fields: Readonly<Record<string, CelType>>): CelType => ({
  kind: 'object',
  name: `kubernetes.${name}`,
  fields: new Map(Object.entries(fields)),
});
const texts = (...names: readonly string[]): Record<string, CelType> =>
  Object.fromEntries(names.map((name) => [name, STRING]));
const textMap = mapOf(STRING, STRING);

const KIND = object('GroupVersionKind', texts('group', 'version', 'kind'));
const RESOURCE = object('GroupVersionResource', texts('group', 'version', 'resource'));
const USER = object('UserInfo', {
  ...texts('username', 'uid'),
  groups: listOf(STRING),
  extra: mapOf(STRING, listOf(STRING)),
});

const REQUEST = object('AdmissionRequest', {
  ...texts('subResource', 'requestSubResource', 'name', 'namespace', 'operation'),
  kind: KIND,
  requestKind: KIND,
  resource: RESOURCE,
  requestResource: RESOURCE,
  userInfo: USER,
  dryRun: BOOL,
  options: DYN,
});

const NAMESPACE = object('Namespace', {
  metadata: object('NamespaceMetadata', {
    ...texts('name', 'generateName', 'namespace', 'UID', 'resourceVersion'),
    labels: textMap,
    annotations: textMap,
    creationTimestamp: TIMESTAMP,
    deletionTimestamp: TIMESTAMP,
    deletionGracePeriodSeconds: INT,
    generation: INT,
    finalizers: listOf(STRING),
  }),
  spec: object('NamespaceSpec', { finalizers: listOf(STRING) }),
  status: object('NamespaceStatus', {
    phase: STRING,
    conditions: listOf(
      object('NamespaceCondition', { ...texts('status', 'type', 'message', 'reason'), lastTransitionTime: TIMESTAMP }),
    ),
  }),
});

/** A field that a type does not have: nothing fits it. */
const NO_FIELD = opaqueOf('');
const PATCH_TYPE: CelType = {
  kind: 'object',
  name: 'JSONPatch',
  fields: new Map(Object.entries({ ...texts('op', 'path', 'from'), value: DYN })),
  other: NO_FIELD,
};

/**
 * What mutations make: parts of the object, named by where they lie in it and otherwise open, and operations of JSON
 * patches (apiserver, pkg/cel/mutation).
 */
export function mutationMessage(name: string): CelType | undefined {
  if (name === 'JSONPatch') return PATCH_TYPE;
  return name === 'Object' || name.startsWith('Object.')
    ? { kind: 'object', name, fields: new Map(), other: DYN }
    : undefined;
}

export interface Given {
  /** The policy has a paramKind. */
  readonly params: boolean;
  /** Authorization may be asked; expressions of messages may not. Default: true. */
  readonly authorizer?: boolean;
  /** Variables that the policy declares itself, before the expression. */
  readonly variables?: ReadonlyMap<string, CelType>;
}

export function admissionVariables({ params, authorizer = true, variables }: Given): Record<string, CelType> {
  return {
    object: DYN,
    oldObject: DYN,
    namespaceObject: NAMESPACE,
    request: REQUEST,
    ...(authorizer ? { authorizer: OPAQUE.Authorizer, 'authorizer.requestResource': OPAQUE.ResourceCheck } : {}),
    ...(params ? { params: DYN } : {}),
    ...(variables === undefined
      ? {}
      : { variables: { kind: 'object' as const, name: 'kubernetes.variables', fields: variables } }),
  };
}
