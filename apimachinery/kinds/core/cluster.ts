/** Namespaces, nodes, events, endpoints, quotas and limit ranges. */
import { labelValue, qualifiedName } from '../../names.js';
import { compareQuantities } from '../../quantity.js';
import type { FieldError } from '../../status.js';
import { complaintsOf, type Complaints } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import { validateEndpoints } from '../networking/validate-endpoints.js';
import { absent, at, child, children, clone, entries, field, fillZero, isRec, keysOf, num, put, recs, same, setOwn, str, strs, unset, type Rec } from '../lib/value.js';

const NAME_LABEL = 'kubernetes.io/metadata.name';

/** The name as a label, so that selectors can name a namespace. */
function defaultNamespace(namespace: Rec): void {
  const metadata = field(namespace, 'metadata');
  const name = str(field(metadata, 'name'));
  if (!isRec(metadata) || name === '') return;
  const labels = child(metadata, 'labels');
  if (labels !== undefined) labels[NAME_LABEL] = name;
}

function createNamespace(namespace: Rec): void {
  namespace['status'] = { phase: 'Active' };
  const spec = child(namespace, 'spec');
  if (spec === undefined) return;
  const finalizers = strs(spec['finalizers']);
  if (!finalizers.includes('kubernetes')) spec['finalizers'] = [...finalizers, 'kubernetes'];
}

