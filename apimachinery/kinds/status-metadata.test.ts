import { describe, expect, it } from 'vitest';
import { kindsOfDefinition } from '../scheme/custom-kinds.js';
import type { Kind, StrategyContext } from '../kind.js';
import type { KubeObject, ObjectMeta } from '../object.js';
import { builtInScheme } from '../scheme/builtin.js';

const FIELDS = ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const;
const NOTHING: readonly string[] = [];
const ALL: readonly string[] = FIELDS;

/**
 * What of metadata a write to /status leaves as it was: PrepareForUpdate of each status strategy in kube-apiserver
 * 1.36.
 */
const KEEPS: Readonly<Record<string, readonly string[]>> = {
  Namespace: NOTHING,
  Node: NOTHING,
  PersistentVolumeClaim: NOTHING,
  PersistentVolume: NOTHING,
  Pod: ['ownerReferences'],
  ReplicationController: NOTHING,
  ResourceQuota: NOTHING,
  Service: NOTHING,
  APIService: ALL,
  DaemonSet: NOTHING,
  Deployment: ['labels'],
  ReplicaSet: NOTHING,
  StatefulSet: NOTHING,
  HorizontalPodAutoscaler: NOTHING,
  CronJob: NOTHING,
  Job: NOTHING,
  CertificateSigningRequest: NOTHING,
  Ingress: NOTHING,
  ServiceCIDR: ALL,
  PodDisruptionBudget: NOTHING,
  VolumeAttachment: ALL,
  ValidatingAdmissionPolicy: ALL,
  CustomResourceDefinition: NOTHING,
  ResourceClaim: ALL,
  FlowSchema: ALL,
  PriorityLevelConfiguration: ALL,
};

const metadata = (mark: string): ObjectMeta => ({
  name: 'a',
  labels: { l: mark },
  annotations: { a: mark },
  finalizers: [`a.b/${mark}`],
  ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: mark, uid: mark }],
});
const object = (mark: string): KubeObject =>
  ({ metadata: metadata(mark), spec: { mark }, status: { mark } }) as KubeObject;
const context: StrategyContext = { user: { name: 'a', groups: [] }, now_ms: 0, uuid: () => 'u', subresource: 'status' };

/** Fields of metadata that stay as they were, when both a change and a removal are tried. */
function kept(kind: Kind): string[] {
  const changed = object('new');
  const emptied: KubeObject = { ...object('new'), metadata: { name: 'a' } };
  for (const draft of [changed, emptied]) kind.strategy.prepareForUpdate?.(draft, object('old'), context);
  expect((changed as { spec?: unknown }).spec).toEqual({ mark: 'old' });
  return FIELDS.filter(
    (field) =>
      JSON.stringify(changed.metadata?.[field]) === JSON.stringify(metadata('old')[field]) &&
      JSON.stringify(emptied.metadata?.[field]) === JSON.stringify(metadata('old')[field]),
  );
}

describe('a write to /status and metadata (row 13)', () => {
  const kinds = builtInScheme()
    .kinds()
    .filter(({ subresources }) => subresources.some(({ name }) => name === 'status'));
  it('the table has all kinds with a status', () => {
    expect([...new Set(kinds.map(({ kind }) => kind))].sort()).toEqual(Object.keys(KEEPS).sort());
  });
  it.each(kinds.map((kind) => [`${kind.group}/${kind.version} ${kind.kind}`, kind] as const))('%s', (_name, kind) => {
    expect(kept(kind)).toEqual(KEEPS[kind.kind]);
  });

  const [custom] = kindsOfDefinition({
    metadata: { name: 'as.b.c' },
    spec: {
      group: 'b.c',
      scope: 'Namespaced',
      names: { plural: 'as', singular: 'a', kind: 'A', listKind: 'AList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object' } },
        },
      ],
    },
  } as KubeObject);
  it('of a custom resource nothing', () => {
    expect(custom === undefined ? [] : kept(custom)).toEqual(ALL);
  });
  it('what had no labels gets none', () => {
    const draft = object('new');
    custom?.strategy.prepareForUpdate?.(draft, { metadata: { name: 'a' } }, context);
    expect(draft.metadata).toEqual({ name: 'a', generation: undefined });
  });
});
