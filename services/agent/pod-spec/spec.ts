/** Questions about a pod's spec that more than one part of the agent asks. */
import { createHash } from 'node:crypto';
import type { Container, Pod, PodSpec } from './types.js';
import { approximate } from '../../../apimachinery/int64.js';
import type { EphemeralContainer } from '../../../apimachinery/gen/types.js';

export interface PodKey {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export function keyOf(pod: Pod): PodKey {
  return { namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '', uid: pod.metadata?.uid ?? '' };
}

/** `web_default(1b4e...)`: how messages name a pod. */
export function fullNameOf(key: PodKey): string {
  return `${key.name}_${key.namespace}(${key.uid})`;
}

export function specOf(pod: Pod): PodSpec {
  return pod.spec ?? { containers: [] };
}

/** An init container that keeps running beside the others (KEP-753). */
function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

/**
 * `ephemeral`: added to a running pod to look into it; runs once, asks for no resources, and the pod's phase takes no
 * notice.
 */
export type ContainerRole = 'init' | 'sidecar' | 'main' | 'ephemeral';

export interface RoledContainer {
  readonly role: ContainerRole;
  readonly container: Container;
  /** The container whose processes an ephemeral one sees. */
  readonly target?: string;
}

/** Every container, in the order of their start. One iterator for all who must not forget a kind (CVE-2023-2727). */
export function containersOf(spec: PodSpec): RoledContainer[] {
  const ephemeral = (spec.ephemeralContainers ?? []).map(
    ({ targetContainerName, ...container }: EphemeralContainer): RoledContainer => ({
      role: 'ephemeral',
      container,
      ...(targetContainerName === undefined || targetContainerName === '' ? {} : { target: targetContainerName }),
    }),
  );
  const init = (spec.initContainers ?? []).map((container): RoledContainer => ({
    role: isSidecar(container) ? 'sidecar' : 'init',
    container,
  }));
  return [...ephemeral, ...init, ...spec.containers.map((container): RoledContainer => ({ role: 'main', container }))];
}

export function fieldPathOf({ role, container }: RoledContainer): string {
  const field = role === 'main' ? 'containers' : role === 'ephemeral' ? 'ephemeralContainers' : 'initContainers';
  return `spec.${field}{${container.name}}`;
}

/** Whether a container that has ended with `exitCode` is to run again. */
export function restarts(spec: PodSpec, role: ContainerRole, exitCode: number): boolean {
  if (role === 'sidecar') return true;
  if (role === 'ephemeral') return false;
  const policy = spec.restartPolicy ?? 'Always';
  if (role === 'init') return exitCode !== 0 && policy !== 'Never';
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}

export function isTerminal(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

const GRACE_S_DEFAULT = 30;

export function gracePeriodOf(pod: Pod): number {
  return approximate(
    pod.metadata?.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? GRACE_S_DEFAULT,
  );
}

/** Image and name are what may change in a running pod: a container whose hash differs is replaced. */
export function hashOf(container: Container): string {
  return createHash('sha256')
    .update(JSON.stringify([container.name, container.image ?? '']))
    .digest('hex')
    .slice(0, 16);
}

/** The policy that applies, with the default by tag. */
export function pullPolicyOf(container: Container): string {
  if (container.imagePullPolicy !== undefined && container.imagePullPolicy !== '') return container.imagePullPolicy;
  const name = (container.image ?? '').split('/').at(-1) ?? '';
  return !name.includes('@') && (!name.includes(':') || name.endsWith(':latest')) ? 'Always' : 'IfNotPresent';
}

/** `docker.io/library/` and `:latest` are what an image name leaves out; runtimes and node images name them in full. */
export function normalizedImage(image: string): string {
  const [first = ''] = image.split('/');
  const hasRegistry = image.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  const path = hasRegistry ? image : `docker.io/${image.includes('/') ? '' : 'library/'}${image}`;
  const last = path.split('/').at(-1) ?? '';
  return last.includes(':') || last.includes('@') ? path : `${path}:latest`;
}

export function portNumberOf(container: Container, port: number | string): number | undefined {
  if (typeof port === 'number') return port;
  const named = container.ports?.find((candidate) => candidate.name === port);
  if (named !== undefined) return named.containerPort;
  const parsed = Number(port);
  return Number.isInteger(parsed) && parsed > 0 ? parsed : undefined;
}
