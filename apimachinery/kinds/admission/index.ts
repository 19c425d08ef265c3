/** admissionregistration, apiextensions and apiregistration: what extends the API. */
import { dns1123Label } from '../../names.js';
import type { FieldError } from '../../status.js';
import type { ExtrasTable } from '../extras.js';
import { complaintsOf } from '../lib/complaints.js';
import { ALL_METADATA, strategyOf } from '../lib/strategy.js';
import { definition } from './definition.js';
import {
  validateMutatingBinding,
  validateMutatingPolicy,
  validateValidatingBinding,
  validateValidatingPolicy,
} from './policies.js';
import { validateWebhooks } from './webhooks.js';
import { at, child, children, field, fill, isRec, num, str, type Rec } from '../lib/value.js';
import * as print from '../printers/policy.js';

const extensions = ['api-extensions'] as const;
/** Who changes such an object says which version of it he read. */
const CONDITIONAL = { allowUnconditionalUpdate: false } as const;

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

function defaultPolicy(object: Rec): void {
  const spec = child(object, 'spec');
  if (spec === undefined) return;
  fill(spec, 'failurePolicy', 'Fail');
  if (isRec(spec['matchConstraints'])) defaultMatch(spec['matchConstraints']);
}

function defaultMatch(match: Rec): void {
  fill(match, 'matchPolicy', 'Equivalent');
  fill(match, 'namespaceSelector', {});
  fill(match, 'objectSelector', {});
  for (const name of ['resourceRules', 'excludeResourceRules'])
    for (const rule of children(match, name)) fill(rule, 'scope', '*');
}

function defaultPolicyBinding(object: Rec): void {
  const match = at(object, 'spec', 'matchResources');
  if (isRec(match)) defaultMatch(match);
}

const webhooks = (mutating: boolean) => ({
  categories: extensions,
  printer: print.webhookConfigurationPrinter,
  strategy: strategyOf({
    ...CONDITIONAL,
    generation: true,
    defaults: defaultWebhooks(mutating),
    validatesAll: true,
    validateWork: validateWebhooks,
  }),
});

const apiService = strategyOf({
  status: true,
  statusKeeps: ALL_METADATA,
  defaults: (object) => {
    const service = at(object, 'spec', 'service');
    if (isRec(service)) fill(service, 'port', 443);
  },
  validate: (object) =>
    complaintsOf((complaints) => {
      const spec = field(object, 'spec');
      const version = str(field(spec, 'version'));
      const group = str(field(spec, 'group'));
      if (str(at(object, 'metadata', 'name')) !== `${version}.${group}`) {
        complaints.invalid(
          'metadata.name',
          at(object, 'metadata', 'name'),
          `must be \`spec.version+"."+spec.group\`: "${version}.${group}"`,
        );
      }
      complaints.requiredForm('spec.version', version, dns1123Label);
      const priority = num(field(spec, 'groupPriorityMinimum'));
      if (priority <= 0 || priority > 20_000)
        complaints.invalid('spec.groupPriorityMinimum', priority, 'must be positive and less than 20000');
    }),
});

const validatingPolicy = strategyOf({
  ...CONDITIONAL,
  status: true,
  statusKeeps: ALL_METADATA,
  generation: true,
  defaults: defaultPolicy,
  validatesAll: true,
  validateWork: validateValidatingPolicy,
});
const mutatingPolicy = strategyOf({
  ...CONDITIONAL,
  generation: true,
  defaults: defaultPolicy,
  validatesAll: true,
  validateWork: validateMutatingPolicy,
});
const policyBinding = (validate: (binding: Rec) => FieldError[]) =>
  strategyOf({ ...CONDITIONAL, generation: true, defaults: defaultPolicyBinding, validatesAll: true, validate });

export const extensionExtras: ExtrasTable = {
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhooks(true),
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhooks(false),
  'admissionregistration.k8s.io/validatingadmissionpolicies': {
    categories: extensions,
    printer: print.admissionPolicyPrinter,
    strategy: validatingPolicy,
  },
  'admissionregistration.k8s.io/mutatingadmissionpolicies': {
    categories: extensions,
    printer: print.mutatingPolicyPrinter,
    strategy: mutatingPolicy,
  },
  'admissionregistration.k8s.io/validatingadmissionpolicybindings': {
    categories: extensions,
    printer: print.admissionPolicyBindingPrinter,
    strategy: policyBinding(validateValidatingBinding),
  },
  'admissionregistration.k8s.io/mutatingadmissionpolicybindings': {
    categories: extensions,
    printer: print.admissionPolicyBindingPrinter,
    strategy: policyBinding(validateMutatingBinding),
  },
  'apiextensions.k8s.io/customresourcedefinitions': {
    shortNames: ['crd', 'crds'],
    categories: extensions,
    storagePrefix: 'apiextensions.k8s.io/customresourcedefinitions',
    printer: print.createdAtPrinter,
    strategy: definition,
  },
  'apiregistration.k8s.io/apiservices': {
    categories: extensions,
    storagePrefix: 'apiregistration.k8s.io/apiservices',
    printer: print.apiServicePrinter,
    strategy: apiService,
  },
};
