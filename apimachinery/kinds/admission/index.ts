/** admissionregistration, apiextensions and apiregistration: what extends the API. */
import { dns1123Label, dns1123Subdomain } from '../../names.js';
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import type { ExtrasTable } from '../extras.js';
import { complaintsOf } from '../lib/complaints.js';
import { ALL_METADATA, strategyOf } from '../lib/strategy.js';
import { definition } from './definition.js';
import { mutatingPolicyErrors, validatingPolicyErrors, webhookConditionErrors } from './expressions.js';
import { at, child, children, field, fill, isRec, num, recs, str, strs, unset, type Rec } from '../lib/value.js';
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

function validateWebhooks(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    complaints.add(webhookConditionErrors(recs(object['webhooks']), recs(at(context?.old, 'webhooks'))));
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

const apiService = strategyOf({
  status: true, statusKeeps: ALL_METADATA,
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

function validatePolicy(object: Rec, context?: StrategyContext): FieldError[] {
  if (context?.subresource === 'status') return [];
  return complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    complaints.oneOf('spec.failurePolicy', field(spec, 'failurePolicy'), ['Fail', 'Ignore']);
    if (!isRec(field(spec, 'matchConstraints'))) complaints.required('spec.matchConstraints');
    else if (recs(at(spec, 'matchConstraints', 'resourceRules')).length === 0) complaints.required('spec.matchConstraints.resourceRules');
  });
}

const validatingPolicy = strategyOf({
  status: true, statusKeeps: ALL_METADATA, generation: true, defaults: defaultPolicy,
  validate: (object, context) => [...validatePolicy(object, context), ...(context?.subresource === 'status' ? [] : validatingPolicyErrors(object, context?.old))],
});
const mutatingPolicy = strategyOf({
  generation: true, defaults: defaultPolicy, validate: (object, context) => [...validatePolicy(object, context), ...mutatingPolicyErrors(object, context?.old)],
});
const policyBinding = strategyOf({ generation: true, defaults: defaultPolicyBinding });

export const extensionExtras: ExtrasTable = {
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhooks(true),
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhooks(false),
  'admissionregistration.k8s.io/validatingadmissionpolicies': { categories: extensions, printer: print.admissionPolicyPrinter, strategy: validatingPolicy },
  'admissionregistration.k8s.io/mutatingadmissionpolicies': { categories: extensions, printer: print.mutatingPolicyPrinter, strategy: mutatingPolicy },
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
