import { describe, expect, it } from 'vitest';
import { builtInScheme } from '../scheme/builtin.js';
import { present } from '../../platform/assert.js';
import type { JsonObject } from '../value.js';
import { jsonIssues } from '../codec/issues.js';
import { Defaulter, prune } from './prune.js';
import { resolverOf, SchemaResolver } from './resolve.js';
import type { Schema } from '../schema.js';
import { reportFieldIssues } from './strict.js';
import { conform } from './typed.js';
import { finish } from '../../platform/work.js';
import { listErrors } from '../crd/list-errors.js';
import { customValueErrors } from './custom-values.js';
import { validateSchema } from './validate.js';

const scheme = builtInScheme();
const resolver = resolverOf(scheme);
const kindOf = (group: string, kind: string) => present(scheme.byKind({ group, version: 'v1', kind }), kind);
const deployment = kindOf('apps', 'Deployment');

const crd = new SchemaResolver(scheme);

describe('decoding into built-in types', () => {
  it.each<[string, string, JsonObject, string]>([
    [
      'apps',
      'Deployment',
      { spec: { replicas: 'x' } },
      'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      'apps',
      'Deployment',
      { spec: { replicas: 3_000_000_000 } },
      'cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      'apps',
      'Deployment',
      { spec: { template: { spec: { containers: [{ image: 1 }] } } } },
      'cannot unmarshal number into Go struct field Container.spec.template.spec.containers.image of type string',
    ],
    [
      'apps',
      'Deployment',
      { spec: { template: { spec: { containers: {} } } } },
      'cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
    ['', 'Pod', { spec: 'x' }, 'cannot unmarshal string into Go struct field Pod.spec of type v1.PodSpec'],
    [
      '',
      'Pod',
      { metadata: { labels: { a: 1 } } },
      'cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    ],
    ['', 'Pod', { metadata: { creationTimestamp: 'yesterday' } }, 'parsing time "yesterday"'],
    [
      '',
      'Pod',
      { spec: { containers: [{ resources: { limits: { cpu: 'lots' } } }] } },
      'quantities must match the regular expression',
    ],
    ['', 'Secret', { data: { a: 'a*==' } }, 'illegal base64 data at input byte 1'],
    [
      '',
      'Service',
      { spec: { ports: [{ targetPort: true }] } },
      'cannot unmarshal bool into Go struct field ServicePort.spec.ports.targetPort of type int32',
    ],
  ])('%s %s %j', (group, kind, object, message) => {
    expect(() => conform(kindOf(group, kind), structuredClone(object), { resolver })).toThrow(message);
  });

  it('drops unknown fields and nulls, and makes quantities canonical', () => {
    const object: JsonObject = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'a', labels: JSON.parse('{"__proto__":"x","constructor":"y"}'), nope: 1 },
      spec: {
        foo: 1,
        replicas: null,
        template: {
          spec: { containers: [{ name: 'c', resources: { limits: { cpu: 0.5, memory: '1024Mi' } }, imagee: 'x' }] },
        },
      },
    };
    expect(conform(deployment, object, { resolver })).toEqual([
      'metadata.nope',
      'spec.foo',
      'spec.template.spec.containers[0].imagee',
    ]);
    expect(object['spec']).toEqual({
      template: { spec: { containers: [{ name: 'c', resources: { limits: { cpu: '500m', memory: '1Gi' } } }] } },
    });
    expect(Object.keys((object['metadata'] as JsonObject)['labels'] as JsonObject)).toEqual([
      '__proto__',
      'constructor',
    ]);
  });

  it('reports issues as fieldValidation asks (KEP-2885)', () => {
    const issues = {
      unknown: ['spec.foo'],
      body: jsonIssues(Buffer.from('{"spec":{"replicas":1,"replicas":2,"foo":3}}')),
    };
    expect(() => reportFieldIssues(deployment, issues, 'Strict')).toThrow(
      'strict decoding error: duplicate field "spec.replicas", unknown field "spec.foo"',
    );
    expect(reportFieldIssues(deployment, issues, 'Warn')).toEqual([
      'duplicate field "spec.replicas"',
      'unknown field "spec.foo"',
    ]);
    expect(reportFieldIssues(deployment, issues, 'Ignore')).toEqual([]);
  });

  it('lets CRDs carry the schemas they are made of', () => {
    const spec = {
      versions: [
        {
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', items: [{ x: 1 }], default: { any: ['thing'] }, $ref: '#/x' } },
            },
          },
        },
      ],
    };
    const object: JsonObject = { spec: structuredClone(spec) };
    expect(conform(kindOf('apiextensions.k8s.io', 'CustomResourceDefinition'), object, { resolver })).toEqual([]);
    expect(object['spec']).toEqual(spec);
  });
});

