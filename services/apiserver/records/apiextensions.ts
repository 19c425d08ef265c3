/** The group apiextensions.k8s.io. */
import { definitionDeletion, definitionHook } from '../crd/definitions.js';
import { DEFINITIONS } from '../crd/live-scheme.js';
import type { ResourceRecord } from '../registry/record.js';
import type { RecordParts } from './parts.js';

export function apiextensionsRecords(parts: RecordParts): ResourceRecord[] {
  return [{ resource: DEFINITIONS, hooks: [definitionHook(parts)], deletion: definitionDeletion(parts.clock) }];
}
