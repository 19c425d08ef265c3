/** Nodes: defaults, and validation in Kubernetes' own order (k8s.io/kubernetes/pkg/apis/core/validation). */
import type { StrategyContext } from '../../kind.js';
import { labelValue, qualifiedName } from '../../names.js';
import { FIELD_ERRORS_MAX } from '../../status.js';
import type { FieldError } from '../../status.js';
import { WORKER_KEYS_ANNOTATION } from '../../well-known.js';
import { cidrForm, parseCidr } from '../lib/addresses.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import {
  absent,
  at,
  child,
  clone,
  entries,
  field,
  isRec,
  put,
  recs,
  str,
  strs,
  unset,
  type Rec,
} from '../lib/value.js';
import { validateResourceValue } from '../pod/validate-resources.js';

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const FIXED_CIDR = 'node updates may not change podCIDR except from "" to valid';
const FIXED_PROVIDER = 'node updates may not change providerID except from "" to valid';

/** As Go's internal type is printed. */
const shown = (taint: Rec): unknown => ({
  Key: str(taint['key']),
  Value: str(taint['value']),
  Effect: str(taint['effect']),
  TimeAdded: taint['timeAdded'] ?? null,
});

function validateTaints(complaints: Complaints, taints: unknown): void {
  const seen = new Set<string>();
  for (const [index, taint] of recs(taints).entries()) {
    const path = `metadata.taints[${index}]`;
    complaints.form(`${path}.key`, taint['key'], qualifiedName);
    const wrong = labelValue(str(taint['value']));
    if (wrong.length > 0) complaints.invalid(`${path}.value`, taint['value'], wrong.join(';'));
    complaints.oneOf(`${path}.effect`, taint['effect'], EFFECTS, true);
    const key = JSON.stringify([str(taint['key']), str(taint['effect'])]);
    if (seen.has(key))
      complaints.add([
        {
          type: 'FieldValueDuplicate',
          field: path,
          detail: `Duplicate value: ${JSON.stringify(shown(taint))}: taints must be unique by key and effect pair`,
        },
      ]);
    seen.add(key);
  }
}

function validateAmounts(complaints: Complaints, node: Rec): void {
  for (const side of ['capacity', 'allocatable']) {
    for (const [name, quantity] of entries(at(node, 'status', side)))
      validateResourceValue(complaints, name, quantity, `status.${side}.${name}`);
  }
}

/** One CIDR of each family. Of more than anybody is told of the others are not looked at. */
function validateCidrs(complaints: Complaints, all: readonly string[]): void {
  const cidrs = all.slice(0, FIELD_ERRORS_MAX);
  for (const [index, cidr] of cidrs.entries()) complaints.form(`spec.podCIDRs[${index}]`, cidr, cidrForm());
  if (cidrs.length < 2) return;
  const parsed = cidrs.map(parseCidr);
  const broken = cidrs.find((_cidr, index) => parsed[index] === undefined);
  if (broken !== undefined) {
    complaints.add([
      {
        type: 'InternalError',
        field: 'spec.podCIDRs',
        detail: `Internal error: invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[${cidrs.indexOf(broken)}]: <nil> (invalid CIDR address: ${broken})`,
      },
    ]);
  }
  const isDual = broken === undefined && new Set(parsed.map((cidr) => cidr?.address.family)).size === 2;
  if (!isDual || cidrs.length > 2)
    complaints.invalid('spec.podCIDRs', all, 'may specify no more than one CIDR for each IP family');
}

const FEATURE = /^[A-Z][a-zA-Z0-9]*(\/[A-Z][a-zA-Z0-9]*)*$/;

/** Sorted, and each once. */
function validateFeatures(complaints: Complaints, node: Rec): void {
  const path = 'status.declaredFeatures';
  const features = strs(at(node, 'status', 'declaredFeatures'));
  for (const [index, feature] of features.entries()) {
    if (!FEATURE.test(feature)) {
      complaints.invalid(
        `${path}[${index}]`,
        feature,
        `invalid feature name ${JSON.stringify(feature)}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' ` +
          '(e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes',
      );
    }
    const next = features[index + 1];
    if (next === undefined) continue;
    if (feature === next) complaints.duplicate(`${path}[${index + 1}]`, next);
    else if (feature > next) complaints.invalid(`${path}[${index + 1}]`, next, 'list must be sorted alphabetically');
  }
}

