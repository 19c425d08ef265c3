/** What `fieldValidation` makes of unknown and duplicate fields (KEP-2885): an error, warnings, or nothing. */
import type { GroupVersionKind } from '../object.js';
import { decodingError } from './typed.js';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface FieldIssues {
  readonly unknown: readonly string[];
  readonly duplicate: readonly string[];
}

/** Warnings for the client. Throws ApiError BadRequest when the validation is Strict and there are issues. */
export function reportFieldIssues(kind: GroupVersionKind, issues: FieldIssues, validation: FieldValidation): string[] {
  if (validation === 'Ignore') return [];
  const lines = [
    ...issues.duplicate.map((path) => `duplicate field ${JSON.stringify(path)}`),
    ...issues.unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
  ];
  if (validation === 'Strict' && lines.length > 0) throw decodingError(kind, `strict decoding error: ${lines.join(', ')}`);
  return lines;
}
