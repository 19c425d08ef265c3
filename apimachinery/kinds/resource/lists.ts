/**
 * What the kinds of resource.k8s.io check of lists, names and devices (k8s.io/kubernetes/pkg/apis/resource/validation).
 */
import { dns1123Label, dns1123Subdomain, labelKey, labelValue } from '../../names.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, list, str, strs, unset, type Rec } from '../lib/value.js';
import { validateDriverName } from '../volumes/sources.js';

const POOL_NAME_MAX = 253;
const ID_MAX = 32;
const BINDING_CONDITIONS_MAX = 4;
const EFFECTS = ['NoExecute', 'NoSchedule', 'None'];
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
const NOT_AN_IDENTIFIER =
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' " +
  "(e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";

/** Items one by one, unless there are too many. */
export function eachItem<T>(
  complaints: Complaints,
  items: readonly T[],
  where: { readonly path: string; readonly max: number },
  check: (item: T, path: string) => void,
): boolean {
  if (items.length > where.max) {
    complaints.tooMany(where.path, items.length, where.max);
    return false;
  }
  for (const [index, item] of items.entries()) check(item, `${where.path}[${index}]`);
  return true;
}

/** The same of items that differ in a key. */
export function eachOfSet<T>(
  complaints: Complaints,
  items: readonly T[],
  where: { readonly path: string; readonly max: number; keyOf(item: T): string },
  check: (item: T, path: string) => void,
): void {
  if (!eachItem(complaints, items, where, check)) return;
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const key = where.keyOf(item);
    if (seen.has(key)) complaints.duplicate(`${where.path}[${index}]`, key);
    seen.add(key);
  }
}

export function validatePoolName(complaints: Complaints, name: unknown, path: string): void {
  const pool = str(name);
  if (pool === '') return complaints.required(path);
  if (pool.length > POOL_NAME_MAX) complaints.tooLong(path, POOL_NAME_MAX);
  for (const part of pool.slice(0, 2 * POOL_NAME_MAX).split('/')) complaints.form(path, part, dns1123Subdomain);
}

export const validateLabel = (complaints: Complaints, name: unknown, path: string): void =>
  complaints.form(path, str(name), dns1123Label);

function validateIdentifier(complaints: Complaints, id: string, path: string): void {
  if (id.length > ID_MAX) complaints.tooLong(path, ID_MAX);
  if (!IDENTIFIER.test(id)) complaints.invalid(path, id, NOT_AN_IDENTIFIER);
}

/** An identifier, with a domain before it or none. */
export function validateQualifiedName(complaints: Complaints, name: string, path: string): void {
  const [first = '', second, ...more] = name.split('/');
  if (more.length > 0) return;
  if (second === undefined) return validateIdentifier(complaints, first, path);
  if (first === '') complaints.invalid(path, '', 'the domain must not be empty');
  else validateDriverName(complaints, first, path);
  if (second === '') complaints.invalid(path, '', 'the name must not be empty');
  else validateIdentifier(complaints, second, path);
}

export function validateFullName(complaints: Complaints, name: string, path: string): void {
  validateQualifiedName(complaints, name, path);
  if (!name.includes('/'))
    complaints.invalid(path, name, 'a fully qualified name must be a domain and a name separated by a slash');
}

export function validateTaint(complaints: Complaints, taint: Rec, path: string): void {
  complaints.form(`${path}.key`, taint['key'], labelKey);
  if (!unset(taint['value'])) complaints.form(`${path}.value`, taint['value'], labelValue);
  complaints.oneOf(`${path}.effect`, taint['effect'], EFFECTS, true);
}

export function validateToleration(complaints: Complaints, { key, operator, value, effect }: Rec, path: string): void {
  if (!unset(key)) complaints.form(`${path}.key`, key, labelKey);
  if (operator === 'Exists') {
    if (!unset(value)) complaints.invalid(`${path}.value`, value, 'must be empty for operator `Exists`');
  } else if (operator === 'Equal') {
    complaints.form(`${path}.value`, value, labelValue);
  } else {
    complaints.oneOf(`${path}.operator`, operator, ['Equal', 'Exists'], true);
  }
  complaints.oneOf(`${path}.effect`, effect, EFFECTS);
}

function validateDistinct(
  complaints: Complaints,
  names: readonly string[],
  path: string,
  other: ReadonlySet<string>,
): void {
  const seen = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (seen.has(name)) complaints.duplicate(`${path}[${index}]`, name);
    seen.add(name);
    if (other.has(name))
      complaints.invalid(`${path}[${index}]`, name, 'bindingFailureConditions must not overlap with bindingConditions');
  }
}

/** Conditions that a device waits for, and those that say it never will be ready: both or none. */
export function validateBindingConditions(complaints: Complaints, holder: Rec, path: string): void {
  const [ready, failed] = ['bindingConditions', 'bindingFailureConditions'].map((name) => strs(holder[name])) as [
    string[],
    string[],
  ];
  const names = [
    [ready, `${path}.bindingConditions`],
    [failed, `${path}.bindingFailureConditions`],
  ] as const;
  for (const [conditions, where] of names) {
    eachItem(complaints, conditions, { path: where, max: BINDING_CONDITIONS_MAX }, (name, here) =>
      complaints.form(here, name, labelKey),
    );
  }
  validateDistinct(complaints, ready, `${path}.bindingConditions`, new Set());
  validateDistinct(complaints, failed, `${path}.bindingFailureConditions`, new Set(ready));
  if (ready.length === 0 && failed.length > 0)
    complaints.invalid(
      `${path}.bindingConditions`,
      shownList(holder['bindingConditions']),
      'bindingConditions are required to use bindingFailureConditions',
    );
  if (failed.length === 0 && ready.length > 0) {
    complaints.invalid(
      `${path}.bindingFailureConditions`,
      shownList(holder['bindingFailureConditions']),
      'bindingFailureConditions are required to use bindingConditions',
    );
  }
}

const shownList = (value: unknown): unknown => (absent(value) ? null : list(value));
