import { describe, expect, it } from 'vitest';
import { kindsOfDefinition } from '../scheme/custom-kinds.js';
import type { KubeObject } from '../object.js';
import { builtInScheme } from '../scheme/builtin.js';
import { OpenApi } from './openapi.js';
import type { OpenApiDocument } from './openapi.js';
import { finish } from '../../platform/work.js';
import type { Work } from '../../platform/work.js';

const text = { type: 'string' };
/** A property as a CRD has it, as kube-apiserver 1.36 publishes it in version 3, and in version 2. */
const PROPERTIES: Readonly<Record<string, readonly [declared: object, v3: object, v2: object]>> = {
  all: [{ ...text, allOf: [{ minLength: 1 }] }, { ...text, allOf: [{ minLength: 1 }] }, text],
  any: [
    { type: 'object', oneOf: [{ required: ['p'] }], properties: { p: text } },
    { type: 'object', oneOf: [{ required: ['p'] }], properties: { p: text } },
    { type: 'object', properties: { p: text } },
  ],
  not: [{ ...text, not: { enum: ['z'] } }, { ...text, not: { enum: ['z'] } }, text],
  limits: [
    { ...text, default: 'x', pattern: '^x', enum: ['x'], minLength: 1, maxLength: 5, description: 'A.' },
    { ...text, default: 'x', pattern: '^x', enum: ['x'], minLength: 1, maxLength: 5, description: 'A.' },
    { ...text, pattern: '^x', enum: ['x'], minLength: 1, maxLength: 5, description: 'A.' },
  ],
  nullable: [
    { type: 'integer', format: 'int32', minimum: 1, nullable: true },
    { type: 'integer', format: 'int32', minimum: 1, nullable: true },
    { format: 'int32', minimum: 1 },
  ],
  nullableObject: [
    { type: 'object', nullable: true, properties: { z: text } },
    { type: 'object', nullable: true, properties: { z: text } },
    {},
  ],
  requiredNullable: [
    { type: 'object', required: ['z'], properties: { z: { ...text, nullable: true } } },
    { type: 'object', required: ['z'], properties: { z: { ...text, nullable: true } } },
    { type: 'object', properties: { z: {} } },
  ],
  intOrString: [
    { 'x-kubernetes-int-or-string': true },
    { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
    { 'x-kubernetes-int-or-string': true },
  ],
  intOrStringSaid: [
    { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
    { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
    { 'x-kubernetes-int-or-string': true },
  ],
  unknown: [
    { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    { 'x-kubernetes-preserve-unknown-fields': true },
  ],
  anything: [
    { 'x-kubernetes-preserve-unknown-fields': true },
    { 'x-kubernetes-preserve-unknown-fields': true },
    { 'x-kubernetes-preserve-unknown-fields': true },
  ],
  unknownBeside: [
    { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { q: text } },
    { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { q: text } },
    { 'x-kubernetes-preserve-unknown-fields': true },
  ],
  embedded: [
    { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
    {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      'x-kubernetes-preserve-unknown-fields': true,
      required: ['kind', 'apiVersion'],
      properties: {
        apiVersion: expect.anything() as object,
        kind: expect.anything() as object,
        metadata: expect.anything() as object,
      },
    },
    { 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
  ],
  list: [
    {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', required: ['k'], properties: { k: text } },
    },
    {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', required: ['k'], properties: { k: text } },
    },
    {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', required: ['k'], properties: { k: text } },
    },
  ],
  map: [
    { type: 'object', additionalProperties: text, 'x-kubernetes-map-type': 'atomic' },
    { type: 'object', additionalProperties: text, 'x-kubernetes-map-type': 'atomic' },
    { type: 'object', additionalProperties: text, 'x-kubernetes-map-type': 'atomic' },
  ],
  openMap: [
    { type: 'object', additionalProperties: true },
    { type: 'object', additionalProperties: true },
    { type: 'object', additionalProperties: true },
  ],
  rules: [
    { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 1' }] },
    { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 1' }] },
    { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self > 1' }] },
  ],
  documented: [
    { ...text, title: 'T', example: 'e', externalDocs: { url: 'http://a' } },
    { ...text, title: 'T', example: 'e', externalDocs: { url: 'http://a' } },
    { ...text, title: 'T', example: 'e', externalDocs: { url: 'http://a' } },
  ],
};

function published(
  schema: object,
  more: object = {},
): {
  readonly v3: Record<string, unknown>;
  readonly v2: Record<string, unknown>;
  readonly list: Record<string, unknown>;
  readonly paths: Record<string, unknown>;
} {
  const scheme = builtInScheme();
  const definition = {
    metadata: { name: 'as.b.example' },
    spec: {
      group: 'b.example',
      scope: 'Namespaced',
      names: { plural: 'as', singular: 'a', kind: 'A', listKind: 'AList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...more }],
    },
  } as KubeObject;
  for (const kind of kindsOfDefinition(definition)) scheme.add(kind);
  const api = new OpenApi(scheme, { version: 'v1.36.0' });
  const read = (work: Work<OpenApiDocument> | undefined) =>
    JSON.parse(Buffer.from(work === undefined ? '{}' : finish(work).bytes).toString()) as Record<
      string,
      Record<string, unknown>
    >;
  const three = read(api.document('apis/b.example/v1'));
  const schemas = three['components']?.['schemas'] as Record<string, Record<string, unknown>>;
  return {
    v3: schemas['example.b.v1.A'] ?? {},
    list: schemas['example.b.v1.AList'] ?? {},
    paths: three['paths'] ?? {},
    v2: (read(api.v2())['definitions']?.['example.b.v1.A'] ?? {}) as Record<string, unknown>,
  };
}

describe('OpenAPI of custom resources (row 25)', () => {
  const declared = Object.fromEntries(Object.entries(PROPERTIES).map(([name, [property]]) => [name, property]));
  const { v3, v2, list, paths } = published({
    type: 'object',
    description: 'An a.',
    properties: { spec: { type: 'object', properties: declared } },
  });
  const specOf = (root: Record<string, unknown>) =>
    ((root['properties'] as Record<string, Record<string, unknown>>)['spec']?.['properties'] ?? {}) as Record<
      string,
      unknown
    >;

  it.each(Object.entries(PROPERTIES))('%s', (name, [, three, two]) => {
    expect(specOf(v3)[name]).toEqual(three);
    expect(specOf(v2)[name]).toEqual(two);
  });

  it('apiVersion, kind and metadata are described', () => {
    const described = { description: expect.stringMatching(/^[A-Z].*\.$/) as string };
    for (const root of [v3, v2, list]) {
      expect(root['properties']).toMatchObject({
        apiVersion: { type: 'string', ...described },
        kind: { type: 'string', ...described },
        metadata: described,
      });
    }
    expect(v3['properties']).toMatchObject({
      metadata: { allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' }] },
    });
    expect(v2['properties']).toMatchObject({
      metadata: { $ref: '#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' },
    });
  });

  it('a root that keeps unknown fields has no properties in version 2', () => {
    const open = published({
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { spec: { type: 'object' } },
    });
    const gvk = { 'x-kubernetes-group-version-kind': [{ group: 'b.example', kind: 'A', version: 'v1' }] };
    expect(open.v2).toEqual({ type: 'object', ...gvk });
    expect(open.v3).toMatchObject({
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { spec: { type: 'object' } },
      ...gvk,
    });
  });

  it('selectable fields are named', () => {
    const schema = { type: 'object', properties: { spec: { type: 'object', properties: { x: text } } } };
    expect(
      published(schema, { selectableFields: [{ jsonPath: '.spec.x' }] }).v3['x-kubernetes-selectable-fields'],
    ).toEqual([{ fieldPath: 'spec.x' }]);
  });

  it('bodies are JSON or YAML', () => {
    const create = (
      paths['/apis/b.example/v1/namespaces/{namespace}/as'] as {
        post: { operationId: string; requestBody: { content: object } };
      }
    ).post;
    expect(create.operationId).toBe('createBExampleV1NamespacedA');
    expect(Object.keys(create.requestBody.content)).toEqual(['application/json', 'application/yaml']);
  });
});
