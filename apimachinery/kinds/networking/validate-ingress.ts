/**
 * Validation of Ingresses and IngressClasses (k8s.io/kubernetes/pkg/apis/networking/validation). The order of
 * complaints is Kubernetes' own.
 */
import {
  dns1123Label,
  dns1123Subdomain,
  domainPrefixedPath,
  pathSegment,
  portName,
  wildcardSubdomain,
} from '../../names.js';
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import { addressForm, parseAddress } from '../lib/addresses.js';
import { IMMUTABLE, complaintsOf, type Complaints } from '../lib/complaints.js';
import { absent, at, field, isRec, keysOf, num, recs, str, strs, unset, type Rec } from '../lib/value.js';

const CONTROLLER_LENGTH_MAX = 250;
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class';

/** A group, kind and name, as an object elsewhere is named. */
function validateReference(complaints: Complaints, reference: Rec, path: string): void {
  if (!absent(reference['apiGroup'])) complaints.form(`${path}.apiGroup`, reference['apiGroup'], dns1123Subdomain);
  for (const name of ['kind', 'name']) complaints.requiredForm(`${path}.${name}`, reference[name], pathSegment);
}

function validateServicePort(complaints: Complaints, service: Rec, path: string): void {
  const name = str(at(service, 'port', 'name'));
  const number = num(at(service, 'port', 'number'));
  if (name !== '' && number !== 0) complaints.invalid(path, '', 'cannot set both port name & port number');
  else if (name !== '') complaints.form(`${path}.service.port.name`, name, portName);
  else if (number !== 0) complaints.port(`${path}.service.port.number`, number);
  else complaints.required(path, 'port name or number is required');
}

function validateBackend(complaints: Complaints, backend: unknown, path: string): void {
  const service = field(backend, 'service');
  const resource = field(backend, 'resource');
  if (isRec(resource) && isRec(service))
    return complaints.invalid(path, '', 'cannot set both resource and service backends');
  if (isRec(resource)) return validateReference(complaints, resource, `${path}.resource`);
  if (!isRec(service)) return complaints.invalid(path, '', 'resource or service backend is required');
  complaints.requiredForm(`${path}.service.name`, service['name'], dns1123Label);
  validateServicePort(complaints, service, path);
}

const BAD_SEQUENCES = ['//', '/./', '/../', '%2f', '%2F'];
const BAD_ENDS = ['/..', '/.'];

function validatePath(complaints: Complaints, item: Rec, path: string): void {
  const type = item['pathType'];
  if (absent(type)) return complaints.required(`${path}.pathType`, 'pathType must be specified');
  const value = str(item['path']);
  const isLoose = type === 'ImplementationSpecific';
  if (type === 'Exact' || type === 'Prefix' || isLoose) {
    if (!value.startsWith('/') && !(isLoose && value === ''))
      complaints.invalid(`${path}.path`, value, 'must be an absolute path');
    if (!isLoose) {
      for (const sequence of BAD_SEQUENCES)
        if (value.includes(sequence)) complaints.invalid(`${path}.path`, value, `must not contain '${sequence}'`);
      for (const end of BAD_ENDS)
        if (value.endsWith(end)) complaints.invalid(`${path}.path`, value, `cannot end with '${end}'`);
    }
  } else {
    complaints.unsupported(`${path}.pathType`, type, ['Exact', 'ImplementationSpecific', 'Prefix']);
  }
  validateBackend(complaints, item['backend'], `${path}.backend`);
}

const hostForm = (host: string): readonly string[] =>
  host.includes('*') ? wildcardSubdomain(host) : dns1123Subdomain(host);

function validateRule(complaints: Complaints, rule: Rec, path: string): void {
  const host = str(rule['host']);
  if (host !== '') {
    if (parseAddress(host) !== undefined)
      complaints.invalid(`${path}.host`, host, 'must be a DNS name, not an IP address');
    complaints.form(`${path}.host`, host, hostForm);
  }
  if (!isRec(rule['http'])) return;
  const paths = recs(rule['http']['paths']);
  if (paths.length === 0) complaints.required(`${path}.http.paths`);
  for (const [index, item] of paths.entries()) validatePath(complaints, item, `${path}.http.paths[${index}]`);
}

const hasBadSecretName = (spec: unknown): boolean =>
  recs(field(spec, 'tls')).some(({ secretName }) => !unset(secretName) && dns1123Subdomain(str(secretName)).length > 0);

