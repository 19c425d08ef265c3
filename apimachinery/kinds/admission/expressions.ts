/**
 * Expressions in webhooks and admission policies when these are written: they compile, and give what is asked of them.
 */
import type { Work } from '../../../platform/work.js';
import { compileWork } from '../../cel/compile.js';
import type { Extras } from '../../cel/compile.js';
import { failingConversion } from '../../cel/literals.js';
import { PATCHES } from '../../cel/lib/patches.js';
import type { CelType } from '../../cel/values/types.js';
import { DYN, typeName } from '../../cel/values/types.js';
import { qualifiedName } from '../../names.js';
import { FIELD_ERRORS_MAX, fieldErrors } from '../../status.js';
import type { FieldError } from '../../status.js';
import { at, field, isRec, recs, same, str, type Rec } from '../lib/value.js';
import { admissionVariables, mutationMessage } from './environment.js';
import type { Given } from './environment.js';

const CONDITIONS_MAX = 64;
const ANNOTATIONS_MAX = 20;
const VALUE_BYTES_MAX = 5 * 1024;
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];
const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const RESERVED = new Set([
  'true',
  'false',
  'null',
  'in',
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
]);

type Output = 'bool' | 'string' | 'null' | 'Object' | 'list(JSONPatch)';

/** What results are called where they are asked for. */
const nameOf = (type: string): string => type.replace(/\bnull\b/g, 'null_type');

interface Asked {
  readonly outputs?: readonly Output[];
  readonly extras?: Extras;
}

interface Checked {
  readonly errors: FieldError[];
  readonly type: CelType;
}

/** Of one expression, beside its text. */
const EXPRESSION_UNITS = 100;

function* checkExpression(source: string, path: string, given: Given, { outputs, extras }: Asked = {}): Work<Checked> {
  const invalid = (why: string): Checked => ({ errors: [fieldErrors.invalid(path, source, why)], type: DYN });
  yield EXPRESSION_UNITS;
  const compiled = yield* compileWork(source, admissionVariables(given), extras);
  if (compiled.kind === 'bad') return invalid(`compilation failed: ${compiled.issues}`);
  const { type } = compiled.checked;
  const got = typeName(type);
  if (outputs !== undefined && !outputs.some((output) => output === got)) {
    const wanted = outputs.map(nameOf);
    return invalid(
      `must evaluate to ${wanted.length === 1 ? wanted.join('') : `one of [${wanted.join(' ')}]`} but got ${nameOf(got)}`,
    );
  }
  const failing = failingConversion(compiled.checked);
  if (failing === undefined) return { errors: [], type };
  return {
    errors: [
      { type: 'InternalError', field: path, detail: `Internal error: program instantiation failed: ${failing}` },
    ],
    type: DYN,
  };
}

export function* matchConditionWork(conditions: unknown, path: string, params = false): Work<FieldError[]> {
  const given = recs(conditions);
  const errors: FieldError[] =
    given.length > CONDITIONS_MAX ? [fieldErrors.tooMany(path, given.length, CONDITIONS_MAX)] : [];
  const seen = new Set<string>();
  for (const [index, condition] of given.slice(0, CONDITIONS_MAX + 1).entries()) {
    const here = `${path}[${index}]`;
    const source = str(condition['expression']).trim();
    const name = str(condition['name']);
    errors.push(
      ...(source === ''
        ? [fieldErrors.required(`${here}.expression`)]
        : (yield* checkExpression(source, `${here}.expression`, { params }, { outputs: ['bool'] })).errors),
    );
    errors.push(
      ...(name === ''
        ? [fieldErrors.required(`${here}.name`)]
        : qualifiedName(name).map((why) => fieldErrors.invalid(`${here}.name`, name, why))),
    );
    if (name !== '' && seen.has(name)) errors.push(fieldErrors.duplicate(`${here}.name`, name));
    seen.add(name);
  }
  return errors;
}

