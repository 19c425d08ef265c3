/** How a check names what it refuses: the words that tools and people know from Pod Security. */
import type { Container, EphemeralContainer, PodSpec, SecurityContext } from '../../../../apimachinery/gen/types.js';

export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export interface ReviewedPod {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
}

export type PodCheck = (pod: ReviewedPod) => Violation | undefined;

export type AnyContainer = Container | EphemeralContainer;

/** Init, regular, then ephemeral containers: no check forgets a kind (CVE-2023-2727). */
export function containersOf(spec: PodSpec): readonly AnyContainer[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

export function namesWhere(
  spec: PodSpec,
  isBad: (container: AnyContainer, security: SecurityContext | undefined) => boolean,
): string[] {
  return containersOf(spec)
    .filter((container) => isBad(container, container.securityContext ?? undefined))
    .map((container) => container.name);
}

export const quoted = (items: readonly string[]): string => items.map((item) => `"${item}"`).join(', ');
export const plural = (one: string, count: number): string => (count === 1 ? one : `${one}s`);
export const sortedSet = (items: Iterable<string>): string[] => [...new Set(items)].toSorted();
export const containersNamed = (names: readonly string[]): string =>
  `${plural('container', names.length)} ${quoted(names)}`;

/** `pod and containers "a", "b"`: where a bad value is set. Empty when nowhere. */
export function settersOf(podIsBad: boolean, names: readonly string[]): string {
  return [...(podIsBad ? ['pod'] : []), ...(names.length > 0 ? [containersNamed(names)] : [])].join(' and ');
}

export function forbidden(
  reason: string,
  names: readonly string[],
  detail: (who: string) => string,
): Violation | undefined {
  return names.length === 0 ? undefined : { reason, detail: detail(containersNamed(names)) };
}

/** A field that pods and containers have: where it is bad, and every bad value. */
export function badFields<T>(
  spec: PodSpec,
  read: (security: SecurityContext) => T | undefined | null,
  isBad: (value: T) => boolean,
): {
  readonly setters: string;
  readonly values: readonly T[];
  readonly names: readonly string[];
} {
  const values: T[] = [];
  const look = (security: SecurityContext | undefined | null): boolean => {
    const value = security === undefined || security === null ? undefined : read(security);
    if (value === undefined || value === null || !isBad(value)) return false;
    values.push(value);
    return true;
  };
  const podIsBad = look(spec.securityContext as SecurityContext | undefined);
  const names = namesWhere(spec, (_container, security) => look(security));
  return { setters: settersOf(podIsBad, names), values, names };
}

/** A user namespace makes root inside the pod nobody outside it (KEP-127). */
export const inUserNamespace = (spec: PodSpec): boolean => spec.hostUsers === false;
export const isWindows = (spec: PodSpec): boolean => spec.os?.name === 'windows';
