import { describe, expect, it } from 'vitest';
import type { Kind } from '../kind.js';
import { present } from '../../platform/assert.js';
import { costOf } from '../../platform/testing-work.js';
import { finish, inSlices, SLICE_UNITS } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';
import { builtInScheme } from '../scheme/builtin.js';
import type { JsonObject } from '../value.js';
import { OpenApi } from './openapi.js';
import type { OpenApiDocument } from './openapi.js';

interface Document {
  paths: Record<
    string,
    Record<string, JsonObject & { parameters: { name: string }[]; requestBody: { content: object } }>
  >;
  components: { schemas: Record<string, JsonObject & { properties: Record<string, JsonObject> }> };
  definitions: Record<string, JsonObject>;
}
const bytesOf = (work: Work<OpenApiDocument> | undefined): Uint8Array => finish(present(work, 'no document')).bytes;
const parse = (work: Work<OpenApiDocument> | undefined): Document =>
  JSON.parse(Buffer.from(bytesOf(work)).toString()) as Document;
const hashOf = (work: Work<OpenApiDocument> | undefined): string => finish(present(work, 'no document')).hash;

function* refsIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) {
    if (key === '$ref' && typeof child === 'string') yield child;
    else yield* refsIn(child);
  }
}

const widget: Kind = {
  group: 'example.com',
  version: 'v1',
  kind: 'Widget',
  resource: 'widgets',
  listKind: 'WidgetList',
  singular: 'widget',
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ['get', 'list', 'patch', 'create'],
  subresources: [],
  storagePrefix: 'example.com/widgets',
  storageVersion: 'v1',
  schema: { type: 'object', properties: { spec: { type: 'object', preserveUnknown: true, properties: {} } } },
  fieldSelectors: {},
  strategy: {},
};

describe('OpenAPI v3', () => {
  const openapi = new OpenApi(builtInScheme(), { version: 'v1.36.0' });
  const paths = Object.keys(parse(openapi.index()).paths);

  it('has an index with a hash for each group and version, stable over instances', () => {
    expect(paths).toContain('api/v1');
    expect(paths).toContain('apis/apps/v1');
    const again = new OpenApi(builtInScheme(), { version: 'v1.36.0' });
    expect(hashOf(again.index())).toBe(hashOf(openapi.index()));
    expect(JSON.stringify(parse(openapi.index()).paths['api/v1'])).toContain(hashOf(openapi.document('api/v1')));
    expect(openapi.document('api/v2')).toBeUndefined();
  });

  it.each(paths)('%s refers to nothing it does not hold', (path) => {
    const document = parse(openapi.document(path));
    for (const ref of refsIn(document))
      expect(document.components.schemas).toHaveProperty([ref.slice('#/components/schemas/'.length)]);
  });

  it('has what kubectl create and apply look for: PATCH with fieldValidation, media types and merge keys', () => {
    const document = parse(openapi.document('apis/apps/v1'));
    const patch = document.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.['patch'];
    expect(patch?.['x-kubernetes-group-version-kind']).toEqual({ group: 'apps', kind: 'Deployment', version: 'v1' });
    expect(patch?.parameters.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['fieldValidation', 'fieldManager', 'dryRun', 'force']),
    );
    expect(Object.keys(patch?.requestBody.content ?? {})).toEqual([
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/apply-patch+yaml',
      'application/strategic-merge-patch+json',
    ]);
    expect(document.components.schemas['io.k8s.api.apps.v1.Deployment']?.['x-kubernetes-group-version-kind']).toEqual([
      { group: 'apps', kind: 'Deployment', version: 'v1' },
    ]);
    expect(document.components.schemas['io.k8s.api.core.v1.PodSpec']?.properties['containers']).toMatchObject({
      type: 'array',
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-patch-strategy': 'merge',
      'x-kubernetes-list-type': 'map',
    });
    expect(document.components.schemas['io.k8s.api.apps.v1.DeploymentSpec']?.properties['strategy']).toEqual({
      description: expect.any(String) as string,
      'x-kubernetes-patch-strategy': 'retainKeys',
      allOf: [{ $ref: '#/components/schemas/io.k8s.api.apps.v1.DeploymentStrategy' }],
    });
  });

  it('names operations as Kubernetes does', () => {
    const core = parse(openapi.document('api/v1')).paths;
    expect(core['/api/v1/namespaces/{namespace}/pods']?.['delete']?.['operationId']).toBe(
      'deleteCoreV1CollectionNamespacedPod',
    );
    expect(core['/api/v1/pods']?.['get']?.['operationId']).toBe('listCoreV1PodForAllNamespaces');
    expect(core['/api/v1/namespaces/{namespace}/pods/{name}/exec']?.['post']?.['x-kubernetes-action']).toBe('connect');
    expect(
      core['/api/v1/namespaces/{namespace}/pods/{name}/eviction']?.['post']?.['x-kubernetes-group-version-kind'],
    ).toEqual({ group: 'policy', kind: 'Eviction', version: 'v1' });
  });

  it('follows the scheme: a new kind appears, without strategic merge patch', () => {
    const scheme = builtInScheme();
    const own = new OpenApi(scheme, { version: 'v1.36.0' });
    const before = hashOf(own.index());
    scheme.add(widget);
    expect(hashOf(own.index())).not.toBe(before);
    const document = parse(own.document('apis/example.com/v1'));
    for (const ref of refsIn(document))
      expect(document.components.schemas).toHaveProperty([ref.slice('#/components/schemas/'.length)]);
    expect(JSON.stringify(document.paths)).not.toContain('strategic-merge-patch');
    expect(document.components.schemas['com.example.v1.Widget']?.['x-kubernetes-group-version-kind']).toEqual([
      { group: 'example.com', kind: 'Widget', version: 'v1' },
    ]);
    scheme.remove(widget);
    expect(own.document('apis/example.com/v1')).toBeUndefined();
    expect(hashOf(own.index())).toBe(before);
  });
});

