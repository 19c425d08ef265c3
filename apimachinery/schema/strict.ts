/** What `fieldValidation` makes of unknown and duplicate fields (KEP-2885): an error, warnings, or nothing. */
import type { BodyIssues } from '../object-service.js';
import type { GroupVersionKind } from '../object.js';
import { decodingError } from './typed.js';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** Issues named at most, of one body. */
export const ISSUES_MAX = 100;

export const NO_ISSUES: BodyIssues = { lines: (unknown) => unknownLines(unknown) };

export const unknownLines = (unknown: readonly string[]): string[] =>
  unknown.map((path) => `unknown field ${JSON.stringify(path)}`);

export interface FoundIssues {
  readonly unknown: readonly string[];
  readonly body?: BodyIssues | undefined;
  /** They are told as they stand, after what else there is. */
  readonly inOrder?: boolean;
}

function inFoundOrder({ unknown, body = NO_ISSUES }: FoundIssues): BodyIssues {
  const lines = unknown.map((path) => `unknown field "${path}"`);
  return { lines: () => [...body.lines([]), ...lines], errors: () => [...(body.errors ?? body.lines)([]), ...lines] };
}

/** Warnings for the client. Throws ApiError BadRequest when the validation is Strict and there are issues. */
export function reportFieldIssues(kind: GroupVersionKind, found: FoundIssues, validation: FieldValidation): string[] {
  if (validation === 'Ignore') return [];
  const { unknown, body = NO_ISSUES } = found.inOrder === true ? { unknown: [], body: inFoundOrder(found) } : found;
  if (validation === 'Warn') return body.lines(unknown).slice(0, ISSUES_MAX);
  const errors = (body.errors ?? body.lines)(unknown).slice(0, ISSUES_MAX);
  if (errors.length > 0) throw decodingError(kind, `strict decoding error: ${errors.join(', ')}`);
  return [];
}
