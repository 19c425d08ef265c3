/** The scale subresource: a view of the parent through the paths its row names (autoscaling/v1 Scale). */
import type { Kind, ScaleFacts } from '../../../apimachinery/kind.js';
import type { KubeObject, UnknownObject } from '../../../apimachinery/object.js';
import { labelSelectorOf, labelSelectorOfMap } from '../../../apimachinery/selector/labels.js';
import type { LabelSelectorObject } from '../../../apimachinery/selector/labels.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import { cloneJson, getOwn, isObject, setOwn } from '../../../apimachinery/value.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { present } from '../../../platform/assert.js';

const SCALE_META = new Set(['name', 'namespace', 'uid', 'resourceVersion', 'creationTimestamp']);

export function scaleOf(kind: Kind, parent: KubeObject): UnknownObject {
  const facts = factsOf(kind);
  const meta = parent.metadata ?? {};
  const selector =
    facts.labelSelectorPath === undefined ? undefined : selectorText(read(parent, facts.labelSelectorPath));
  const wanted = numberAt(parent, facts.specReplicasPath);
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: Object.fromEntries(Object.entries(meta).filter(([field]) => SCALE_META.has(field))),
    // As its encoding has it: none is left out.
    spec: wanted === 0 ? {} : { replicas: wanted },
    status: { replicas: numberAt(parent, facts.statusReplicasPath), ...(selector === undefined ? {} : { selector }) },
  };
}

/** The parent with the replicas that the scale asks for. */
export function withScale(kind: Kind, parent: KubeObject, scale: KubeObject): KubeObject {
  const facts = factsOf(kind);
  const spec = (scale as UnknownObject)['spec'];
  const replicas = isObject(spec) ? (spec['replicas'] ?? 0) : 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0) {
    throw apiErrors.invalid({ group: 'autoscaling', kind: 'Scale' }, parent.metadata?.name ?? '', [
      fieldErrors.invalid('spec.replicas', replicas, 'must be greater than or equal to 0'),
    ]);
  }
  const draft = cloneJson(parent);
  write(draft as JsonObject, segments(facts.specReplicasPath), replicas);
  return draft;
}

const factsOf = (kind: Kind): ScaleFacts =>
  present(kind.scale, `${kind.resource} has a scale subresource but no scale facts`);

const segments = (path: string): string[] => path.replace(/^\./, '').split('.');

function read(object: KubeObject, path: string): unknown {
  return segments(path).reduce<unknown>(
    (value, segment) => (isObject(value) ? getOwn(value, segment) : undefined),
    object,
  );
}

function numberAt(object: KubeObject, path: string): number {
  const value = read(object, path);
  return typeof value === 'number' ? value : 0;
}

function write(object: JsonObject, [head = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    setOwn(object, head, value);
    return;
  }
  const child = getOwn(object, head);
  const next = isObject(child) ? child : {};
  setOwn(object, head, next);
  write(next, rest, value);
}

/** A string stays, a map of labels or a LabelSelector becomes one. */
function selectorText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (!isObject(value)) return undefined;
  const isSelector = 'matchLabels' in value || 'matchExpressions' in value;
  return (
    isSelector ? labelSelectorOf(value as LabelSelectorObject) : labelSelectorOfMap(value as Record<string, string>)
  ).format();
}
