/** admissionregistration, apiextensions and apiregistration: what extends the API. */
import { validateStructural } from '../../crd/validate.js';
import { dns1035Label, dns1123Label, dns1123Subdomain } from '../../names.js';
import type { FieldError } from '../../status.js';
import type { ExtrasTable } from '../extras.js';
import { complaintsOf } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import { absent, at, child, children, clone, field, fill, fillZero, isRec, num, recs, same, str, strs, unset, type Rec } from '../lib/value.js';
import * as print from '../printers/policy.js';

const extensions = ['api-extensions'] as const;

function defaultWebhooks(mutating: boolean): (object: Rec) => void {
  return (object) => {
    for (const webhook of children(object, 'webhooks')) {
      fill(webhook, 'failurePolicy', 'Fail');
      fill(webhook, 'matchPolicy', 'Equivalent');
      fill(webhook, 'namespaceSelector', {});
      fill(webhook, 'objectSelector', {});
      fill(webhook, 'timeoutSeconds', 10);
      if (mutating) fill(webhook, 'reinvocationPolicy', 'Never');
      const service = at(webhook, 'clientConfig', 'service');
      if (isRec(service)) fill(service, 'port', 443);
      for (const rule of children(webhook, 'rules')) fill(rule, 'scope', '*');
    }
  };
}

function validateWebhooks(object: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const names = new Set<string>();
    for (const [index, webhook] of recs(object['webhooks']).entries()) {
      const path = `webhooks[${index}]`;
      const name = str(webhook['name']);
      if (name.split('.').length < 3 || dns1123Subdomain(name).length > 0) {
        complaints.invalid(`${path}.name`, name, 'should be a domain with at least three segments separated by dots');
      }
      if (names.has(name)) complaints.duplicate(`${path}.name`, name);
      names.add(name);
      const effects = webhook['sideEffects'];
      if (unset(effects)) complaints.required(`${path}.sideEffects`, 'must specify one of None, NoneOnDryRun');
      else complaints.oneOf(`${path}.sideEffects`, effects, ['None', 'NoneOnDryRun']);
      if (strs(webhook['admissionReviewVersions']).length === 0) complaints.required(`${path}.admissionReviewVersions`, 'must specify one of v1, v1beta1');
      complaints.oneOf(`${path}.failurePolicy`, webhook['failurePolicy'], ['Fail', 'Ignore']);
      const timeout = num(webhook['timeoutSeconds'], 10);
      if (timeout < 1 || timeout > 30) complaints.invalid(`${path}.timeoutSeconds`, timeout, 'the timeout value must be between 1 and 30 seconds');
      const url = !unset(at(webhook, 'clientConfig', 'url'));
      const service = isRec(at(webhook, 'clientConfig', 'service'));
      if (url === service) complaints.required(`${path}.clientConfig`, 'exactly one of url or service is required');
    }
  });
}

function defaultPolicy(object: Rec): void {
  const spec = child(object, 'spec');
  if (spec === undefined) return;
  fill(spec, 'failurePolicy', 'Fail');
  const match = child(spec, 'matchConstraints');
  if (match !== undefined) defaultMatch(match);
}

function defaultMatch(match: Rec): void {
  fill(match, 'matchPolicy', 'Equivalent');
  fill(match, 'namespaceSelector', {});
  fill(match, 'objectSelector', {});
  for (const name of ['resourceRules', 'excludeResourceRules']) for (const rule of children(match, name)) fill(rule, 'scope', '*');
}

function defaultPolicyBinding(object: Rec): void {
  const match = at(object, 'spec', 'matchResources');
  if (isRec(match)) defaultMatch(match);
}

const webhooks = (mutating: boolean) => ({
  categories: extensions, printer: print.webhookConfigurationPrinter,
  strategy: strategyOf({ generation: true, defaults: defaultWebhooks(mutating), validate: validateWebhooks }),
});

function defaultDefinition(crd: Rec): void {
  const spec = child(crd, 'spec');
  const names = spec === undefined ? undefined : field(spec, 'names');
  if (spec === undefined) return;
  if (isRec(names) && !unset(names['kind'])) {
    fillZero(names, 'singular', str(names['kind']).toLowerCase());
    fillZero(names, 'listKind', `${str(names['kind'])}List`);
  }
  const conversion = child(spec, 'conversion');
  if (conversion !== undefined) fillZero(conversion, 'strategy', 'None');
  const service = at(conversion, 'webhook', 'clientConfig', 'service');
  if (isRec(service)) fill(service, 'port', 443);
}

/** Versions in which objects may lie in the store: the list only grows here. */
function keepStoredVersions(crd: Rec, before: unknown): void {
  const stored = strs(at(before, 'status', 'storedVersions'));
  const storage = recs(at(crd, 'spec', 'versions')).filter((version) => version['storage'] === true).map((version) => str(version['name']));
  const status = child(crd, 'status');
  if (status !== undefined) status['storedVersions'] = [...new Set([...stored, ...storage])];
}

