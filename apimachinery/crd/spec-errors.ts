/**
 * `spec` of a CustomResourceDefinition, in the words and the order of
 * k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation. What all versions have in common is judged once, at
 * the place that v1beta1 had for it: kube-apiserver's internal type still has these.
 */
import type { Work } from '../../platform/work.js';
import { same } from '../kinds/lib/value.js';
import { dns1035Label, dns1123Subdomain } from '../names.js';
import { FIELD_ERRORS_MAX, fieldErrors } from '../status.js';
import type { FieldError } from '../status.js';
import { isObject } from '../value.js';
import type { JsonObject } from '../value.js';
import { conversionErrors } from './conversion-errors.js';
import type { ConversionOptions } from './conversion-errors.js';
import { invalidVersions } from './go-structs.js';
import { namesErrors } from './name-errors.js';
import { scaleErrors } from './scale-errors.js';
import { listOf, textOf } from './structural.js';
import { validateSchemaWork } from './validate.js';
import { columnsErrors, deprecationErrors, selectableErrors } from './version-errors.js';

export interface SpecOptions extends ConversionOptions {
  /** The spec before an update. */
  readonly old?: JsonObject;
  /** Names and scope of an established definition stay. */
  readonly established?: boolean;
}

const SHARED = ['subresources', 'schema', 'additionalPrinterColumns', 'selectableFields'] as const;
type Shared = Readonly<Record<(typeof SHARED)[number], unknown>>;

export function* specErrors(spec: JsonObject, options: SpecOptions = {}): Work<FieldError[]> {
  const versions = listOf(spec['versions']).map((version) => (isObject(version) ? version : {}));
  const shared = sharedOf(versions);
  const ofSchemas = yield* schemasErrors(versions, shared, options.old);
  return [
    ...groupErrors(textOf(spec['group'])),
    ...scopeErrors(textOf(spec['scope'])),
    ...missingSchemas(versions),
    ...preservedDefaults(spec, versions),
    ...versions.flatMap((version, index) =>
      versionErrors(version, `spec.versions[${index}]`, { shared, ofSchema: ofSchemas.versions[index] ?? [] }),
    ),
    ...togetherErrors(spec, versions, shared),
    ...namesRequired(spec['names']),
    ...namesErrors(spec['names'], 'spec.names'),
    ...ofSchemas.shared,
    ...scaleErrors(shared.subresources, 'spec.subresources'),
    ...columnsErrors(shared.additionalPrinterColumns, 'spec.additionalPrinterColumns'),
    ...sharedSelectable(shared),
    ...preservedConversion(spec),
    ...conversionErrors(spec['conversion'], 'spec.conversion', options),
    ...immutableErrors(spec, options),
  ];
}

/** What all versions say alike; undefined where they do not. */
function sharedOf(versions: readonly JsonObject[]): Shared {
  const [first = {}] = versions;
  const common = (name: string): unknown =>
    versions.every((version) => same(version[name], first[name])) ? first[name] : undefined;
  return {
    subresources: common('subresources'),
    schema: common('schema'),
    additionalPrinterColumns: common('additionalPrinterColumns'),
    selectableFields: common('selectableFields'),
  };
}

const isGiven = (value: unknown): boolean =>
  value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
const propsOf = (schema: unknown): JsonObject | undefined =>
  isObject(schema) && isObject(schema['openAPIV3Schema']) ? schema['openAPIV3Schema'] : undefined;
const hasStatus = (version: JsonObject): boolean =>
  isObject(version['subresources']) && isGiven(version['subresources']['status']);

function groupErrors(group: string): FieldError[] {
  if (group === '') return [fieldErrors.required('spec.group')];
  const wrong = dns1123Subdomain(group);
  if (wrong.length > 0) return [fieldErrors.invalid('spec.group', group, wrong.join(','))];
  return group.includes('.')
    ? []
    : [fieldErrors.invalid('spec.group', group, 'should be a domain with at least one dot')];
}

const SCOPES = ['Cluster', 'Namespaced'];

function scopeErrors(scope: string): FieldError[] {
  if (scope === '') return [fieldErrors.required('spec.scope')];
  return SCOPES.includes(scope) ? [] : [fieldErrors.notSupported('spec.scope', scope, SCOPES)];
}

function missingSchemas(versions: readonly JsonObject[]): FieldError[] {
  return versions.flatMap((version, index) =>
    propsOf(version['schema']) === undefined
      ? [fieldErrors.required(`spec.versions[${index}].schema.openAPIV3Schema`)]
      : [],
  );
}

function preservedDefaults(spec: JsonObject, versions: readonly JsonObject[]): FieldError[] {
  if (spec['preserveUnknownFields'] !== true || !versions.some((version) => hasDefaults(propsOf(version['schema']))))
    return [];
  return [
    fieldErrors.invalid('spec.preserveUnknownFields', true, 'must be false in order to use defaults in the schema'),
  ];
}

function hasDefaults(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasDefaults);
  return isObject(value) && (value['default'] !== undefined || Object.values(value).some(hasDefaults));
}

function preservedConversion(spec: JsonObject): FieldError[] {
  const strategy = isObject(spec['conversion']) ? textOf(spec['conversion']['strategy']) : 'None';
  if (spec['preserveUnknownFields'] !== true || strategy === 'None') return [];
  return [
    fieldErrors.invalid('spec.conversion.strategy', strategy, 'must be None if spec.preserveUnknownFields is true'),
  ];
}

