/** The quality-of-service class of a pod (k8s.io/kubernetes/pkg/apis/core/helper/qos). */
import { parseQuantity } from '../../quantity.js';
import { containersOf } from '../lib/containers.js';
import { field, isRec } from '../lib/value.js';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const COUNTED = ['cpu', 'memory'] as const;

function positive(resources: unknown, side: string, name: string): bigint {
  const nano = parseQuantity(field(field(resources, side), name))?.nano ?? 0n;
  return nano > 0n ? nano : 0n;
}

/** Guaranteed: each container limits cpu and memory, and requests are the limits. BestEffort: nothing is asked for. */
export function podQosClass(pod: unknown): QosClass {
  const spec = field(pod, 'spec');
  const podLevel = field(spec, 'resources');
  const all = isRec(podLevel)
    ? [podLevel]
    : [...containersOf(spec)]
        .filter(({ role }) => role !== 'ephemeral')
        .map(({ container }) => field(container, 'resources'));
  let asked = false;
  let guaranteed = all.length > 0;
  for (const name of COUNTED) {
    let requests = 0n;
    let limits = 0n;
    for (const resources of all) {
      const limit = positive(resources, 'limits', name);
      if (limit === 0n) guaranteed = false;
      limits += limit;
      requests += positive(resources, 'requests', name);
    }
    if (requests > 0n || limits > 0n) asked = true;
    if (requests !== limits) guaranteed = false;
  }
  if (!asked) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
