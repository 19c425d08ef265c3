import { describe, expect, it } from 'vitest';
import type { Kind } from '../kind.js';
import { present } from '../../platform/assert.js';
import { builtInScheme } from '../scheme/builtin.js';
import type { JsonObject } from '../value.js';
import { OpenApi } from './openapi.js';
import type { OpenApiDocument } from './openapi.js';

interface Document {
  paths: Record<string, Record<string, JsonObject & { parameters: { name: string }[]; requestBody: { content: object } }>>;
  components: { schemas: Record<string, JsonObject & { properties: Record<string, JsonObject> }> };
  definitions: Record<string, JsonObject>;
}
const parse = (document: OpenApiDocument | undefined): Document => JSON.parse(Buffer.from(present(document, 'no document').bytes).toString()) as Document;

function* refsIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key === '$ref' && typeof child === 'string') yield child;
    else yield* refsIn(child);
  }
}

const widget: Kind = {
  group: 'example.com', version: 'v1', kind: 'Widget', resource: 'widgets', listKind: 'WidgetList', singular: 'widget',
  shortNames: [], categories: [], namespaced: true, verbs: ['get', 'list', 'patch', 'create'], subresources: [], storagePrefix: 'example.com/widgets',
  storageVersion: 'v1', schema: { type: 'object', properties: { spec: { type: 'object', preserveUnknown: true, properties: {} } } }, fieldSelectors: {}, strategy: {},
};

describe('OpenAPI v3', () => {
  const openapi = new OpenApi(builtInScheme(), { version: 'v1.36.0' });
  const paths = Object.keys(parse(openapi.index()).paths);

  it('has an index with a hash for each group and version, stable over instances', () => {
    expect(paths).toContain('api/v1');
    expect(paths).toContain('apis/apps/v1');
    const again = new OpenApi(builtInScheme(), { version: 'v1.36.0' });
    expect(again.index().hash).toBe(openapi.index().hash);
    expect(JSON.stringify(parse(openapi.index()).paths['api/v1'])).toContain(openapi.document('api/v1')?.hash);
    expect(openapi.document('api/v2')).toBeUndefined();
  });

  it.each(paths)('%s refers to nothing it does not hold', (path) => {
    const document = parse(openapi.document(path));
    for (const ref of refsIn(document)) expect(document.components.schemas).toHaveProperty([ref.slice('#/components/schemas/'.length)]);
  });

  it('has what kubectl create and apply look for: PATCH with fieldValidation, media types and merge keys', () => {
    const document = parse(openapi.document('apis/apps/v1'));
    const patch = document.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.['patch'];
    expect(patch?.['x-kubernetes-group-version-kind']).toEqual({ group: 'apps', kind: 'Deployment', version: 'v1' });
    expect(patch?.parameters.map(({ name }) => name)).toEqual(expect.arrayContaining(['fieldValidation', 'fieldManager', 'dryRun', 'force']));
    expect(Object.keys(patch?.requestBody.content ?? {})).toEqual([
      'application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml', 'application/strategic-merge-patch+json',
    ]);
    expect(document.components.schemas['io.k8s.api.apps.v1.Deployment']?.['x-kubernetes-group-version-kind']).toEqual([{ group: 'apps', kind: 'Deployment', version: 'v1' }]);
    expect(document.components.schemas['io.k8s.api.core.v1.PodSpec']?.properties['containers']).toMatchObject({
      type: 'array', 'x-kubernetes-patch-merge-key': 'name', 'x-kubernetes-patch-strategy': 'merge', 'x-kubernetes-list-type': 'map',
    });
    expect(document.components.schemas['io.k8s.api.apps.v1.DeploymentSpec']?.properties['strategy']).toEqual({
      description: expect.any(String) as string,
      'x-kubernetes-patch-strategy': 'retainKeys', allOf: [{ $ref: '#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy' }],
    });
  });

  it('names operations as Kubernetes does', () => {
    const core = parse(openapi.document('api/v1')).paths;
    expect(core['/api/v1/namespaces/{namespace}/pods']?.['delete']?.['operationId']).toBe('deleteCoreV1CollectionNamespacedPod');
    expect(core['/api/v1/pods']?.['get']?.['operationId']).toBe('listCoreV1PodForAllNamespaces');
    expect(core['/api/v1/namespaces/{namespace}/pods/{name}/exec']?.['post']?.['x-kubernetes-action']).toBe('connect');
    expect(core['/api/v1/namespaces/{namespace}/pods/{name}/eviction']?.['post']?.['x-kubernetes-group-version-kind']).toEqual({ group: 'policy', kind: 'Eviction', version: 'v1' });
  });

  it('follows the scheme: a new kind appears, without strategic merge patch', () => {
    const scheme = builtInScheme();
    const own = new OpenApi(scheme, { version: 'v1.36.0' });
    const before = own.index().hash;
    scheme.add(widget);
    expect(own.index().hash).not.toBe(before);
    const document = parse(own.document('apis/example.com/v1'));
    for (const ref of refsIn(document)) expect(document.components.schemas).toHaveProperty([ref.slice('#/components/schemas/'.length)]);
    expect(JSON.stringify(document.paths)).not.toContain('strategic-merge-patch');
    expect(document.components.schemas['com.example.v1.Widget']?.['x-kubernetes-group-version-kind']).toEqual([{ group: 'example.com', kind: 'Widget', version: 'v1' }]);
    scheme.remove(widget);
    expect(own.document('apis/example.com/v1')).toBeUndefined();
    expect(own.index().hash).toBe(before);
  });
});

it('OpenAPI v2 holds all kinds in one document that refers to nothing it does not hold', () => {
  const document = parse(new OpenApi(builtInScheme(), { version: 'v1.36.0' }).v2());
  for (const ref of refsIn(document)) expect(document.definitions).toHaveProperty([ref.slice('#/definitions/'.length)]);
  expect(document.definitions['io.k8s.apimachinery.pkg.util.intstr.IntOrString']).toEqual({ type: 'string', format: 'int-or-string' });
});
