/**
 * Validation of Endpoints and EndpointSlices (pkg/apis/core/validation and pkg/apis/discovery/validation). The order of
 * complaints is Kubernetes' own.
 */
import { dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from '../../names.js';
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import { COMPONENT_USERS, ENDPOINT_ACCOUNTS } from '../../well-known.js';
import { addressForm, canonicalAddress, endpointAddress, parseAddress } from '../lib/addresses.js';
import { IMMUTABLE, complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateLabels } from '../lib/label-validation.js';
import { absent, entries, field, isRec, recs, same, str, strs, unset, type Rec } from '../lib/value.js';

const PROTOCOLS = ['SCTP', 'TCP', 'UDP'];
const ADDRESS_TYPES = ['FQDN', 'IPv4', 'IPv6'];
const ENDPOINTS_MAX = 1000;
const ADDRESSES_MAX = 100;
const PORTS_MAX = 20_000;
const TOPOLOGY_LABELS_MAX = 16;
const HINTS_MAX = 8;

const CONTROLLERS: ReadonlySet<string> = new Set(
  ENDPOINT_ACCOUNTS.map((account) => `system:serviceaccount:kube-system:${account}`),
);

type AddressRule = (text: string) => readonly string[];

/**
 * Where traffic may go. Members of a cluster on one machine's loopback addresses say so themselves: what they write of
 * the Service `kubernetes` is no user's way around policies.
 */
function ruleFor(context: StrategyContext | undefined): AddressRule {
  const { name, groups } = context?.user ?? { name: '', groups: [] };
  const isServer = name === COMPONENT_USERS.apiserver && groups.includes('system:masters');
  const isController = groups.includes('system:serviceaccounts:kube-system') && CONTROLLERS.has(name);
  return isServer || isController ? () => [] : endpointAddress;
}

function validateAddress(complaints: Complaints, address: Rec, path: string, rule: AddressRule): void {
  complaints.form(`${path}.ip`, address['ip'], addressForm());
  if (!unset(address['hostname'])) complaints.form(`${path}.hostname`, address['hostname'], dns1123Label);
  if (!absent(address['nodeName'])) complaints.form(`${path}.nodeName`, address['nodeName'], dns1123Subdomain);
  complaints.form(`${path}.ip`, address['ip'], rule);
}

function validateEndpointPort(complaints: Complaints, port: Rec, path: string, needsName: boolean): void {
  if (!unset(port['name'])) complaints.form(`${path}.name`, port['name'], dns1123Label);
  else if (needsName) complaints.required(`${path}.name`);
  complaints.port(`${path}.port`, port['port']);
  complaints.oneOf(`${path}.protocol`, port['protocol'], PROTOCOLS, true);
  if (!absent(port['appProtocol'])) complaints.form(`${path}.appProtocol`, port['appProtocol'], qualifiedName);
}

export function validateEndpoints(endpoints: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    // What older versions took may stay as it is.
    if (context?.old !== undefined && same(endpoints['subsets'], field(context.old, 'subsets'))) return;
    const rule = ruleFor(context);
    for (const [index, subset] of recs(endpoints['subsets']).entries()) {
      const path = `subsets[${index}]`;
      const ready = recs(subset['addresses']);
      const notReady = recs(subset['notReadyAddresses']);
      const ports = recs(subset['ports']);
      if (ready.length === 0 && notReady.length === 0)
        complaints.required(path, 'must specify `addresses` or `notReadyAddresses`');
      for (const [i, address] of ready.entries()) validateAddress(complaints, address, `${path}.addresses[${i}]`, rule);
      for (const [i, address] of notReady.entries())
        validateAddress(complaints, address, `${path}.notReadyAddresses[${i}]`, rule);
      for (const [i, port] of ports.entries())
        validateEndpointPort(complaints, port, `${path}.ports[${i}]`, ports.length > 1);
    }
  });
}

function validateSlicePorts(complaints: Complaints, ports: readonly Rec[]): void {
  if (ports.length > PORTS_MAX) return complaints.tooMany('ports', ports.length, PORTS_MAX);
  const names = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const path = `ports[${index}]`;
    const name = str(port['name']);
    if (name !== '') complaints.form(`${path}.name`, name, dns1123Label);
    if (names.has(name)) complaints.duplicate(`${path}.name`, name);
    names.add(name);
    if (absent(port['protocol'])) complaints.required(`${path}.protocol`);
    else complaints.enumerated(`${path}.protocol`, port['protocol'], PROTOCOLS);
    if (!absent(port['appProtocol'])) complaints.form(`${path}.appProtocol`, port['appProtocol'], qualifiedName);
  }
}

