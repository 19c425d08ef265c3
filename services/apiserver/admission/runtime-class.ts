/**
 * What a pod takes over from its RuntimeClass (KEP-585, KEP-688): overhead, node selector, tolerations. The class must
 * be there.
 */
import { runtimeClasses } from '../../../apimachinery/gen/resources.js';
import type { Pod, PodSpec, RuntimeClass, Toleration } from '../../../apimachinery/gen/types.js';
import { compareQuantities } from '../../../apimachinery/quantity.js';
import type { ApiError } from '../../../apimachinery/status.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { jsonEqual } from '../../../apimachinery/value.js';
import type { AdmissionAttributes, ObjectReader } from '../ports.js';
import type { AdmissionPlugin } from './plugin.js';
import { concerns } from './plugin.js';

type Overhead = Readonly<Record<string, unknown>>;

export function runtimeClass(reader: ObjectReader): AdmissionPlugin {
  return {
    name: 'RuntimeClass',
    async mutate(attributes) {
      const spec = createdSpec(attributes);
      const found = spec === undefined ? undefined : await classOf(reader, spec, attributes);
      if (spec === undefined || found === undefined) return;
      const fixed = found.overhead === undefined ? undefined : ((found.overhead.podFixed ?? {}) as Overhead);
      if (fixed !== undefined) {
        if (Object.keys(spec.overhead ?? {}).length > 0 && !sameOverhead(fixed, spec.overhead))
          throw otherOverhead(attributes);
        spec.overhead = { ...fixed } as NonNullable<PodSpec['overhead']>;
      }
      if (found.scheduling === undefined) return;
      addSelector(spec, found.scheduling.nodeSelector ?? {}, attributes);
      spec.tolerations = mergeTolerations([...(spec.tolerations ?? []), ...(found.scheduling.tolerations ?? [])]);
    },
    async validate(attributes) {
      const spec = createdSpec(attributes);
      if (spec === undefined) return;
      const found = await classOf(reader, spec, attributes);
      if (found?.overhead !== undefined) {
        if (!sameOverhead((found.overhead.podFixed ?? {}) as Overhead, spec.overhead)) throw otherOverhead(attributes);
      } else if (Object.keys(spec.overhead ?? {}).length > 0) {
        throw rejected(
          attributes,
          'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
        );
      }
    },
  };
}

const createdSpec = (attributes: AdmissionAttributes): PodSpec | undefined =>
  concerns(attributes, '', 'pods') && attributes.operation === 'CREATE' ? (attributes.object as Pod).spec : undefined;

const rejected = ({ name }: AdmissionAttributes, why: string): ApiError =>
  apiErrors.forbidden({ group: '', resource: 'pods' }, name, why);
const otherOverhead = (attributes: AdmissionAttributes): ApiError =>
  rejected(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");

async function classOf(
  reader: ObjectReader,
  { runtimeClassName: name }: PodSpec,
  attributes: AdmissionAttributes,
): Promise<RuntimeClass | undefined> {
  if (name === undefined) return undefined;
  const found = reader.get(runtimeClasses, { name }) ?? (await reader.getFresh(runtimeClasses, { name }));
  if (found === undefined) throw rejected(attributes, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
  return found as RuntimeClass;
}

function sameOverhead(a: Overhead, b: Overhead = {}): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && compareQuantities(a[name], b[name]) === 0)
  );
}

function addSelector(spec: PodSpec, selector: Readonly<Record<string, string>>, attributes: AdmissionAttributes): void {
  const own = spec.nodeSelector ?? {};
  for (const [key, value] of Object.entries(selector)) {
    if (!Object.hasOwn(own, key) || own[key] === value) continue;
    throw rejected(
      attributes,
      `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${String(own[key])}`,
    );
  }
  if (Object.keys(selector).length > 0) spec.nodeSelector = { ...own, ...selector };
}

/** Each is compared with each: more than anybody writes stay as they are. */
const MERGED_MAX = 256;

/** Of equal ones the first is kept, and none that another covers. */
function mergeTolerations(all: Toleration[]): Toleration[] {
  if (all.length > MERGED_MAX) return all;
  const merged: Toleration[] = [];
  for (const [index, one] of all.entries()) {
    const isCovered =
      merged.some((other) => covers(other, one)) ||
      all.slice(index + 1).some((later) => !jsonEqual(later, one) && covers(later, one));
    if (!isCovered) merged.push(one);
  }
  return merged;
}

function covers(wide: Toleration, narrow: Toleration): boolean {
  if (jsonEqual(wide, narrow)) return true;
  const [key, effect, operator] = [wide.key ?? '', wide.effect ?? '', wide.operator ?? 'Equal'];
  if (key !== (narrow.key ?? '') && (key !== '' || operator !== 'Exists')) return false;
  if (effect !== '' && effect !== (narrow.effect ?? '')) return false;
  const [seconds, fewer] = [wide.tolerationSeconds, narrow.tolerationSeconds];
  if (effect === 'NoExecute' && seconds !== undefined && (fewer === undefined || Number(fewer) > Number(seconds)))
    return false;
  return (
    operator === 'Exists' ||
    (operator === 'Equal' && narrow.operator === 'Equal' && (narrow.value ?? '') === (wide.value ?? ''))
  );
}