interface VersionContext {
  readonly shared: Shared;
  readonly ofSchema: readonly FieldError[];
}

function versionErrors(version: JsonObject, path: string, { shared, ofSchema }: VersionContext): FieldError[] {
  const wrong = dns1035Label(textOf(version['name']));
  const own = (name: keyof Shared): unknown => (shared[name] === undefined ? version[name] : undefined);
  return [
    ...(wrong.length === 0 ? [] : [fieldErrors.invalid(`${path}.name`, textOf(version['name']), wrong.join(','))]),
    ...deprecationErrors(version, `${path}.deprecationWarning`),
    ...ofSchema,
    ...scaleErrors(own('subresources'), `${path}.subresources`),
    ...columnsErrors(own('additionalPrinterColumns'), `${path}.additionalPrinterColumns`),
    ...selectable(own('selectableFields'), propsOf(own('schema')), {
      path: `${path}.selectableFields`,
      missing: 'may only be set when `version.schema.openAPIV3Schema` is not included',
    }),
  ];
}

function selectable(
  fields: unknown,
  props: JsonObject | undefined,
  { path, missing }: { readonly path: string; readonly missing: string },
): FieldError[] {
  if (!isGiven(fields)) return [];
  return props === undefined ? [fieldErrors.invalid(path, '', missing)] : selectableErrors(fields, props, path);
}

const sharedSelectable = (shared: Shared): FieldError[] =>
  selectable(shared.selectableFields, propsOf(shared.schema), {
    path: 'spec.selectableFields',
    missing: 'may only be set when validations.schema is included',
  });

function togetherErrors(spec: JsonObject, versions: readonly JsonObject[], shared: Shared): FieldError[] {
  const errors: FieldError[] = [];
  const alone = versions.map((version) =>
    Object.fromEntries(
      Object.entries(version).filter(([name]) => !SHARED.some((one) => one === name && shared[one] !== undefined)),
    ),
  );
  const shown = Array.isArray(spec['versions']) ? alone : null;
  const names = versions.map((version) => textOf(version['name']));
  if (new Set(names).size < names.length)
    errors.push(invalidVersions('spec.versions', shown, 'must contain unique version names'));
  if (versions.filter((version) => version['storage'] === true).length !== 1) {
    errors.push(invalidVersions('spec.versions', shown, 'must have exactly one version marked as storage version'));
  }
  // The first version has a field of its own in the internal type.
  const [first = ''] = names;
  const wrong = first === '' ? [] : dns1035Label(first);
  if (wrong.length > 0) errors.push(fieldErrors.invalid('spec.version', first, wrong.join(',')));
  return errors;
}

const namesRequired = (names: unknown): FieldError[] =>
  ['plural', 'singular', 'kind', 'listKind']
    .filter((name) => !isObject(names) || textOf(names[name]) === '')
    .map((name) => fieldErrors.required(`spec.names.${name}`));

function immutableErrors(spec: JsonObject, { old, established }: SpecOptions): FieldError[] {
  if (old === undefined) return [];
  const nameOf = (one: JsonObject, name: string): string => (isObject(one['names']) ? textOf(one['names'][name]) : '');
  const fixed: readonly (readonly [string, string, string, boolean])[] = [
    ['spec.scope', textOf(spec['scope']), textOf(old['scope']), established === true],
    ['spec.names.kind', nameOf(spec, 'kind'), nameOf(old, 'kind'), established === true],
    ['spec.group', textOf(spec['group']), textOf(old['group']), true],
    ['spec.names.plural', nameOf(spec, 'plural'), nameOf(old, 'plural'), true],
  ];
  return fixed
    .filter(([, value, before, isFixed]) => isFixed && value !== before)
    .map(([path, value]) => fieldErrors.invalid(path, value, 'field is immutable'));
}

interface OfSchemas {
  readonly versions: readonly (readonly FieldError[])[];
  readonly shared: readonly FieldError[];
}

function* schemasErrors(
  versions: readonly JsonObject[],
  { schema }: Shared,
  old: JsonObject | undefined,
): Work<OfSchemas> {
  const before = old === undefined ? [] : listOf(old['versions']).filter(isObject);
  // A schema that was accepted stays so, also when a newer server knows more rules.
  const isKnown = (version: JsonObject): boolean =>
    before.some((one) => textOf(one['name']) === textOf(version['name']) && same(one['schema'], version['schema']));
  if (schema !== undefined) {
    const path = 'spec.validation.openAPIV3Schema';
    return {
      versions: [],
      shared: versions.every(isKnown)
        ? []
        : yield* validateSchemaWork(propsOf(schema), path, { hasStatus: versions.some(hasStatus) }),
    };
  }
  const errors: FieldError[][] = [];
  for (const [index, version] of versions.entries()) {
    const path = `spec.versions[${index}].schema.openAPIV3Schema`;
    errors.push(
      isKnown(version)
        ? []
        : yield* validateSchemaWork(propsOf(version['schema']), path, { hasStatus: hasStatus(version) }),
    );
    yield VERSION_UNITS;
    if (errors.reduce((count, some) => count + some.length, 0) >= FIELD_ERRORS_MAX) break;
  }
  return { versions: errors, shared: [] };
}

/** Schemas are compared with others. */
const VERSION_UNITS = 2000;
