/** networking.k8s.io and discovery.k8s.io. */
import { dns1123Label, dns1123Subdomain, portName } from '../../names.js';
import type { FieldError } from '../../status.js';
import type { ExtrasTable } from '../extras.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import { ALL_METADATA, strategyOf } from '../lib/strategy.js';
import { absent, at, child, children, field, fill, fillZero, isRec, list, recs, str, strs, unset, type Rec } from '../lib/value.js';
import * as print from '../printers/network.js';
import { validatePortRef } from '../pod/validate-probes.js';

function validateBackend(complaints: Complaints, backend: unknown, path: string): void {
  const service = field(backend, 'service');
  const resource = field(backend, 'resource');
  if (isRec(service) && isRec(resource)) complaints.invalid(path, '', 'cannot set both resource and service backends');
  else if (!isRec(service) && !isRec(resource)) complaints.required(path, 'resource or service backend is required');
  if (!isRec(service)) return;
  if (unset(service['name'])) complaints.required(`${path}.service.name`);
  else complaints.form(`${path}.service.name`, service['name'], dns1123Label);
  const name = at(service, 'port', 'name');
  const number = at(service, 'port', 'number');
  if (!unset(name) && !absent(number) && number !== 0) complaints.invalid(`${path}`, '', 'cannot set both port name & port number');
  else if (!unset(name)) complaints.form(`${path}.service.port.name`, name, portName);
  else if (absent(number) || number === 0) complaints.required(path, 'port name or number is required');
  else complaints.port(`${path}.service.port.number`, number);
}

function validateIngress(ingress: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(ingress, 'spec');
    const rules = recs(field(spec, 'rules'));
    if (rules.length === 0 && absent(field(spec, 'defaultBackend'))) complaints.invalid('spec', spec, 'either `defaultBackend` or `rules` must be specified');
    for (const [index, rule] of rules.entries()) {
      const path = `spec.rules[${index}]`;
      const host = str(rule['host']);
      if (host !== '') complaints.form(`${path}.host`, host, (value) => dns1123Subdomain(value.replace(/^\*\./, '')));
      if (!isRec(rule['http'])) continue;
      const paths = recs(at(rule, 'http', 'paths'));
      if (paths.length === 0) complaints.required(`${path}.http.paths`);
      for (const [i, item] of paths.entries()) {
        const here = `${path}.http.paths[${i}]`;
        if (absent(item['pathType'])) complaints.required(`${here}.pathType`, 'pathType must be specified');
        else complaints.oneOf(`${here}.pathType`, item['pathType'], ['Exact', 'ImplementationSpecific', 'Prefix']);
        const value = str(item['path']);
        const relaxed = item['pathType'] === 'ImplementationSpecific';
        if ((!relaxed || value !== '') && !value.startsWith('/')) complaints.invalid(`${here}.path`, value, 'must be an absolute path');
        validateBackend(complaints, item['backend'], `${here}.backend`);
      }
    }
    if (!absent(field(spec, 'defaultBackend'))) validateBackend(complaints, field(spec, 'defaultBackend'), 'spec.defaultBackend');
    if (!unset(field(spec, 'ingressClassName'))) complaints.form('spec.ingressClassName', field(spec, 'ingressClassName'), dns1123Subdomain);
  });
}

function defaultPolicy(policy: Rec): void {
  const spec = child(policy, 'spec');
  if (spec === undefined) return;
  fill(spec, 'podSelector', {});
  for (const direction of ['ingress', 'egress']) {
    for (const rule of children(spec, direction)) for (const port of children(rule, 'ports')) fillZero(port, 'protocol', 'TCP');
  }
  if (list(spec['policyTypes']).length === 0) spec['policyTypes'] = list(spec['egress']).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
}

function validatePeers(complaints: Complaints, rule: Rec, name: string, path: string): void {
  for (const [index, peer] of recs(rule[name]).entries()) {
    const here = `${path}.${name}[${index}]`;
    const block = peer['ipBlock'];
    if (absent(peer['podSelector']) && absent(peer['namespaceSelector']) && absent(block)) complaints.required(here, 'must specify a peer');
    if (!absent(block) && !(absent(peer['podSelector']) && absent(peer['namespaceSelector']))) {
      complaints.forbidden(here, 'may not specify both ipBlock and another peer');
    }
    validateLabelSelector(complaints, peer['podSelector'], `${here}.podSelector`);
    validateLabelSelector(complaints, peer['namespaceSelector'], `${here}.namespaceSelector`);
    if (isRec(block) && unset(block['cidr'])) complaints.required(`${here}.ipBlock.cidr`);
  }
}