describe('validation by schema', () => {
  const schema: Schema = {
    type: 'object',
    required: ['name'],
    properties: {
      name: { type: 'string', minLength: 2, maxLength: 4, pattern: '^[a-z]+$' },
      size: { type: 'integer', minimum: 0, maximum: 5, exclusiveMaximum: true },
      color: { type: 'string', enum: ['red', 'blue'] },
      port: { intOrString: true },
      at: { type: 'string', format: 'date-time' },
      items: {
        type: 'array',
        maxItems: 3,
        listType: 'map',
        listMapKeys: ['k', 'p'],
        items: { type: 'object', properties: { k: { type: 'string' }, p: { type: 'string', default: 'TCP' } } },
      },
      set: { type: 'array', listType: 'set', items: { type: 'string' } },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
      maybe: { type: 'string', nullable: true },
      one: { oneOf: [{ type: 'string' }, { type: 'integer' }] },
    },
  };
  const complaints = (value: unknown) =>
    [...customValueErrors(schema, value, crd), ...finish(listErrors(schema, value, crd))].map(
      (error) => `${error.field}: ${error.detail}`,
    );

  it.each<[JsonObject, string[]]>([
    [{ name: 'abc', size: 4, color: 'red', port: 'web', set: ['a', 'b'], maybe: null, one: 1 }, []],
    [{}, ['name: Required value']],
    [{ name: 'a' }, ['name: Invalid value: "a": name in body should be at least 2 chars long']],
    [{ name: 'ABC' }, ['name: Invalid value: "ABC": name in body should match \'^[a-z]+$\'']],
    [{ name: 'abcde' }, ['name: Too long: may not be more than 4 bytes']],
    [{ name: 'ab', size: -1 }, ['size: Invalid value: -1: size in body should be greater than or equal to 0']],
    [{ name: 'ab', size: 5 }, ['size: Invalid value: 5: size in body should be less than 5']],
    [{ name: 'ab', size: '1' }, ['size: Invalid value: "string": size in body must be of type integer: "string"']],
    [
      { name: 'ab', size: 1.5 },
      [
        'size: Invalid value: "number": size in body must be of type integer: "number"',
        '<nil>: Invalid value: "": Checked value must be of type integer (default format) in size',
      ],
    ],
    [{ name: 'ab', color: 'green' }, ['color: Unsupported value: "green": supported values: "red", "blue"']],
    [
      { name: 'ab', port: 1.5 },
      ['port: Invalid value: "number": port in body must be of type integer,string: "number"'],
    ],
    [{ name: 'ab', at: 'noon' }, ['at: Invalid value: "noon": at in body must be of type date-time: "noon"']],
    [{ name: 'ab', items: [{ k: 'a' }, { k: 'b' }, { k: 'a' }] }, ['items[2]: Duplicate value: {"k":"a"}']],
    [
      { name: 'ab', items: [{ k: 'a' }, { k: 'b' }, { k: 'c' }, { k: 'd' }] },
      ['items: Too many: 4: must have at most 3 items'],
    ],
    [{ name: 'ab', set: ['a', 'a'] }, ['set[1]: Duplicate value: "a"']],
    [
      { name: 'ab', labels: { constructor: 1 } },
      ['labels.constructor: Invalid value: "integer": labels.constructor in body must be of type string: "integer"'],
    ],
    [
      { name: 'ab', one: true },
      [
        '<nil>: Invalid value: "": "one" must validate one and only one schema (oneOf). Found none valid',
        'one: Invalid value: "boolean": one in body must be of type string: "boolean"',
      ],
    ],
  ])('%j', (value, expected) => expect(complaints(value)).toEqual(expected));

  it('runs patterns of users in linear time', () => {
    const evil: Schema = { type: 'string', pattern: '^(a+)+$' };
    expect(customValueErrors(evil, `${'a'.repeat(50_000)}!`, crd)).toHaveLength(1);
  });

  it('asks built-in kinds only for what Go cannot do without', () => {
    const fields = validateSchema(
      deployment.schema,
      { spec: { template: { spec: { containers: [{}] } } } },
      resolver,
    ).map((e) => e.field);
    expect(fields).toEqual(['spec.selector', 'spec.template.spec.containers[0].name']);
  });

  it('lets lists of built-in kinds hold what kube-apiserver stores: a variable given twice', () => {
    const container = {
      name: 'c',
      env: [
        { name: 'A', value: '1' },
        { name: 'A', value: '2' },
      ],
      ports: [{ containerPort: 1 }, { containerPort: 1 }],
    };
    const spec = {
      selector: {},
      template: { spec: { containers: [container], topologySpreadConstraints: [SPREAD, SPREAD] } },
    };
    const fields = validateSchema(deployment.schema, { spec }, resolver).map((e) => e.field);
    expect(fields).toEqual(['spec.template.spec.topologySpreadConstraints[1]']);
  });
});

const SPREAD = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' };

describe('pruning and defaulting', () => {
  const schema: Schema = {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        default: {},
        properties: {
          mode: { type: 'string', default: 'auto' },
          open: { type: 'object', preserveUnknown: true },
          list: { type: 'array', items: { type: 'object', properties: { n: { type: 'integer', default: 7 } } } },
        },
      },
    },
  };

  it("prune keeps the root's own fields and what is preserved", () => {
    const object: JsonObject = {
      apiVersion: 'a/v1',
      kind: 'A',
      metadata: { any: 1 },
      x: 1,
      spec: { y: 1, open: { z: 1 }, list: [{ n: 1, m: 2 }] },
    };
    expect(prune(object, schema, crd)).toEqual(['x', 'spec.y', 'spec.list[0].m']);
    expect(object).toEqual({
      apiVersion: 'a/v1',
      kind: 'A',
      metadata: { any: 1 },
      spec: { open: { z: 1 }, list: [{ n: 1 }] },
    });
  });

  it('defaults nest, and are copies', () => {
    const [a, b]: JsonObject[] = [{}, { spec: { mode: null, list: [{}, { n: 1 }] } }];
    const defaulter = new Defaulter(crd);
    defaulter.apply(a, schema);
    defaulter.apply(b, schema);
    expect(a).toEqual({ spec: { mode: 'auto' } });
    expect(b).toEqual({ spec: { mode: 'auto', list: [{ n: 7 }, { n: 1 }] } });
    expect(schema.properties?.['spec']?.default).toEqual({});
  });

  it('gives service ports their protocol', () => {
    const service: JsonObject = { spec: { ports: [{ port: 80 }] } };
    new Defaulter(resolver).apply(service, kindOf('', 'Service').schema);
    expect(service).toEqual({ spec: { ports: [{ port: 80, protocol: 'TCP' }] } });
  });
});
