/**
 * How often a complaint about metadata stands among the causes: as often as kube-apiserver v1.36 looks at it (row 42).
 */
import { expect, it } from 'vitest';
import type { Resource, UnknownObject } from '../../../apimachinery/object.js';
import { isApiError } from '../../../apimachinery/status.js';
import { resources, startRegistry } from './testing.js';

const services: Resource = { group: '', version: 'v1', resource: 'services', kind: 'Service', namespaced: true };
const leases: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  resource: 'leases',
  kind: 'Lease',
  namespaced: true,
};
const budgets: Resource = {
  group: 'policy',
  version: 'v1',
  resource: 'poddisruptionbudgets',
  kind: 'PodDisruptionBudget',
  namespaced: true,
};

const object = (apiVersion: string, kind: string, spec: unknown): UnknownObject =>
  ({ apiVersion, kind, metadata: { name: 'a' }, spec }) as UnknownObject;
const pod = object('v1', 'Pod', { containers: [{ name: 'c', image: 'i' }] });

const WRONG = {
  labels: { labels: { 'bad key!': 'x' } },
  finalizers: { finalizers: ['bad'] },
} as const;

/** Resource, object, endpoint, what is wrong, how often it is told. */
const CASES: readonly (readonly [Resource, UnknownObject, 'update' | 'status', keyof typeof WRONG, number])[] = [
  [resources.pods, pod, 'update', 'labels', 4],
  [resources.pods, pod, 'status', 'labels', 3],
  [resources.pods, pod, 'update', 'finalizers', 2],
  [services, object('v1', 'Service', { ports: [{ port: 80 }] }), 'update', 'labels', 3],
  [services, object('v1', 'Service', { ports: [{ port: 80 }] }), 'update', 'finalizers', 1],
  [budgets, object('policy/v1', 'PodDisruptionBudget', {}), 'update', 'labels', 2],
  [budgets, object('policy/v1', 'PodDisruptionBudget', {}), 'update', 'finalizers', 0],
  [leases, object('coordination.k8s.io/v1', 'Lease', {}), 'update', 'labels', 3],
  [leases, object('coordination.k8s.io/v1', 'Lease', {}), 'update', 'finalizers', 0],
];

it.each(CASES.map((one) => [`${one[1].kind} ${one[2]} ${one[3]}`, one] as const))(
  '%s',
  async (_title, [resource, given, endpoint, what, count]) => {
    await using registry = await startRegistry();
    const place = { resource, namespace: 'n' };
    const made = (await registry.service.create({ ...place, object: given })).object as UnknownObject;
    const body: UnknownObject = {
      ...made,
      metadata: { ...made.metadata, ...structuredClone(WRONG[what]) },
    } as UnknownObject;
    const write = registry.service.update({
      ...place,
      name: 'a',
      object: body,
      dryRun: true,
      ...(endpoint === 'status' ? { subresource: 'status' } : {}),
    });
    const causes = await write.then(
      () => [],
      (error: unknown) => (isApiError(error) ? (error.status.details?.causes ?? []) : Promise.reject(error as Error)),
    );
    expect(causes.map(({ field }) => field)).toEqual(
      Array.from({ length: count }, () => (what === 'labels' ? 'metadata.labels' : 'metadata.finalizers[0]')),
    );
  },
);
