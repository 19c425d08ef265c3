/** CustomResourceDefinitions: defaults, validation, and which versions may lie in the store. */
import { conversionErrors } from '../../crd/conversion-errors.js';
import { finish } from '../../../platform/work.js';
import type { Work } from '../../../platform/work.js';
import { validateSchemaWork } from '../../crd/validate.js';
import { scaleErrors } from '../../crd/scale-errors.js';
import { versionErrors } from '../../crd/version-errors.js';
import { dns1035Label, dns1123Subdomain } from '../../names.js';
import type { StrategyContext } from '../../kind.js';
import { FIELD_ERRORS_MAX } from '../../status.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import { absent, at, child, clone, field, fill, fillZero, isRec, recs, same, str, strs, unset, type Rec } from '../lib/value.js';

function defaultDefinition(crd: Rec): void {
  const spec = child(crd, 'spec');
  const names = spec === undefined ? undefined : field(spec, 'names');
  if (spec === undefined) return;
  if (isRec(names) && !unset(names['kind'])) {
    fillZero(names, 'singular', str(names['kind']).toLowerCase());
    fillZero(names, 'listKind', `${str(names['kind'])}List`);
  }
  fill(spec, 'conversion', { strategy: 'None' });
  const service = at(spec, 'conversion', 'webhook', 'clientConfig', 'service');
  if (isRec(service)) fill(service, 'port', 443);
}

/** Versions in which objects may lie in the store: the list only grows here. */
function keepStoredVersions(crd: Rec, before: unknown): void {
  const stored = strs(at(before, 'status', 'storedVersions'));
  const storage = recs(at(crd, 'spec', 'versions')).filter((version) => version['storage'] === true).map((version) => str(version['name']));
  const status = child(crd, 'status');
  if (status !== undefined) status['storedVersions'] = [...new Set([...stored, ...storage])];
}

function* validateDefinition(crd: Rec, context?: StrategyContext): Work<FieldError[]> {
  // What a controller writes into status is not judged by the rules of the spec: it could not mend them.
  if (context?.subresource === 'status') return nameForms(at(crd, 'status', 'acceptedNames'), 'status.acceptedNames');
  const ofVersions = yield* versionsErrors(recs(at(crd, 'spec', 'versions')), recs(at(context?.old, 'spec', 'versions')));
  return complaintsOf((complaints) => {
    const spec = field(crd, 'spec');
    const group = str(field(spec, 'group'));
    const plural = str(at(spec, 'names', 'plural'));
    const name = str(at(crd, 'metadata', 'name'));
    if (name !== '' && name !== `${plural}.${group}`) complaints.invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group');
    if (group === '') complaints.required('spec.group');
    else validateGroup(complaints, group);
    complaints.oneOf('spec.scope', field(spec, 'scope'), ['Cluster', 'Namespaced'], true);
    const versions = recs(field(spec, 'versions'));
    complaints.add(ofVersions);
    if (isProtectedGroup(group) && absent(at(crd, 'metadata', 'annotations', APPROVED))) {
      complaints.required(`metadata.annotations[${APPROVED}]`, `protected groups must have approval annotation "${APPROVED}", see https://github.com/kubernetes/enhancements/pull/1111`);
    }
    if (versions.filter((version) => version['storage'] === true).length !== 1) {
      complaints.invalid('spec.versions', field(spec, 'versions') ?? null, 'must have exactly one version marked as storage version');
    }
    // The first version has a field of its own in Kubernetes' internal type.
    const first = str(versions[0]?.['name']);
    const wrongFirst = first === '' ? [] : dns1035Label(first);
    if (wrongFirst.length > 0) complaints.invalid('spec.version', first, wrongFirst.join(','));
    for (const key of ['plural', 'singular', 'kind', 'listKind']) if (str(at(spec, 'names', key)) === '') complaints.required(`spec.names.${key}`);
    complaints.add(nameForms(at(spec, 'names'), 'spec.names'));
    complaints.add(conversionErrors(field(spec, 'conversion'), 'spec.conversion'));
    complaints.add(storedVersionsErrors(strs(at(crd, 'status', 'storedVersions')), versions));
  });
}

function validateGroup(complaints: Complaints, group: string): void {
  const wrong = dns1123Subdomain(group);
  if (wrong.length > 0) complaints.invalid('spec.group', group, wrong.join(','));
  else if (!group.includes('.')) complaints.invalid('spec.group', group, 'should be a domain with at least one dot');
}

