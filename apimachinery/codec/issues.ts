/** Issues of a body's fields in kube-apiserver's order and words, by the form the body came in. */
import { ISSUES_MAX, unknownLines } from '../schema/strict.js';
import type { BodyIssues } from '../object-service.js';
import { duplicateKeys } from './duplicates.js';
import { floatLiterals } from './float-literals.js';
import { isObject } from '../value.js';
import { childPath, walkKeys } from './keys.js';

/** Typed JSON: unknown and duplicate fields as they stand in the body (sigs.k8s.io/json). */
export function jsonIssues(bytes: Uint8Array): BodyIssues {
  return {
    lines: (unknown) =>
      unknown.length === 0 ? duplicateKeys(bytes).map(duplicateLine) : inOrder(bytes, new Set(unknown)),
    floats: floatLiterals(bytes),
  };
}

const duplicateLine = (path: string): string => `duplicate field ${JSON.stringify(path)}`;

/** Nothing is said of what stands inside an unknown field. */
function inOrder(bytes: Uint8Array, unknown: ReadonlySet<string>): string[] {
  const lines = new Set<string>();
  const seen: string[] = [];
  walkKeys(bytes, (frame, isSecond) => {
    const path = childPath(frame);
    if (unknown.has(path)) {
      seen.push(path);
      lines.add(`unknown field ${JSON.stringify(path)}`);
    } else if (isSecond && !seen.some((outer) => path.startsWith(outer) && /^[.[]/.test(path.slice(outer.length)))) {
      lines.add(duplicateLine(path));
    }
    return lines.size < ISSUES_MAX;
  });
  return [...lines];
}

/**
 * JSON of custom resources and of patches: it is decoded as a whole before its fields are looked at, by their names.
 */
export function untypedIssues(bytes: Uint8Array): BodyIssues {
  return { lines: (unknown) => [...duplicateKeys(bytes).map(duplicateLine), ...unknownLines(byName(unknown))] };
}

/** Of a JSON patch: of its operations, and of what they make. */
export function jsonPatchIssues(bytes: Uint8Array, operations: unknown): BodyIssues {
  return {
    lines: (unknown) => [
      ...inOrder(bytes, unknownInOperations(operations)).map((line) => `json patch ${line}`),
      ...unknownLines(byName(unknown)),
    ],
  };
}

const OPERATION_FIELDS = new Set(['op', 'path', 'from', 'value']);

function unknownInOperations(operations: unknown): Set<string> {
  const list: readonly unknown[] = Array.isArray(operations) ? operations : [];
  return new Set(
    list.flatMap((operation, index) =>
      isObject(operation)
        ? Object.keys(operation)
            .filter((name) => !OPERATION_FIELDS.has(name))
            .map((name) => `[${index}].${name}`)
        : [],
    ),
  );
}

/** JSON of patches of built-in kinds: what the patch makes is decoded as text. */
export const patchIssues = (bytes: Uint8Array, issues = untypedIssues(bytes)): BodyIssues => ({
  ...issues,
  patchFloats: floatLiterals(bytes),
});

/**
 * YAML: duplicates are found by its parser, and lose their order against unknown fields, which have that of their
 * names.
 */
export function yamlIssues(duplicates: readonly string[]): BodyIssues {
  return {
    lines: (unknown) => [...duplicates, ...unknownLines(byName(unknown))],
    errors: (unknown) => [
      ...(duplicates.length === 0 ? [] : [yamlError(duplicates)]),
      ...unknownLines(byName(unknown)),
    ],
  };
}

const yamlError = (duplicates: readonly string[]): string =>
  `yaml: unmarshal errors:\n${duplicates.map((line) => `  ${line}`).join('\n')}`;

function byName(paths: readonly string[]): string[] {
  const parts = (path: string): string[] => path.split(/[.[]/);
  return [...paths].sort((a, b) => compareParts(parts(a), parts(b)));
}

function compareParts(a: readonly string[], b: readonly string[]): number {
  for (const [i, left] of a.entries()) {
    const right = b[i];
    if (right === undefined) return 1;
    if (left === right) continue;
    const areIndexes = left.endsWith(']') && right.endsWith(']');
    return areIndexes ? Number.parseInt(left, 10) - Number.parseInt(right, 10) : left < right ? -1 : 1;
  }
  return a.length - b.length;
}
