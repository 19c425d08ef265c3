/** Defaults of the apps group and of the ReplicationController. */
import { defaultPodTemplate } from '../pod/defaults.js';
import { child, children, field, fill, fillZero, isRec, keysOf, unset, type Rec } from '../lib/value.js';
import { defaultTemplateGeneration } from './daemon-set.js';
import { defaultClaim } from '../storage/claims.js';

function workloadSpec(object: Rec): Rec | undefined {
  const spec = child(object, 'spec');
  if (spec !== undefined) defaultPodTemplate(field(spec, 'template'));
  return spec;
}

/** The rolling update's numbers, when the strategy in `name` is RollingUpdate. */
function defaultRollout(spec: Rec, name: string, numbers: Readonly<Record<string, unknown>>): void {
  const strategy = child(spec, name);
  if (strategy === undefined) return;
  fillZero(strategy, 'type', 'RollingUpdate');
  if (strategy['type'] !== 'RollingUpdate') return;
  const rolling = child(strategy, 'rollingUpdate');
  if (rolling === undefined) return;
  for (const [key, value] of Object.entries(numbers)) fill(rolling, key, value);
}

export function defaultDeployment(object: Rec): void {
  const spec = workloadSpec(object);
  if (spec === undefined) return;
  fill(spec, 'replicas', 1);
  defaultRollout(spec, 'strategy', { maxUnavailable: '25%', maxSurge: '25%' });
  fill(spec, 'revisionHistoryLimit', 10);
  fill(spec, 'progressDeadlineSeconds', 600);
}

export function defaultReplicaSet(object: Rec): void {
  const spec = workloadSpec(object);
  if (spec !== undefined) fill(spec, 'replicas', 1);
}

/** The rolling update is there by default only where no type is named; named, it may be left out. */
function defaultStatefulRollout(spec: Rec): void {
  const strategy = child(spec, 'updateStrategy');
  if (strategy === undefined) return;
  if (unset(strategy['type'])) {
    strategy['type'] = 'RollingUpdate';
    child(strategy, 'rollingUpdate');
  }
  const rolling = field(strategy, 'rollingUpdate');
  if (strategy['type'] === 'RollingUpdate' && isRec(rolling)) fill(rolling, 'partition', 0);
}

export function defaultStatefulSet(object: Rec): void {
  const spec = workloadSpec(object);
  if (spec === undefined) return;
  fillZero(spec, 'podManagementPolicy', 'OrderedReady');
  defaultStatefulRollout(spec);
  const retention = child(spec, 'persistentVolumeClaimRetentionPolicy');
  if (retention !== undefined) {
    fillZero(retention, 'whenDeleted', 'Retain');
    fillZero(retention, 'whenScaled', 'Retain');
  }
  fill(spec, 'replicas', 1);
  fill(spec, 'revisionHistoryLimit', 10);
  for (const claim of children(spec, 'volumeClaimTemplates')) {
    claim['apiVersion'] = 'v1';
    claim['kind'] = 'PersistentVolumeClaim';
    defaultClaim(claim);
  }
}

export function defaultDaemonSet(object: Rec): void {
  const spec = workloadSpec(object);
  if (spec === undefined) return;
  defaultTemplateGeneration(object);
  defaultRollout(spec, 'updateStrategy', { maxUnavailable: 1, maxSurge: 0 });
  fill(spec, 'revisionHistoryLimit', 10);
}

/** The oldest of the workloads takes its selector and labels from its template. */
export function defaultReplicationController(object: Rec): void {
  const spec = workloadSpec(object);
  if (spec === undefined) return;
  const labels = field(field(field(spec, 'template'), 'metadata'), 'labels');
  if (isRec(labels) && keysOf(labels).length > 0) {
    if (keysOf(field(spec, 'selector')).length === 0) spec['selector'] = { ...labels };
    const metadata = child(object, 'metadata');
    if (metadata !== undefined && keysOf(field(metadata, 'labels')).length === 0) metadata['labels'] = { ...labels };
  }
  fill(spec, 'replicas', 1);
}
