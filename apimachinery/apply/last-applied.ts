/**
 * From client-side to server-side apply and back (KEP-555, "Upgrading existing objects"): `kubectl apply` notes what it
 * applied in an annotation. Server-side apply by the manager `kubectl` may take what the annotation names without
 * conflict, and keeps the annotation in step, so that a later `kubectl apply` deletes what was dropped in between.
 * Other managers opt out by their name.
 */
import type { KubeObject } from '../object.js';
import type { Schema } from '../schema.js';
import type { SchemaResolver } from '../schema/resolve.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { compareObjects, presentFields } from './compare.js';
import { FieldSet } from './field-set.js';

export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** The only manager that the annotation is kept for. */
const KUBECTL = 'kubectl';

export interface LastAppliedFacts {
  readonly schema: Schema;
  readonly resolver: SchemaResolver;
}

/** What the manager may take from others: fields that `kubectl apply` set, and that still have its value. */
export function fieldsOfLastApplied(
  manager: string,
  live: KubeObject,
  { schema, resolver }: LastAppliedFacts,
): FieldSet {
  const text = manager === KUBECTL ? live.metadata?.annotations?.[LAST_APPLIED] : undefined;
  const config = text === undefined ? undefined : parse(text);
  if (config === undefined || config['apiVersion'] !== live.apiVersion) return new FieldSet();
  const { changed } = compareObjects(live as JsonObject, config, schema, resolver);
  return presentFields(config, schema, resolver).difference(changed, true);
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The merged object with its annotation renewed, where it has one. `config` is what the client sent. */
export function withLastApplied<T extends KubeObject>(merged: T, config: KubeObject, manager: string): T {
  const annotations = merged.metadata?.annotations;
  if (manager !== KUBECTL || (annotations?.[LAST_APPLIED] ?? '') === '') return merged;
  return {
    ...merged,
    metadata: { ...merged.metadata, annotations: { ...annotations, [LAST_APPLIED]: textOf(config) } },
  };
}

/** As Go's encoder has it: keys in order, a line break at the end. */
function textOf(config: KubeObject): string {
  const { annotations, ...metadata } = config.metadata ?? {};
  const { [LAST_APPLIED]: _old, ...others } = annotations ?? {};
  const noted = { ...config, metadata: annotations === undefined ? metadata : { ...metadata, annotations: others } };
  return `${JSON.stringify(sorted(noted))}\n`;
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted(value[key])]),
  );
}
