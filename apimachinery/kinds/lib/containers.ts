/**
 * The one iterator over all containers of a pod. Whoever checks, defaults or counts containers walks here, so that init
 * and ephemeral containers are never forgotten (CVE-2023-2727, CVE-2023-2728, CVE-2024-3177).
 */
import { field, list, rec, type Rec } from './value.js';

export type ContainerRole = 'init' | 'regular' | 'ephemeral';

export interface ContainerSlot {
  readonly role: ContainerRole;
  readonly container: Rec;
  /** Below the pod spec's own path, as `spec.initContainers[0]`. */
  readonly path: string;
  readonly index: number;
}

const FIELDS = [
  ['initContainers', 'init'],
  ['containers', 'regular'],
  ['ephemeralContainers', 'ephemeral'],
] as const;

/** Init, regular, then ephemeral containers. What is null or no object in a list comes as an empty object. */
export function* containersOf(podSpec: unknown, path = 'spec'): Generator<ContainerSlot> {
  for (const [name, role] of FIELDS) {
    for (const [index, item] of list(field(podSpec, name)).entries()) {
      yield { role, container: rec(item), path: `${path}.${name}[${index}]`, index };
    }
  }
}

/** A sidecar: an init container that keeps running (KEP-753). */
export function isRestartableInit(container: unknown): boolean {
  return field(container, 'restartPolicy') === 'Always';
}
