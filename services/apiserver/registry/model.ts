/** The object model as the registry uses it: decoding into a kind's shape, defaults, validation, patches. */
import type { Kind, Scheme, StrategyContext } from '../../../apimachinery/kind.js';
import { validateMetadata } from '../../../apimachinery/kinds/metadata.js';
import { repeated } from '../../../apimachinery/kinds/metadata-repeats.js';
import type { PatchRequest } from '../../../apimachinery/object-service.js';
import type { GroupVersionKind, KubeObject } from '../../../apimachinery/object.js';
import { typeFlaws } from '../../../apimachinery/apply/typed-check.js';
import { unclassified } from '../../../apimachinery/patch/errors.js';
import { applyJsonPatchWork } from '../../../apimachinery/patch/json-patch.js';
import { applyMergePatch } from '../../../apimachinery/patch/merge-patch.js';
import { applyStrategicMergePatchWork } from '../../../apimachinery/patch/strategic.js';
import { checkRulesWork, hasRules } from '../../../apimachinery/crd/cel.js';
import type { CheckOptions } from '../../../apimachinery/crd/cel.js';
import { conformCustom, withTypes } from '../../../apimachinery/crd/conform.js';
import { ENVELOPE } from '../../../apimachinery/crd/schema.js';
import { fillStructs, normalise } from '../../../apimachinery/schema/encoding.js';
import { Defaulter } from '../../../apimachinery/schema/prune.js';
import { resolverOf } from '../../../apimachinery/schema/resolve.js';
import type { Schema } from '../../../apimachinery/schema.js';
import { reportFieldIssues } from '../../../apimachinery/schema/strict.js';
import { conform } from '../../../apimachinery/schema/typed.js';
import { instanceErrors } from '../../../apimachinery/crd/instance-errors.js';
import { validateSchema, validateSchemaWork } from '../../../apimachinery/schema/validate.js';
import { apiErrors, fieldErrors } from '../../../apimachinery/status.js';
import type { FieldError } from '../../../apimachinery/status.js';
import { isObject } from '../../../apimachinery/value.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { InvariantError } from '../../../platform/assert.js';
import type { Work } from '../../../platform/work.js';
import { paced, step, warn } from './context.js';
import type { Call } from './context.js';
import type { Target } from './target.js';

/** A resource, and the type of the body at hand: its own, or that of a subresource. */
export interface Shape {
  readonly kind: Kind;
  readonly shape: GroupVersionKind;
}

const asJson = (object: KubeObject): JsonObject => object as JsonObject;

function schemaOf(scheme: Scheme, { kind, shape }: Shape): Schema {
  if (shape.kind === kind.kind && shape.group === kind.group && shape.version === kind.version) return kind.schema;
  const known = scheme.byKind(shape);
  if (known !== undefined) return known.schema;
  // Bodies of subresources have no row: `policy/v1 Eviction` is io.k8s.api.policy.v1.Eviction.
  const folder = shape.group === '' ? 'core' : (shape.group.split('.')[0] ?? '');
  try {
    return scheme.definition(`io.k8s.api.${folder}.${shape.version}.${shape.kind}`);
  } catch (error) {
    if (error instanceof InvariantError) return ANYTHING;
    throw error;
  }
}

const ANYTHING: Schema = { type: 'object', preserveUnknown: true };

/**
 * Brings the draft into the shape of its type, in place: wrong types are refused, unknown fields dropped and reported.
 * `floats`: whole numbers of the draft that were written as floats, by their path; of a body as a rule.
 */
export function checkFields(
  call: Call,
  { floats = call.body?.floats, ...shape }: Shape & { readonly floats?: ReadonlyMap<string, string> | undefined },
  draft: KubeObject,
): void {
  const { scheme } = call.registry;
  const custom = isCustomShape(shape);
  if (!custom) keepReset(draft);
  const unknown = custom
    ? conformCustom(shape.kind, asJson(draft), resolverOf(scheme))
    : conform({ ...shape.shape, schema: schemaOf(scheme, shape) }, asJson(draft), {
        resolver: resolverOf(scheme),
        floats,
      });
  for (const message of reportFieldIssues(
    shape.shape,
    { unknown, body: call.body, inOrder: custom },
    call.fieldValidation,
  ))
    warn(call, message);
}

