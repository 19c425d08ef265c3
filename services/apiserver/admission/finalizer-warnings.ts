/**
 * Warnings about the finalizers of custom resources: a name without a domain may be another writer's, too. Those that
 * were there before are not told again.
 */
import { qualifiedName } from '../../../apimachinery/names.js';
import type { AdmissionPlugin } from './plugin.js';

const STANDARD = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);
const WARNINGS_MAX = 20;

export function finalizerWarnings(): AdmissionPlugin {
  return {
    name: 'FinalizerWarnings',
    validate(attributes) {
      if (attributes.kind.isCustom !== true || attributes.subresource !== undefined || attributes.object === undefined)
        return;
      const known = new Set(attributes.oldObject?.metadata?.finalizers);
      const added = new Set((attributes.object.metadata?.finalizers ?? []).filter((name) => !known.has(name)));
      for (const message of [...added].toSorted().flatMap(warningsOf).slice(0, WARNINGS_MAX)) attributes.warn(message);
    },
  };
}

function warningsOf(name: string): string[] {
  const about = `metadata.finalizers: ${JSON.stringify(name)}`;
  const badForm = qualifiedName(name).map((why) => `${about}: ${why}`);
  if (name.includes('/') || STANDARD.has(name)) return badForm;
  const path = name.includes('.') ? ' including a path (/)' : '';
  return [
    ...badForm,
    `${about}: prefer a domain-qualified finalizer name${path} to avoid accidental conflicts with other finalizer writers`,
  ];
}
