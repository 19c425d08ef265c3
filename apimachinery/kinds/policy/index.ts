/** policy, rbac, scheduling, coordination, certificates, node, flow control and the reviews. */
import { dns1123Label } from '../../names.js';
import type { FieldError } from '../../status.js';
import { validateAtMost100Percent, validateCountOrPercent } from '../apps/validate.js';
import type { ExtrasTable } from '../extras.js';
import { complaintsOf } from '../lib/complaints.js';
import { validateLabels, validateLabelSelector } from '../lib/label-validation.js';
import { strategyOf } from '../lib/strategy.js';
import { validateConditions } from '../lib/validate-conditions.js';
import {
  absent,
  at,
  field,
  fill,
  isRec,
  list,
  num,
  optionalNum,
  recs,
  same,
  str,
  unset,
  type Rec,
} from '../lib/value.js';
import { validateResources } from '../pod/validate-resources.js';
import { validateTolerations } from '../pod/validate-scheduling.js';
import { certificateRequest } from './certificates.js';
import { flowSchema, priorityLevel } from './flow-control.js';
import { binding, RBAC, role } from './rbac.js';
import * as print from '../printers/policy.js';
import { podDisruptionBudgetPrinter } from '../printers/workloads.js';

/** As Go's internal type is printed. */
const shownBudget = (spec: unknown): unknown => ({
  MinAvailable: field(spec, 'minAvailable'),
  Selector: field(spec, 'selector') ?? null,
  MaxUnavailable: field(spec, 'maxUnavailable'),
  UnhealthyPodEvictionPolicy: field(spec, 'unhealthyPodEvictionPolicy') ?? null,
});

const COUNTS = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'];

const budget = strategyOf({
  allowUnconditionalUpdate: false,
  status: true,
  generation: true,
  validatesAll: true,
  metadataLast: true,
  validate: (object, context) =>
    complaintsOf((complaints) => {
      if (context?.subresource === 'status') {
        validateConditions(complaints, at(object, 'status', 'conditions'), 'status.conditions');
        for (const name of COUNTS) complaints.atLeast(`status.${name}`, at(object, 'status', name));
        return;
      }
      const spec = field(object, 'spec');
      if (!absent(field(spec, 'minAvailable')) && !absent(field(spec, 'maxUnavailable'))) {
        complaints.invalid('spec', shownBudget(spec), 'minAvailable and maxUnavailable cannot be both set');
      }
      for (const name of ['minAvailable', 'maxUnavailable']) {
        validateCountOrPercent(complaints, field(spec, name), `spec.${name}`);
        validateAtMost100Percent(complaints, field(spec, name), `spec.${name}`);
      }
      validateLabelSelector(complaints, field(spec, 'selector'), 'spec.selector');
      complaints.enumerated('spec.unhealthyPodEvictionPolicy', field(spec, 'unhealthyPodEvictionPolicy'), [
        'AlwaysAllow',
        'IfHealthyBudget',
      ]);
    }),
});

const HIGHEST_USER_PRIORITY = 1_000_000_000;
const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