function validatePolicy(policy: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(policy, 'spec');
    validateLabelSelector(complaints, field(spec, 'podSelector'), 'spec.podSelector');
    for (const [direction, peers] of [['ingress', 'from'], ['egress', 'to']] as const) {
      for (const [index, rule] of recs(field(spec, direction)).entries()) {
        const path = `spec.${direction}[${index}]`;
        for (const [i, port] of recs(rule['ports']).entries()) {
          complaints.oneOf(`${path}.ports[${i}].protocol`, port['protocol'], ['SCTP', 'TCP', 'UDP']);
          if (!absent(port['port'])) validatePortRef(complaints, port['port'], `${path}.ports[${i}].port`);
          if (!absent(port['endPort']) && typeof port['port'] !== 'number') complaints.required(`${path}.ports[${i}].port`, 'must be specified as a number when `endPort` is specified');
        }
        validatePeers(complaints, rule, peers, path);
      }
    }
    for (const [index, type] of strs(field(spec, 'policyTypes')).entries()) complaints.oneOf(`spec.policyTypes[${index}]`, type, ['Egress', 'Ingress']);
  });
}

function validateSlice(slice: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    complaints.oneOf('addressType', slice['addressType'], ['FQDN', 'IPv4', 'IPv6'], true);
    const endpoints = recs(slice['endpoints']);
    if (endpoints.length > 1000) complaints.tooMany('endpoints', endpoints.length, 1000);
    for (const [index, endpoint] of endpoints.entries()) {
      if (list(endpoint['addresses']).length === 0) complaints.required(`endpoints[${index}].addresses`, 'must contain at least 1 address');
    }
    const names = new Set<string>();
    for (const [index, port] of recs(slice['ports']).entries()) {
      const name = str(port['name']);
      if (name !== '') complaints.form(`ports[${index}].name`, name, dns1123Label);
      if (names.has(name)) complaints.duplicate(`ports[${index}].name`, name);
      names.add(name);
      complaints.oneOf(`ports[${index}].protocol`, port['protocol'], ['SCTP', 'TCP', 'UDP'], true);
    }
  });
}

export const networkingExtras: ExtrasTable = {
  'networking.k8s.io/ingresses': {
    shortNames: ['ing'], storagePrefix: 'ingress', printer: print.ingressPrinter,
    strategy: strategyOf({ status: true, generation: true, validate: validateIngress }),
  },
  'networking.k8s.io/ingressclasses': {
    printer: print.ingressClassPrinter,
    strategy: strategyOf({
      generation: true,
      defaults: (object) => {
        const parameters = at(object, 'spec', 'parameters');
        if (isRec(parameters)) fill(parameters, 'scope', 'Cluster');
      },
      validateUpdate: (object, old) => complaintsOf((complaints) => {
        complaints.immutable('spec.controller', at(object, 'spec', 'controller'), at(object, 'spec', 'controller') === at(old, 'spec', 'controller'));
      }),
    }),
  },
  'networking.k8s.io/networkpolicies': {
    shortNames: ['netpol'], printer: print.networkPolicyPrinter,
    strategy: strategyOf({ generation: true, defaults: defaultPolicy, validate: validatePolicy }),
  },
  'networking.k8s.io/ipaddresses': { shortNames: ['ip'], printer: print.ipAddressPrinter, fieldSelectors: {
    'spec.parentRef.name': (object) => str(at(object, 'spec', 'parentRef', 'name')),
    'spec.parentRef.namespace': (object) => str(at(object, 'spec', 'parentRef', 'namespace')),
    'spec.parentRef.resource': (object) => str(at(object, 'spec', 'parentRef', 'resource')),
    'spec.parentRef.group': (object) => str(at(object, 'spec', 'parentRef', 'group')),
  } },
  'networking.k8s.io/servicecidrs': { printer: print.serviceCidrPrinter, strategy: strategyOf({ status: true, statusKeeps: ALL_METADATA }) },
  'discovery.k8s.io/endpointslices': {
    printer: print.endpointSlicePrinter,
    strategy: strategyOf({
      generation: true,
      defaults: (slice) => {
        for (const port of children(slice, 'ports')) {
          fill(port, 'name', '');
          fillZero(port, 'protocol', 'TCP');
        }
      },
      validate: validateSlice,
      validateUpdate: (slice, old) => complaintsOf((complaints) => {
        complaints.immutable('addressType', slice['addressType'], slice['addressType'] === old['addressType']);
      }),
    }),
  },
};
