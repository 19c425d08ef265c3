/** The apps group, and the ReplicationController, which is its ancestor. */
import { jsonEqual } from '../../value.js';
import type { Strategy } from '../../kind.js';
import type { ExtrasTable, KindExtras } from '../extras.js';
import { absent, at, isRec, num, type Rec } from '../lib/value.js';
import { strategyOf } from '../lib/strategy.js';
import { complaintsOf } from '../lib/complaints.js';
import { dropDisabledOf } from '../pod/disabled-fields.js';
import * as print from '../printers/workloads.js';
import { createTemplateGeneration, updateTemplateGeneration } from './daemon-set.js';
import {
  defaultDaemonSet,
  defaultDeployment,
  defaultReplicaSet,
  defaultReplicationController,
  defaultStatefulSet,
} from './defaults.js';
import { validateWorkloadStatus } from './validate-status.js';
import { validateWorkload, validateWorkloadUpdate, type WorkloadKind, type WorkloadUpdateRules } from './validate.js';

/** KEP-961 (`maxUnavailable` of a StatefulSet) is off in v1.36, like some fields of pods. */
function dropDisabledTemplateFields(object: Rec): void {
  dropDisabledOf(at(object, 'spec', 'template'));
  const rolling = at(object, 'spec', 'updateStrategy', 'rollingUpdate');
  if (object['kind'] === 'StatefulSet' && isRec(rolling)) delete rolling['maxUnavailable'];
}

function workload(defaults: (draft: Rec) => void, kind: WorkloadKind, update: WorkloadUpdateRules = {}): Strategy {
  return strategyOf({
    status: true,
    statusKeeps: kind === 'deployment' ? ['labels'] : [],
    generation: kind === 'deployment' ? { alsoWith: 'annotations' } : true,
    defaults,
    validatesAll: true,
    create: (object) => {
      dropDisabledTemplateFields(object);
      if (kind === 'daemonSet') createTemplateGeneration(object);
    },
    update: (object, old, { subresource }) => {
      dropDisabledTemplateFields(object);
      if (kind === 'daemonSet' && subresource === undefined) updateTemplateGeneration(object, old);
    },
    *validateWork(object, context) {
      return context?.subresource === 'status'
        ? validateWorkloadStatus(object, context.old, kind)
        : yield* validateWorkload(object, kind);
    },
    validateUpdate: (object, old, context) =>
      context?.subresource === 'status' ? [] : validateWorkloadUpdate(object, old, update),
  });
}

const scale = {
  specReplicasPath: '.spec.replicas',
  statusReplicasPath: '.status.replicas',
  labelSelectorPath: '.spec.selector',
} as const;
const all = ['all'] as const;
const replicas = { 'status.replicas': (object: unknown) => String(num(at(object, 'status', 'replicas'))) } as const;

const STATEFUL_MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];

export const appsExtras: ExtrasTable = {
  'apps/deployments': {
    shortNames: ['deploy'],
    categories: all,
    scale,
    printer: print.deploymentPrinter,
    strategy: workload(defaultDeployment, 'deployment'),
  },
  'apps/replicasets': {
    shortNames: ['rs'],
    categories: all,
    scale,
    printer: print.replicaSetPrinter,
    strategy: workload(defaultReplicaSet, 'replicaSet'),
  },
  'apps/statefulsets': {
    shortNames: ['sts'],
    categories: all,
    scale,
    printer: print.statefulSetPrinter,
    strategy: workload(defaultStatefulSet, 'statefulSet', {
      mutable: STATEFUL_MUTABLE,
      mutableMessage:
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', " +
        "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    }),
  },
  'apps/daemonsets': {
    shortNames: ['ds'],
    categories: all,
    printer: print.daemonSetPrinter,
    strategy: workload(defaultDaemonSet, 'daemonSet'),
  },
  'apps/controllerrevisions': {
    printer: print.controllerRevisionPrinter,
    strategy: strategyOf({
      validatesAll: true,
      validate: (object, context) =>
        complaintsOf((complaints) => {
          complaints.atLeast('revision', object['revision']);
          if (context?.old !== undefined || isRec(object['data'])) return;
          complaints.required(
            'data',
            absent(object['data']) ? 'data is mandatory' : 'data must be a valid JSON object',
          );
        }),
      validateUpdate: (object, old) =>
        complaintsOf((complaints) => {
          if (!jsonEqual(object['data'] ?? null, old['data'] ?? null))
            complaints.invalid('data', object['data'], 'field is immutable');
        }),
    }),
  },
};

export const replicationControllerExtras: KindExtras = {
  shortNames: ['rc'],
  categories: all,
  storagePrefix: 'controllers',
  printer: print.replicationControllerPrinter,
  fieldSelectors: replicas,
  scale: {
    specReplicasPath: '.spec.replicas',
    statusReplicasPath: '.status.replicas',
    labelSelectorPath: '.spec.selector',
  },
  strategy: workload(defaultReplicationController, 'replicationController', { plainSelector: true }),
};
