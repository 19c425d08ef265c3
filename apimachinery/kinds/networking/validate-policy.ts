/**
 * Validation of NetworkPolicies (k8s.io/kubernetes/pkg/apis/networking/validation). The order of complaints is
 * Kubernetes' own.
 */
import { portName } from '../../names.js';
import type { StrategyContext } from '../../kind.js';
import type { FieldError } from '../../status.js';
import { cidrForm, parseCidr, strictSubsetOf } from '../lib/addresses.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { validateLabelSelector } from '../lib/label-validation.js';
import { absent, field, isRec, num, recs, str, strs, unset, type Rec } from '../lib/value.js';

const DIRECTIONS = [
  ['ingress', 'from'],
  ['egress', 'to'],
] as const;

function validatePort(complaints: Complaints, port: Rec, path: string): void {
  const { protocol, port: number, endPort } = port;
  complaints.enumerated(`${path}.protocol`, protocol, ['TCP', 'UDP', 'SCTP']);
  if (absent(number)) {
    if (!absent(endPort))
      complaints.invalid(`${path}.endPort`, endPort, 'may not be specified when `port` is not specified');
  } else if (typeof number === 'string') {
    if (!absent(endPort))
      complaints.invalid(`${path}.endPort`, endPort, 'may not be specified when `port` is non-numeric');
    complaints.form(`${path}.port`, number, portName);
  } else {
    complaints.port(`${path}.port`, number);
    if (absent(endPort)) return;
    // Kubernetes shows the port here, not the end.
    if (num(endPort) < num(number))
      complaints.invalid(`${path}.endPort`, number, 'must be greater than or equal to `port`');
    complaints.port(`${path}.endPort`, endPort);
  }
}

function validateBlock(complaints: Complaints, block: Rec, path: string, known: ReadonlySet<string>): void {
  if (unset(block['cidr'])) return complaints.required(`${path}.cidr`);
  complaints.form(`${path}.cidr`, block['cidr'], cidrForm(known));
  const cidr = parseCidr(str(block['cidr']));
  if (cidr === undefined) return;
  const [form, isPart] = [cidrForm(known), strictSubsetOf(cidr)];
  for (const [index, except] of strs(block['except']).entries()) {
    const wrong = form(except);
    if (wrong.length > 0) complaints.form(`${path}.except[${index}]`, except, () => wrong);
    if (isPart(except) === false)
      complaints.invalid(`${path}.except[${index}]`, except, 'must be a strict subset of `cidr`');
  }
}

function validatePeer(complaints: Complaints, peer: Rec, path: string, known: ReadonlySet<string>): void {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  validateLabelSelector(complaints, podSelector, `${path}.podSelector`);
  validateLabelSelector(complaints, namespaceSelector, `${path}.namespaceSelector`);
  if (isRec(ipBlock)) validateBlock(complaints, ipBlock, `${path}.ipBlock`, known);
  const selects = isRec(podSelector) || isRec(namespaceSelector);
  if (!selects && !isRec(ipBlock)) complaints.required(path, 'must specify a peer');
  else if (selects && isRec(ipBlock)) complaints.forbidden(path, 'may not specify both ipBlock and another peer');
}

/** Every CIDR of a stored policy: what was taken once may stay. */
function cidrsOf(spec: unknown): string[] {
  return DIRECTIONS.flatMap(([direction, peers]) =>
    recs(field(spec, direction)).flatMap((rule) =>
      recs(rule[peers]).flatMap(({ ipBlock }) =>
        isRec(ipBlock) ? [str(ipBlock['cidr']), ...strs(ipBlock['except'])] : [],
      ),
    ),
  );
}

export function validatePolicy(policy: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const spec = field(policy, 'spec');
    const known = new Set(cidrsOf(field(context?.old, 'spec')));
    validateLabelSelector(complaints, field(spec, 'podSelector'), 'spec.podSelector');
    for (const [direction, peers] of DIRECTIONS) {
      for (const [index, rule] of recs(field(spec, direction)).entries()) {
        const path = `spec.${direction}[${index}]`;
        for (const [i, port] of recs(rule['ports']).entries()) validatePort(complaints, port, `${path}.ports[${i}]`);
        for (const [i, peer] of recs(rule[peers]).entries())
          validatePeer(complaints, peer, `${path}.${peers}[${i}]`, known);
      }
    }
    const types = strs(field(spec, 'policyTypes'));
    if (types.length > 2)
      return complaints.invalid('spec.policyTypes', types, 'may not specify more than two policyTypes');
    for (const [index, type] of types.entries())
      complaints.enumerated(`spec.policyTypes[${index}]`, type, ['Ingress', 'Egress']);
  });
}