/** A host name with at least one dot; Kubernetes shows it without the dot at its end. */
function validateDomainName(complaints: Complaints, text: string, path: string): void {
  if (text === '') return complaints.required(path);
  const name = text.replace(/\.$/, '');
  const wrong = dns1123Subdomain(name);
  if (wrong.length > 0) return complaints.invalid(path, name, wrong.join(','));
  const labels = name.split('.');
  if (labels.length < 2)
    return complaints.invalid(path, name, 'should be a domain with at least two segments separated by dots');
  for (const label of labels) {
    const complaint = dns1123Label(label);
    if (complaint.length > 0) return complaints.invalid(path, label, complaint.join(','));
  }
}

function validateSliceAddress(
  complaints: Complaints,
  address: string,
  how: { readonly type: string; readonly list: string; readonly index: number; readonly rule: AddressRule },
): void {
  const path = `${how.list}[${how.index}]`;
  if (how.type === 'FQDN') return validateDomainName(complaints, address, path);
  if (how.type !== 'IPv4' && how.type !== 'IPv6') return;
  const wrong = how.type === 'IPv4' ? addressForm()(address) : canonicalAddress(address);
  if (wrong.length > 0) return complaints.form(path, address, () => wrong);
  if (parseAddress(address)?.family !== how.type)
    complaints.invalid(how.list, address, `must be an ${how.type} address`);
  complaints.form(path, address, how.rule);
}

function validateHintNames(
  complaints: Complaints,
  hints: readonly Rec[],
  path: string,
  form: (name: string) => readonly string[],
): void {
  const seen = new Set<string>();
  for (const [index, hint] of hints.entries()) {
    const name = str(hint['name']);
    if (seen.has(name)) complaints.duplicate(`${path}[${index}].name`, name);
    seen.add(name);
    complaints.form(`${path}[${index}].name`, name, form);
  }
}

function validateHints(complaints: Complaints, hints: Rec, path: string): void {
  for (const [name, form] of [
    ['forZones', labelValue],
    ['forNodes', dns1123Subdomain],
  ] as const) {
    const given = recs(hints[name]);
    if (given.length > HINTS_MAX) return complaints.tooMany(`${path}.${name}`, given.length, HINTS_MAX);
    validateHintNames(complaints, given, `${path}.${name}`, form);
  }
}

function validateEndpoint(
  complaints: Complaints,
  endpoint: Rec,
  path: string,
  { type, rule }: { readonly type: string; readonly rule: AddressRule },
): void {
  const addresses = strs(endpoint['addresses']);
  if (addresses.length === 0) complaints.required(`${path}.addresses`, 'must contain at least 1 address');
  else if (addresses.length > ADDRESSES_MAX) complaints.tooMany(`${path}.addresses`, addresses.length, ADDRESSES_MAX);
  for (const [index, address] of addresses.entries())
    validateSliceAddress(complaints, address, { type, list: `${path}.addresses`, index, rule });
  if (!absent(endpoint['nodeName'])) complaints.form(`${path}.nodeName`, endpoint['nodeName'], dns1123Subdomain);
  const topology = endpoint['deprecatedTopology'];
  const labels = entries(topology).length;
  if (labels > TOPOLOGY_LABELS_MAX) complaints.tooMany(`${path}.deprecatedTopology`, labels, TOPOLOGY_LABELS_MAX);
  validateLabels(complaints, topology, `${path}.deprecatedTopology`);
  if (!absent(endpoint['hostname'])) complaints.form(`${path}.hostname`, endpoint['hostname'], dns1123Label);
  if (isRec(endpoint['hints'])) validateHints(complaints, endpoint['hints'], `${path}.hints`);
}

export function validateSlice(slice: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const type = str(slice['addressType']);
    const old = context?.old;
    complaints.oneOf('addressType', type, ADDRESS_TYPES, true);
    validateSlicePorts(complaints, recs(slice['ports']));
    const endpoints = recs(slice['endpoints']);
    if (old === undefined || !same(slice['endpoints'], field(old, 'endpoints'))) {
      if (endpoints.length > ENDPOINTS_MAX) complaints.tooMany('endpoints', endpoints.length, ENDPOINTS_MAX);
      else
        for (const [index, endpoint] of endpoints.entries())
          validateEndpoint(complaints, endpoint, `endpoints[${index}]`, { type, rule: ruleFor(context) });
    }
    if (old !== undefined && type !== field(old, 'addressType')) complaints.invalid('addressType', type, IMMUTABLE);
  });
}
