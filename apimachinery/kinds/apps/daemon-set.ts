/**
 * The generation of a DaemonSet's template. It has no field any more: an annotation carries it, which each DaemonSet
 * has and which only the server changes after the set is made.
 */
import { at, child, field, fill, isRec, same, type Rec } from '../lib/value.js';

const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

const generationOf = (object: unknown): number => {
  const text = at(object, 'metadata', 'annotations', TEMPLATE_GENERATION);
  return typeof text === 'string' && /^[+-]?\d+$/.test(text) ? Number(text) : 0;
};

function write(daemonSet: Rec, generation: number): void {
  const metadata = child(daemonSet, 'metadata');
  const annotations = metadata === undefined ? undefined : child(metadata, 'annotations');
  if (annotations !== undefined) annotations[TEMPLATE_GENERATION] = String(generation);
}

/** Whoever writes a DaemonSet writes the annotation too, as the owners of its fields have it. */
export function defaultTemplateGeneration(daemonSet: Rec): void {
  const metadata = field(daemonSet, 'metadata');
  const annotations = isRec(metadata) ? child(metadata, 'annotations') : undefined;
  if (annotations !== undefined) fill(annotations, TEMPLATE_GENERATION, '0');
}

export const createTemplateGeneration = (daemonSet: Rec): void =>
  write(daemonSet, Math.max(1, generationOf(daemonSet)));

export function updateTemplateGeneration(daemonSet: Rec, old: Rec): void {
  const isChanged = !same(at(daemonSet, 'spec', 'template'), at(old, 'spec', 'template'));
  write(daemonSet, generationOf(old) + (isChanged ? 1 : 0));
}
