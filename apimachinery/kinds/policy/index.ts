/** policy, rbac, scheduling, coordination, certificates, node, flow control and the reviews. */
import type { FieldError } from '../../status.js';
import type { ExtrasTable } from '../extras.js';
import { qualifiedName } from '../../names.js';
import { validateCountOrPercent } from '../apps/validate.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import { ALL_METADATA, strategyOf } from '../lib/strategy.js';
import { absent, at, child, children, clone, field, fill, fillZero, isRec, list, num, optionalNum, put, recs, same, str, unset, type Rec } from '../lib/value.js';
import * as print from '../printers/policy.js';
import { podDisruptionBudgetPrinter } from '../printers/workloads.js';

const RBAC = 'rbac.authorization.k8s.io';

function defaultBinding(binding: Rec): void {
  const role = field(binding, 'roleRef');
  if (isRec(role)) fillZero(role, 'apiGroup', RBAC);
  for (const subject of children(binding, 'subjects')) {
    if (subject['kind'] === 'User' || subject['kind'] === 'Group') fillZero(subject, 'apiGroup', RBAC);
  }
}

function validateRules(complaints: Complaints, rules: unknown, namespaced: boolean): void {
  for (const [index, rule] of recs(rules).entries()) {
    const path = `rules[${index}]`;
    const urls = list(rule['nonResourceURLs']);
    if (list(rule['verbs']).length === 0) complaints.required(`${path}.verbs`, 'verbs must contain at least one value');
    if (urls.length > 0) {
      if (namespaced) complaints.invalid(`${path}.nonResourceURLs`, urls, 'namespaced rules cannot apply to non-resource URLs');
      if (list(rule['apiGroups']).length + list(rule['resources']).length + list(rule['resourceNames']).length > 0) {
        complaints.invalid(`${path}.nonResourceURLs`, urls, 'rules cannot apply to both regular resources and non-resource URLs');
      }
      continue;
    }
    if (list(rule['apiGroups']).length === 0) complaints.required(`${path}.apiGroups`, 'resource rules must supply at least one api group');
    if (list(rule['resources']).length === 0) complaints.required(`${path}.resources`, 'resource rules must supply at least one resource');
  }
}

function validateBinding(binding: Rec, namespaced: boolean): FieldError[] {
  return complaintsOf((complaints) => {
    const role = field(binding, 'roleRef');
    if (field(role, 'apiGroup') !== RBAC) complaints.unsupported('roleRef.apiGroup', field(role, 'apiGroup') ?? '', [RBAC]);
    complaints.oneOf('roleRef.kind', field(role, 'kind') ?? '', namespaced ? ['ClusterRole', 'Role'] : ['ClusterRole'], true);
    if (unset(field(role, 'name'))) complaints.required('roleRef.name');
    for (const [index, subject] of recs(binding['subjects']).entries()) {
      const path = `subjects[${index}]`;
      const kind = str(subject['kind']);
      if (unset(subject['name'])) complaints.required(`${path}.name`);
      if (kind === 'ServiceAccount') {
        if (!unset(subject['apiGroup'])) complaints.unsupported(`${path}.apiGroup`, subject['apiGroup'], ['']);
        if (!namespaced && unset(subject['namespace'])) complaints.required(`${path}.namespace`);
      } else if (kind === 'User' || kind === 'Group') {
        if (subject['apiGroup'] !== RBAC) complaints.unsupported(`${path}.apiGroup`, subject['apiGroup'], [RBAC]);
      } else {
        complaints.unsupported(`${path}.kind`, kind, ['ServiceAccount', 'User', 'Group']);
      }
    }
  });
}

const role = (namespaced: boolean) => strategyOf({
  allowCreateOnUpdate: true,
  validate: (object) => complaintsOf((complaints) => {
    for (const [index, selector] of recs(at(object, 'aggregationRule', 'clusterRoleSelectors')).entries()) {
      validateLabelSelector(complaints, selector, `aggregationRule.clusterRoleSelectors[${index}]`);
    }
    validateRules(complaints, object['rules'], namespaced);
  }),
});

const binding = (namespaced: boolean) => strategyOf({
  allowCreateOnUpdate: true,
  defaults: defaultBinding,
  validate: (object) => validateBinding(object, namespaced),
  validateUpdate: (object, old) => complaintsOf((complaints) => {
    if (!same(object['roleRef'], old['roleRef'])) complaints.invalid('roleRef', object['roleRef'], 'cannot change roleRef');
  }),
});

const budget = strategyOf({
  status: true, generation: true,
  validate: (object) => complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    if (!absent(field(spec, 'minAvailable')) && !absent(field(spec, 'maxUnavailable'))) {
      complaints.invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set');
    }
    for (const name of ['minAvailable', 'maxUnavailable']) validateCountOrPercent(complaints, field(spec, name), `spec.${name}`);
    validateLabelSelector(complaints, field(spec, 'selector'), 'spec.selector');
    complaints.oneOf('spec.unhealthyPodEvictionPolicy', field(spec, 'unhealthyPodEvictionPolicy'), ['AlwaysAllow', 'IfHealthyBudget']);
  }),
});

const HIGHEST_USER_PRIORITY = 1_000_000_000;

const priorityClass = strategyOf({
  defaults: (object) => fill(object, 'preemptionPolicy', 'PreemptLowerPriority'),
  validate: (object) => complaintsOf((complaints) => {
    const name = str(at(object, 'metadata', 'name'));
    const system = name === 'system-cluster-critical' || name === 'system-node-critical';
    if (name.startsWith('system-') && !system) complaints.forbidden('metadata.name', "priority class names with 'system-' prefix are reserved for system use only. error: only system priority classes may have it");
    if (!system && num(object['value']) > HIGHEST_USER_PRIORITY) {
      complaints.forbidden('value', `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`);
    }
    complaints.oneOf('preemptionPolicy', object['preemptionPolicy'], ['Never', 'PreemptLowerPriority']);
  }),
  validateUpdate: (object, old) => complaintsOf((complaints) => {
    if (num(object['value']) !== num(old['value'])) complaints.forbidden('value', 'may not be changed in an update.');
    if (!same(object['preemptionPolicy'], old['preemptionPolicy'])) complaints.immutable('preemptionPolicy', object['preemptionPolicy'], false);
  }),
});

