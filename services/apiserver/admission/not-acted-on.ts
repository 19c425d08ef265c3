/**
 * Nothing is accepted in silence: what is stored and served, and has no effect here yet, answers with a `Warning`. A
 * row goes when the part that acts on the kind comes; one without a controller is silent as soon as a controller
 * registers for its kind. README's Limits name the same kinds.
 */
import type { APIService, CustomResourceDefinition, Service } from '../../../apimachinery/gen/types.js';
import type { KubeObject, ResourceId } from '../../../apimachinery/object.js';
import { groupResourceOf } from '../../../apimachinery/object.js';
import type { AdmissionPlugin } from './plugin.js';

const noController = 'no controller acts on it';
const notEnforced = 'it is not enforced';

/** By resource: what the object does not do. */
const INERT: Readonly<Record<string, string>> = {
  resourcequotas: notEnforced,
  limitranges: notEnforced,
  replicationcontrollers: noController,
  persistentvolumes: 'nothing binds it to a claim',
  persistentvolumeclaims: 'nothing binds it to a volume',
  'statefulsets.apps': noController,
  'daemonsets.apps': noController,
  'jobs.batch': noController,
  'cronjobs.batch': noController,
  'horizontalpodautoscalers.autoscaling': noController,
  'ingresses.networking.k8s.io': noController,
  'networkpolicies.networking.k8s.io': `${notEnforced}, all traffic is allowed`,
  'validatingadmissionpolicies.admissionregistration.k8s.io': notEnforced,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': notEnforced,
  'mutatingadmissionpolicies.admissionregistration.k8s.io': notEnforced,
  'mutatingadmissionpolicybindings.admissionregistration.k8s.io': notEnforced,
  'validatingwebhookconfigurations.admissionregistration.k8s.io':
    'its webhooks are not called, whatever their failurePolicy',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io':
    'its webhooks are not called, whatever their failurePolicy',
  'flowschemas.flowcontrol.apiserver.k8s.io': notEnforced,
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io': notEnforced,
  'runtimeclasses.node.k8s.io': 'workers have one runtime',
  'volumeattachments.storage.k8s.io': noController,
  'resourceclaims.resource.k8s.io': noController,
};

const FIELDS: Readonly<Record<string, (object: KubeObject) => string | undefined>> = {
  services: (object) =>
    (object as Service).spec?.type === 'LoadBalancer'
      ? 'Services of type LoadBalancer get no external address'
      : undefined,
  'apiservices.apiregistration.k8s.io': (object) =>
    (object as APIService).spec?.service === undefined
      ? undefined
      : 'this APIService is stored and has no effect yet: requests are not passed on to its service',
  'customresourcedefinitions.apiextensions.k8s.io': (object) =>
    (object as CustomResourceDefinition).spec?.conversion?.strategy === 'Webhook'
      ? 'conversion webhooks are not called yet: objects are served in the version that is stored, and refused in others'
      : undefined,
};

/** Undefined: the server acts on it. */
function inertness(
  resource: { readonly group: string; readonly resource: string },
  object: KubeObject,
  kind: string,
): string | undefined {
  const key = groupResourceOf(resource);
  if (Object.hasOwn(FIELDS, key)) return FIELDS[key]?.(object);
  return Object.hasOwn(INERT, key) ? `this ${kind} is stored and has no effect yet: ${INERT[key]}` : undefined;
}

/** Whether a controller of this cluster acts on a kind. */
export type HasController = (resource: Pick<ResourceId, 'group' | 'resource'>) => boolean;

export function notActedOn(hasController: HasController): AdmissionPlugin {
  return {
    name: 'NotActedOn',
    validate(attributes) {
      if (attributes.subresource !== undefined || attributes.object === undefined) return;
      if (attributes.operation !== 'CREATE' && attributes.operation !== 'UPDATE') return;
      if (hasController(attributes.kind)) return;
      const message = inertness(attributes.kind, attributes.object, attributes.kind.kind);
      if (message !== undefined) attributes.warn(message);
    },
  };
}
