/** The pod's strategy (k8s.io/kubernetes/pkg/registry/core/pod/strategy.go). */
import type { StrategyContext } from '../../kind.js';
import { fieldErrors, type FieldError } from '../../status.js';
import { ALL_METADATA, keepMetadata, strategyOf } from '../lib/strategy.js';
import {
  at,
  child,
  children,
  clone,
  field,
  isRec,
  list,
  num,
  optionalNum,
  put,
  recs,
  unset,
  type Rec,
} from '../lib/value.js';
import { defaultPod } from './defaults.js';
import { dropDisabledFields } from './disabled-fields.js';
import { mergeLabelKeys } from './label-keys.js';
import { podQosClass } from './qos.js';
import { podFinished } from './readiness.js';
import { validatePod } from './validate.js';
import { validatePodStatus } from './validate-status.js';
import { validatePodUpdate } from './validate-update.js';

function prepareForCreate(pod: Rec, context: StrategyContext): void {
  const spec = field(pod, 'spec');
  if (isRec(spec)) {
    dropDisabledFields(spec);
    mergeLabelKeys(spec, at(pod, 'metadata', 'labels'));
  }
  pod['status'] = { phase: 'Pending', qosClass: podQosClass(pod) };
  if (list(field(spec, 'schedulingGates')).length === 0 || !isRec(pod['status'])) return;
  pod['status']['conditions'] = [
    {
      type: 'PodScheduled',
      status: 'False',
      reason: 'SchedulingGated',
      message: 'Scheduling is blocked due to non-empty scheduling gates',
      lastTransitionTime: new Date(context.now_ms).toISOString().replace(/\.\d+Z$/, 'Z'),
    },
  ];
}

/**
 * What generation a status speaks of is not unsaid: left out, it stays, of the status and of each condition (KEP-5067).
 */
function keepGenerations(status: Rec, before: unknown): void {
  if (num(status['observedGeneration']) === 0) put(status, 'observedGeneration', field(before, 'observedGeneration'));
  const stored = [...recs(field(before, 'conditions'))];
  for (const condition of children(status, 'conditions')) {
    const index = stored.findIndex(({ type }) => type === condition['type']);
    const [old] = index < 0 ? [undefined] : stored.splice(index, 1);
    if (num(condition['observedGeneration']) === 0)
      put(condition, 'observedGeneration', field(old, 'observedGeneration'));
  }
}

/**
 * Resources and how they change, of containers that are the same ones; otherwise the spec stays as it is sent, and is
 * refused.
 */
function resizedContainers(now: unknown, before: unknown): unknown {
  const [sent, stored] = [recs(now), recs(before)];
  if (sent.length !== stored.length || sent.some((container, i) => container['name'] !== stored[i]?.['name']))
    return now;
  if (sent.length === 0) return before;
  return stored.map((container, i) => {
    const kept = clone(container) as Rec;
    for (const name of ['resources', 'resizePolicy']) {
      const value = sent[i]?.[name];
      if (value === undefined) delete kept[name];
      else put(kept, name, value);
    }
    return kept;
  });
}

function resizedSpec(spec: Rec, before: Rec): Rec {
  const sameCount = (name: string): boolean => list(spec[name]).length === list(before[name]).length;
  if (!sameCount('containers') || !sameCount('initContainers')) return spec;
  const kept = clone(before);
  if (spec['resources'] === undefined) delete kept['resources'];
  else put(kept, 'resources', spec['resources']);
  for (const name of ['containers', 'initContainers']) {
    if (spec[name] !== undefined) put(kept, name, resizedContainers(spec[name], before[name]));
  }
  return kept;
}

/** Each subresource writes its own part; what else the client sent is taken from the stored pod. */
function prepareForUpdate(pod: Rec, old: Rec, context: StrategyContext): void {
  const before = field(old, 'spec');
  const status = child(pod, 'status');
  switch (context.subresource) {
    case 'ephemeralcontainers': {
      const added = clone(at(pod, 'spec', 'ephemeralContainers'));
      pod['spec'] = isRec(before) ? clone(before) : {};
      put(pod['spec'] as Rec, 'ephemeralContainers', added);
      keepMetadata(pod, old, ALL_METADATA);
      break;
    }
    case 'resize': {
      const spec = field(pod, 'spec');
      if (isRec(spec) && isRec(before)) pod['spec'] = resizedSpec(spec, before);
      keepMetadata(pod, old, ALL_METADATA);
      break;
    }
    case 'status': {
      const metadata = field(pod, 'metadata');
      // A node writes status; it must not tie a pod to an owner (CVE-2025-4563 and its relatives).
      if (isRec(metadata)) put(metadata, 'ownerReferences', clone(at(old, 'metadata', 'ownerReferences')));
      if (status === undefined) return;
      delete status['nodeAllocatableResourceClaimStatuses'];
      if (unset(status['qosClass'])) put(status, 'qosClass', at(old, 'status', 'qosClass'));
      return keepGenerations(status, field(old, 'status'));
    }
    default:
      break;
  }
  if (status !== undefined) put(status, 'qosClass', field(field(old, 'status'), 'qosClass') ?? podQosClass(pod));
}

/** 30 seconds or what the pod says; a pod that no node runs, or that is done, goes at once. */
function gracePeriodOf(pod: unknown): number {
  if (unset(at(pod, 'spec', 'nodeName')) || podFinished(pod)) return 0;
  return Math.max(num(optionalNum(at(pod, 'spec', 'terminationGracePeriodSeconds')), 30), 0);
}

/** Generation 1 is a pod at its creation: adding an ephemeral container later makes it 2. */
function ephemeralOnCreate(pod: Rec, context: StrategyContext | undefined): FieldError[] {
  const given = list(at(pod, 'spec', 'ephemeralContainers')).length > 0;
  const creating = context?.subresource === undefined && at(pod, 'metadata', 'generation') === 1;
  return given && creating ? [fieldErrors.forbidden('spec.ephemeralContainers', 'cannot be set on create')] : [];
}

export const podStrategy = strategyOf({
  returnsDeleted: true,
  status: true,
  statusKeeps: ['ownerReferences'],
  generation: true,
  defaults: defaultPod,
  validatesAll: true,
  create: prepareForCreate,
  update: prepareForUpdate,
  *validateWork(pod, context) {
    return context?.subresource === 'status'
      ? validatePodStatus(pod, context.old)
      : [...(yield* validatePod(pod)), ...ephemeralOnCreate(pod, context)];
  },
  validateUpdate: (pod, old, context) => validatePodUpdate(pod, old, context?.subresource),
  defaultGracePeriodSeconds: gracePeriodOf,
});
