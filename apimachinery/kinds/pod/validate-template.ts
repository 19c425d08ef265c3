/** Metadata of templates: of pods in workloads, of claims in pods and StatefulSets. */
import { validateAnnotations } from '../metadata.js';
import type { Complaints } from '../lib/complaints.js';
import { validateLabels } from '../lib/label-validation.js';
import { absent, entries, field } from '../lib/value.js';

export function validateTemplateMetadata(complaints: Complaints, metadata: unknown, path: string): void {
  validateLabels(complaints, field(metadata, 'labels'), `${path}.labels`);
  validateAnnotations(complaints, field(metadata, 'annotations'), `${path}.annotations`);
}

const TEMPLATE_FIELDS = new Set(['labels', 'annotations']);

/**
 * A template of claims has labels and annotations; whatever else stood there would be lost. Kubernetes' path for the
 * UID is its own.
 */
export function validateTemplateMeta(complaints: Complaints, metadata: unknown, path: string): void {
  validateAnnotations(complaints, field(metadata, 'annotations'), `${path}.annotations`);
  validateLabels(complaints, field(metadata, 'labels'), `${path}.labels`);
  for (const [name, value] of entries(metadata)) {
    if (!TEMPLATE_FIELDS.has(name) && !absent(value) && value !== '')
      complaints.forbidden(`${path}.${name === 'uid' ? 'uID' : name}`, 'cannot be set');
  }
}