/** The spec of a ValidatingAdmissionPolicy: its variables, validations and annotations. */
export function* validatingPolicyErrors(policy: unknown, old: unknown): Work<FieldError[]> {
  const spec = field(policy, 'spec');
  if (old !== undefined && same(spec, field(old, 'spec'))) return [];
  const params = field(spec, 'paramKind') !== undefined && field(spec, 'paramKind') !== null;
  const variables = yield* variableErrors(recs(field(spec, 'variables')), params);
  const given: Given = { params, ...(variables.types.size === 0 ? {} : { variables: variables.types }) };
  const [validations, annotations] = [recs(field(spec, 'validations')), recs(field(spec, 'auditAnnotations'))];
  const either = 'validations or auditAnnotations must contain at least one item';
  const errors = [...(yield* keptConditionErrors(spec, field(old, 'spec'), params)), ...variables.errors];
  if (validations.length + annotations.length === 0)
    return [
      ...errors,
      fieldErrors.required('spec.validations', either),
      fieldErrors.required('spec.auditAnnotations', either),
    ];
  for (const [index, validation] of validations.entries())
    errors.push(...(yield* validationErrors(validation, `spec.validations[${index}]`, given)));
  errors.push(...(yield* annotationErrors(annotations, str(at(policy, 'metadata', 'name')), given)));
  return errors;
}

/** Conditions that were there before, with the same parameters, are let be. */
function* keptConditionErrors(spec: unknown, before: unknown, params: boolean): Work<FieldError[]> {
  const isKept =
    before !== undefined &&
    ['paramKind', 'matchConditions'].every((name) => same(field(spec, name), field(before, name)));
  return isKept ? [] : yield* matchConditionWork(field(spec, 'matchConditions'), 'spec.matchConditions', params);
}

/** Each may speak of those before it. */
function* variableErrors(
  variables: readonly Rec[],
  params: boolean,
): Work<{ readonly errors: FieldError[]; readonly types: ReadonlyMap<string, CelType> }> {
  const types = new Map<string, CelType>();
  const errors: FieldError[] = [];
  for (const [index, variable] of variables.entries())
    errors.push(...(yield* variableError(variable, index, { params, types })));
  return { errors, types };
}

interface Variables {
  readonly params: boolean;
  /** Of the variables before this one, which is added. */
  readonly types: Map<string, CelType>;
}

function* variableError(variable: Rec, index: number, { params, types }: Variables): Work<FieldError[]> {
  const path = `spec.variables[${index}]`;
  const [name, source] = [str(variable['name']), str(variable['expression'])];
  const wrong: FieldError[] = [];
  if (name.trim() === '') wrong.push(fieldErrors.required(`${path}.name`, 'name is not specified'));
  else if (!IDENTIFIER.test(name) || RESERVED.has(name))
    wrong.push(fieldErrors.invalid(`${path}.name`, name, 'must be a valid CEL identifier'));
  if (source.trim() === '')
    return [...wrong, fieldErrors.required(`${path}.expression`, 'expression is not specified')];
  const checked = yield* checkExpression(source, `${path}.expression`, { params, variables: types });
  types.set(name, checked.type);
  return [...wrong, ...checked.errors];
}

function* validationErrors(validation: Rec, path: string, given: Given): Work<FieldError[]> {
  const errors: FieldError[] = [];
  const [source, message, expression] = ['expression', 'message', 'messageExpression'].map((name) =>
    str(validation[name]),
  ) as [string, string, string];
  if (source.trim() === '') errors.push(fieldErrors.required(`${path}.expression`, 'expression is not specified'));
  else errors.push(...(yield* checkExpression(source, `${path}.expression`, given, { outputs: ['bool'] })).errors);
  if (expression !== '' && expression.trim() === '')
    errors.push(fieldErrors.invalid(`${path}.messageExpression`, expression, 'must be non-empty if specified'));
  else if (expression !== '')
    errors.push(
      ...(yield* checkExpression(
        expression,
        `${path}.messageExpression`,
        { ...given, authorizer: false },
        { outputs: ['string'] },
      )).errors,
    );
  if (message !== '' && message.trim() === '')
    errors.push(fieldErrors.invalid(`${path}.message`, message, 'must be non-empty if specified'));
  else if (/[\n\r]/.test(message.trim()))
    errors.push(fieldErrors.invalid(`${path}.message`, message, 'must not contain line breaks'));
  const reason = validation['reason'];
  if (reason !== undefined && reason !== null && !REASONS.includes(str(reason)))
    errors.push(fieldErrors.notSupported(`${path}.reason`, reason, REASONS));
  return errors;
}

function* annotationErrors(annotations: readonly Rec[], policy: string, given: Given): Work<FieldError[]> {
  const path = 'spec.auditAnnotations';
  const many =
    annotations.length <= ANNOTATIONS_MAX
      ? []
      : [fieldErrors.invalid(path, shown(annotations), `must not have more than ${ANNOTATIONS_MAX} auditAnnotations`)];
  const seen = new Set<string>();
  const errors = [...many];
  for (const [index, annotation] of annotations.slice(0, FIELD_ERRORS_MAX).entries()) {
    const here = `${path}[${index}]`;
    const key = str(annotation['key']);
    errors.push(...(yield* annotationError(annotation, { here, policy, given })));
    if (seen.has(key)) errors.push(fieldErrors.duplicate(`${here}.key`, key));
    seen.add(key);
  }
  return errors;
}

