/** Declarations of functions, written as signatures: `(list(A), A) int`. A member's first argument is its receiver. */
import type { Value } from '../values/values.js';
import { guardOf } from '../values/type-of.js';
import type { CelType } from '../values/types.js';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  INT,
  NULL,
  STRING,
  TIMESTAMP,
  UINT,
  listOf,
  mapOf,
  opaqueOf,
  optionalOf,
  paramOf,
  typeOfType,
} from '../values/types.js';

export interface Overload {
  readonly id: string;
  readonly member: boolean;
  readonly args: readonly CelType[];
  readonly result: CelType;
  /** Whether a value fits the argument at its place. */
  readonly guards: readonly ((value: Value) => boolean)[];
  readonly impl: (...args: Value[]) => Value;
  /** Units of Work that a call takes, where its cost does not tell: an expression is compiled first. */
  readonly effort?: (...args: Value[]) => number;
}

/** Overloads by the name of the function. */
export type Library = Readonly<Record<string, readonly Overload[]>>;

/** Called only with values that fit the signature, which is what makes the narrower parameters safe. */
type Implementation = (...args: never[]) => Value;

const AUTHORIZATION = {
  Authorizer: opaqueOf('kubernetes.authorization.Authorizer'),
  PathCheck: opaqueOf('kubernetes.authorization.PathCheck'),
  GroupCheck: opaqueOf('kubernetes.authorization.GroupCheck'),
  ResourceCheck: opaqueOf('kubernetes.authorization.ResourceCheck'),
  Decision: opaqueOf('kubernetes.authorization.Decision'),
} as const;

export const OPAQUE = {
  URL: opaqueOf('kubernetes.URL'),
  Quantity: opaqueOf('kubernetes.Quantity'),
  IP: opaqueOf('net.IP'),
  CIDR: opaqueOf('net.CIDR'),
  Semver: opaqueOf('kubernetes.Semver'),
  Format: opaqueOf('kubernetes.NamedFormat'),
  ...AUTHORIZATION,
} as const;

const NAMED: Readonly<Record<string, CelType>> = {
  dyn: DYN,
  null: NULL,
  bool: BOOL,
  int: INT,
  uint: UINT,
  double: DOUBLE,
  string: STRING,
  bytes: BYTES,
  timestamp: TIMESTAMP,
  duration: DURATION,
  ...OPAQUE,
};

export const member = (id: string, signature: string, impl: Implementation): Overload =>
  declare(id, { signature, impl, isMember: true });
export const global = (id: string, signature: string, impl: Implementation): Overload =>
  declare(id, { signature, impl, isMember: false });

function declare(
  id: string,
  {
    signature,
    impl,
    isMember,
  }: { readonly signature: string; readonly impl: Implementation; readonly isMember: boolean },
): Overload {
  const { args, result } = parseSignature(signature);
  return {
    id,
    member: isMember,
    args,
    result,
    guards: args.map(guardOf),
    impl: impl as unknown as (...args: Value[]) => Value,
  };
}

function parseSignature(signature: string): { readonly args: readonly CelType[]; readonly result: CelType } {
  const end = closing(signature, 0);
  return { args: splitTop(signature.slice(1, end)).map(parseType), result: parseType(signature.slice(end + 1).trim()) };
}

function parseType(text: string): CelType {
  const open = text.indexOf('(');
  if (open === -1) return NAMED[text] ?? paramOf(text);
  const inner = splitTop(text.slice(open + 1, -1)).map(parseType);
  const [first = DYN, second = DYN] = inner;
  switch (text.slice(0, open)) {
    case 'list':
      return listOf(first);
    case 'map':
      return mapOf(first, second);
    case 'optional':
      return optionalOf(first);
    default:
      return typeOfType(first);
  }
}

function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '(') depth++;
    else if (text[at] === ')' && --depth === 0) return at;
  }
  return text.length;
}

function splitTop(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    if (text[at] === '(') depth++;
    else if (text[at] === ')') depth--;
    if (at === text.length || (text[at] === ',' && depth === 0)) {
      parts.push(text.slice(start, at).trim());
      start = at + 1;
    }
  }
  return parts.filter((part) => part !== '');
}
