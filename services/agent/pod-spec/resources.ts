/** Requests and limits to cgroup numbers and to the quality-of-service class (Kubernetes: "Configure QoS for Pods"). */
import { podQosClass, type QosClass } from '../../../apimachinery/kinds/pod/qos.js';
import type { Container, PodSpec, Quantities } from './types.js';
import { containersOf } from './spec.js';

const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** The value of a quantity as a double, exact enough for limits; undefined when it is none. */
export function quantityOf(value: string | number | undefined): number | undefined {
  if (typeof value === 'number') return value;
  const match = /^([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)([numkMGTPE]i?|Ki)?$/.exec(value ?? '');
  const factor = match === null ? undefined : SUFFIXES[match[2] ?? ''];
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor;
}

const valueOf = (quantities: Quantities | undefined, name: string) => quantityOf(quantities?.[name]);

const CPU_SHARES_MIN = 2;
const CPU_SHARES_MAX = 262_144;
const CPU_PERIOD_US = 100_000;
const CPU_QUOTA_US_MIN = 1000;

/** Also of objects without defaults, whose requests are their limits. */
export function qosOf(spec: PodSpec): QosClass {
  if (spec.resources !== undefined) return podQosClass({ spec });
  let named = false;
  let guaranteed = true;
  for (const { container, role } of containersOf(spec)) {
    if (role === 'ephemeral') continue;
    const { limits, requests } = container.resources ?? {};
    for (const resource of ['cpu', 'memory']) {
      const limit = valueOf(limits, resource) ?? 0;
      const request = valueOf(requests, resource) ?? limit;
      if (limit > 0 || request > 0) named = true;
      if (limit === 0 || request !== limit) guaranteed = false;
    }
  }
  if (!named) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** The kernel's OOM killer takes best-effort pods first; kubelet's formula. */
function oomScoreAdjOf(spec: PodSpec, container: Container, memoryCapacity_bytes: number): number {
  const qos = qosOf(spec);
  if (qos === 'Guaranteed' || isNodeCritical(spec)) return -997;
  if (qos === 'BestEffort') return 1000;
  const scoreOf = (request: number) => 1000 - Math.trunc((1000 * request) / memoryCapacity_bytes);
  const own = scoreOf(memoryRequestOf(container));
  const role = containersOf(spec).find((roled) => roled.container.name === container.name)?.role;
  // A sidecar is worth no less than the least of those it serves.
  const score = role === 'sidecar' ? Math.min(own, scoreOf(Math.min(...spec.containers.map(memoryRequestOf)))) : own;
  return Math.min(Math.max(score, 3), 999);
}

const isNodeCritical = ({ priorityClassName }: PodSpec): boolean => priorityClassName === 'system-node-critical';

function memoryRequestOf({ resources }: Container): number {
  return valueOf(resources?.requests, 'memory') ?? valueOf(resources?.limits, 'memory') ?? 0;
}

export function cgroupOf(spec: PodSpec, container: Container, memoryCapacity_bytes: number) {
  const { limits, requests } = container.resources ?? {};
  const cpuLimit = valueOf(limits, 'cpu') ?? 0;
  const cpuRequest = valueOf(requests, 'cpu') ?? cpuLimit;
  const shares = Math.floor(cpuRequest * 1024);
  return {
    cpuShares: Math.min(Math.max(shares, CPU_SHARES_MIN), CPU_SHARES_MAX),
    cpuQuota_us: cpuLimit > 0 ? Math.max(Math.floor(cpuLimit * CPU_PERIOD_US), CPU_QUOTA_US_MIN) : 0,
    memoryLimit_bytes: Math.floor(valueOf(limits, 'memory') ?? 0),
    oomScoreAdj: oomScoreAdjOf(spec, container, memoryCapacity_bytes),
  };
}

/**
 * What `resourceFieldRef` yields: the quantity over the divisor, rounded up. Unset limits read as the node's
 * allocatable.
 */
export function resourceField(
  container: Container,
  resource: string,
  divisor: string | number | undefined,
  allocatable: Quantities,
): string {
  const [kind = '', name = ''] = resource.split(/\.(.*)/s);
  const resources = container.resources ?? {};
  const limit = valueOf(resources.limits, name) ?? valueOf(allocatable, name) ?? 0;
  const value = kind === 'limits' ? limit : (valueOf(resources.requests, name) ?? valueOf(resources.limits, name) ?? 0);
  const by = quantityOf(divisor) ?? 0;
  return String(Math.ceil(value / (by === 0 ? 1 : by)));
}
