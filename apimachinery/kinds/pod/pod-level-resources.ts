/** Defaults of `spec.resources` (KEP-2837): requests follow the containers' sum, then the pod's own limits. */
import { formatQuantity } from '../../quantity.js';
import { absent, child, entries, field, isRec, setOwn, type Rec } from '../lib/value.js';
import { containerResources, isPodLevelResource } from './resources.js';

export function defaultPodLevelRequests(spec: Rec): void {
  const resources = field(spec, 'resources');
  if (!isRec(resources)) return;
  const limits = entries(field(resources, 'limits'));
  if (limits.length === 0 && entries(field(resources, 'requests')).length === 0) return;
  const requests = child(resources, 'requests');
  if (requests === undefined) return;
  for (const [name, quantity] of containerResources(spec, 'requests')) {
    if ((name === 'cpu' || name === 'memory') && absent(field(requests, name)))
      setOwn(requests, name, formatQuantity(quantity));
  }
  for (const [name, quantity] of limits) {
    if (isPodLevelResource(name) && absent(field(requests, name))) setOwn(requests, name, quantity);
  }
}