it('OpenAPI v2 holds all kinds in one document that refers to nothing it does not hold', () => {
  const document = parse(new OpenApi(builtInScheme(), { version: 'v1.36.0' }).v2());
  for (const ref of refsIn(document)) expect(document.definitions).toHaveProperty([ref.slice('#/definitions/'.length)]);
  expect(document.definitions['io.k8s.apimachinery.pkg.util.intstr.IntOrString']).toEqual({
    type: 'string',
    format: 'int-or-string',
  });
});

/** The schema of an operator's resource, with some thousand fields. */
function largeKind(i: number): Kind {
  const fields = Object.fromEntries(
    Array.from({ length: 150 }, (_, field) => [
      `field${field}`,
      { type: 'string', description: 'What this field is for.' } as const,
    ]),
  );
  return {
    ...widget,
    kind: `Widget${i}`,
    resource: `widget${i}s`,
    listKind: `Widget${i}List`,
    singular: `widget${i}`,
    isCustom: true,
    schema: { type: 'object', properties: fields },
  };
}

describe('documents of hundreds of custom resources (issue 6, row 1)', () => {
  const scheme = builtInScheme();
  for (let i = 0; i < 200; i++) scheme.add(largeKind(i));
  const works = {
    v2: (api: OpenApi) => api.v2(),
    'v2 protobuf': (api: OpenApi) => api.v2('v2 protobuf'),
    v3: (api: OpenApi) => api.document('apis/example.com/v1'),
    index: (api: OpenApi) => api.index(),
  };

  it.each(Object.entries(works))('%s is made in slices, once', async (_name, workOf) => {
    const api = new OpenApi(scheme, { version: 'v1.36.0' });
    let turns = 0;
    const made = await inSlices(present(workOf(api), 'no document'), () => Promise.resolve(void turns++));
    expect(turns).toBeGreaterThan(5);
    expect(costOf(present(workOf(new OpenApi(scheme, { version: 'v1.36.0' })), 'no document')).longest).toBeLessThan(
      3 * SLICE_UNITS,
    );
    expect(costOf(present(workOf(api), 'no document')).total).toBe(0);
    expect(finish(present(workOf(api), 'no document'))).toBe(made);
  });

  it('a document of a scheme that changed while it was made is not kept', () => {
    const changing = builtInScheme();
    const api = new OpenApi(changing, { version: 'v1.36.0' });
    const work = api.v2();
    work.next();
    changing.add(widget);
    const old = finish(work);
    expect(Buffer.from(old.bytes).includes('com.example.v1.Widget')).toBe(false);
    expect(Buffer.from(bytesOf(api.v2())).includes('com.example.v1.Widget')).toBe(true);
  });
});
