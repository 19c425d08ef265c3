/** What the control group of a pod, and those of the quality-of-service classes, are set to: kubelet's rules. Pure. */
import { podLimits, podRequests, resourcesOf, type Resources } from '../../../apimachinery/kinds/pod/resources.js';
import type { QosClass } from '../../../apimachinery/kinds/pod/qos.js';
import { qosOf } from '../pod-spec/resources.js';
import { containersOf, specOf } from '../pod-spec/spec.js';
import type { Pod, Quantities } from '../pod-spec/types.js';

export interface GroupLimits {
  /** Weight against sibling groups, in shares of cgroup v1. */
  readonly cpuShares: number;
  /** Microseconds of each period of CPU_PERIOD_US; undefined: unlimited. */
  readonly cpuQuota_us?: number;
  /** Undefined: unlimited. */
  readonly memory_bytes?: number;
}

export const CPU_PERIOD_US = 100_000;
const CPU_QUOTA_US_MIN = 1_000;
const SHARES_PER_CPU = 1_024;
const SHARES_MIN = 2;
const SHARES_MAX = 262_144;
const NANO = 1_000_000_000n;

/** Thousandths of a CPU, rounded up as a quantity's MilliValue. */
function milliCpuOf(resources: Resources): number {
  const nano = resources.get('cpu')?.nano ?? 0n;
  return Number((nano + 999_999n) / 1_000_000n);
}

function bytesOf(resources: Resources): number {
  return Number(((resources.get('memory')?.nano ?? 0n) + NANO - 1n) / NANO);
}

function sharesOf(milliCpu: number): number {
  return Math.min(Math.max(Math.floor((milliCpu * SHARES_PER_CPU) / 1000), SHARES_MIN), SHARES_MAX);
}

function quotaOf(milliCpu: number): number {
  return Math.max(Math.floor((milliCpu * CPU_PERIOD_US) / 1000), CPU_QUOTA_US_MIN);
}

/** cgroup v2's weight, 1 to 10,000, for shares of v1: the conversion of runc and kubelet. */
export function weightOf(cpuShares: number): number {
  return 1 + Math.floor(((cpuShares - SHARES_MIN) * 9_999) / (SHARES_MAX - SHARES_MIN));
}

/**
 * Of all pods of a node together, as kubelet's `--enforce-node-allocatable=pods`: its capacity, without what is kept
 * free by eviction, so that evictions come before the kernel's. CPUs are a weight, not a quota.
 */
export function nodeGroupLimits(capacity: Quantities): GroupLimits {
  const resources = resourcesOf(capacity);
  const memory_bytes = bytesOf(resources);
  return { cpuShares: sharesOf(milliCpuOf(resources)), ...(memory_bytes > 0 ? { memory_bytes } : {}) };
}

/** Of the pod as a whole. A limit holds only when every container has one, or the pod itself. */
export function podGroupLimits(pod: Pod): GroupLimits {
  const spec = specOf(pod);
  const qos = qosOf(spec);
  if (qos === 'BestEffort') return { cpuShares: SHARES_MIN };
  const containers = containersOf(spec)
    .filter(({ role }) => role !== 'ephemeral')
    .map(({ container }) => container.resources?.limits ?? {});
  const isLimited = (name: 'cpu' | 'memory') =>
    spec.resources?.limits?.[name] !== undefined || containers.every((limits) => limits[name] !== undefined);
  const limits = podLimits(pod);
  const [cpu, memory_bytes] = [milliCpuOf(limits), bytesOf(limits)];
  return {
    cpuShares: sharesOf(milliCpuOf(podRequests(pod))),
    ...(cpu > 0 && isLimited('cpu') ? { cpuQuota_us: quotaOf(cpu) } : {}),
    ...(memory_bytes > 0 && isLimited('memory') ? { memory_bytes } : {}),
  };
}

/**
 * Of a class: Burstable weighs what its pods ask for together, BestEffort as little as possible. Guaranteed pods stand
 * beside them.
 */
export function qosGroupLimits(qos: Exclude<QosClass, 'Guaranteed'>, pods: Iterable<Pod>): GroupLimits {
  if (qos === 'BestEffort') return { cpuShares: SHARES_MIN };
  let milliCpu = 0;
  for (const pod of pods) if (qosOf(specOf(pod)) === 'Burstable') milliCpu += milliCpuOf(podRequests(pod));
  return { cpuShares: sharesOf(milliCpu) };
}
