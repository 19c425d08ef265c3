/** What pods and new nodes are given: tolerations of short absences, a priority; a taint until the node is ready. */
import { priorityClasses } from '../../../apimachinery/gen/resources.js';
import type { Node, Pod, PodSpec, PriorityClass, Toleration } from '../../../apimachinery/gen/types.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { NOT_READY_TAINT, UNREACHABLE_TAINT } from '../../../apimachinery/well-known.js';
import type { ObjectReader } from '../ports.js';
import { concerns, type AdmissionPlugin } from './plugin.js';

export const ABSENCE_S_DEFAULT = 300;

/**
 * A pod outlives its node's absence by `seconds` unless it says otherwise. What an update leaves out is put back too.
 */
export function defaultTolerationSeconds(seconds: number): AdmissionPlugin {
  return {
    name: 'DefaultTolerationSeconds',
    mutate(attributes) {
      if (!concerns(attributes, '', 'pods') || attributes.operation === 'DELETE') return;
      const spec = (attributes.object as Pod).spec;
      if (spec === undefined) return;
      const tolerations = spec.tolerations ?? [];
      const missing = [NOT_READY_TAINT, UNREACHABLE_TAINT].filter((key) => !tolerations.some((t) => tolerates(t, key)));
      if (missing.length === 0) return;
      spec.tolerations = [
        ...tolerations,
        ...missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: seconds })),
      ];
    },
  };
}

function tolerates(toleration: Toleration, key: string): boolean {
  const anyKey = (toleration.key ?? '') === '';
  const anyEffect = (toleration.effect ?? '') === '' || toleration.effect === 'NoExecute';
  return (anyKey || toleration.key === key) && anyEffect;
}

/** The two classes that cannot be made or changed by users. */
export const SYSTEM_PRIORITY_CLASSES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

/** Resolves `priorityClassName` to the number that the scheduler sorts by. */
export function podPriority(reader: ObjectReader): AdmissionPlugin {
  return {
    name: 'Priority',
    async mutate(attributes) {
      if (!concerns(attributes, '', 'pods') || attributes.operation === 'DELETE') return;
      const spec = (attributes.object as Pod).spec;
      if (spec === undefined) return;
      if (attributes.operation === 'UPDATE') {
        keepPriority(spec, (attributes.oldObject as Pod).spec);
        return;
      }
      const found =
        (spec.priorityClassName ?? '') === ''
          ? defaultClass(reader)
          : await namedClass(reader, spec.priorityClassName ?? '', attributes.name);
      if (spec.priority !== undefined && spec.priority !== found.value) {
        throw apiErrors.forbidden(
          { group: '', resource: 'pods' },
          attributes.name,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${found.value} from the given PriorityClass name`,
        );
      }
      spec.priority = found.value;
      if (found.name !== '') spec.priorityClassName = found.name;
      if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== found.preemptionPolicy) {
        throw apiErrors.forbidden(
          { group: '', resource: 'pods' },
          attributes.name,
          `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${found.preemptionPolicy} from the given PriorityClass name`,
        );
      }
      spec.preemptionPolicy = found.preemptionPolicy;
    },
  };
}

/** An update that leaves them out does not ask for others: validation refuses any change. */
function keepPriority(spec: PodSpec, old: PodSpec | undefined): void {
  if (old?.priority !== undefined) spec.priority ??= old.priority;
  if (old?.preemptionPolicy !== undefined) spec.preemptionPolicy ??= old.preemptionPolicy;
}

interface FoundClass {
  readonly name: string;
  readonly value: number;
  readonly preemptionPolicy: string;
}

function foundClass(object: PriorityClass): FoundClass {
  return {
    name: object.metadata?.name ?? '',
    value: object.value ?? 0,
    preemptionPolicy: object.preemptionPolicy ?? 'PreemptLowerPriority',
  };
}

function defaultClass(reader: ObjectReader): FoundClass {
  const classes = (reader.list(priorityClasses) as readonly PriorityClass[]).filter((c) => c.globalDefault === true);
  const lowest = classes.toSorted((a, b) => (a.value ?? 0) - (b.value ?? 0))[0];
  return lowest === undefined ? { name: '', value: 0, preemptionPolicy: 'PreemptLowerPriority' } : foundClass(lowest);
}

async function namedClass(reader: ObjectReader, name: string, pod: string): Promise<FoundClass> {
  if (Object.hasOwn(SYSTEM_PRIORITY_CLASSES, name)) {
    return { name, value: SYSTEM_PRIORITY_CLASSES[name] ?? 0, preemptionPolicy: 'PreemptLowerPriority' };
  }
  const found = reader.get(priorityClasses, { name }) ?? (await reader.getFresh(priorityClasses, { name }));
  if (found === undefined) {
    throw apiErrors.forbidden({ group: '', resource: 'pods' }, pod, `no PriorityClass with name ${name} was found`);
  }
  return foundClass(found as PriorityClass);
}

/** A new node takes no pods before it has reported itself ready (TaintNodesByCondition). */
export function taintNewNodes(): AdmissionPlugin {
  return {
    name: 'TaintNodesByCondition',
    mutate(attributes) {
      if (!concerns(attributes, '', 'nodes') || attributes.operation !== 'CREATE') return;
      const node = attributes.object as Node;
      const taints = node.spec?.taints ?? [];
      if (taints.some((taint) => taint.key === NOT_READY_TAINT && taint.effect === 'NoSchedule')) return;
      node.spec = { ...node.spec, taints: [...taints, { key: NOT_READY_TAINT, effect: 'NoSchedule' }] };
    },
  };
}