/** Names that are there must have their form; some may be empty in status. */
function nameForms(names: unknown, path: string): FieldError[] {
  return complaintsOf((complaints) => {
    const form = (key: string, value: unknown, check = dns1035Label) => { if (str(value) !== '') complaints.form(`${path}.${key}`, str(value), check); };
    for (const key of ['plural', 'singular']) form(key, field(names, key));
    for (const key of ['kind', 'listKind']) {
      form(key, field(names, key), (value) => dns1035Label(value.toLowerCase()).map((why) => `may have mixed case, but should otherwise match: ${why}`));
    }
    for (const key of ['shortNames', 'categories']) for (const [index, name] of strs(field(names, key)).entries()) form(`${key}[${index}]`, name);
    const kind = str(field(names, 'kind'));
    if (kind !== '' && kind === str(field(names, 'listKind'))) complaints.invalid(`${path}.listKind`, kind, 'kind and listKind may not be the same');
  });
}

const schemaOf = (version: unknown): unknown => at(version, 'schema', 'openAPIV3Schema');

function* versionsErrors(versions: readonly Rec[], before: readonly Rec[]): Work<FieldError[]> {
  const ofSchemas = yield* schemasErrors(versions, before);
  return complaintsOf((complaints) => {
    const seen = new Set<string>();
    // The same subresources for all versions are one complaint, at the place v1beta1 had for them.
    const isShared = versions.every((version) => same(version['subresources'], versions[0]?.['subresources']));
    if (isShared && versions[0] !== undefined) complaints.add(scaleErrors(versions[0], 'spec.subresources'));
    for (const [index, version] of versions.entries()) {
      const path = `spec.versions[${index}]`;
      const name = str(version['name']);
      complaints.form(`${path}.name`, name, dns1035Label);
      if (seen.has(name)) complaints.duplicate(`${path}.name`, name);
      seen.add(name);
      if (absent(schemaOf(version))) complaints.required(`${path}.schema.openAPIV3Schema`);
      complaints.add(ofSchemas[index] ?? []);
      complaints.add(versionErrors(version, path));
      if (!isShared) complaints.add(scaleErrors(version, `${path}.subresources`));
    }
  });
}

/** By version. */
function* schemasErrors(versions: readonly Rec[], before: readonly Rec[]): Work<FieldError[][]> {
  const shared = versions.every((version) => same(schemaOf(version), schemaOf(versions[0])));
  const errors: FieldError[][] = [];
  for (const [index, version] of versions.entries()) {
    // A schema that was accepted stays so, also when a newer server knows more rules.
    const old = before.find((one) => str(one['name']) === str(version['name']));
    const isKnown = (shared && index > 0) || (old !== undefined && same(schemaOf(old), schemaOf(version)));
    // The same schema for all versions is one complaint, at the place v1beta1 had for it.
    const path = shared ? 'spec.validation.openAPIV3Schema' : `spec.versions[${index}].schema.openAPIV3Schema`;
    errors.push(isKnown ? [] : yield* validateSchemaWork(schemaOf(version), path));
    yield VERSION_UNITS;
    if (errors.reduce((count, some) => count + some.length, 0) >= FIELD_ERRORS_MAX) break;
  }
  return errors;
}

/** Schemas are compared with others. */
const VERSION_UNITS = 2000;

const KEEP_VERSION = (version: string): string => `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration `
  + `ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`;

function storedVersionsErrors(stored: readonly string[], versions: readonly Rec[]): FieldError[] {
  const names = new Set(versions.map((version) => str(version['name'])));
  return complaintsOf((complaints) => {
    for (const [index, version] of stored.entries()) {
      if (!names.has(version)) complaints.invalid(`status.storedVersions[${index}]`, version, KEEP_VERSION(version));
    }
  });
}

const APPROVED = 'api-approved.kubernetes.io';
const isProtectedGroup = (group: string): boolean => ['k8s.io', 'kubernetes.io'].some((owner) => group === owner || group.endsWith(`.${owner}`));

const FIXED = [['spec', 'group'], ['spec', 'scope'], ['spec', 'names', 'plural'], ['spec', 'names', 'kind']] as const;

export const definition = strategyOf({
  allowUnconditionalUpdate: false,
  status: true, generation: true, defaults: defaultDefinition,
  create: (crd) => keepStoredVersions(crd, undefined),
  update: (crd, old, context) => {
    if (context.subresource !== 'status') keepStoredVersions(crd, clone(old));
  },
  validate: (crd, context) => finish(validateDefinition(crd, context)),
  validateWork: validateDefinition,
  validateUpdate: (crd, old) => complaintsOf((complaints) => {
    const established = recs(at(old, 'status', 'conditions')).some((c) => c['type'] === 'Established' && c['status'] === 'True');
    for (const path of FIXED) {
      if (path[1] !== 'group' && !established) continue;
      complaints.immutable(path.join('.'), at(crd, ...path), at(crd, ...path) === at(old, ...path));
    }
  }),
});
