/** Types of expressions, and when one fits another. */

export type SimpleKind = 'dyn' | 'null' | 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'timestamp' | 'duration' | 'error';

export type CelType =
  | { readonly kind: SimpleKind }
  | { readonly kind: 'list'; readonly item: CelType }
  | { readonly kind: 'map'; readonly key: CelType; readonly value: CelType }
  | { readonly kind: 'optional'; readonly of: CelType }
  | { readonly kind: 'type'; readonly of: CelType }
  /** An object of a schema; fields by their escaped names. `other`: what any field that is not among them is. */
  | { readonly kind: 'object'; readonly name: string; readonly fields: ReadonlyMap<string, CelType>; readonly other?: CelType }
  /** A type of a library, as `kubernetes.URL`. */
  | { readonly kind: 'opaque'; readonly name: string }
  | { readonly kind: 'param'; readonly name: string };

const simple = (kind: SimpleKind): CelType => ({ kind });
export const DYN = simple('dyn');
export const NULL = simple('null');
export const BOOL = simple('bool');
export const INT = simple('int');
export const UINT = simple('uint');
export const DOUBLE = simple('double');
export const STRING = simple('string');
export const BYTES = simple('bytes');
export const TIMESTAMP = simple('timestamp');
export const DURATION = simple('duration');
export const ERROR = simple('error');
export const listOf = (item: CelType): CelType => ({ kind: 'list', item });
export const mapOf = (key: CelType, value: CelType): CelType => ({ kind: 'map', key, value });
export const optionalOf = (of: CelType): CelType => ({ kind: 'optional', of });
export const typeOfType = (of: CelType): CelType => ({ kind: 'type', of });
export const paramOf = (name: string): CelType => ({ kind: 'param', name });
export const opaqueOf = (name: string): CelType => ({ kind: 'opaque', name });

/** What type parameters stand for, so far. */
export type Substitution = Map<string, CelType>;

/** `list(string)`, as issues print a type. */
export function typeName(type: CelType): string {
  switch (type.kind) {
    case 'list': return `list(${typeName(type.item)})`;
    case 'map': return `map(${typeName(type.key)}, ${typeName(type.value)})`;
    case 'optional': return `optional_type(${typeName(type.of)})`;
    case 'type': return type.of.kind === 'dyn' ? 'type' : `type(${typeName(type.of)})`;
    case 'timestamp': return 'timestamp';
    case 'object': case 'opaque': case 'param': return type.name;
    default: return type.kind;
  }
}

/** Replaces parameters by what they stand for; those that stand for nothing become dyn when `free` says so. */
export function substitute(type: CelType, subs: Substitution, free: 'keep' | 'dyn' = 'keep'): CelType {
  switch (type.kind) {
    case 'param': {
      const bound = subs.get(type.name);
      if (bound !== undefined) return substitute(bound, subs, free);
      return free === 'dyn' ? DYN : type;
    }
    case 'list': return listOf(substitute(type.item, subs, free));
    case 'map': return mapOf(substitute(type.key, subs, free), substitute(type.value, subs, free));
    case 'optional': return optionalOf(substitute(type.of, subs, free));
    case 'type': return typeOfType(substitute(type.of, subs, free));
    default: return type;
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
    case 'list': return from.kind === 'list' && fits(trial, to.item, from.item);
    case 'map': return from.kind === 'map' && fits(trial, to.key, from.key) && fits(trial, to.value, from.value);
    case 'optional': return from.kind === 'optional' && fits(trial, to.of, from.of);
    case 'type': return from.kind === 'type';
    case 'object': case 'opaque': return from.kind === to.kind && from.name === to.name;
    default: return from.kind === to.kind;
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
    case 'param': return resolved.name === name;
    case 'list': return occurs(subs, name, resolved.item);
    case 'map': return occurs(subs, name, resolved.key) || occurs(subs, name, resolved.value);
    case 'optional': case 'type': return occurs(subs, name, resolved.of);
    default: return false;
  }
}

/** Null may stand where an object, a time or a library's value is wanted. */
const isNullable = (type: CelType): boolean => ['object', 'opaque', 'timestamp', 'duration', 'null', 'optional'].includes(type.kind);

export const isDyn = (type: CelType): boolean => type.kind === 'dyn' || type.kind === 'error';