/**
 * `managedFields: []` asks to forget all managers, as `[{}]` does, which decoding does not take for an absence. Of a
 * custom resource it is one.
 */
function keepReset(draft: KubeObject): void {
  const { metadata } = draft;
  if (isObject(metadata) && Array.isArray(metadata['managedFields']) && metadata['managedFields'].length === 0)
    metadata['managedFields'] = [{}];
}

/**
 * An apply configuration must fit its type, whatever `fieldValidation` says, since nobody could own what does not. The
 * words, and the code of an error without a class, are kube-apiserver's.
 */
export function checkAppliedFields(call: Call, shape: Shape, applied: KubeObject): void {
  const { scheme } = call.registry;
  const schema = isCustomShape(shape) ? withEnvelope(withTypes(shape.kind.schema), scheme) : schemaOf(scheme, shape);
  const flaws = typeFlaws(applied, schema, resolverOf(scheme));
  if (flaws.length > 0) {
    const { namespace = '', name = '' } = applied.metadata ?? {};
    const why = flaws.length === 1 ? flaws[0] : `errors:\n${flaws.map((flaw) => `  ${flaw}`).join('\n')}`;
    const { group, version, kind } = shape.shape;
    throw unclassified(
      `failed to create typed patch object (${namespace}/${name}; ${group}/${version}, Kind=${kind}): ${why}`,
    );
  }
}

/** A custom resource's schema with the types that every object has. */
function withEnvelope(schema: Schema, scheme: Scheme): Schema {
  const { properties } = resolverOf(scheme).resolve(schema);
  return properties === undefined ? schema : { ...schema, properties: { ...properties, ...ENVELOPE.properties } };
}

const isCustomShape = ({ kind, shape }: Shape): boolean =>
  kind.isCustom === true && shape.kind === kind.kind && shape.group === kind.group;

const defaulters = new WeakMap<Scheme, Defaulter>();

export function setDefaults(scheme: Scheme, kind: Kind, draft: KubeObject): void {
  if (kind.isCustom !== true) fillStructs(asJson(draft), kind.schema, resolverOf(scheme));
  kind.strategy.setDefaults?.(draft);
  if (kind.isCustom !== true) return;
  let defaulter = defaulters.get(scheme);
  if (defaulter === undefined) {
    defaulter = new Defaulter(resolverOf(scheme));
    defaulters.set(scheme, defaulter);
  }
  defaulter.apply(draft, kind.schema);
}

/**
 * Makes the object what its stored form says: the one rule of emptiness. Of a custom resource only the metadata is a Go
 * struct.
 */
export function normaliseObject(scheme: Scheme, kind: Kind, draft: KubeObject): void {
  normalise(asJson(draft), kind.isCustom === true ? ENVELOPE : kind.schema, resolverOf(scheme));
}

/** Puts in what a body of a built-in type always holds: what is missing in it is named, not the struct around. */
export function completeBody(scheme: Scheme, shape: Shape, body: KubeObject): void {
  if (!isCustomShape(shape)) fillStructs(asJson(body), schemaOf(scheme, shape), resolverOf(scheme));
}

/** The same for the body of a subresource or of a resource that is not stored. */
export function normaliseBody(scheme: Scheme, shape: Shape, body: KubeObject): void {
  normalise(asJson(body), schemaOf(scheme, shape), resolverOf(scheme));
}

/**
 * What the schema says is wrong. Of the object before it is normalised: afterwards nothing is missing. Nothing where
 * the strategy judges alone.
 */
export async function validateStructure(
  call: Call,
  { kind, subresource }: Pick<Target, 'kind' | 'subresource'>,
  object: KubeObject,
  old?: KubeObject,
): Promise<FieldError[]> {
  if (kind.strategy.validatesAll === true) return [];
  const resolver = resolverOf(call.registry.scheme);
  const work =
    kind.isCustom === true
      ? instanceErrors(kind, { object, old, onlyStatus: subresource?.name === 'status' }, resolver)
      : validateSchemaWork(kind.schema, object, resolver);
  return paced(call, 'validating by schema', work);
}

