/** Kubernetes' semver library (version 1): semver.org 2.0.0. */
import type { Library } from '../check/declare.js';
import { OPAQUE, global, member } from '../check/declare.js';
import { CelError, Opaque } from '../values/values.js';
import type { Value } from '../values/values.js';

const NUMBER = '(0|[1-9]\\d{0,19})';
const FORM = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?(?:\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?$`,
);

class SemverValue extends Opaque {
  readonly type = OPAQUE.Semver;
  readonly numbers: readonly bigint[];
  readonly pre: readonly string[];

  constructor(numbers: readonly bigint[], pre: readonly string[]) {
    super();
    this.numbers = numbers;
    this.pre = pre;
  }

  equals(other: Opaque): boolean {
    return other instanceof SemverValue && compareVersions(this, other) === 0;
  }
}

function compareVersions(a: SemverValue, b: SemverValue): number {
  for (const [index, number] of a.numbers.entries()) {
    const other = b.numbers[index] ?? 0n;
    if (number !== other) return number < other ? -1 : 1;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return Math.sign(b.pre.length - a.pre.length);
  for (const [index, part] of a.pre.entries()) {
    const other = b.pre[index];
    if (other === undefined) return 1;
    const order = comparePre(part, other);
    if (order !== 0) return order;
  }
  return a.pre.length === b.pre.length ? 0 : -1;
}

/** Numbers come before words; numbers by value, words by their characters. */
function comparePre(a: string, b: string): number {
  const [left, right] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (left !== right) return left ? -1 : 1;
  if (a === b) return 0;
  return (left ? BigInt(a) < BigInt(b) : a < b) ? -1 : 1;
}

function parse(text: string, normalize = false): SemverValue | CelError {
  const match = FORM.exec(normalize ? normalized(text) : text);
  const [, major = '', minor = '', patch = '', pre] = match ?? [];
  const parts = pre === undefined ? [] : pre.split('.');
  const isBad = match === null || parts.some((part) => /^0\d+$/.test(part));
  return isBad
    ? new CelError(
        text.split('.').length < 3
          ? 'No Major.Minor.Patch elements found'
          : `Invalid character(s) found in version ${JSON.stringify(text)}`,
      )
    : new SemverValue([BigInt(major), BigInt(minor), BigInt(patch)], parts);
}

/** Without `v`, with all three numbers, without leading zeros. */
function normalized(text: string): string {
  const [major = '', minor, ...rest] = text.replace(/^v/, '').split('.');
  const patch = rest.length === 0 ? undefined : rest.join('.');
  const trimmed = (part: string): string => part.replace(/^0+(?=\d)/, '');
  if (patch !== undefined && minor !== undefined) return `${trimmed(major)}.${trimmed(minor)}.${trimmed(patch)}`;
  if (/[-+]/.test(minor ?? major)) return text;
  return `${trimmed(major)}.${trimmed(minor ?? '0')}.0`;
}

const isSemver = (text: string, normalize = false): boolean => !(parse(text, normalize) instanceof CelError);
const number =
  (index: number) =>
  ({ numbers }: SemverValue): Value =>
    numbers[index] ?? 0n;

export const SEMVER: Library = {
  semver: [
    global('string_to_semver', '(string) Semver', parse),
    global('string_bool_to_semver', '(string, bool) Semver', parse),
  ],
  isSemver: [
    global('is_semver_string', '(string) bool', isSemver),
    global('is_semver_string_bool', '(string, bool) bool', isSemver),
  ],
  isGreaterThan: [
    member(
      'semver_is_greater_than',
      '(Semver, Semver) bool',
      (a: SemverValue, b: SemverValue) => compareVersions(a, b) > 0,
    ),
  ],
  isLessThan: [
    member(
      'semver_is_less_than',
      '(Semver, Semver) bool',
      (a: SemverValue, b: SemverValue) => compareVersions(a, b) < 0,
    ),
  ],
  compareTo: [
    member('semver_compare_to', '(Semver, Semver) int', (a: SemverValue, b: SemverValue) =>
      BigInt(compareVersions(a, b)),
    ),
  ],
  major: [member('semver_major', '(Semver) int', number(0))],
  minor: [member('semver_minor', '(Semver) int', number(1))],
  patch: [member('semver_patch', '(Semver) int', number(2))],
};
