/** Defaults of pods and of the pod templates inside workloads (k8s.io/kubernetes/pkg/apis/core/v1/defaults.go). */
import { containersOf } from '../lib/containers.js';
import {
  absent,
  child,
  children,
  field,
  fill,
  fillZero,
  isRec,
  keysOf,
  list,
  num,
  optionalNum,
  rec,
  setOwn,
  str,
  type Rec,
} from '../lib/value.js';
import { pullPolicyFor } from '../lib/image.js';
import { defaultVolumes } from '../volumes/defaults.js';
import { defaultPodLevelRequests } from './pod-level-resources.js';

const TERMINATION_GRACE_SECONDS_DEFAULT = 30;

function defaultHttpGet(action: unknown): void {
  if (!isRec(action)) return;
  fillZero(action, 'path', '/');
  fillZero(action, 'scheme', 'HTTP');
}

function defaultProbe(probe: unknown): void {
  if (!isRec(probe)) return;
  fillZero(probe, 'timeoutSeconds', 1);
  fillZero(probe, 'periodSeconds', 10);
  fillZero(probe, 'successThreshold', 1);
  fillZero(probe, 'failureThreshold', 3);
  defaultHttpGet(field(probe, 'httpGet'));
  const grpc = field(probe, 'grpc');
  if (isRec(grpc)) fill(grpc, 'service', '');
}

function defaultEnv(container: Rec): void {
  for (const variable of children(container, 'env')) {
    const source = field(variable, 'valueFrom');
    const reference = field(source, 'fieldRef');
    if (isRec(reference)) fillZero(reference, 'apiVersion', 'v1');
    const file = field(source, 'fileKeyRef');
    if (isRec(file)) fill(file, 'optional', false);
    const resource = field(source, 'resourceFieldRef');
    if (isRec(resource)) fillZero(resource, 'divisor', '0');
  }
}

function defaultContainer(container: Rec, hostNetwork: boolean): void {
  fillZero(container, 'imagePullPolicy', pullPolicyFor(container['image']));
  fillZero(container, 'terminationMessagePath', '/dev/termination-log');
  fillZero(container, 'terminationMessagePolicy', 'File');
  fill(container, 'resources', {});
  defaultEnv(container);
  for (const port of children(container, 'ports')) {
    fillZero(port, 'protocol', 'TCP');
    if (hostNetwork) fillZero(port, 'hostPort', port['containerPort']);
  }
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) defaultProbe(field(container, name));
  const lifecycle = field(container, 'lifecycle');
  for (const hook of ['postStart', 'preStop']) defaultHttpGet(field(field(lifecycle, hook), 'httpGet'));
}

/** What pods and templates have in common. */
function defaultPodSpec(spec: unknown): void {
  if (!isRec(spec)) return;
  fillZero(spec, 'restartPolicy', 'Always');
  fillZero(spec, 'dnsPolicy', 'ClusterFirst');
  fillZero(spec, 'schedulerName', 'default-scheduler');
  fill(spec, 'terminationGracePeriodSeconds', TERMINATION_GRACE_SECONDS_DEFAULT);
  fill(spec, 'securityContext', {});
  // `serviceAccount` is the old name of the field; readers of either find it.
  fillZero(spec, 'serviceAccountName', field(spec, 'serviceAccount'));
  if (str(spec['serviceAccountName']) === '') delete spec['serviceAccountName'];
  else spec['serviceAccount'] = spec['serviceAccountName'];
  const hostNetwork = spec['hostNetwork'] === true;
  for (const { container, role } of containersOf(spec)) {
    if (!Object.isFrozen(container)) defaultContainer(container, hostNetwork && role !== 'ephemeral');
  }
  defaultVolumes(spec);
}

export function defaultPodTemplate(template: unknown): void {
  if (!isRec(template)) return;
  // kubectl sends the zero time of a template as null; it says nothing and would only disturb comparisons.
  const metadata = field(template, 'metadata');
  if (isRec(metadata) && metadata['creationTimestamp'] === null) delete metadata['creationTimestamp'];
  const spec = child(template, 'spec');
  defaultPodSpec(spec);
}

/** A container that has limits requests them, unless it says otherwise. */
function defaultRequests(container: Rec): void {
  const resources = field(container, 'resources');
  const limits = rec(field(resources, 'limits'));
  if (!isRec(resources) || keysOf(limits).length === 0) return;
  const requests = child(resources, 'requests');
  if (requests === undefined) return;
  for (const [name, quantity] of Object.entries(limits)) {
    if (absent(field(requests, name))) setOwn(requests, name, quantity);
  }
}

/** `podIP` is the first of `podIPs`, and wins where the two differ: it is the older field. */
function alignAddresses(status: unknown): void {
  if (!isRec(status)) return;
  const [first, all] = [str(status['podIP']), list(status['podIPs'])];
  if (first !== '' && str(field(all[0], 'ip')) !== first) status['podIPs'] = [{ ip: first }];
  else if (first === '' && all.length > 0) status['podIP'] = str(field(all[0], 'ip'));
}

/** Defaults of a Pod itself: those of templates, and what only a pod that really runs has. */
export function defaultPod(pod: object): void {
  alignAddresses(field(pod, 'status'));
  const spec = field(pod, 'spec');
  if (!isRec(spec)) return;
  defaultPodSpec(spec);
  // Of a pod alone: a template keeps what it says.
  if (num(optionalNum(spec['terminationGracePeriodSeconds'])) < 0) spec['terminationGracePeriodSeconds'] = 1;
  fill(spec, 'enableServiceLinks', true);
  for (const { container, role } of containersOf(spec)) if (role !== 'ephemeral') defaultRequests(container);
  defaultPodLevelRequests(spec);
}