function* annotationError(
  annotation: Rec,
  { here, policy, given }: { readonly here: string; readonly policy: string; readonly given: Given },
): Work<FieldError[]> {
  const [key, source] = [str(annotation['key']), str(annotation['valueExpression']).trim()];
  const whole = `${policy}/${key}`;
  const wrong =
    policy === ''
      ? [fieldErrors.invalid(`${here}.key`, key, 'requires metadata.name be non-empty')]
      : qualifiedName(whole).map((why) => fieldErrors.invalid(`${here}.key`, whole, why));
  if (source === '') wrong.push(fieldErrors.required(`${here}.valueExpression`, 'valueExpression is not specified'));
  else if (Buffer.byteLength(source) > VALUE_BYTES_MAX)
    wrong.push(fieldErrors.required(`${here}.valueExpression`, `must not exceed ${VALUE_BYTES_MAX} bytes in length`));
  else
    wrong.push(
      ...(yield* checkExpression(source, `${here}.valueExpression`, given, { outputs: ['string', 'null'] })).errors,
    );
  return wrong;
}

/** As Go's internal type is printed. */
const shown = (annotations: readonly Rec[]): unknown =>
  annotations.map((annotation) => ({
    Key: str(annotation['key']),
    ValueExpression: str(annotation['valueExpression']),
  }));

/** The spec of a MutatingAdmissionPolicy: its conditions, variables and mutations. */
export function* mutatingPolicyErrors(policy: unknown, old: unknown): Work<FieldError[]> {
  const spec = field(policy, 'spec');
  if (old !== undefined && same(spec, field(old, 'spec'))) return [];
  const params = field(spec, 'paramKind') !== undefined && field(spec, 'paramKind') !== null;
  const mutations = recs(field(spec, 'mutations'));
  const variables = yield* variableErrors(recs(field(spec, 'variables')), params);
  const errors = [...(yield* keptConditionErrors(spec, field(old, 'spec'), params)), ...variables.errors];
  if (mutations.length === 0)
    errors.push(fieldErrors.required('spec.mutations', 'mutations must contain at least one item'));
  for (const [index, mutation] of mutations.entries())
    errors.push(
      ...(yield* mutationErrors(mutation, `spec.mutations[${index}]`, { params, variables: variables.types })),
    );
  return errors;
}

const PATCH_FIELDS = { ApplyConfiguration: 'applyConfiguration', JSONPatch: 'jsonPatch' } as const;

function* mutationErrors(mutation: Rec, path: string, given: Given): Work<FieldError[]> {
  const type = str(mutation['patchType']);
  if (type === '') return [fieldErrors.required(`${path}.patchType`)];
  if (type !== 'ApplyConfiguration' && type !== 'JSONPatch')
    return [fieldErrors.notSupported(`${path}.patchType`, type, Object.keys(PATCH_FIELDS))];
  const [wanted, other] = [PATCH_FIELDS[type], PATCH_FIELDS[type === 'JSONPatch' ? 'ApplyConfiguration' : 'JSONPatch']];
  const errors = isRec(mutation[wanted])
    ? yield* patchErrors(str(field(mutation[wanted], 'expression')).trim(), `${path}.${wanted}.expression`, {
        given,
        output: OUTPUTS[type],
      })
    : [fieldErrors.required(`${path}.${wanted}`, `must be specified when patchType is ${type}`)];
  if (isRec(mutation[other]))
    errors.push(
      fieldErrors.invalid(`${path}.${other}`, `{${other}}`, `must not be specified when patchType is ${type}`),
    );
  return errors;
}

const OUTPUTS = { ApplyConfiguration: 'Object', JSONPatch: 'list(JSONPatch)' } as const;
const MUTATION: Extras = { functions: PATCHES, messages: mutationMessage };

function* patchErrors(
  source: string,
  path: string,
  { given, output }: { readonly given: Given; readonly output: Output },
): Work<FieldError[]> {
  if (source === '') return [fieldErrors.required(path)];
  return (yield* checkExpression(source, path, given, { outputs: [output], extras: MUTATION })).errors;
}
