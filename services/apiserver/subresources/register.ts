/** What built-in resources do that no row can say: the only place of the API server that knows kinds by name. */
import type { Clock } from '../../../platform/clock.js';
import type { ObjectReader } from '../ports.js';
import type { Registry } from '../registry/registry.js';
import { approvalMutation } from './certificates.js';
import { evictionHandler } from './eviction.js';
import { finalizeMutation, namespaceDeletion } from './namespaces.js';
import { bindingHandler, bindingMutation } from './pods.js';

const PODS = { group: '', resource: 'pods' };
const NAMESPACES = { group: '', resource: 'namespaces' };
const REQUESTS = { group: 'certificates.k8s.io', resource: 'certificatesigningrequests' };

export function registerSubresources(registry: Registry, parts: { readonly reader: ObjectReader; readonly clock: Clock }): void {
  registry.mutation(PODS, 'binding', bindingMutation(parts.clock));
  registry.handle({ group: '', resource: 'bindings' }, bindingHandler((user) => registry.as(user)));
  registry.handle(PODS, evictionHandler({ ...parts, as: (user) => registry.as(user) }), 'eviction');
  registry.deletion(NAMESPACES, namespaceDeletion);
  registry.mutation(NAMESPACES, 'finalize', finalizeMutation);
  registry.mutation(REQUESTS, 'approval', approvalMutation(parts.clock));
}