export const namespaceStrategy = strategyOf({
  status: true,
  defaults: defaultNamespace,
  create: createNamespace,
  // spec.finalizers change by the subresource `finalize` alone.
  update: (namespace, old, context) => {
    if (context.subresource !== 'finalize') put(namespace, 'spec', clone(old['spec']));
  },
  validate: (namespace) => complaintsOf((complaints) => {
    for (const [index, name] of strs(at(namespace, 'spec', 'finalizers')).entries()) complaints.form(`spec.finalizers[${index}]`, name, qualifiedName);
  }),
  validateUpdate: (namespace, _old, context) => complaintsOf((complaints) => {
    const deleting = !absent(at(namespace, 'metadata', 'deletionTimestamp'));
    const phase = at(namespace, 'status', 'phase');
    if (context?.subresource === 'status' && !deleting && phase !== 'Active') complaints.invalid('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty");
    if (context?.subresource === 'status' && deleting && phase !== 'Terminating') complaints.invalid('status.Phase', phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
  }),
});

const EFFECTS = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];

function validateTaints(complaints: Complaints, taints: unknown): void {
  const seen = new Set<string>();
  for (const [index, taint] of recs(taints).entries()) {
    const path = `spec.taints[${index}]`;
    complaints.form(`${path}.key`, taint['key'], qualifiedName);
    complaints.form(`${path}.value`, taint['value'], labelValue);
    complaints.oneOf(`${path}.effect`, taint['effect'], EFFECTS, true);
    const key = `${str(taint['key'])}:${str(taint['effect'])}`;
    if (seen.has(key)) {
      complaints.duplicate(path, taint);
    }
    seen.add(key);
  }
}

export const nodeStrategy = strategyOf({
  defaults: (node) => {
    const status = field(node, 'status');
    if (isRec(status) && isRec(status['capacity']) && absent(status['allocatable'])) status['allocatable'] = { ...status['capacity'] };
  },
  // Nodes come with their status, as the worker reports it; afterwards the two are apart.
  update: (node, old, context) => {
    if (context.subresource === 'status') put(node, 'spec', clone(old['spec']));
    else put(node, 'status', clone(old['status']));
  },
  validate: (node) => complaintsOf((complaints) => {
    validateTaints(complaints, at(node, 'spec', 'taints'));
    for (const side of ['capacity', 'allocatable']) {
      for (const [name, quantity] of entries(at(node, 'status', side))) complaints.quantity(`status.${side}[${name}]`, quantity);
    }
  }),
  validateUpdate: (node, old) => complaintsOf((complaints) => {
    const cidr = at(old, 'spec', 'podCIDR');
    if (!unset(cidr) && at(node, 'spec', 'podCIDR') !== cidr) complaints.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid');
    const provider = at(old, 'spec', 'providerID');
    if (!unset(provider) && at(node, 'spec', 'providerID') !== provider) complaints.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid');
  }),
});

export const eventStrategy = strategyOf({
  validate: (event) => complaintsOf((complaints) => {
    const involved = str(at(event, 'involvedObject', 'namespace'));
    const namespace = str(at(event, 'metadata', 'namespace'));
    const wanted = involved === '' ? ['default', 'kube-system'] : [involved];
    if (isRec(event['involvedObject']) && !wanted.includes(namespace)) complaints.invalid('involvedObject.namespace', involved, 'does not match event.namespace');
  }),
  allowCreateOnUpdate: true,
});

export const endpointsStrategy = strategyOf({
  defaults: (endpoints) => {
    for (const subset of children(endpoints, 'subsets')) for (const port of children(subset, 'ports')) fillZero(port, 'protocol', 'TCP');
  },
  validatesAll: true,
  validate: validateEndpoints,
  allowCreateOnUpdate: true,
});

function validateQuota(quota: Rec): FieldError[] {
  return complaintsOf((complaints) => {
    for (const [name, quantity] of entries(at(quota, 'spec', 'hard'))) {
      for (const why of qualifiedName(name)) complaints.invalid(`spec.hard[${name}]`, name, why);
      complaints.quantity(`spec.hard[${name}]`, quantity);
    }
  });
}

export const resourceQuotaStrategy = strategyOf({
  status: true,
  validate: validateQuota,
  validateUpdate: (quota, old) => complaintsOf((complaints) => {
    complaints.immutable('spec.scopes', at(quota, 'spec', 'scopes'), same(at(quota, 'spec', 'scopes'), at(old, 'spec', 'scopes')));
  }),
});

/** A container limit gives the default, the default the request, as far as they are not named. */
function defaultLimitRange(range: Rec): void {
  for (const item of children(range['spec'], 'limits')) {
    if (item['type'] !== 'Container') continue;
    const limit = child(item, 'default');
    const request = child(item, 'defaultRequest');
    if (limit === undefined || request === undefined) continue;
    for (const [name, max] of entries(item['max'])) if (absent(field(limit, name))) setOwn(limit, name, max);
    for (const [name, value] of entries(limit)) if (absent(field(request, name))) setOwn(request, name, value);
    for (const [name, min] of entries(item['min'])) if (absent(field(request, name))) setOwn(request, name, min);
    if (keysOf(limit).length === 0) delete item['default'];
    if (keysOf(request).length === 0) delete item['defaultRequest'];
  }
}

const ORDER = ['min', 'defaultRequest', 'default', 'max'] as const;

export const limitRangeStrategy = strategyOf({
  defaults: defaultLimitRange,
  validate: (range) => complaintsOf((complaints) => {
    const types = new Set<string>();
    for (const [index, item] of recs(at(range, 'spec', 'limits')).entries()) {
      const path = `spec.limits[${index}]`;
      const type = str(item['type']);
      if (type === '') complaints.required(`${path}.type`);
      else if (types.has(type)) complaints.duplicate(`${path}.type`, type);
      types.add(type);
      for (const [i, low] of ORDER.entries()) {
        for (const [name, value] of entries(item[low])) {
          complaints.quantity(`${path}.${low}[${name}]`, value);
          for (const high of ORDER.slice(i + 1)) {
            const bound = field(item[high], name);
            if (!absent(bound) && compareQuantities(value, bound) > 0) {
              complaints.invalid(`${path}.${low}[${name}]`, value, `${low} value ${str(value) || num(value)} is greater than ${high} value ${str(bound) || num(bound)}`);
            }
          }
        }
      }
    }
  }),
});
