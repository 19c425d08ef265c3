import type { Kind } from '../../../apimachinery/kind.js';
import type { ListRequest, ObjectHandle } from '../../../apimachinery/object-service.js';
import {
  checkFields,
  matchesFields,
  parseFieldSelector,
  requiredValue,
  selectableFields,
} from '../../../apimachinery/selector/fields.js';
import { parseLabelSelector } from '../../../apimachinery/selector/label-text.js';
import type { CachedObject } from '../cacher/cached-object.js';
import type { Selection } from '../cacher/selection.js';

const NAME = 'metadata.name';
const NAMESPACE = 'metadata.namespace';

/** Compiles the selectors of a list or watch. Throws BadRequest for what cannot be parsed or selected by. */
export function selectionOf(
  kind: Kind,
  request: {
    readonly namespace?: string | undefined;
    readonly labelSelector?: string | undefined;
    readonly fieldSelector?: string | undefined;
  },
): Selection {
  const labels = parseLabelSelector(request.labelSelector);
  const requirements = parseFieldSelector(request.fieldSelector);
  checkFields(requirements, selectableFields(kind));
  const name = requiredValue(requirements, NAME);
  const rest = requirements.filter((one) => !(one.field === NAME && one.operator === '='));
  const namespace = request.namespace ?? (kind.namespaced ? requiredValue(requirements, NAMESPACE) : undefined);
  const scope = { ...(namespace === undefined ? {} : { namespace }), ...(name === undefined ? {} : { name }) };
  if (labels.isEverything && rest.length === 0)
    return conflicting(requirements, name) ? { ...scope, matches: () => false } : scope;
  const valueOf =
    (object: CachedObject) =>
    (field: string): string => {
      if (field === NAME) return object.location.name;
      if (field === NAMESPACE) return object.location.namespace;
      return object.fields(kind)[field] ?? '';
    };
  const contradiction = conflicting(requirements, name);
  return {
    ...scope,
    matches: (object) =>
      !contradiction &&
      (labels.isEverything || labels.matches(object.labels)) &&
      (rest.length === 0 || matchesFields(rest, valueOf(object))),
  };
}

/** The same for objects that a handler makes, and nobody stores: they are selected by their labels and their name. */
export function selectsHandled(
  kind: Kind,
  { labelSelector, fieldSelector }: Pick<ListRequest, 'labelSelector' | 'fieldSelector'>,
): (handle: ObjectHandle) => boolean {
  const labels = parseLabelSelector(labelSelector);
  const requirements = parseFieldSelector(fieldSelector);
  checkFields(requirements, selectableFields(kind));
  return ({ object: { metadata = {} } }) =>
    labels.matches(metadata.labels ?? {}) &&
    matchesFields(
      requirements,
      (field) => (field === NAME ? metadata.name : field === NAMESPACE ? metadata.namespace : undefined) ?? '',
    );
}

/** `metadata.name=a,metadata.name=b` selects nothing. */
function conflicting(requirements: ReturnType<typeof parseFieldSelector>, name: string | undefined): boolean {
  return requirements.some((one) => one.field === NAME && one.operator === '=' && one.value !== name);
}