/** Names that begin with `system-` are the system's, with values that do not change. */
function systemPriorityComplaint(object: Rec, name: string): string | undefined {
  const value = Object.hasOwn(SYSTEM_PRIORITIES, name) ? SYSTEM_PRIORITIES[name] : undefined;
  if (value === undefined) return `${name} is not a known system priority class`;
  if (num(object['value']) !== value) return `value of ${name} PriorityClass must be ${value}`;
  return object['globalDefault'] === true ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

const priorityClass = strategyOf({
  generation: { fixed: true },
  defaults: (object) => fill(object, 'preemptionPolicy', 'PreemptLowerPriority'),
  validatesAll: true,
  // Neither name nor value changes: an update has nothing to break but what validateUpdate compares.
  validate: (object, context) =>
    complaintsOf((complaints) => {
      if (context?.old !== undefined) return;
      const name = str(at(object, 'metadata', 'name'));
      const wrong = name.startsWith('system-') ? systemPriorityComplaint(object, name) : undefined;
      if (wrong !== undefined)
        complaints.forbidden(
          'metadata.name',
          `priority class names with 'system-' prefix are reserved for system use only. error: ${wrong}`,
        );
      if (!name.startsWith('system-') && num(object['value']) > HIGHEST_USER_PRIORITY)
        complaints.forbidden('value', `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`);
      if (!absent(object['preemptionPolicy']))
        complaints.oneOf('preemptionPolicy', object['preemptionPolicy'], ['PreemptLowerPriority', 'Never'], true);
    }),
  validateUpdate: (object, old) =>
    complaintsOf((complaints) => {
      if (num(object['value']) !== num(old['value'])) complaints.forbidden('value', 'may not be changed in an update.');
      complaints.immutable(
        'preemptionPolicy',
        object['preemptionPolicy'],
        same(object['preemptionPolicy'], old['preemptionPolicy']),
      );
    }),
});

/** Leases by coordinated leader election are not on: their fields are not kept. */
function dropCoordination(object: Rec): void {
  const spec = field(object, 'spec');
  if (!isRec(spec)) return;
  delete spec['strategy'];
  delete spec['preferredHolder'];
}

const lease = strategyOf({
  allowUnconditionalUpdate: false,
  allowCreateOnUpdate: true,
  validatesAll: true,
  create: dropCoordination,
  update: (object, old) => {
    if (unset(at(old, 'spec', 'strategy'))) dropCoordination(object);
  },
  validate: (object) =>
    complaintsOf((complaints) => {
      const seconds = optionalNum(at(object, 'spec', 'leaseDurationSeconds'));
      if (seconds !== undefined && seconds <= 0)
        complaints.invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0');
      complaints.atLeast('spec.leaseTransitions', at(object, 'spec', 'leaseTransitions'));
    }),
});

const accessReview = strategyOf({
  validate: (object) =>
    complaintsOf((complaints) => {
      const spec = field(object, 'spec');
      const resource = !absent(field(spec, 'resourceAttributes'));
      const path = !absent(field(spec, 'nonResourceAttributes'));
      if (resource && path)
        complaints.invalid(
          'spec.nonResourceAttributes',
          field(spec, 'nonResourceAttributes'),
          'cannot be specified in combination with resourceAttributes',
        );
      if (!resource && !path)
        complaints.invalid(
          'spec.resourceAttributes',
          null,
          'exactly one of nonResourceAttributes or resourceAttributes must be specified',
        );
      if (
        str(at(object, 'kind')) === 'SubjectAccessReview' &&
        unset(field(spec, 'user')) &&
        list(field(spec, 'groups')).length === 0
      ) {
        complaints.invalid('spec.user', '', 'at least one of user or group must be specified');
      }
    }),
});

function validateRuntimeClass(object: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    complaints.requiredForm('handler', object['handler'], dns1123Label);
    const { overhead, scheduling } = object;
    if (isRec(overhead)) validateResources(complaints, { limits: overhead['podFixed'] }, 'overhead');
    if (!isRec(scheduling)) return;
    validateLabels(complaints, scheduling['nodeSelector'], 'scheduling.nodeSelector');
    validateTolerations(complaints, scheduling['tolerations'], 'scheduling.tolerations');
    const seen = new Set<string>();
    for (const [index, toleration] of recs(scheduling['tolerations']).entries()) {
      const shown = Object.fromEntries(
        ['key', 'operator', 'value', 'effect'].map((name) => [
          name.charAt(0).toUpperCase() + name.slice(1),
          str(toleration[name]),
        ]),
      );
      const key = JSON.stringify(shown);
      if (seen.has(key))
        complaints.duplicate(`scheduling.tolerations[${index}]`, {
          ...shown,
          TolerationSeconds: toleration['tolerationSeconds'] ?? null,
        });
      seen.add(key);
    }
  });
}

export const policyExtras: ExtrasTable = {
  'policy/poddisruptionbudgets': { shortNames: ['pdb'], printer: podDisruptionBudgetPrinter, strategy: budget },
  [`${RBAC}/roles`]: { printer: print.createdAtPrinter, strategy: role(true) },
  [`${RBAC}/clusterroles`]: { printer: print.createdAtPrinter, strategy: role(false) },
  [`${RBAC}/rolebindings`]: { printer: print.bindingPrinter, strategy: binding(true) },
  [`${RBAC}/clusterrolebindings`]: { printer: print.bindingPrinter, strategy: binding(false) },
  'scheduling.k8s.io/priorityclasses': {
    shortNames: ['pc'],
    printer: print.priorityClassPrinter,
    strategy: priorityClass,
  },
  'coordination.k8s.io/leases': { printer: print.leasePrinter, strategy: lease },
  'certificates.k8s.io/certificatesigningrequests': {
    shortNames: ['csr'],
    printer: print.certificateSigningRequestPrinter,
    strategy: certificateRequest,
    fieldSelectors: { 'spec.signerName': (object) => str(at(object, 'spec', 'signerName')) },
  },
  'node.k8s.io/runtimeclasses': {
    printer: print.runtimeClassPrinter,
    strategy: strategyOf({
      allowUnconditionalUpdate: false,
      allowCreateOnUpdate: true,
      validatesAll: true,
      validate: validateRuntimeClass,
      validateUpdate: (object, old) =>
        complaintsOf((complaints) =>
          complaints.immutable('handler', object['handler'], object['handler'] === old['handler']),
        ),
    }),
  },
  'flowcontrol.apiserver.k8s.io/flowschemas': { printer: print.flowSchemaPrinter, strategy: flowSchema },
  'flowcontrol.apiserver.k8s.io/prioritylevelconfigurations': {
    printer: print.priorityLevelPrinter,
    strategy: priorityLevel,
  },
  'authorization.k8s.io/subjectaccessreviews': { strategy: accessReview },
  'authorization.k8s.io/selfsubjectaccessreviews': { strategy: accessReview },
  'authorization.k8s.io/localsubjectaccessreviews': { strategy: accessReview },
};