function validateNew(complaints: Complaints, node: Rec): void {
  validateTaints(complaints, at(node, 'spec', 'taints'));
  validateAmounts(complaints, node);
  validateFeatures(complaints, node);
  validateCidrs(complaints, strs(at(node, 'spec', 'podCIDRs')));
}

function validateNode(node: Rec, context?: StrategyContext): FieldError[] {
  return complaintsOf((complaints) => {
    const old = context?.old;
    // Kubernetes looks at an update as at a new node first, and then at what may change: some complaints come twice.
    // Not those of a status.
    if (context?.subresource !== 'status') validateNew(complaints, node);
    if (old === undefined) return;
    validateAmounts(complaints, node);
    validateFeatures(complaints, node);
    const addresses = new Set<string>();
    for (const [index, address] of recs(at(node, 'status', 'addresses')).entries()) {
      const text = JSON.stringify({ Type: str(address['type']), Address: str(address['address']) });
      if (addresses.has(text)) complaints.duplicate(`status.addresses[${index}]`, JSON.parse(text));
      addresses.add(text);
    }
    const [cidrs, before] = [strs(at(node, 'spec', 'podCIDRs')), strs(at(old, 'spec', 'podCIDRs'))];
    if (before.length > 0 && before.length !== cidrs.length) complaints.forbidden('spec.podCIDRs', FIXED_CIDR);
    else
      for (const [index, cidr] of before.entries())
        if (cidr !== cidrs[index]) complaints.forbidden('spec.podCIDRs', FIXED_CIDR);
    const provider = at(old, 'spec', 'providerID');
    if (!unset(provider) && at(node, 'spec', 'providerID') !== provider)
      complaints.forbidden('spec.providerID', FIXED_PROVIDER);
    validateTaints(complaints, at(node, 'spec', 'taints'));
    if (str(at(node, 'spec', 'externalID')) !== str(at(old, 'spec', 'externalID')))
      complaints.forbidden('spec.externalID', 'may not be updated');
  });
}

/** `podCIDR` is the first of `podCIDRs`, and wins where the two differ: it is the older field. */
function alignCidrs(spec: Rec): void {
  const [first, all] = [str(spec['podCIDR']), strs(spec['podCIDRs'])];
  if (first !== '' && all[0] !== first) spec['podCIDRs'] = [first];
  else if (first === '' && all[0] !== undefined) spec['podCIDR'] = all[0];
}

/** Configuration of the kubelet by the API is gone (KEP-281): what is new of it is not kept. */
function dropConfigSource(node: Rec, old: unknown): void {
  for (const [part, name] of [
    ['spec', 'configSource'],
    ['status', 'config'],
  ] as const) {
    const holder = field(node, part);
    if (isRec(holder) && absent(at(old, part, name))) delete holder[name];
  }
}

/** Whoever may write the status of nodes, as programs that watch over them may, must not decide who comes as one. */
function keepKeys(node: Rec, old: Rec): void {
  const stored = at(old, 'metadata', 'annotations', WORKER_KEYS_ANNOTATION);
  if (at(node, 'metadata', 'annotations', WORKER_KEYS_ANNOTATION) === stored) return;
  const metadata = child(node, 'metadata');
  const annotations = metadata === undefined ? undefined : child(metadata, 'annotations');
  if (annotations !== undefined) put(annotations, WORKER_KEYS_ANNOTATION, stored);
}

export const nodeStrategy = strategyOf({
  defaults: (node) => {
    const spec = field(node, 'spec');
    if (isRec(spec)) alignCidrs(spec);
    const status = field(node, 'status');
    if (isRec(status) && isRec(status['capacity']) && absent(status['allocatable']))
      status['allocatable'] = { ...status['capacity'] };
  },
  create: dropConfigSource,
  // Nodes come with their status, as the worker reports it; afterwards the two are apart.
  update: (node, old, context) => {
    if (context.subresource === 'status') {
      put(node, 'spec', clone(old['spec']));
      keepKeys(node, old);
    } else {
      put(node, 'status', clone(old['status']));
    }
    dropConfigSource(node, old);
  },
  validatesAll: true,
  validate: validateNode,
});
