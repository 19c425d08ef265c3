/** networking.k8s.io and discovery.k8s.io. */
import type { ExtrasTable } from '../extras.js';
import { ALL_METADATA, strategyOf } from '../lib/strategy.js';
import { at, child, children, fill, isRec, list, same, type Rec } from '../lib/value.js';
import * as print from '../printers/network.js';
import { validateIPAddress, validateServiceCidr } from './validate-addresses.js';
import { validateSlice } from './validate-endpoints.js';
import { validateIngress, validateIngressClass } from './validate-ingress.js';
import { validatePolicy } from './validate-policy.js';

function defaultPolicy(policy: Rec): void {
  const spec = child(policy, 'spec');
  if (spec === undefined) return;
  fill(spec, 'podSelector', {});
  for (const direction of ['ingress', 'egress']) {
    for (const rule of children(spec, direction))
      for (const port of children(rule, 'ports')) fill(port, 'protocol', 'TCP');
  }
  if (list(spec['policyTypes']).length === 0)
    spec['policyTypes'] = list(spec['egress']).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

/** `deprecatedTopology` can be read in v1 where an older version wrote it, and is not written any more. */
function dropTopology(slice: Rec): void {
  for (const endpoint of children(slice, 'endpoints')) delete endpoint['deprecatedTopology'];
}

export const networkingExtras: ExtrasTable = {
  'networking.k8s.io/ingresses': {
    shortNames: ['ing'],
    storagePrefix: 'ingress',
    printer: print.ingressPrinter,
    strategy: strategyOf({ status: true, generation: true, validatesAll: true, validate: validateIngress }),
  },
  'networking.k8s.io/ingressclasses': {
    printer: print.ingressClassPrinter,
    strategy: strategyOf({
      generation: true,
      defaults: (object) => {
        const parameters = at(object, 'spec', 'parameters');
        if (isRec(parameters)) fill(parameters, 'scope', 'Cluster');
      },
      validatesAll: true,
      validate: validateIngressClass,
    }),
  },
  'networking.k8s.io/networkpolicies': {
    shortNames: ['netpol'],
    printer: print.networkPolicyPrinter,
    strategy: strategyOf({ generation: true, defaults: defaultPolicy, validatesAll: true, validate: validatePolicy }),
  },
  'networking.k8s.io/ipaddresses': {
    shortNames: ['ip'],
    printer: print.ipAddressPrinter,
    strategy: strategyOf({ validatesAll: true, validate: validateIPAddress }),
  },
  'networking.k8s.io/servicecidrs': {
    printer: print.serviceCidrPrinter,
    strategy: strategyOf({
      status: true,
      statusKeeps: ALL_METADATA,
      validatesAll: true,
      validate: validateServiceCidr,
    }),
  },
  'discovery.k8s.io/endpointslices': {
    printer: print.endpointSlicePrinter,
    strategy: strategyOf({
      generation: { alsoWith: 'labels' },
      defaults: (slice) => {
        for (const port of children(slice, 'ports')) {
          fill(port, 'name', '');
          fill(port, 'protocol', 'TCP');
        }
      },
      create: (slice) => dropTopology(slice),
      update: (slice, old) => {
        if (!same(slice['endpoints'], old['endpoints'])) dropTopology(slice);
      },
      validatesAll: true,
      validate: validateSlice,
    }),
  },
};
