/** Validation of the status of workloads: counts, and how they relate. The order of complaints is Kubernetes' own. */
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { absent, field, num, optionalNum, type Rec } from '../lib/value.js';
import type { WorkloadKind } from './validate.js';

interface StatusRules {
  readonly counts: readonly string[];
  /** Not more than all replicas. */
  readonly parts: readonly string[];
  /** What the available ones are compared with, as a complaint names it. */
  readonly readyAs?: string;
  /** It has a count of collisions, which only grows. */
  readonly collides?: boolean;
}

const OF_REPLICA_SET: StatusRules = {
  counts: [
    'replicas',
    'fullyLabeledReplicas',
    'readyReplicas',
    'availableReplicas',
    'observedGeneration',
    'terminatingReplicas',
  ],
  parts: ['fullyLabeledReplicas', 'readyReplicas', 'availableReplicas'],
  readyAs: 'readyReplicas',
};

const RULES: Readonly<Record<WorkloadKind, StatusRules>> = {
  deployment: {
    counts: [
      'observedGeneration',
      'replicas',
      'updatedReplicas',
      'readyReplicas',
      'availableReplicas',
      'unavailableReplicas',
      'terminatingReplicas',
      'collisionCount',
    ],
    parts: ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
    readyAs: 'readyReplicas',
    collides: true,
  },
  replicaSet: OF_REPLICA_SET,
  replicationController: OF_REPLICA_SET,
  statefulSet: {
    counts: [
      'replicas',
      'readyReplicas',
      'currentReplicas',
      'updatedReplicas',
      'availableReplicas',
      'observedGeneration',
      'collisionCount',
    ],
    parts: ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'],
    readyAs: 'status.readyReplicas',
    collides: true,
  },
  daemonSet: {
    counts: [
      'currentNumberScheduled',
      'numberMisscheduled',
      'desiredNumberScheduled',
      'numberReady',
      'observedGeneration',
      'updatedNumberScheduled',
      'numberAvailable',
      'numberUnavailable',
      'collisionCount',
    ],
    parts: [],
    collides: true,
  },
};

function validateParts(complaints: Complaints, status: unknown, { parts, readyAs }: StatusRules): void {
  const count = (name: string): number => num(field(status, name));
  for (const part of parts) {
    if (count(part) > count('replicas'))
      complaints.invalid(`status.${part}`, count(part), 'cannot be greater than status.replicas');
  }
  if (readyAs !== undefined && count('availableReplicas') > count('readyReplicas')) {
    complaints.invalid('status.availableReplicas', count('availableReplicas'), `cannot be greater than ${readyAs}`);
  }
}

export function validateWorkloadStatus(object: Rec, old: unknown, kind: WorkloadKind): FieldError[] {
  const rules = RULES[kind];
  const status = field(object, 'status');
  return complaintsOf((complaints) => {
    for (const name of rules.counts) complaints.atLeast(`status.${name}`, field(status, name));
    validateParts(complaints, status, rules);
    const before = optionalNum(field(field(old, 'status'), 'collisionCount'));
    const now = field(status, 'collisionCount');
    if (rules.collides === true && before !== undefined && (absent(now) || num(now) < before))
      complaints.invalid('status.collisionCount', num(now), 'cannot be decremented');
  });
}
