/**
 * What is wrong with the options of a deletion, wherever they stand (k8s.io/apimachinery/pkg/apis/meta/v1/validation).
 */
import { fieldErrors } from '../../../apimachinery/status.js';
import type { FieldError } from '../../../apimachinery/status.js';

export const PROPAGATION_POLICIES = ['Orphan', 'Background', 'Foreground'] as const;

export interface SentDeleteOptions {
  readonly propagationPolicy: unknown;
  readonly orphanDependents: unknown;
  readonly dryRun: readonly unknown[];
}

export function deleteOptionErrors({
  propagationPolicy: named,
  orphanDependents: orphan,
  dryRun,
}: SentDeleteOptions): FieldError[] {
  const errors: FieldError[] = [];
  if (named !== undefined && orphan !== undefined)
    errors.push(
      fieldErrors.invalid('propagationPolicy', named, 'orphanDependents and deletionPropagation cannot be both set'),
    );
  if (named !== undefined && !(PROPAGATION_POLICIES as readonly unknown[]).includes(named)) {
    errors.push(fieldErrors.notSupported('propagationPolicy', named, ['Foreground', 'Background', 'Orphan', 'nil']));
  }
  if (dryRun.some((value) => value !== 'All')) errors.push(fieldErrors.notSupported('dryRun', dryRun, ['All']));
  return errors;
}
