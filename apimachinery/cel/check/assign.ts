/** When one type fits another, and what type parameters stand for. */
import type { CelType } from '../values/types.js';
import { DYN, ERROR, listOf, mapOf, optionalOf, typeOfType } from '../values/types.js';

/** What type parameters stand for, so far. */
export type Substitution = Map<string, CelType>;

/** Replaces parameters by what they stand for; those that stand for nothing become dyn when `free` says so. */
export function substitute(type: CelType, subs: Substitution, free: 'keep' | 'dyn' = 'keep'): CelType {
  switch (type.kind) {
    case 'param': {
      const bound = subs.get(type.name);
      if (bound !== undefined) return substitute(bound, subs, free);
      return free === 'dyn' ? DYN : type;
    }
    case 'list':
      return listOf(substitute(type.item, subs, free));
    case 'map':
      return mapOf(substitute(type.key, subs, free), substitute(type.value, subs, free));
    case 'optional':
      return optionalOf(substitute(type.of, subs, free));
    case 'type':
      return typeOfType(substitute(type.of, subs, free));
    default:
      return type;
  }
}

/** Whether each of `from` fits the one of `to` at its place. Binds parameters in `subs` only if all fit. */
export function assignAll(subs: Substitution, to: readonly CelType[], from: readonly CelType[]): boolean {
  if (to.length !== from.length) return false;
  const trial: Trial = { subs, bound: [] };
  if (to.every((type, index) => fits(trial, type, from[index] ?? ERROR))) return true;
  for (const name of trial.bound) subs.delete(name);
  return false;
}

export const assign = (subs: Substitution, to: CelType, from: CelType): boolean => assignAll(subs, [to], [from]);

/** Bindings made on the way, to be undone when something does not fit. */
interface Trial {
  readonly subs: Substitution;
  readonly bound: string[];
}

function fits(trial: Trial, declaredTo: CelType, declaredFrom: CelType): boolean {
  const to = resolve(trial.subs, declaredTo);
  const from = resolve(trial.subs, declaredFrom);
  if (to === from) return true;
  if (to.kind === 'param') return bind(trial, to.name, from);
  if (from.kind === 'param') return bind(trial, from.name, to);
  if (to.kind === 'dyn' || from.kind === 'dyn' || to.kind === 'error' || from.kind === 'error') return true;
  if (from.kind === 'null') return isNullable(to);
  if (to.kind === 'null') return isNullable(from);
  switch (to.kind) {
    case 'list':
      return from.kind === 'list' && fits(trial, to.item, from.item);
    case 'map':
      return from.kind === 'map' && fits(trial, to.key, from.key) && fits(trial, to.value, from.value);
    case 'optional':
      return from.kind === 'optional' && fits(trial, to.of, from.of);
    case 'type':
      return from.kind === 'type';
    case 'object':
    case 'opaque':
      return from.kind === to.kind && from.name === to.name;
    default:
      return from.kind === to.kind;
  }
}

const resolve = (subs: Substitution, type: CelType): CelType => {
  let current = type;
  while (current.kind === 'param') {
    const bound = subs.get(current.name);
    if (bound === undefined) return current;
    current = bound;
  }
  return current;
};

function bind({ subs, bound }: Trial, name: string, type: CelType): boolean {
  if (occurs(subs, name, type)) return type.kind === 'param';
  subs.set(name, type);
  bound.push(name);
  return true;
}

function occurs(subs: Substitution, name: string, type: CelType): boolean {
  const resolved = substitute(type, subs);
  switch (resolved.kind) {
    case 'param':
      return resolved.name === name;
    case 'list':
      return occurs(subs, name, resolved.item);
    case 'map':
      return occurs(subs, name, resolved.key) || occurs(subs, name, resolved.value);
    case 'optional':
    case 'type':
      return occurs(subs, name, resolved.of);
    default:
      return false;
  }
}

/** Null may stand where an object, a time or a library's value is wanted. */
const isNullable = (type: CelType): boolean =>
  ['object', 'opaque', 'timestamp', 'duration', 'null', 'optional'].includes(type.kind);
