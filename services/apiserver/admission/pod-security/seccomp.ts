/** Seccomp profiles: by annotation before Kubernetes 1.19, by field from then on. */
import type { PodSpec } from '../../../../apimachinery/gen/types.js';
import { badFields, plural, quoted, sortedSet, type AnyContainer, type Violation } from './violation.js';

const POD_ANNOTATION = 'seccomp.security.alpha.kubernetes.io/pod';
const CONTAINER_ANNOTATION_PREFIX = 'container.seccomp.security.alpha.kubernetes.io/';

const isGoodAnnotation = (value: string): boolean =>
  value === 'runtime/default' || value === 'docker/default' || value.startsWith('localhost/');
export const isGoodType = (type: string): boolean => type === 'RuntimeDefault' || type === 'Localhost';

export function hasBadSeccompAnnotation(
  annotations: Readonly<Record<string, string>>,
  containers: readonly AnyContainer[],
): Violation | undefined {
  const keys = [POD_ANNOTATION, ...containers.map((container) => CONTAINER_ANNOTATION_PREFIX + container.name)];
  const bad = sortedSet(
    keys
      .filter((key) => Object.hasOwn(annotations, key) && !isGoodAnnotation(annotations[key] ?? ''))
      .map((key) => `${key}=${JSON.stringify(annotations[key])}`),
  );
  return bad.length === 0
    ? undefined
    : { reason: 'seccompProfile', detail: `forbidden ${plural('annotation', bad.length)} ${bad.join(', ')}` };
}

export function hasBadSeccompType(spec: PodSpec): Violation | undefined {
  const { setters, values } = badFields(
    spec,
    (security) => security.seccompProfile?.type,
    (type) => !isGoodType(type),
  );
  return setters === ''
    ? undefined
    : {
        reason: 'seccompProfile',
        detail: `${setters} must not set securityContext.seccompProfile.type to ${quoted(sortedSet(values))}`,
      };
}
