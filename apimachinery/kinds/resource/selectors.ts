/** Expressions that select devices, and configuration for drivers, as claims and device classes hold them. */
import { finish } from '../../../platform/work.js';
import type { Work } from '../../../platform/work.js';
import { OPAQUE } from '../../cel/check/declare.js';
import { BOOL, DYN, STRING, mapOf, typeName, type CelType } from '../../cel/values/types.js';
import { compileWork } from '../../cel/compile.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, field, isRec, recs, str, type Rec } from '../lib/value.js';
import { validateDriverName } from '../volumes/sources.js';
import { eachItem } from './lists.js';

const SELECTORS_MAX = 32;
const EXPRESSION_LENGTH_MAX = 10 * 1024;
const PARAMETERS_LENGTH_MAX = 10 * 1024;

/** What an expression knows of a device (k8s.io/dynamic-resource-allocation/cel). */
const DEVICE: CelType = {
  kind: 'object',
  name: 'kubernetes.DRADevice',
  fields: new Map([
    ['driver', STRING],
    ['attributes', mapOf(STRING, mapOf(STRING, DYN))],
    ['capacity', mapOf(STRING, mapOf(STRING, OPAQUE.Quantity))],
    ['allowMultipleAllocations', BOOL],
  ]),
};

const VERDICTS_MAX = 10_000;
/** Why an expression cannot select devices: many claims say the same. */
const verdicts = new Map<string, string | undefined>();
/** Of an expression that was judged before, in units of Work. */
const KNOWN_UNITS = 5;

function* judge(expression: string): Work<string | undefined> {
  yield KNOWN_UNITS;
  if (verdicts.has(expression)) return verdicts.get(expression);
  const compiled = yield* compileWork(expression, { device: DEVICE });
  const why = compiled.kind === 'bad' ? `compilation failed: ${compiled.issues}` : outputError(compiled.checked.type);
  if (verdicts.size >= VERDICTS_MAX) verdicts.clear();
  verdicts.set(expression, why);
  return why;
}

const outputError = (type: CelType): string | undefined =>
  type.kind === 'bool' || type.kind === 'dyn'
    ? undefined
    : `must evaluate to bool or the unknown type, not ${typeName(type)}`;

function validateExpression(complaints: Complaints, expression: string, path: string): void {
  if (expression.length > EXPRESSION_LENGTH_MAX) return complaints.tooLong(path, EXPRESSION_LENGTH_MAX);
  const why = finish(judge(expression));
  if (why !== undefined) complaints.invalid(path, expression, why);
}

/** Judges the expressions of a claim or a class in slices, so that its validation knows them. */
export function* judgeSelectors(value: unknown): Work<void> {
  if (Array.isArray(value)) for (const item of value as unknown[]) yield* judgeSelectors(item);
  if (!isRec(value)) return;
  const expression = field(value['cel'], 'expression');
  if (typeof expression === 'string' && expression.length <= EXPRESSION_LENGTH_MAX) yield* judge(expression);
  for (const child of Object.values(value)) if (typeof child === 'object') yield* judgeSelectors(child);
}

export function validateSelectors(complaints: Complaints, selectors: unknown, path: string): void {
  eachItem(complaints, recs(selectors), { path, max: SELECTORS_MAX }, ({ cel }, here) => {
    if (isRec(cel)) validateExpression(complaints, str(cel['expression']), `${here}.cel.expression`);
    else complaints.required(`${here}.cel`);
  });
}

/** An object that only the driver understands. */
export function validateObject(complaints: Complaints, value: unknown, path: string, lengthMax: number): void {
  if (absent(value)) return complaints.required(path);
  if (Buffer.byteLength(JSON.stringify(value)) > lengthMax) complaints.tooLong(path, lengthMax);
  else if (!isRec(value)) complaints.invalid(path, '<value omitted>', 'must be a valid JSON object');
}

export function validateConfiguration(complaints: Complaints, config: Rec, path: string): void {
  const opaque = config['opaque'];
  if (!isRec(opaque)) return complaints.required(`${path}.opaque`);
  validateDriverName(complaints, field(opaque, 'driver'), `${path}.opaque.driver`);
  validateObject(complaints, field(opaque, 'parameters'), `${path}.opaque.parameters`, PARAMETERS_LENGTH_MAX);
}
