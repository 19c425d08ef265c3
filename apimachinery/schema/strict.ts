/** What `fieldValidation` makes of unknown and duplicate fields (KEP-2885): an error, warnings, or nothing. */
import type { GroupVersionKind } from '../object.js';
import { decodingError } from './typed.js';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** Issues named at most, of one body. */
export const ISSUES_MAX = 100;

/** What is known of a body beside its value: keys that stand twice, and the order of its fields. */
export interface BodyIssues {
  /** `duplicate field "a"`, `unknown field "b"`, in the order in which kube-apiserver finds them. `unknown`: paths, in the order of the value. */
  lines(unknown: readonly string[]): string[];
  /** The same as parts of one error. Absent: the lines. */
  errors?(unknown: readonly string[]): string[];
  /** Whole numbers written as floats: path -> literal. Absent: none, or the form of the body knows no difference. */
  readonly floats?: ReadonlyMap<string, string>;
  /** The same of a patch, by their paths in it. */
  readonly patchFloats?: ReadonlyMap<string, string>;
}

export const NO_ISSUES: BodyIssues = { lines: (unknown) => unknownLines(unknown) };

export const unknownLines = (unknown: readonly string[]): string[] => unknown.map((path) => `unknown field ${JSON.stringify(path)}`);

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
export function reportFieldIssues(
  kind: GroupVersionKind, found: FoundIssues, validation: FieldValidation,
): string[] {
  if (validation === 'Ignore') return [];
  const { unknown, body = NO_ISSUES } = found.inOrder === true ? { unknown: [], body: inFoundOrder(found) } : found;
  if (validation === 'Warn') return body.lines(unknown).slice(0, ISSUES_MAX);
  const errors = (body.errors ?? body.lines)(unknown).slice(0, ISSUES_MAX);
  if (errors.length > 0) throw decodingError(kind, `strict decoding error: ${errors.join(', ')}`);
  return [];
}
