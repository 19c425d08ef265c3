/** The conditions of a CustomResourceDefinition, and which of its names it may have. */
import { at, recs, str, strs } from '../../../apimachinery/kinds/lib/value.js';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import type { Kind } from '../../../apimachinery/kind.js';
import { isObject } from '../../../apimachinery/value.js';
import type { JsonObject } from '../../../apimachinery/value.js';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

const conditionsOf = (definition: KubeObject): readonly JsonObject[] => recs(at(definition, 'status', 'conditions'));

export const isEstablished = (definition: KubeObject): boolean =>
  conditionsOf(definition).some((condition) => condition['type'] === 'Established' && condition['status'] === 'True');

/** Replaces the condition of its type, or adds it; the time of the last transition stays while the status does. */
export function setCondition(draft: KubeObject, condition: Condition, now: string): void {
  const status = statusOf(draft);
  const before = conditionsOf(draft);
  const old = before.find(({ type }) => type === condition.type);
  const lastTransitionTime = old?.['status'] === condition.status ? (old['lastTransitionTime'] ?? now) : now;
  const next = {
    type: condition.type,
    status: condition.status,
    lastTransitionTime,
    reason: condition.reason,
    message: condition.message,
  };
  status['conditions'] = old === undefined ? [...before, next] : before.map((one) => (one === old ? next : one));
}

export function statusOf(draft: KubeObject): JsonObject {
  const open = draft as UnknownObject;
  const status = isObject(open['status']) ? open['status'] : {};
  open['status'] = status;
  return status;
}

const namesOf = (names: unknown): { readonly reason: string; readonly name: string }[] => [
  { reason: 'PluralConflict', name: str(at(names, 'plural')) },
  { reason: 'SingularConflict', name: str(at(names, 'singular')) },
  ...strs(at(names, 'shortNames')).map((name) => ({ reason: 'ShortNamesConflict', name })),
];

/**
 * The condition NamesAccepted: resources of one group share a space of names, and their kinds another
 * (k8s.io/apiextensions-apiserver/pkg/controller/status).
 */
export function namesAccepted(
  definition: KubeObject,
  others: readonly KubeObject[],
  builtIn: readonly Kind[],
): Condition {
  const group = str(at(definition, 'spec', 'group'));
  const rivals = others.filter(
    (other) => other.metadata?.name !== definition.metadata?.name && str(at(other, 'spec', 'group')) === group,
  );
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const rival of rivals) {
    const accepted = at(rival, 'status', 'acceptedNames');
    for (const { name } of namesOf(accepted)) resources.add(name);
    for (const key of ['kind', 'listKind']) kinds.add(str(at(accepted, key)));
  }
  for (const kind of builtIn) {
    if (kind.group !== group) continue;
    for (const name of [kind.resource, kind.singular, ...kind.shortNames]) resources.add(name);
    kinds.add(kind.kind).add(kind.listKind);
  }
  const names = at(definition, 'spec', 'names');
  const taken = [
    ...namesOf(names).filter(({ name }) => name !== '' && resources.has(name)),
    ...[
      ['KindConflict', 'kind'],
      ['ListKindConflict', 'listKind'],
    ].flatMap(([reason = '', key = '']) => {
      const name = str(at(names, key));
      return name !== '' && kinds.has(name) ? [{ reason, name }] : [];
    }),
  ][0];
  if (taken === undefined)
    return { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found' };
  return {
    type: 'NamesAccepted',
    status: 'False',
    reason: taken.reason,
    message: `${JSON.stringify(taken.name)} is already in use`,
  };
}