export interface CheckedChange {
  readonly object: KubeObject;
  readonly old?: KubeObject | undefined;
  /** What `validateStructure` found. */
  readonly structural: readonly FieldError[];
  readonly bytes?: number | undefined;
}

/**
 * Everything that is wrong with an object as it would be stored. What a strategy says about a field goes before the
 * schema's word.
 */
export async function validateObject(
  call: Call,
  kind: Kind,
  change: CheckedChange,
  context: StrategyContext,
): Promise<FieldError[]> {
  const { scheme } = call.registry;
  const { object, old, structural, bytes } = change;
  await step(call, 'validating metadata', bytes);
  const once = validateMetadata(object, kind);
  const ofMetadata = old === undefined ? once : repeated(once, kind, context.subresource);
  await step(call, 'validating', bytes);
  const ofKind = await semanticErrors(call, kind, {
    object,
    context: old === undefined ? context : { ...context, old },
  });
  const semantic = kind.strategy.metadataLast === true && ofKind.length > 0 ? [...ofKind] : [...ofMetadata, ...ofKind];
  if (kind.isCustom === true)
    return [
      ...semantic,
      ...structural,
      ...(await paced(
        call,
        'checking rules',
        ruleErrors(scheme, kind, { ...change, forgiven: ({ field, detail }) => warn(call, `${field}: ${detail}`) }),
      )),
    ];
  const said = new Set(semantic.map((error) => error.field));
  return [...semantic, ...structural.filter((error) => !said.has(error.field))];
}

interface Judged {
  readonly object: KubeObject;
  readonly context: StrategyContext;
}

async function semanticErrors(call: Call, { strategy }: Kind, { object, context }: Judged): Promise<FieldError[]> {
  const work = strategy.validateWork?.(object, context);
  return work === undefined ? (strategy.validate?.(object, context) ?? []) : paced(call, 'validating', work);
}

/**
 * Rules may take for granted that values have their types and limits: of an object that breaks these they are not
 * asked.
 */
function* ruleErrors(
  scheme: Scheme,
  kind: Kind,
  { object, old, structural, forgiven }: CheckedChange & Pick<Required<CheckOptions>, 'forgiven'>,
): Work<FieldError[]> {
  const resolver = resolverOf(scheme);
  if (!hasRules(kind.schema, resolver)) return [];
  return structural.some(({ type }) => BLOCKING.has(type))
    ? [RULES_SKIPPED]
    : yield* checkRulesWork(kind.schema, resolver, { object, old }, { forgiven });
}

const BLOCKING: ReadonlySet<string> = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);
const RULES_SKIPPED = fieldErrors.invalid(
  '<nil>',
  null,
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
);

/** The body of a subresource or of a resource that is not stored. */
export function validateBody(scheme: Scheme, shape: Shape, object: KubeObject): FieldError[] {
  return validateSchema(schemaOf(scheme, shape), object, resolverOf(scheme));
}

/** A patched copy of `object`. Server-side apply is not a function of patch and object alone, and stands elsewhere. */
const STRATEGIC_REFUSED =
  'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml';

export function* patchWork(
  scheme: Scheme,
  shape: Shape,
  request: Pick<PatchRequest, 'type' | 'patch'>,
  object: KubeObject,
): Work<KubeObject> {
  switch (request.type) {
    case 'json': {
      const patched = yield* applyJsonPatchWork(object, request.patch);
      if (!isObject(patched)) {
        const why = 'json: cannot unmarshal array into Go value of type struct';
        throw apiErrors.invalid({ group: '', kind: '' }, '', [
          fieldErrors.invalid('patch', JSON.stringify(patched), why),
        ]);
      }
      return patched;
    }
    case 'merge':
      return applyMergePatch(asJson(object), request.patch);
    case 'strategic':
      if (shape.kind.isCustom === true && isCustomShape(shape)) throw apiErrors.unsupportedMediaType(STRATEGIC_REFUSED);
      return yield* applyStrategicMergePatchWork(
        asJson(object),
        request.patch,
        schemaOf(scheme, shape),
        resolverOf(scheme),
      );
    case 'apply':
      throw new InvariantError('an apply patch needs the managers of fields');
  }
}