function validateTls(complaints: Complaints, spec: unknown, old: unknown): void {
  const secretsUnchecked = hasBadSecretName(old);
  for (const [index, tls] of recs(field(spec, 'tls')).entries()) {
    const path = `spec.tls[${index}]`;
    for (const [i, host] of strs(tls['hosts']).entries()) complaints.form(`${path}.hosts[${i}]`, host, hostForm);
    if (!secretsUnchecked && !unset(tls['secretName']))
      complaints.form(`${path}.secretName`, tls['secretName'], dns1123Subdomain);
  }
}

/** Also of load balancers of Ingresses; `known` are addresses that were stored before. */
function validateIngressStatus(complaints: Complaints, status: unknown, old: unknown): void {
  const known = new Set(recs(at(old, 'loadBalancer', 'ingress')).map(({ ip }) => str(ip)));
  for (const [index, ingress] of recs(at(status, 'loadBalancer', 'ingress')).entries()) {
    const path = `status.loadBalancer.ingress[${index}]`;
    if (!unset(ingress['ip'])) complaints.form(`${path}.ip`, ingress['ip'], addressForm(known));
    validateLoadBalancerHost(complaints, ingress['hostname'], `${path}.hostname`);
  }
}

export function validateLoadBalancerHost(complaints: Complaints, host: unknown, path: string): void {
  if (unset(host)) return;
  complaints.form(path, host, dns1123Subdomain);
  if (parseAddress(str(host)) !== undefined) complaints.invalid(path, host, 'must be a DNS name, not an IP address');
}

export function validateIngress(ingress: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const { spec, status } = ingress;
    const old = context?.old;
    if (context?.subresource === 'status') return validateIngressStatus(complaints, status, field(old, 'status'));
    const rules = recs(field(spec, 'rules'));
    const backend = field(spec, 'defaultBackend');
    if (rules.length === 0 && !isRec(backend))
      complaints.invalid('spec', field(spec, 'rules'), 'either `defaultBackend` or `rules` must be specified');
    if (isRec(backend)) validateBackend(complaints, backend, 'spec.defaultBackend');
    for (const [index, rule] of rules.entries()) validateRule(complaints, rule, `spec.rules[${index}]`);
    validateTls(complaints, spec, field(old, 'spec'));
    const className = field(spec, 'ingressClassName');
    if (!absent(className)) complaints.form('spec.ingressClassName', className, dns1123Subdomain);
    const annotation = at(ingress, 'metadata', 'annotations', CLASS_ANNOTATION);
    if (old === undefined && annotation !== undefined && !absent(className) && annotation !== className) {
      complaints.invalid(
        `annotations.${CLASS_ANNOTATION}`,
        annotation,
        'must match `ingressClassName` when both are specified',
      );
    }
  });
}

function validateParameters(complaints: Complaints, parameters: Rec, path: string): void {
  validateReference(complaints, parameters, path);
  const { scope, namespace } = parameters;
  if (absent(scope)) return complaints.required(`${path}.scope`);
  if (scope === 'Namespace') {
    if (absent(namespace)) complaints.required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'");
    else complaints.form(`${path}.namespace`, namespace, dns1123Label);
  } else if (scope !== 'Cluster') {
    complaints.unsupported(`${path}.scope`, scope, ['Cluster', 'Namespace']);
  } else if (!absent(namespace)) {
    complaints.forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'");
  }
}

/** Complaints about the part before and after the slash show that part alone. */
function validateController(complaints: Complaints, controller: string): void {
  const path = 'spec.controller';
  if (controller.length > CONTROLLER_LENGTH_MAX) complaints.tooLong(path, CONTROLLER_LENGTH_MAX);
  if (controller === '') return complaints.required(path);
  const slash = controller.indexOf('/');
  if (slash <= 0 || slash === controller.length - 1) return complaints.form(path, controller, domainPrefixedPath);
  const host = controller.slice(0, slash);
  complaints.form(path, host, dns1123Subdomain);
  complaints.form(path, controller.slice(slash + 1), (rest) => domainPrefixedPath(`a/${rest}`));
}

export function validateIngressClass(object: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(object, 'spec');
    const controller = str(field(spec, 'controller'));
    const old = context?.old;
    if (old !== undefined && controller !== str(at(old, 'spec', 'controller')))
      complaints.invalid('spec.controller', controller, IMMUTABLE);
    validateController(complaints, controller);
    const parameters = field(spec, 'parameters');
    if (isRec(parameters) && keysOf(parameters).length > 0)
      validateParameters(complaints, parameters, 'spec.parameters');
  });
}