function validateDefinition(crd: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(crd, 'spec');
    const group = str(field(spec, 'group'));
    const plural = str(at(spec, 'names', 'plural'));
    const name = str(at(crd, 'metadata', 'name'));
    if (name !== `${plural}.${group}`) complaints.invalid('metadata.name', name, 'must be spec.names.plural+"."+spec.group');
    if (group === '') complaints.required('spec.group');
    else if (!group.includes('.')) complaints.invalid('spec.group', group, 'should be a domain with at least one dot');
    else complaints.form('spec.group', group, dns1123Subdomain);
    complaints.oneOf('spec.scope', field(spec, 'scope'), ['Cluster', 'Namespaced'], true);
    const versions = recs(field(spec, 'versions'));
    const seen = new Set<string>();
    for (const [index, version] of versions.entries()) {
      const path = `spec.versions[${index}]`;
      complaints.form(`${path}.name`, version['name'], dns1035Label);
      if (seen.has(str(version['name']))) complaints.duplicate(`${path}.name`, version['name']);
      seen.add(str(version['name']));
      if (absent(at(version, 'schema', 'openAPIV3Schema'))) complaints.required(`${path}.schema.openAPIV3Schema`, 'schemas are required');
    }
    const schemas = versions.map((version) => at(version, 'schema', 'openAPIV3Schema'));
    // The same schema for all versions is one complaint, at the place v1beta1 had for it.
    const shared = schemas.every((schema) => same(schema, schemas[0]));
    for (const [index, schema] of schemas.slice(0, shared ? 1 : undefined).entries()) {
      complaints.add(validateStructural(schema, shared ? 'spec.validation.openAPIV3Schema' : `spec.versions[${index}].schema.openAPIV3Schema`));
    }
    if (isProtectedGroup(group) && absent(at(crd, 'metadata', 'annotations', APPROVED))) {
      complaints.required(`metadata.annotations[${APPROVED}]`, `protected groups must have approval annotation "${APPROVED}", see https://github.com/kubernetes/enhancements/pull/1111`);
    }
    if (versions.filter((version) => version['storage'] === true).length !== 1) {
      complaints.invalid('spec.versions', versions, 'must have exactly one version marked as storage version');
    }
    complaints.requiredForm('spec.names.plural', plural, dns1035Label);
    complaints.requiredForm('spec.names.singular', at(spec, 'names', 'singular'), dns1035Label);
    for (const [index, short] of strs(at(spec, 'names', 'shortNames')).entries()) complaints.form(`spec.names.shortNames[${index}]`, short, dns1035Label);
    for (const key of ['kind', 'listKind']) complaints.requiredForm(`spec.names.${key}`, at(spec, 'names', key), (value) => dns1035Label(value.toLowerCase()));
    const stored = strs(at(crd, 'status', 'storedVersions'));
    for (const [index, version] of stored.entries()) {
      if (!seen.has(version)) complaints.invalid(`status.storedVersions[${index}]`, version, 'missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in it and removes it from status.storedVersions'.replace('v1', version));
    }
  });
}

const APPROVED = 'api-approved.kubernetes.io';
const isProtectedGroup = (group: string): boolean => ['k8s.io', 'kubernetes.io'].some((owner) => group === owner || group.endsWith(`.${owner}`));

const FIXED = [['spec', 'group'], ['spec', 'scope'], ['spec', 'names', 'plural'], ['spec', 'names', 'kind']] as const;

const definition = strategyOf({
  status: true, generation: true, defaults: defaultDefinition,
  create: (crd) => keepStoredVersions(crd, undefined),
  update: (crd, old, context) => {
    if (context.subresource !== 'status') keepStoredVersions(crd, clone(old));
  },
  validate: validateDefinition,
  validateUpdate: (crd, old) => complaintsOf((complaints) => {
    const established = recs(at(old, 'status', 'conditions')).some((c) => c['type'] === 'Established' && c['status'] === 'True');
    for (const path of FIXED) {
      if (path[1] !== 'group' && !established) continue;
      complaints.immutable(path.join('.'), at(crd, ...path), at(crd, ...path) === at(old, ...path));
    }
  }),
});

const apiService = strategyOf({
  status: true,
  defaults: (object) => {
    const service = at(object, 'spec', 'service');
    if (isRec(service)) fill(service, 'port', 443);
  },
  validate: (object) => complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    const version = str(field(spec, 'version'));
    const group = str(field(spec, 'group'));
    if (str(at(object, 'metadata', 'name')) !== `${version}.${group}`) {
      complaints.invalid('metadata.name', at(object, 'metadata', 'name'), `must be \`spec.version+"."+spec.group\`: "${version}.${group}"`);
    }
    complaints.requiredForm('spec.version', version, dns1123Label);
    const priority = num(field(spec, 'groupPriorityMinimum'));
    if (priority <= 0 || priority > 20_000) complaints.invalid('spec.groupPriorityMinimum', priority, 'must be positive and less than 20000');
  }),
});

const policy = strategyOf({ status: true, generation: true, defaults: defaultPolicy });
const policyBinding = strategyOf({ generation: true, defaults: defaultPolicyBinding });

export const extensionExtras: ExtrasTable = {
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhooks(true),
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhooks(false),
  'admissionregistration.k8s.io/validatingadmissionpolicies': { categories: extensions, printer: print.admissionPolicyPrinter, strategy: policy },
  'admissionregistration.k8s.io/mutatingadmissionpolicies': { categories: extensions, printer: print.mutatingPolicyPrinter, strategy: policy },
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': { categories: extensions, printer: print.admissionPolicyBindingPrinter, strategy: policyBinding },
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': { categories: extensions, printer: print.admissionPolicyBindingPrinter, strategy: policyBinding },
  'apiextensions.k8s.io/customresourcedefinitions': {
    shortNames: ['crd', 'crds'], categories: extensions, storagePrefix: 'apiextensions.k8s.io/customresourcedefinitions',
    printer: print.createdAtPrinter, strategy: definition,
  },
  'apiregistration.k8s.io/apiservices': {
    categories: extensions, storagePrefix: 'apiregistration.k8s.io/apiservices', printer: print.apiServicePrinter, strategy: apiService,
  },
};
