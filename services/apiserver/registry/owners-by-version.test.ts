/**
 * Owners of fields across the versions of a kind: what kube-apiserver v1.36 leaves in managedFields after the same
 * requests (rows 14 and 42).
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { kindsOfDefinition } from '../../../apimachinery/scheme/custom-kinds.js';
import type { Kind } from '../../../apimachinery/kind.js';
import type { KubeObject, ManagedFieldsEntry, UnknownObject } from '../../../apimachinery/object.js';
import { startRegistry } from './testing.js';

type Spec = Record<string, unknown>;

let started: Awaited<ReturnType<typeof startRegistry>>;

beforeAll(async () => {
  started = await startRegistry();
  return () => started[Symbol.asyncDispose]();
});

const kindOf = (kind: string, version: string): Kind => {
  const found = started.scheme.kinds().find((row) => row.kind === kind && row.version === version);
  if (found === undefined) throw new Error(`no ${kind} in ${version}`);
  return found;
};

const objectOf = (resource: Kind, name: string, spec: Spec): UnknownObject => ({
  apiVersion: `${resource.group}/${resource.version}`,
  kind: resource.kind,
  metadata: { name },
  spec,
});
const apply = async (resource: Kind, object: UnknownObject, fieldManager: string, force = false): Promise<KubeObject> =>
  (
    await started.service.patch({
      resource,
      namespace: 'n',
      name: String((object.metadata as { name: string }).name),
      type: 'apply',
      patch: object,
      fieldManager,
      force,
    })
  ).object;
const put = async (resource: Kind, object: unknown, fieldManager: string): Promise<KubeObject> =>
  (
    await started.service.update({
      resource,
      namespace: 'n',
      name: (object as { metadata: { name: string } }).metadata.name,
      object: object as KubeObject,
      fieldManager,
    })
  ).object;
const read = async (resource: Kind, name: string): Promise<KubeObject> =>
  (await started.service.get({ resource, namespace: 'n', name })).object;

const ownersOf = (object: KubeObject): readonly unknown[] =>
  (object.metadata?.managedFields ?? []).map(({ manager, operation, apiVersion, fieldsV1 }) => [
    manager,
    operation,
    apiVersion,
    fieldsV1,
  ]);

const REFERENCE = { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' };
const REFERENCE_FIELDS = { 'f:apiVersion': {}, 'f:kind': {}, 'f:name': {} };

it('a field that another version names otherwise changes hands', async () => {
  const [v1, v2] = [kindOf('HorizontalPodAutoscaler', 'v1'), kindOf('HorizontalPodAutoscaler', 'v2')];
  const metrics = [
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
  ];
  await apply(v2, objectOf(v2, 'h', { scaleTargetRef: REFERENCE, maxReplicas: 5, minReplicas: 1, metrics }), 'ma');
  await apply(v1, objectOf(v1, 'h', { scaleTargetRef: REFERENCE, maxReplicas: 6 }), 'mb', true);
  const seen = (await read(v1, 'h')) as unknown as { readonly spec: Spec };
  const changed = await put(v1, { ...seen, spec: { ...seen.spec, targetCPUUtilizationPercentage: 70 } }, 'mc');
  expect(ownersOf(changed)).toEqual([
    ['ma', 'Apply', 'autoscaling/v2', { 'f:spec': { 'f:minReplicas': {}, 'f:scaleTargetRef': REFERENCE_FIELDS } }],
    ['mb', 'Apply', 'autoscaling/v1', { 'f:spec': { 'f:maxReplicas': {}, 'f:scaleTargetRef': {} } }],
    ['mc', 'Update', 'autoscaling/v1', { 'f:spec': { 'f:targetCPUUtilizationPercentage': {} } }],
  ]);
});

describe('of a custom resource', () => {
  const properties = {
    spec: { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } } },
    status: { type: 'object', properties: { s: { type: 'string' } } },
  };
  const version = (name: string) => ({
    name,
    served: true,
    storage: name === 'v1',
    schema: { openAPIV3Schema: { type: 'object', properties } },
    subresources: { status: {} },
  });

  beforeAll(() => {
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'mfs.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'mfs', kind: 'Mf' },
        versions: [version('v1'), version('v2')],
      },
    };
    for (const kind of kindsOfDefinition(definition as unknown as KubeObject)) started.scheme.add(kind);
  });

  it('who wrote through one version loses what another version changes', async () => {
    const [v1, v2] = [kindOf('Mf', 'v1'), kindOf('Mf', 'v2')];
    await apply(v1, objectOf(v1, 'x', { a: '1', b: '1' }), 'ma');
    const seen = (await read(v2, 'x')) as unknown as { readonly spec: Spec };
    expect(ownersOf(await put(v2, { ...seen, spec: { ...seen.spec, b: '9' } }, 'mc'))).toEqual([
      ['ma', 'Apply', 'example.com/v1', { 'f:spec': { 'f:a': {} } }],
      ['mc', 'Update', 'example.com/v2', { 'f:spec': { 'f:b': {} } }],
    ]);
  });

  it("an empty list of owners is none; a list of one empty owner forgets all, those of versions that are not served go, and status is nobody's before the first apply", async () => {
    const v1 = kindOf('Mf', 'v1');
    const withOwners = async (managedFields: readonly ManagedFieldsEntry[]) => {
      const seen = await read(v1, 'y');
      return ownersOf(await put(v1, { ...seen, metadata: { ...seen.metadata, managedFields } }, 'mc'));
    };
    await apply(v1, objectOf(v1, 'y', { a: '1' }), 'ma');
    await started.service.patch({
      resource: v1,
      namespace: 'n',
      name: 'y',
      type: 'merge',
      patch: { status: { s: 'ok' } },
      subresource: 'status',
      fieldManager: 'st',
    });
    expect((await withOwners([])).length).toBe(2);
    expect(await withOwners([{}])).toEqual([]);
    const unserved: ManagedFieldsEntry = {
      manager: 'q',
      operation: 'Update',
      apiVersion: 'example.com/v9',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:a': {} } },
    };
    expect(await withOwners([unserved])).toEqual([]);
    expect(ownersOf(await apply(v1, objectOf(v1, 'y', { a: '1' }), 'ma'))).toEqual([
      ['ma', 'Apply', 'example.com/v1', { 'f:spec': { 'f:a': {} } }],
      ['before-first-apply', 'Update', 'example.com/v1', { 'f:spec': { '.': {}, 'f:a': {} } }],
    ]);
  });
});
