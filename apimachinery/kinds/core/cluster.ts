/** Namespaces, and the strategies of Events and Endpoints. */
import { qualifiedName } from '../../names.js';
import { complaintsOf } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import { absent, at, child, children, clone, field, fillZero, isRec, put, str, strs, type Rec } from '../lib/value.js';
import { validateEndpoints } from '../networking/validate-endpoints.js';
import { validateEvent } from './validate-event.js';

const NAME_LABEL = 'kubernetes.io/metadata.name';

/** The name as a label, so that selectors can name a namespace. */
function defaultNamespace(namespace: Rec): void {
  const status = child(namespace, 'status');
  if (status !== undefined) fillZero(status, 'phase', 'Active');
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

const FINALIZERS = ['kubernetes', 'orphan', 'foregroundDeletion'];

export const namespaceStrategy = strategyOf({
  returnsDeleted: true,
  status: true,
  defaults: defaultNamespace,
  create: createNamespace,
  // spec.finalizers change by the subresource `finalize` alone.
  update: (namespace, old, context) => {
    if (context.subresource !== 'finalize') put(namespace, 'spec', clone(old['spec']));
  },
  validatesAll: true,
  validate: (namespace, context) =>
    complaintsOf((complaints) => {
      if (context?.old !== undefined && context.subresource !== 'finalize') return;
      for (const [index, name] of strs(at(namespace, 'spec', 'finalizers')).entries()) {
        const path = context?.old === undefined ? 'spec.finalizers' : `spec.finalizers[${index}]`;
        complaints.form(path, name, qualifiedName);
        if (!name.includes('/') && !FINALIZERS.includes(name))
          complaints.invalid(path, name, 'name is neither a standard finalizer name nor is it fully qualified');
      }
    }),
  validateUpdate: (namespace, _old, context) =>
    complaintsOf((complaints) => {
      const deleting = !absent(at(namespace, 'metadata', 'deletionTimestamp'));
      const phase = at(namespace, 'status', 'phase');
      if (context?.subresource === 'status' && !deleting && phase !== 'Active')
        complaints.invalid('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty");
      if (context?.subresource === 'status' && deleting && phase !== 'Terminating')
        complaints.invalid('status.Phase', phase, "may only be 'Terminating' if `deletionTimestamp` is not empty");
    }),
});

export const eventStrategy = strategyOf({
  validatesAll: true,
  metadataLast: true,
  validate: validateEvent,
  allowCreateOnUpdate: true,
});

export const endpointsStrategy = strategyOf({
  defaults: (endpoints) => {
    for (const subset of children(endpoints, 'subsets'))
      for (const port of children(subset, 'ports')) fillZero(port, 'protocol', 'TCP');
  },
  validatesAll: true,
  validate: validateEndpoints,
  allowCreateOnUpdate: true,
});
