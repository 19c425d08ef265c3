/** Unknown and duplicate fields in kube-apiserver's order and words (KEP-2885; answers of kube-apiserver v1.36). */
import { Agent, fetch } from 'undici';
import { expect, it } from 'vitest';
import { startApiServer } from '../testing/api-server.js';

const MAPS = '/api/v1/namespaces/default/configmaps?dryRun=All';
const JSON_BODY =
  '{"foo":1,"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","name":"b","nope":{"x":1,"x":2},"labels":{"x":"1","x":"2"}},' +
  '"data":{"a":"1","a":"2"},"bar":[1],"foo":2,"Data":{},"data":{"z":"y"}}';
const YAML_BODY =
  'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {x: a, x: b}\ndata:\n  a: "1"\n  a: "2"\nfoo: 1\nbar: 2\n';
const TWO_DOCUMENTS = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: x}\n---\nfoo: [\n';
const FRAME = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: ';
const JSON_LINES = [
  'unknown field "foo"',
  'duplicate field "metadata.name"',
  'unknown field "metadata.nope"',
  'duplicate field "metadata.labels.x"',
  'duplicate field "data.a"',
  'unknown field "bar"',
  'unknown field "Data"',
  'duplicate field "data"',
];
const YAML_LINES = [
  'line 5: key "x" already set in map',
  'line 8: key "a" already set in map',
  'unknown field "bar"',
  'unknown field "foo"',
];

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  return {
    async send(
      type: string,
      body: string,
      validation: string,
      how: { method: string; path: string } = { method: 'POST', path: MAPS },
    ) {
      const response = await fetch(`${running.url}${how.path}&fieldValidation=${validation}`, {
        method: how.method,
        body,
        headers: { 'content-type': type },
        dispatcher,
      });
      const answer = (await response.json()) as { message?: string; data?: object; metadata: { labels?: object } };
      const warnings = (response.headers.get('warning') ?? '')
        .split(/, (?=299 )/)
        .filter((text) => text !== '')
        .map((text) => text.slice('299 - "'.length, -1).replaceAll('\\"', '"'));
      return {
        code: response.status,
        warnings,
        message: answer.message,
        data: answer.data,
        labels: answer.metadata.labels,
      };
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

it.each<[string, string, string, readonly string[], string]>([
  ['JSON', 'application/json', JSON_BODY, JSON_LINES, JSON_LINES.join(', ')],
  [
    'YAML',
    'application/yaml',
    YAML_BODY,
    YAML_LINES,
    'yaml: unmarshal errors:\n  line 5: key "x" already set in map\n  line 8: key "a" already set in map, unknown field "bar", unknown field "foo"',
  ],
])('%s: Strict refuses all issues, Warn tells them, Ignore neither', async (_name, type, body, lines, strict) => {
  await using test = await start();
  expect(await test.send(type, body, 'Strict')).toMatchObject({ code: 400, message: FRAME + strict });
  expect(await test.send(type, body, 'Warn')).toMatchObject({ code: 201, warnings: lines });
  expect(await test.send(type, body, '')).toMatchObject({ code: 201, warnings: lines });
  expect(await test.send(type, body, 'Ignore')).toMatchObject({ code: 201, warnings: [] });
});

it('of two documents the first one counts, whatever fieldValidation says', async () => {
  await using test = await start();
  for (const validation of ['Strict', 'Warn', 'Ignore']) {
    expect(await test.send('application/yaml', TWO_DOCUMENTS, validation)).toMatchObject({
      code: 201,
      warnings: [],
      data: { a: 'x' },
    });
  }
});

it('what is applied twice is refused by Strict, and else applied with a warning', async () => {
  await using test = await start();
  const apply = (validation: string) =>
    test.send(
      'application/apply-patch+yaml',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata:\n  a: "1"\n  a: "2"\n',
      validation,
      {
        method: 'PATCH',
        path: '/api/v1/namespaces/default/configmaps/applied?fieldManager=test&dryRun=All',
      },
    );
  expect(await apply('Strict')).toMatchObject({
    code: 400,
    message:
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 6: key "a" already set in map',
  });
  expect(await apply('Warn')).toMatchObject({
    code: 201,
    warnings: ['line 6: key "a" already set in map'],
    data: { a: '2' },
  });
});

it('at most a hundred issues are told, and nothing is said of what stands inside an unknown field', async () => {
  await using test = await start();
  const many = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},${Array.from({ length: 5000 }, (_, i) => `"field${i}":{"x":1,"x":2}`).join(',')}}`;
  const { message = '' } = await test.send('application/json', many, 'Strict');
  expect(message.match(/unknown field/g)).toHaveLength(100);
  expect(message).not.toContain('duplicate');
});

const HOLDERS = '/apis/strict.example/v1/namespaces/default/holders';
const EMBEDDED = {
  type: 'object',
  'x-kubernetes-embedded-resource': true,
  properties: { spec: { type: 'object', properties: { q: { type: 'string' } } } },
};
const HOLDER = {
  metadata: { name: 'holders.strict.example' },
  spec: {
    group: 'strict.example',
    scope: 'Namespaced',
    names: { plural: 'holders', singular: 'holder', kind: 'Holder', listKind: 'HolderList' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { name: { type: 'string' }, held: EMBEDDED, list: { type: 'array', items: EMBEDDED } },
              },
            },
          },
        },
      },
    ],
  },
};

async function startWithHolders() {
  const test = await start();
  await test.send('application/json', JSON.stringify(HOLDER), 'Ignore', {
    method: 'POST',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions?x=',
  });
  await expect
    .poll(
      async () =>
        (await test.send('application/json', '{}', 'Ignore', { method: 'POST', path: `${HOLDERS}?dryRun=All` })).code,
      { timeout: 20_000 },
    )
    .not.toBe(404);
  const holder = (spec: string, more = '') =>
    `{"apiVersion":"strict.example/v1","kind":"Holder","metadata":{"name":"a"},"spec":${spec}${more}}`;
  return {
    holder,
    [Symbol.asyncDispose]: () => test[Symbol.asyncDispose](),
    create: (body: string, validation: string) =>
      test.send('application/json', body, validation, { method: 'POST', path: `${HOLDERS}?dryRun=All` }),
    apply: (body: string, validation: string) =>
      test.send('application/apply-patch+yaml', body, validation, {
        method: 'PATCH',
        path: `${HOLDERS}/a?dryRun=All&fieldManager=test`,
      }),
  };
}

it('of custom resources: duplicates, metadata, what is pruned, the metadata of objects within, each by name (rows 17 and 42)', async () => {
  await using test = await startWithHolders();
  const body =
    '{"zed":1,"Zed":2,"apiVersion":"strict.example/v1","kind":"Holder","metadata":{"name":"a","name":"a","foo":1},' +
    '"spec":{"é\\"x":1,"list":[{"apiVersion":"v1","kind":"X","z":1,"metadata":{"zz":1,"labels":{"a":"b"}}}],"held":{"apiVersion":"v1","kind":"X","metadata":{"name":"x","bar":{"a":1}},"spec":{"q":"a","z":1}},"a b":1,"a.b":1}}';
  const lines = [
    'duplicate field "metadata.name"',
    'unknown field "metadata.foo"',
    'unknown field "Zed"',
    'unknown field "spec.a b"',
    'unknown field "spec.a.b"',
    'unknown field "spec.held.spec.z"',
    'unknown field "spec.list[0].z"',
    'unknown field "spec.é"x"',
    'unknown field "zed"',
    'unknown field "spec.held.metadata.bar"',
    'unknown field "spec.list[0].metadata.zz"',
  ];
  expect(await test.create(body, 'Strict')).toMatchObject({
    code: 400,
    message: `Holder in version "v1" cannot be handled as a Holder: strict decoding error: ${lines.join(', ')}`,
  });
  const { code, warnings } = await test.create(body, 'Warn');
  // A client reads a header's bytes one by one.
  expect([code, warnings.map((line) => Buffer.from(line, 'latin1').toString())]).toEqual([201, lines]);
  expect(await test.create(body, 'Ignore')).toMatchObject({ code: 201, warnings: [] });
});

it.each([
  ['{"held":{"apiVersion":5,"kind":"X"}}', 'spec.held.apiVersion: Invalid value: 5: must be a string'],
  [
    '{"held":{"apiVersion":"v1","kind":"X","metadata":"x"}}',
    'spec.held.metadata: Invalid value: "x": json: cannot unmarshal string into Go value of type v1.ObjectMeta',
  ],
  [
    '{"list":[{"apiVersion":"v1","kind":"X","metadata":{"labels":{"a":1}}}]}',
    'spec.list[0].metadata: Invalid value: {"labels":{"a":1}}: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string',
  ],
])('the type of an object within a custom resource is looked at when it is decoded: %s', async (spec, why) => {
  await using test = await startWithHolders();
  expect(await test.create(test.holder(spec), 'Ignore')).toMatchObject({
    code: 400,
    message: `Holder in version "v1" cannot be handled as a Holder: ${why}`,
  });
});

it('objects within a custom resource are applied with their type and metadata; duplicates are told of what can be applied', async () => {
  await using test = await startWithHolders();
  expect(
    await test.apply(
      test.holder(
        '{"held":{"apiVersion":"v1","kind":"X","metadata":{"name":"x","labels":{"a":"b"}},"spec":{"q":"1"}}}',
      ),
      'Strict',
    ),
  ).toMatchObject({ code: 201 });
  expect(
    await test.apply(test.holder('{"held":{"apiVersion":"v1","kind":"X","metadata":null}}'), 'Strict'),
  ).toMatchObject({ code: 201 });
  const flawed = (spec: string, flaw: string) => ({
    code: 500,
    warnings: [],
    message: expect.stringContaining(flaw) as string,
    spec,
  });
  for (const { spec, ...answer } of [
    flawed(
      '{"held":{"apiVersion":"v1","kind":"X","metadata":{"foo":1}}}',
      '.spec.held.metadata.foo: field not declared in schema',
    ),
    flawed('{"name":"a","name":"b","foo":1}', '.spec.foo: field not declared in schema'),
  ])
    for (const validation of ['Strict', 'Warn'])
      expect(await test.apply(test.holder(spec), validation)).toMatchObject(answer);
  expect(
    await test.apply(test.holder('{}').replace('"name":"a"', '"name":"a","managedFields":[{"bogus":1}]'), 'Warn'),
  ).toMatchObject({ code: 400, message: 'metadata.managedFields must be nil' });
});

it('of a JSON patch its operations are looked at, too', async () => {
  await using test = await start();
  await test.send('application/json', '{"metadata":{"name":"patched"}}', 'Warn', {
    method: 'POST',
    path: '/api/v1/namespaces/default/configmaps?x=',
  });
  const patch = (validation: string) =>
    test.send(
      'application/json-patch+json',
      '[{"op":"test","op":"add","path":"/data","value":{"a":"1","a":"2"},"extra":1}]',
      validation,
      {
        method: 'PATCH',
        path: '/api/v1/namespaces/default/configmaps/patched?dryRun=All',
      },
    );
  const lines = [
    'json patch duplicate field "[0].op"',
    'json patch duplicate field "[0].value.a"',
    'json patch unknown field "[0].extra"',
  ];
  expect(await patch('Warn')).toMatchObject({ code: 200, warnings: lines });
  expect(await patch('Ignore')).toMatchObject({ code: 200, warnings: [] });
  expect(await patch('Strict')).toMatchObject({
    code: 422,
    message: expect.stringContaining(`strict decoding error: ${lines.join(', ')}`) as string,
  });
});
