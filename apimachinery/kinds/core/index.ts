/**
 * The core group. Prefixes in the store are those of Kubernetes (`minions`, `services/specs`, ...), so that tools that
 * look into etcd, and a real kube-apiserver pointed at our store, find objects where they expect them.
 */
import type { KubeObject } from '../../object.js';
import type { ExtrasTable } from '../extras.js';
import { replicationControllerExtras } from '../apps/index.js';
import { complaintsOf, complaintsWork } from '../lib/complaints.js';
import { strategyOf } from '../lib/strategy.js';
import { at, child, recs, str, unset } from '../lib/value.js';
import { defaultPodTemplate } from '../pod/defaults.js';
import { dropDisabledOf } from '../pod/disabled-fields.js';
import { podStrategy } from '../pod/strategy.js';
import { validatePodTemplate } from '../pod/validate.js';
import * as print from '../printers/core.js';
import { endpointsPrinter, servicePrinter } from '../printers/network.js';
import { podPrinter } from '../printers/pod.js';
import { persistentVolumeClaimPrinter, persistentVolumePrinter } from '../printers/storage.js';
import { podTemplatePrinter } from '../printers/workloads.js';
import { claimStrategy, volumeStrategy } from '../storage/claims.js';
import { endpointsStrategy, eventStrategy, namespaceStrategy } from './cluster.js';
import { configMapStrategy, secretStrategy, serviceAccountStrategy } from './data.js';
import { coreEventSelectors, eventsV1Printer, eventsV1Selectors, toCoreEvent, toEventsV1 } from './events.js';
import { limitRangeStrategy } from './limit-range.js';
import { nodeStrategy } from './node.js';
import { resourceQuotaStrategy } from './quota.js';
import { serviceStrategy } from './service.js';

const text =
  (...path: readonly string[]) =>
  (object: KubeObject): string =>
    str(at(object, ...path));
const flag =
  (...path: readonly string[]) =>
  (object: KubeObject): string =>
    at(object, ...path) === true ? 'true' : 'false';

const podSelectors = {
  'spec.nodeName': text('spec', 'nodeName'),
  // What clients called it before v1.
  'spec.host': text('spec', 'nodeName'),
  'spec.restartPolicy': text('spec', 'restartPolicy'),
  'spec.schedulerName': text('spec', 'schedulerName'),
  'spec.serviceAccountName': text('spec', 'serviceAccountName'),
  'spec.hostNetwork': flag('spec', 'hostNetwork'),
  'status.phase': text('status', 'phase'),
  'status.podIP': text('status', 'podIP'),
  'status.podIPs': (pod: KubeObject) =>
    recs(at(pod, 'status', 'podIPs'))
      .map((ip) => str(ip['ip']))
      .join(','),
  'status.nominatedNodeName': text('status', 'nominatedNodeName'),
} as const;

export const coreExtras: ExtrasTable = {
  '/pods': {
    shortNames: ['po'],
    categories: ['all'],
    fieldSelectors: podSelectors,
    printer: podPrinter,
    strategy: podStrategy,
  },
  '/podtemplates': {
    printer: podTemplatePrinter,
    strategy: strategyOf({
      generation: true,
      returnsDeleted: true,
      validatesAll: true,
      create: (object) => dropDisabledOf(object['template']),
      update: (object) => dropDisabledOf(object['template']),
      defaults: (object) => defaultPodTemplate(child(object, 'template')),
      validateWork: (object) =>
        complaintsWork((complaints) => validatePodTemplate(complaints, object['template'], 'template')),
    }),
  },
  '/bindings': {
    strategy: strategyOf({
      validate: (binding) =>
        complaintsOf((complaints) => {
          const kind = at(binding, 'target', 'kind');
          if (!unset(kind) && kind !== 'Node') complaints.unsupported('target.kind', kind, ['Node', '<empty>']);
          if (unset(at(binding, 'target', 'name'))) complaints.required('target.name');
        }),
    }),
  },
  '/services': {
    shortNames: ['svc'],
    categories: ['all'],
    storagePrefix: 'services/specs',
    printer: servicePrinter,
    strategy: serviceStrategy,
    fieldSelectors: { 'spec.clusterIP': text('spec', 'clusterIP'), 'spec.type': text('spec', 'type') },
  },
  '/endpoints': {
    shortNames: ['ep'],
    storagePrefix: 'services/endpoints',
    printer: endpointsPrinter,
    strategy: endpointsStrategy,
    deprecationWarning: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  },
  '/nodes': {
    shortNames: ['no'],
    storagePrefix: 'minions',
    printer: print.nodePrinter,
    strategy: nodeStrategy,
    fieldSelectors: { 'spec.unschedulable': flag('spec', 'unschedulable') },
  },
  '/namespaces': {
    shortNames: ['ns'],
    printer: print.namespacePrinter,
    strategy: namespaceStrategy,
    fieldSelectors: { 'status.phase': text('status', 'phase') },
  },
  '/configmaps': { shortNames: ['cm'], printer: print.configMapPrinter, strategy: configMapStrategy },
  '/secrets': { printer: print.secretPrinter, strategy: secretStrategy, fieldSelectors: { type: text('type') } },
  '/serviceaccounts': { shortNames: ['sa'], printer: print.serviceAccountPrinter, strategy: serviceAccountStrategy },
  '/events': {
    shortNames: ['ev'],
    printer: print.eventPrinter,
    strategy: eventStrategy,
    fieldSelectors: coreEventSelectors,
  },
  'events.k8s.io/events': {
    shortNames: ['ev'],
    storagePrefix: 'events',
    printer: eventsV1Printer,
    fieldSelectors: eventsV1Selectors,
    strategy: eventStrategy,
    complaintGroup: '',
    conversion: { fromStorage: toEventsV1, toStorage: toCoreEvent },
  },
  '/replicationcontrollers': replicationControllerExtras,
  '/persistentvolumes': { shortNames: ['pv'], printer: persistentVolumePrinter, strategy: volumeStrategy },
  '/persistentvolumeclaims': { shortNames: ['pvc'], printer: persistentVolumeClaimPrinter, strategy: claimStrategy },
  '/resourcequotas': { shortNames: ['quota'], printer: print.resourceQuotaPrinter, strategy: resourceQuotaStrategy },
  '/limitranges': { shortNames: ['limits'], printer: print.limitRangePrinter, strategy: limitRangeStrategy },
  '/componentstatuses': {
    shortNames: ['cs'],
    printer: print.componentStatusPrinter,
    deprecationWarning: 'v1 ComponentStatus is deprecated in v1.19+',
  },
};
