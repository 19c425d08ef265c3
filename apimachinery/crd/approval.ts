/**
 * Groups of the Kubernetes community need an approval, as an annotation
 * (k8s.io/apiextensions-apiserver/pkg/apihelpers).
 */
import { parseGoUrl } from '../go-url.js';
import { fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';

const APPROVED = 'api-approved.kubernetes.io';
const DETAILS = 'see https://github.com/kubernetes/enhancements/pull/1111';
const PATH = `metadata.annotations[${APPROVED}]`;

type Approval = 'missing' | 'bypassed' | 'approved' | 'invalid';

const isProtected = (group: string): boolean =>
  ['k8s.io', 'kubernetes.io'].some((owner) => group === owner || group.endsWith(`.${owner}`));

function approvalOf(annotation: string): Approval {
  if (annotation === '') return 'missing';
  if (annotation.startsWith('unapproved')) return 'bypassed';
  const parsed = parseGoUrl(annotation);
  return parsed.kind === 'url' && parsed.url.scheme !== '' && parsed.url.host !== '' ? 'approved' : 'invalid';
}

/** `before`: the annotations before an update; what did not change is let be. */
export function approvalErrors(
  group: string,
  annotations: unknown,
  before?: { readonly annotations: unknown },
): FieldError[] {
  if (!isProtected(group)) return [];
  const text = annotationOf(annotations);
  const approval = approvalOf(text);
  if (before !== undefined && approvalOf(annotationOf(before.annotations)) === approval) return [];
  if (approval === 'missing')
    return [fieldErrors.required(PATH, `protected groups must have approval annotation "${APPROVED}", ${DETAILS}`)];
  if (approval !== 'invalid') return [];
  return [
    fieldErrors.invalid(
      PATH,
      text,
      `protected groups must have approval annotation "${APPROVED}" with either a URL or a reason starting with "unapproved", ${DETAILS}`,
    ),
  ];
}

function annotationOf(annotations: unknown): string {
  const value = (annotations as Readonly<Record<string, unknown>> | undefined)?.[APPROVED];
  return typeof value === 'string' ? value : '';
}
