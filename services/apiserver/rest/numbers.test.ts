/** Integers of 64 bits through the whole server: every encoding, every kind of write, tables and watches. */
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { encodeJson, parseJson } from '../../../apimachinery/json-value.js';
import { decodeProtobuf, encodeProtobuf } from '../../../apimachinery/codec/protobuf/index.js';
import { builtInScheme } from '../../../apimachinery/scheme/builtin.js';
import { resolverOf } from '../../../apimachinery/schema/resolve.js';
import type { Schema } from '../../../apimachinery/schema.js';
import { conform } from '../../../apimachinery/schema/typed.js';
import { at } from '../../../apimachinery/kinds/lib/value.js';
import type { JsonObject } from '../../../apimachinery/value.js';
import { startApiServer } from '../testing/api-server.js';

const WIDE = 9007199254740993n;
const MAX = 9223372036854775807n;
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const REVISIONS = '/apis/apps/v1/namespaces/default/controllerrevisions';
const WIDES = '/apis/case.example/v1/namespaces/default/wides';

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const call = async (
    method: string,
    path: string,
    given: { body?: string | Uint8Array; type?: string; accept?: string } = {},
  ) => {
    const response = await fetch(`${running.url}${path}`, {
      method,
      dispatcher,
      headers: { 'content-type': given.type ?? 'application/json', accept: given.accept ?? 'application/json' },
      ...(given.body === undefined ? {} : { body: given.body }),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    return {
      code: response.status,
      bytes,
      text: bytes.toString(),
      value:
        given.accept?.startsWith('application/json') === false
          ? undefined
          : parseJson(bytes.toString().split('\n')[0] ?? ''),
    };
  };
  return {
    call,
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

const revision = (name: string, value: bigint | number): JsonObject => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: { name },
  revision: value,
  data: { ns: value },
});

describe('a built-in kind', () => {
  it('keeps every digit in JSON, YAML, protobuf, lists, tables and watches', async () => {
    await using test = await start();
    expect((await test.call('POST', REVISIONS, { body: encodeJson(revision('a', MAX)) })).value).toMatchObject({
      revision: MAX,
      data: { ns: MAX },
    });
    const yaml = `apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {name: b}\nrevision: ${MAX - 2n}\ndata: {ns: ${-MAX}}\n`;
    expect((await test.call('POST', REVISIONS, { body: yaml, type: 'application/yaml' })).value).toMatchObject({
      revision: MAX - 2n,
      data: { ns: -MAX },
    });
    const binary = encodeProtobuf(revision('c', WIDE)) ?? new Uint8Array();
    expect((await test.call('POST', REVISIONS, { body: binary, type: PROTOBUF })).value).toMatchObject({
      revision: WIDE,
      data: { ns: WIDE },
    });
    expect(at((await test.call('GET', REVISIONS)).value, 'items')).toMatchObject([
      { revision: MAX },
      { revision: MAX - 2n },
      { revision: WIDE },
    ]);
    expect(decodeProtobuf((await test.call('GET', `${REVISIONS}/a`, { accept: PROTOBUF })).bytes)).toMatchObject({
      revision: MAX,
      data: { ns: MAX },
    });
    expect((await test.call('GET', `${REVISIONS}/b`, { accept: 'application/yaml' })).text).toContain(
      `revision: ${MAX - 2n}`,
    );
    const table = await test.call('GET', `${REVISIONS}/a`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    expect(at(table.value, 'rows')).toMatchObject([{ cells: ['a', expect.anything(), MAX, expect.anything()] }]);
    expect(at((await test.call('GET', `${REVISIONS}?watch=1&timeoutSeconds=1`)).value, 'object')).toMatchObject({
      revision: MAX,
    });
  });

  it('keeps them through every kind of patch', async () => {
    await using test = await start();
    await test.call('POST', REVISIONS, { body: encodeJson(revision('a', 1)) });
    const patch = (type: string, body: unknown) =>
      test.call('PATCH', `${REVISIONS}/a?fieldManager=m${type.startsWith('apply') ? '&force=true' : ''}`, {
        type: `application/${type}`,
        body: encodeJson(body),
      });
    expect((await patch('merge-patch+json', { revision: WIDE })).value).toMatchObject({ revision: WIDE });
    expect((await patch('strategic-merge-patch+json', { revision: WIDE + 2n })).value).toMatchObject({
      revision: WIDE + 2n,
    });
    expect(
      (
        await patch('json-patch+json', [
          { op: 'test', path: '/revision', value: WIDE + 2n },
          { op: 'replace', path: '/revision', value: MAX },
        ])
      ).value,
    ).toMatchObject({ revision: MAX });
    expect((await patch('json-patch+json', [{ op: 'test', path: '/revision', value: MAX - 1n }])).code).not.toBe(200);
    const { data: _, ...applied } = revision('a', MAX - 1n);
    expect((await patch('apply-patch+yaml', applied)).value).toMatchObject({
      revision: MAX - 1n,
      metadata: { managedFields: expect.arrayContaining([expect.objectContaining({ operation: 'Apply' })]) },
    });
  });

  it.each(['9223372036854775808', '-9223372036854777856', '1e400', '1.5', '1.0', '-0.0', '1e3', '1E+3'])(
    'refuses %s for an int64',
    async (literal) => {
      await using test = await start();
      const answer = await test.call('POST', REVISIONS, {
        body: `{"apiVersion":"apps/v1","kind":"ControllerRevision","metadata":{"name":"a"},"revision":${literal},"data":{}}`,
      });
      expect([answer.code, answer.text]).toEqual([
        400,
        expect.stringContaining(`json: cannot unmarshal number ${literal} into Go`),
      ]);
    },
  );

  it.each<[string, string, string]>([
    [
      'a nested int32',
      '{"replicas":1.0}',
      'number 1.0 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      'an int or string',
      '{"strategy":{"rollingUpdate":{"maxSurge":1e0}}}',
      'number 1e0 into Go struct field RollingUpdateDeployment.spec.strategy.rollingUpdate.maxSurge of type int32',
    ],
    [
      'an item of a list',
      '{"template":{"spec":{"securityContext":{"supplementalGroups":[1,2.0]}}}}',
      'number 2.0 into Go struct field PodSecurityContext.spec.template.spec.securityContext.supplementalGroups of type int64',
    ],
  ])('refuses a whole number written as a float for %s', async (_, spec, why) => {
    await using test = await start();
    const answer = await test.call('POST', '/apis/apps/v1/namespaces/default/deployments', {
      body: `{"metadata":{"name":"a","annotations":{"x":"[1.0"}},"spec":${spec}}`,
    });
    expect([answer.code, answer.text]).toEqual([400, expect.stringContaining(why)]);
  });

  it('takes one where no integer is wanted', async () => {
    await using test = await start();
    const limits =
      '{"metadata":{"name":"a"},"spec":{"limits":[{"type":"Container","default":{"cpu":1.0},"max":{"cpu":2e0}}]}}';
    expect((await test.call('POST', '/api/v1/namespaces/default/limitranges', { body: limits })).value).toMatchObject({
      spec: { limits: [{ default: { cpu: '1' }, max: { cpu: '2' } }] },
    });
    expect(
      (await test.call('POST', REVISIONS, { body: '{"metadata":{"name":"any"},"revision":1,"data":{"a":1.0}}' })).code,
    ).toBe(201);
  });
});

describe('every int64 field of every served kind', () => {
  const scheme = builtInScheme();
  const resolver = resolverOf(scheme);

  /** The least object in which one int64 field has the value; undefined below what may hold anything. */
  function holders(declared: Schema, value: bigint, seen: readonly Schema[] = []): unknown[] {
    const schema = resolver.resolve(declared);
    if (seen.includes(schema)) return [];
    const below = [...seen, schema];
    if (schema.type === 'integer') return schema.format === 'int64' ? [value] : [];
    if (schema.items !== undefined) return holders(schema.items, value, below).map((item) => [item]);
    if (schema.additionalProperties !== undefined)
      return holders(schema.additionalProperties, value, below).map((item) => ({ key: item }));
    return Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
      holders(property, value, below).map((item) => ({ [name]: item })),
    );
  }

  it('decodes, encodes and conforms without losing a digit', () => {
    let count = 0;
    for (const kind of scheme.kinds()) {
      for (const holder of holders(kind.schema, MAX) as JsonObject[]) {
        const object = {
          apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
          kind: kind.kind,
          ...holder,
        };
        const decoded = parseJson(encodeJson(object)) as JsonObject;
        conform(kind, decoded, { resolver });
        expect(encodeJson(decoded)).toContain(String(MAX));
        const binary = encodeProtobuf(decoded);
        if (binary !== undefined) expect(encodeJson(decodeProtobuf(binary))).toContain(String(MAX));
        count += 1;
      }
    }
    expect(count).toBeGreaterThan(300);
  });
});

describe('a custom resource', () => {
  const integer = { type: 'integer' };
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'wides.case.example' },
    spec: {
      group: 'case.example',
      scope: 'Namespaced',
      names: { plural: 'wides', singular: 'wide', kind: 'Wide', listKind: 'WideList' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          additionalPrinterColumns: [
            { name: 'Ns', type: 'integer', jsonPath: '.spec.ns' },
            { name: 'Num', type: 'number', jsonPath: '.spec.num' },
            { name: 'Any', type: 'string', jsonPath: '.spec.any' },
          ],
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                spec: {
                  type: 'object',
                  properties: {
                    ns: { type: 'integer', format: 'int64' },
                    num: { type: 'number' },
                    max: { ...integer, maximum: 9007199254740992 },
                    min: { ...integer, minimum: -9007199254740992 },
                    even: { ...integer, multipleOf: 2 },
                    def: { ...integer, default: WIDE },
                    set: { type: 'array', items: integer, 'x-kubernetes-list-type': 'set' },
                    one: { ...integer, enum: [WIDE] },
                    any: { 'x-kubernetes-preserve-unknown-fields': true },
                    cel: { ...integer, 'x-kubernetes-validations': [{ rule: 'self < 9007199254740993' }] },
                  },
                },
              },
            },
          },
        },
      ],
    },
  };

  async function startWide() {
    const test = await start();
    expect(
      (
        await test.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
          body: encodeJson(definition),
        })
      ).code,
    ).toBe(201);
    const make = (spec: string) =>
      test.call('POST', WIDES, {
        body: `{"apiVersion":"case.example/v1","kind":"Wide","metadata":{"generateName":"a-"},"spec":${spec}}`,
      });
    for (let attempt = 0; attempt < 1000 && (await make('{}')).code !== 201; attempt += 1)
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
    return { ...test, make, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() };
  }

  it('keeps every digit anywhere, and limits compare the true value', async () => {
    await using test = await startWide();
    for (const spec of [
      '{"ns":1795842427123456789}',
      '{"num":9007199254740993}',
      '{"any":{"x":[-9223372036854775808]}}',
      '{"set":[9007199254740992,9007199254740993]}',
      '{"one":9007199254740993}',
    ]) {
      const answer = await test.make(spec);
      expect([answer.code, answer.text]).toEqual([201, expect.stringContaining(spec.slice(1, -1))]);
    }
    expect(at((await test.make('{}')).value, 'spec', 'def')).toBe(WIDE);
    for (const spec of [
      '{"max":9007199254740993}',
      '{"min":-9007199254740993}',
      '{"even":9007199254740993}',
      '{"cel":9007199254740993}',
      '{"one":9007199254740992}',
      '{"set":[9007199254740993,9007199254740993]}',
      '{"ns":9223372036854775808}',
    ]) {
      expect([spec, (await test.make(spec)).code]).toEqual([spec, 422]);
    }
    for (const spec of ['{"max":9007199254740992}', '{"even":9007199254740994}', '{"cel":9007199254740992}'])
      expect([spec, (await test.make(spec)).code]).toEqual([spec, 201]);
    for (const spec of ['{"num":1e400}', '{"any":[1e400]}'])
      expect([spec, (await test.make(spec)).code]).toEqual([spec, 400]);
  });

  it('shows them in tables and in OpenAPI, and keeps them in managedFields', async () => {
    await using test = await startWide();
    const name = String(
      at(
        (
          await test.make(
            '{"ns":9007199254740993,"num":9007199254740993,"any":{"x":9007199254740993},"set":[9007199254740993]}',
          )
        ).value,
        'metadata',
        'name',
      ),
    );
    const table = await test.call('GET', `${WIDES}/${name}`, {
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    });
    expect(at(table.value, 'rows')).toMatchObject([{ cells: [name, WIDE, WIDE, `{"x":${WIDE}}`] }]);
    expect((await test.call('GET', '/openapi/v3/apis/case.example/v1')).text).toContain(String(WIDE));
    expect((await test.call('GET', `${WIDES}/${name}`)).text).toContain('v:9007199254740993');
    const applied = `{"apiVersion":"case.example/v1","kind":"Wide","metadata":{"name":"${name}"},"spec":{"ns":9007199254740995,"set":[9007199254740995]}}`;
    const answer = await test.call('PATCH', `${WIDES}/${name}?fieldManager=m&force=true`, {
      type: 'application/apply-patch+yaml',
      body: applied,
    });
    expect(at(answer.value, 'spec')).toMatchObject({ ns: WIDE + 2n, set: expect.arrayContaining([WIDE, WIDE + 2n]) });
  });
});

/** What was spelled as a float is none of an integer field's values, in patches that work on text. */
describe('whole numbers written as floats, in patches of built-in kinds', () => {
  const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
  const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  const REFUSED = 'json: cannot unmarshal number 1.0 into Go struct field DeploymentSpec.spec.replicas of type int32';

  it.each([
    ['application/merge-patch+json', '{"spec":{"replicas":1.0}}', 422],
    ['application/json-patch+json', '[{"op":"replace","path":"/spec/replicas","value":1.0}]', 422],
    ['application/strategic-merge-patch+json', '{"spec":{"replicas":1.0}}', 200],
    ['application/merge-patch+json', '{"spec":{"replicas":1}}', 200],
  ] as const)('%s %s', async (type, body, code) => {
    await using server = await start();
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { selector: { matchLabels: { a: 'b' } }, template },
    };
    expect((await server.call('POST', DEPLOYMENTS, { body: JSON.stringify(deployment) })).code).toBe(201);
    const answer = await server.call('PATCH', `${DEPLOYMENTS}/d`, { body, type });
    expect(answer.code).toBe(code);
    if (code === 422) expect(answer.text).toContain(REFUSED);
  });
});
