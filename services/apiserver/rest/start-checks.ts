/**
 * What a server does once when it starts, as named health checks: `/readyz/poststarthook/rbac/bootstrap-roles`. The
 * names are those of kube-apiserver v1.36, each under the part of ours that does the same work, in its order; what has
 * no counterpart here is not listed.
 */
import type { HealthCheck } from './health.js';

export type StartPart =
  | 'admission'
  | 'cache'
  | 'definitions'
  | 'namespaces'
  | 'endpoints'
  | 'authentication'
  | 'presence'
  | 'token-tracking'
  | 'addresses'
  | 'roles'
  | 'priority-classes'
  | 'flow-policy'
  | 'kubernetes-service'
  | 'service-cidr'
  | 'api-services'
  | 'documents';

const HOOKS: readonly (readonly [name: string, part: StartPart])[] = [
  ['start-apiserver-admission-initializer', 'admission'],
  ['generic-apiserver-start-informers', 'cache'],
  ['storage-object-count-tracker-hook', 'cache'],
  ['start-apiextensions-informers', 'cache'],
  ['start-apiextensions-controllers', 'definitions'],
  ['crd-informer-synced', 'definitions'],
  ['start-system-namespaces-controller', 'namespaces'],
  ['peer-endpoint-reconciler-controller', 'endpoints'],
  ['start-cluster-authentication-info-controller', 'authentication'],
  ['start-kube-apiserver-identity-lease-controller', 'presence'],
  ['start-kube-apiserver-identity-lease-garbage-collector', 'presence'],
  ['storage-readiness', 'cache'],
  ['start-legacy-token-tracking-controller', 'token-tracking'],
  ['start-service-ip-repair-controllers', 'addresses'],
  ['rbac/bootstrap-roles', 'roles'],
  ['scheduling/bootstrap-system-priority-classes', 'priority-classes'],
  ['priority-and-fairness-config-producer', 'flow-policy'],
  ['bootstrap-controller', 'kubernetes-service'],
  ['start-kubernetes-service-cidr-controller', 'service-cidr'],
  ['start-kube-aggregator-informers', 'cache'],
  ['apiservice-status-local-available-controller', 'api-services'],
  ['apiservice-registration-controller', 'api-services'],
  ['apiservice-discovery-controller', 'documents'],
  ['kube-apiserver-autoregistration', 'api-services'],
  ['apiservice-openapi-controller', 'documents'],
  ['apiservice-openapiv3-controller', 'documents'],
];

export class StartProgress {
  readonly #done = new Set<StartPart>();

  done(...parts: readonly StartPart[]): void {
    for (const part of parts) this.#done.add(part);
  }

  /** In the order in which they are shown. */
  checks(): HealthCheck[] {
    const checkOf = (name: string, part: StartPart): HealthCheck => ({
      name,
      check: () => {
        if (!this.#done.has(part)) throw new Error('not finished');
      },
    });
    const hooks = HOOKS.map(([name, part]) => checkOf(`poststarthook/${name}`, part));
    const completed = checkOf('autoregister-completion', 'api-services');
    const registration = hooks.findIndex(({ name }) => name === 'poststarthook/kube-apiserver-autoregistration');
    return [
      { ...checkOf('informer-sync', 'cache'), of: ['readyz'] },
      ...hooks.slice(0, registration + 1),
      completed,
      ...hooks.slice(registration + 1),
    ];
  }
}
