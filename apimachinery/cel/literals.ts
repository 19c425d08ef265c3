/** What kube-apiserver asks of literals besides their types: texts that can be read, and lists and maps of one type. */
import type { Work } from '../../platform/work.js';
import { compileUnits } from '../regex.js';
import { verbsOf, VERBS } from './lib/format-string.js';
import { patternOf } from './lib/regex.js';
import type { Expr } from './syntax/ast.js';
import { childrenOf } from './syntax/ast.js';
import type { Issue } from './syntax/issues.js';
import { durationOf, timestampOf } from './values/text.js';
import { CelError } from './values/values.js';
import type { Checked } from './check/checker.js';
import type { CelType } from './values/types.js';
import { DYN, typeName } from './values/types.js';

/** Of one part of an expression, in units of Work. */
const PART_UNITS = 5;

export function* literalIssuesWork(checked: Checked): Work<Issue[]> {
  const mixed: Issue[] = [];
  findMixed(checked.expr, checked, mixed);
  yield PART_UNITS * checked.types.size;
  const unread = yield* unreadable(checked);
  return [...unread, ...formats(checked), ...mixed];
}

/** Formats and lists of arguments that are both literals must fit each other. */
function formats({ calls, types }: Checked): Issue[] {
  const issues: Issue[] = [];
  for (const [
    expr,
    {
      fn,
      target,
      args: [list],
    },
  ] of calls) {
    if (fn !== 'format' || target?.kind !== 'literal' || typeof target.value !== 'string' || list?.kind !== 'list')
      continue;
    const verbs = verbsOf(target.value);
    for (const [index, verb] of verbs.entries()) {
      const argument = list.elements[index]?.expr;
      const type = argument === undefined ? undefined : typeName(types.get(argument) ?? DYN);
      const rule = verb === undefined ? undefined : VERBS[verb];
      if (verb === undefined) issues.push({ at: expr.at, message: 'unexpected end of string' });
      else if (argument === undefined) issues.push({ at: expr.at, message: `index ${index} out of range` });
      else if (rule === undefined)
        issues.push({
          at: expr.at,
          message: `could not parse formatting clause: unrecognized formatting clause "${verb}"`,
        });
      else if (type !== undefined && type !== 'dyn' && rule.types.length > 0 && !rule.types.includes(type)) {
        issues.push({ at: argument.at, message: `error during formatting: ${rule.what}, was given ${type}` });
      } else continue;
      break;
    }
    const extra = list.elements.length - verbs.length;
    if (extra > 0)
      issues.push({
        at: expr.at,
        message: `too many arguments supplied to string.format (expected ${verbs.length}, got ${list.elements.length})`,
      });
  }
  return issues;
}

const CONVERSIONS = new Set(['bool', 'bytes', 'double', 'int', 'string', 'uint']);

/** Why a conversion of a literal can only fail; kube-apiserver carries these out when it makes the program. */
export function failingConversion({ calls, types }: Checked): string | undefined {
  for (const {
    fn,
    args: [literal],
    overloads: [overload],
  } of calls.values()) {
    if (!CONVERSIONS.has(fn) || literal?.kind !== 'literal' || overload === undefined) continue;
    if (literal.value === null) return `no such overload: ${fn}(null_type)`;
    const result = overload.impl(literal.value);
    if (!(result instanceof CelError)) continue;
    return result.message.startsWith('strconv')
      ? `type conversion error from '${typeName(types.get(literal) ?? DYN)}' to '${fn}'`
      : result.message;
  }
  return undefined;
}

/** Literals that a function can never read, by overload. */
const READ: Readonly<
  Record<
    string,
    {
      readonly name: string;
      readonly argument: number;
      readonly read: (text: string) => unknown;
      readonly units?: (text: string) => number;
    }
  >
> = {
  matches_string: { name: 'matches', argument: 0, read: patternOf, units: compileUnits },
  matches: { name: 'matches', argument: 1, read: patternOf, units: compileUnits },
  string_to_duration: { name: 'duration', argument: 0, read: durationOf },
  string_to_timestamp: { name: 'timestamp', argument: 0, read: timestampOf },
};

function* unreadable({ calls }: Checked): Work<Issue[]> {
  const issues: Issue[] = [];
  for (const { fn, args, overloads } of calls.values()) {
    const [first] = args;
    if ((fn === 'timestamp' || fn === 'duration') && first?.kind === 'literal' && first.value === null)
      issues.push({ at: first.at, message: `invalid ${fn} argument` });
    const rule = overloads.map(({ id }) => READ[id]).find((found) => found !== undefined);
    const literal = rule === undefined ? undefined : args[rule.argument];
    if (rule === undefined || literal?.kind !== 'literal' || typeof literal.value !== 'string') continue;
    yield rule.units?.(literal.value) ?? PART_UNITS;
    if (rule.read(literal.value) instanceof CelError)
      issues.push({ at: literal.at, message: `invalid ${rule.name} argument` });
  }
  return issues;
}

/** Arguments of `format` may be of different types. */
function findMixed(expr: Expr, checked: Checked, issues: Issue[]): void {
  if (expr.kind === 'call' && expr.fn === 'format') return;
  const typeOf = (part: Expr, optional: boolean): CelType => {
    const type = checked.types.get(part) ?? DYN;
    return optional && type.kind === 'optional' ? type.of : type;
  };
  if (expr.kind === 'list')
    mismatch(
      expr.elements.map((element) => [element.expr, typeOf(element.expr, element.optional)]),
      issues,
    );
  if (expr.kind === 'map') {
    mismatch(
      expr.entries.map(({ key }) => [key, typeOf(key, false)]),
      issues,
    );
    mismatch(
      expr.entries.map(({ value, optional }) => [value, typeOf(value, optional)]),
      issues,
    );
  }
  for (const child of childrenOf(expr)) findMixed(child, checked, issues);
}

/** The first part whose type is not that of the part before all others. */
function mismatch(parts: readonly (readonly [Expr, CelType])[], issues: Issue[]): void {
  const wanted = parts[0]?.[1];
  if (wanted === undefined) return;
  const other = parts.find(([, type]) => typeName(type) !== typeName(wanted));
  if (other !== undefined)
    issues.push({ at: other[0].at, message: `expected type '${typeName(wanted)}' but found '${typeName(other[1])}'` });
}
