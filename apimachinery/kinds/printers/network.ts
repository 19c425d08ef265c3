/** Tables of Services, endpoints, Ingresses and network policies. */
import type { KubeObject } from '../../object.js';
import type { Printer } from '../../kind.js';
import { formatLabels, formatLabelSelector } from '../lib/selectors.js';
import { absent, at, field, list, num, recs, str, strs, type Rec } from '../lib/value.js';
import { AGE, NAME, orNone, printerOf, text, wide } from './columns.js';

const SHOWN_MAX = 3;

/** At most three items, and how many more there are. */
function abridged(items: readonly string[], whenEmpty: string): string {
  if (items.length === 0) return whenEmpty;
  const shown = items.slice(0, SHOWN_MAX).join(',');
  return items.length > SHOWN_MAX ? `${shown} + ${items.length - SHOWN_MAX} more...` : shown;
}

function balancerAddresses(object: KubeObject): string[] {
  const addresses = recs(at(object, 'status', 'loadBalancer', 'ingress')).map(
    (ingress) => str(ingress['ip']) || str(ingress['hostname']),
  );
  return [...new Set(addresses.filter((address) => address !== ''))].sort();
}

function externalIP(service: KubeObject): string {
  const external = strs(at(service, 'spec', 'externalIPs'));
  switch (at(service, 'spec', 'type')) {
    case 'ClusterIP':
    case 'NodePort':
      return external.length > 0 ? external.join(',') : '<none>';
    case 'LoadBalancer': {
      const all = [...balancerAddresses(service), ...external];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return str(at(service, 'spec', 'externalName'));
    default:
      return '<unknown>';
  }
}

function servicePort(port: Rec): string {
  const node = num(port['nodePort']) > 0 ? `:${num(port['nodePort'])}` : '';
  return `${num(port['port'])}${node}/${str(port['protocol'])}`;
}

function clusterIP(service: KubeObject): string {
  return orNone(list(at(service, 'spec', 'clusterIPs'))[0] ?? at(service, 'spec', 'clusterIP'));
}

export const servicePrinter: Printer = printerOf(
  NAME,
  text('Type', (service) => str(at(service, 'spec', 'type'))),
  text('Cluster-IP', clusterIP),
  text('External-IP', externalIP),
  text('Port(s)', (service) =>
    orNone(
      recs(at(service, 'spec', 'ports'))
        .map(servicePort)
        .join(','),
    ),
  ),
  AGE,
  wide(text('Selector', (service) => formatLabels(at(service, 'spec', 'selector')))),
);

const hostPort = (ip: string, port: unknown): string =>
  ip.includes(':') ? `[${ip}]:${num(port)}` : `${ip}:${num(port)}`;

function endpointsText(endpoints: KubeObject): string {
  const all = recs(field(endpoints, 'subsets')).flatMap((subset) => {
    const ips = recs(subset['addresses']).map((address) => str(address['ip']));
    const ports = recs(subset['ports']);
    return ports.length === 0 ? ips : ports.flatMap((port) => ips.map((ip) => hostPort(ip, port['port'])));
  });
  return abridged(all, '<none>');
}

export const endpointsPrinter: Printer = printerOf(NAME, text('Endpoints', endpointsText), AGE);

export const endpointSlicePrinter: Printer = printerOf(
  NAME,
  text('AddressType', (slice) => str(field(slice, 'addressType'))),
  text('Ports', (slice) =>
    abridged(
      recs(field(slice, 'ports')).map((port) =>
        absent(port['port']) ? (absent(port['name']) ? '*' : str(port['name'])) : String(num(port['port'])),
      ),
      '<unset>',
    ),
  ),
  text('Endpoints', (slice) =>
    abridged(
      recs(field(slice, 'endpoints')).map((endpoint) => str(list(endpoint['addresses'])[0])),
      '<unset>',
    ),
  ),
  AGE,
);

export const ingressPrinter: Printer = printerOf(
  NAME,
  text('Class', (ingress) => orNone(at(ingress, 'spec', 'ingressClassName'))),
  text('Hosts', (ingress) =>
    abridged(
      recs(at(ingress, 'spec', 'rules'))
        .map((rule) => str(rule['host']))
        .filter((host) => host !== ''),
      '*',
    ),
  ),
  text('Address', (ingress) => balancerAddresses(ingress).join(',')),
  text('Ports', (ingress) => (list(at(ingress, 'spec', 'tls')).length > 0 ? '80, 443' : '80')),
  AGE,
);

function ingressParameters(object: KubeObject): string {
  const parameters = at(object, 'spec', 'parameters');
  if (absent(parameters)) return '<none>';
  const group = field(parameters, 'apiGroup');
  return `${str(field(parameters, 'kind'))}${absent(group) ? '' : `.${str(group)}`}/${str(field(parameters, 'name'))}`;
}

export const ingressClassPrinter: Printer = printerOf(
  NAME,
  text('Controller', (object) => str(at(object, 'spec', 'controller'))),
  text('Parameters', ingressParameters),
  AGE,
);

export const networkPolicyPrinter: Printer = printerOf(
  NAME,
  text('Pod-Selector', (object) => formatLabelSelector(at(object, 'spec', 'podSelector'))),
  AGE,
);

export const ipAddressPrinter: Printer = printerOf(
  NAME,
  text('ParentRef', (object) => {
    const parent = at(object, 'spec', 'parentRef');
    const parts = ['group', 'resource', 'namespace', 'name'].map((name) => str(field(parent, name)));
    const [group = '', resource = '', namespace = '', name = ''] = parts;
    return `${resource}${group === '' ? '' : `.${group}`}/${namespace === '' ? '' : `${namespace}/`}${name}`;
  }),
);

export const serviceCidrPrinter: Printer = printerOf(
  NAME,
  text('CIDRs', (object) => strs(at(object, 'spec', 'cidrs')).join(',')),
  AGE,
);
