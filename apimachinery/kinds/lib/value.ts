/**
 * Reading and filling objects whose shape is not trusted. Strategies run after schema validation but must survive nulls
 * and wrong types, so every access goes through these and none of them throws.
 */

import { isNumeric } from '../../int64.js';
import { cloneJson } from '../../value.js';

export type Rec = Record<string, unknown>;

const NOTHING: Rec = Object.freeze(Object.create(null) as Rec);

/** True for a JSON object: neither null nor an array. */
export function isRec(value: unknown): value is Rec {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as an object; an empty frozen one when it is none. */
export function rec(value: unknown): Rec {
  return isRec(value) ? value : NOTHING;
}

/** An own field of the value; undefined when absent, so that `constructor` and `__proto__` are plain names. */
export function field(value: unknown, name: string): unknown {
  return isRec(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** The value at a path of own fields, as `at(pod, 'spec', 'nodeName')`. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const name of path) current = field(current, name);
  return current;
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The items of a list; what is no object among them becomes an empty one, so that indexes stay true. */
export function recs(value: unknown): readonly Rec[] {
  return list(value).map(rec);
}

export function str(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function strs(value: unknown): readonly string[] {
  return list(value).map(str);
}

/** A finite number, integers beyond 2^53 as the nearest double; `fallback` for everything else. */
export function num(value: unknown, fallback = 0): number {
  return optionalNum(value) ?? fallback;
}

export function optionalNum(value: unknown): number | undefined {
  const number = typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

export function entries(value: unknown): readonly (readonly [string, unknown])[] {
  return Object.entries(rec(value));
}

export function keysOf(value: unknown): readonly string[] {
  return Object.keys(rec(value));
}

/** Absent, null, or the empty string: what Go's zero value of a string is. */
export function unset(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

export function absent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** Sets a field that is absent or null (a pointer in Go's types). */
export function fill(target: Rec, name: string, value: unknown): void {
  if (absent(field(target, name))) target[name] = value;
}

/** Sets a field that is absent, null, empty or zero (a plain value in Go's types). */
export function fillZero(target: Rec, name: string, value: unknown): void {
  const present = field(target, name);
  if (unset(present) || present === 0) target[name] = value;
}

/** The object in a field, created when absent. Undefined when something else stands there. */
export function child(target: Rec, name: string): Rec | undefined {
  if (absent(field(target, name))) target[name] = {};
  const value = target[name];
  return isRec(value) ? value : undefined;
}

/** The objects in a list field, for changing them in place. */
export function children(target: unknown, name: string): readonly Rec[] {
  return list(field(target, name)).filter(isRec);
}

/** Sets or removes a field. */
export function put(target: Rec, name: string, value: unknown): void {
  if (value === undefined) delete target[name];
  else target[name] = value;
}

export const clone = cloneJson;

/** Maps whose emptiness means nothing; for other objects `{}` and absent differ (an empty selector selects all). */
const MAPS = new Set([
  'labels',
  'annotations',
  'nodeSelector',
  'matchLabels',
  'data',
  'binaryData',
  'limits',
  'requests',
  'hard',
  'parameters',
  'overhead',
]);

/** Pointers in Go's types: for these, false, zero and '' are not the same as absent. */
const POINTERS = new Set([
  'automountServiceAccountToken',
  'enableServiceLinks',
  'shareProcessNamespace',
  'setHostnameAsFQDN',
  'hostUsers',
  'priority',
  'activeDeadlineSeconds',
  'terminationGracePeriodSeconds',
  'runAsUser',
  'runAsGroup',
  'runAsNonRoot',
  'fsGroup',
  'privileged',
  'allowPrivilegeEscalation',
  'readOnlyRootFilesystem',
  'tolerationSeconds',
  'replicas',
  'minReplicas',
  'completions',
  'parallelism',
  'partition',
  'storageClassName',
  'timeoutSeconds',
  'ttlSecondsAfterFinished',
  'immutable',
  'optional',
]);

function nothing(name: string, value: unknown): boolean {
  if (absent(value)) return true;
  if (value === '' || value === false || value === 0) return !POINTERS.has(name);
  if (Array.isArray(value)) return value.length === 0;
  return MAPS.has(name) && isRec(value) && Object.keys(value).length === 0;
}

/** Deep equality in which null, absent and empty lists are the same, as Go's semantic equality has it. */
export function same(a: unknown, b: unknown, name = ''): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (isRec(a) && isRec(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    for (const key of names) if (!same(field(a, key), field(b, key), key)) return false;
    return true;
  }
  return nothing(name, a) && nothing(name, b);
}

/** A scalar as text, as a quantity or an int-or-string stands in a table; '' for everything else. */
export function scalarText(value: unknown): string {
  return typeof value === 'string' ? value : isNumeric(value) || typeof value === 'boolean' ? String(value) : '';
}

/** Sets an own property whatever its name; plain assignment to `__proto__` would change the prototype. */
export function setOwn(target: Rec, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}