const lease = strategyOf({
  allowCreateOnUpdate: true,
  validate: (object) => complaintsOf((complaints) => {
    const seconds = optionalNum(at(object, 'spec', 'leaseDurationSeconds'));
    if (seconds !== undefined && seconds <= 0) complaints.invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0');
    complaints.atLeast('spec.leaseTransitions', at(object, 'spec', 'leaseTransitions'));
  }),
});

const WHO = ['username', 'uid', 'groups', 'extra'] as const;

const certificateRequest = strategyOf({
  // Who asks is what authentication found, never what the client wrote.
  create: (object, context) => {
    const spec = child(object, 'spec');
    if (spec === undefined) return;
    for (const name of WHO) delete spec[name];
    spec['username'] = context.user.name;
    if (context.user.uid !== undefined && context.user.uid !== '') spec['uid'] = context.user.uid;
    if (context.user.groups.length > 0) spec['groups'] = [...context.user.groups];
    if (context.user.extra !== undefined) spec['extra'] = clone(context.user.extra);
    object['status'] = {};
  },
  // The request never changes. An approval brings conditions, the signer's status update the certificate with them.
  update: (object, old, context) => {
    put(object, 'spec', clone(old['spec']));
    if (context.subresource === 'status') return;
    const conditions = clone(at(object, 'status', 'conditions'));
    put(object, 'status', clone(old['status']));
    const status = context.subresource === 'approval' ? child(object, 'status') : undefined;
    if (status !== undefined) put(status, 'conditions', conditions);
  },
  validate: (object) => complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    if (unset(field(spec, 'request'))) complaints.invalid('spec.request', '', 'PEM block type must be CERTIFICATE REQUEST');
    if (list(field(spec, 'usages')).length === 0) complaints.required('spec.usages');
    const signer = str(field(spec, 'signerName'));
    if (signer === '') complaints.required('spec.signerName');
    else for (const why of qualifiedName(signer)) complaints.invalid('spec.signerName', signer, why);
    const seconds = optionalNum(field(spec, 'expirationSeconds'));
    if (seconds !== undefined && seconds < 600) complaints.invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 600 seconds (10 minutes)');
  }),
});

const accessReview = strategyOf({
  validate: (object) => complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    const resource = !absent(field(spec, 'resourceAttributes'));
    const path = !absent(field(spec, 'nonResourceAttributes'));
    if (resource && path) complaints.invalid('spec.nonResourceAttributes', field(spec, 'nonResourceAttributes'), 'cannot be specified in combination with resourceAttributes');
    if (!resource && !path) complaints.invalid('spec.resourceAttributes', null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified');
    if (str(at(object, 'kind')) === 'SubjectAccessReview' && unset(field(spec, 'user')) && list(field(spec, 'groups')).length === 0) {
      complaints.invalid('spec.user', '', 'at least one of user or group must be specified');
    }
  }),
});

export const policyExtras: ExtrasTable = {
  'policy/poddisruptionbudgets': { shortNames: ['pdb'], printer: podDisruptionBudgetPrinter, strategy: budget },
  [`${RBAC}/roles`]: { printer: print.createdAtPrinter, strategy: role(true) },
  [`${RBAC}/clusterroles`]: { printer: print.createdAtPrinter, strategy: role(false) },
  [`${RBAC}/rolebindings`]: { printer: print.bindingPrinter, strategy: binding(true) },
  [`${RBAC}/clusterrolebindings`]: { printer: print.bindingPrinter, strategy: binding(false) },
  'scheduling.k8s.io/priorityclasses': { shortNames: ['pc'], printer: print.priorityClassPrinter, strategy: priorityClass },
  'coordination.k8s.io/leases': { printer: print.leasePrinter, strategy: lease },
  'certificates.k8s.io/certificatesigningrequests': {
    shortNames: ['csr'], printer: print.certificateSigningRequestPrinter, strategy: certificateRequest,
    fieldSelectors: { 'spec.signerName': (object) => str(at(object, 'spec', 'signerName')) },
  },
  'node.k8s.io/runtimeclasses': {
    printer: print.runtimeClassPrinter,
    strategy: strategyOf({
      validate: (object) => complaintsOf((complaints) => {
        if (unset(object['handler'])) complaints.required('handler');
      }),
      validateUpdate: (object, old) => complaintsOf((complaints) => complaints.immutable('handler', object['handler'], object['handler'] === old['handler'])),
    }),
  },
  'flowcontrol.apiserver.k8s.io/flowschemas': {
    printer: print.flowSchemaPrinter,
    strategy: strategyOf({
      status: true, statusKeeps: ALL_METADATA, generation: true,
      defaults: (object) => {
        const spec = child(object, 'spec');
        if (spec !== undefined) fillZero(spec, 'matchingPrecedence', 1000);
      },
    }),
  },
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': {
    printer: print.priorityLevelPrinter, strategy: strategyOf({ status: true, statusKeeps: ALL_METADATA, generation: true }),
  },
  'authorization.k8s.io/subjectaccessreviews': { strategy: accessReview },
  'authorization.k8s.io/selfsubjectaccessreviews': { strategy: accessReview },
  'authorization.k8s.io/localsubjectaccessreviews': { strategy: accessReview },
};
