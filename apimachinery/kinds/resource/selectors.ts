/** Expressions that select devices, and configuration for drivers, as claims and device classes hold them. */
import { OPAQUE } from '../../cel/check/declare.js';
import { BOOL, DYN, STRING, mapOf, typeName, type CelType } from '../../cel/check/types.js';
import { compile } from '../../cel/compile.js';
import type { Complaints } from '../lib/complaints.js';
import { absent, field, isRec, recs, str, type Rec } from '../lib/value.js';
import { validateDriverName } from '../storage/volume-sources.js';
import { eachItem } from './lists.js';

const SELECTORS_MAX = 32;
const EXPRESSION_LENGTH_MAX = 10 * 1024;
const PARAMETERS_LENGTH_MAX = 10 * 1024;

/** What an expression knows of a device (k8s.io/dynamic-resource-allocation/cel). */
const DEVICE: CelType = {
  kind: 'object', name: 'kubernetes.DRADevice', fields: new Map([
    ['driver', STRING],
    ['attributes', mapOf(STRING, mapOf(STRING, DYN))],
    ['capacity', mapOf(STRING, mapOf(STRING, OPAQUE.Quantity))],
    ['allowMultipleAllocations', BOOL],
  ]),
};

function validateExpression(complaints: Complaints, expression: string, path: string): void {
  if (expression.length > EXPRESSION_LENGTH_MAX) return complaints.tooLong(path, EXPRESSION_LENGTH_MAX);
  const compiled = compile(expression, { device: DEVICE });
  if (compiled.kind === 'bad') return complaints.invalid(path, expression, `compilation failed: ${compiled.issues}`);
  const { type } = compiled.checked;
  if (type.kind !== 'bool' && type.kind !== 'dyn') complaints.invalid(path, expression, `must evaluate to bool or the unknown type, not ${typeName(type)}`);
}

export function validateSelectors(complaints: Complaints, selectors: unknown, path: string): void {
  eachItem(complaints, recs(selectors), { path, max: SELECTORS_MAX }, ({ cel }, here) => {
    if (isRec(cel)) validateExpression(complaints, str(cel['expression']), `${here}.cel.expression`);
    else complaints.required(`${here}.cel`);
  });
}

/** An object that only the driver understands. */
function validateParameters(complaints: Complaints, parameters: unknown, path: string): void {
  if (absent(parameters)) return complaints.required(path);
  if (Buffer.byteLength(JSON.stringify(parameters)) > PARAMETERS_LENGTH_MAX) complaints.tooLong(path, PARAMETERS_LENGTH_MAX);
  else if (!isRec(parameters)) complaints.invalid(path, '<value omitted>', 'must be a valid JSON object');
}

export function validateConfiguration(complaints: Complaints, config: Rec, path: string): void {
  const opaque = config['opaque'];
  if (!isRec(opaque)) return complaints.required(`${path}.opaque`);
  validateDriverName(complaints, field(opaque, 'driver'), `${path}.opaque.driver`);
  validateParameters(complaints, field(opaque, 'parameters'), `${path}.opaque.parameters`);
}
