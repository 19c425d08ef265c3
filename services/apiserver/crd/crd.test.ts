/**
 * CustomResourceDefinitions over HTTP: what kube-apiserver's apiextensions tests (test/integration of
 * apiextensions-apiserver) prove.
 */
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { startApiServer } from '../testing/api-server.js';

type Json = Record<string, unknown>;

const DEFINITIONS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const TABS = '/apis/stable.example.com/v1/namespaces/default/crontabs';

const spec = {
  type: 'object',
  required: ['schedule'],
  'x-kubernetes-validations': [{ rule: 'self.min <= self.replicas', message: 'min must not exceed replicas' }],
  properties: {
    schedule: { type: 'string', pattern: '^[a-z]+$' },
    image: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] },
    replicas: { type: 'integer', default: 2, maximum: 10 },
    min: { type: 'integer', default: 1 },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    ports: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string' }, port: { 'x-kubernetes-int-or-string': true } },
      },
    },
  },
};
const schema = {
  openAPIV3Schema: {
    type: 'object',
    properties: {
      spec,
      status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
    },
  },
};

const definition = (change: Json = {}, version: Json = {}): Json => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'crontabs.stable.example.com' },
  spec: {
    group: 'stable.example.com',
    scope: 'Namespaced',
    names: { plural: 'crontabs', kind: 'CronTab', shortNames: ['ct'], categories: ['all'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema,
        selectableFields: [{ jsonPath: '.spec.image' }],
        subresources: {
          status: {},
          scale: {
            specReplicasPath: '.spec.replicas',
            statusReplicasPath: '.status.replicas',
            labelSelectorPath: '.status.selector',
          },
        },
        additionalPrinterColumns: [
          { name: 'Schedule', type: 'string', jsonPath: '.spec.schedule' },
          { name: 'Ports', type: 'string', jsonPath: '.spec.ports[*].name', priority: 1 },
        ],
        ...version,
      },
      {
        name: 'v1beta1',
        served: true,
        storage: false,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
    ...change,
  },
});
const tab = (name: string, fields: Json = {}): Json => ({
  apiVersion: 'stable.example.com/v1',
  kind: 'CronTab',
  metadata: { name },
  spec: { schedule: 'daily', ...fields },
});

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const send = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Json & { code: number }> => {
    const response = await fetch(`${running.url}${path}`, {
      method,
      dispatcher,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    // Where nothing is defined there is a page, as of a web server.
    return { ...(text.startsWith('{') ? (JSON.parse(text) as Json) : {}), code: response.status };
  };
  return {
    ...running,
    send,
    get: (path: string, headers: Record<string, string> = {}) => send('GET', path, undefined, headers),
    post: (path: string, body: unknown) => send('POST', path, body),
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

describe('a definition', () => {
  it('is established by its own creation, and discovered', async () => {
    await using test = await start();
    expect((await test.get(TABS)).code).toBe(404);
    const created = await test.post(DEFINITIONS, definition());
    expect(created).toMatchObject({
      code: 201,
      spec: { names: { singular: 'crontab', listKind: 'CronTabList' }, conversion: { strategy: 'None' } },
      status: {
        acceptedNames: { plural: 'crontabs', kind: 'CronTab' },
        storedVersions: ['v1'],
        conditions: [
          { type: 'NamesAccepted', status: 'True' },
          { type: 'Established', status: 'True' },
        ],
      },
    });
    expect(await test.get(TABS)).toMatchObject({ code: 200, kind: 'CronTabList', items: [] });
    expect(await test.get('/apis/stable.example.com')).toMatchObject({
      preferredVersion: { version: 'v1' },
      versions: [{ version: 'v1' }, { version: 'v1beta1' }],
    });
    expect(await test.get('/apis/stable.example.com/v1')).toMatchObject({
      resources: [
        { name: 'crontabs', shortNames: ['ct'], categories: ['all'] },
        { name: 'crontabs/status' },
        { name: 'crontabs/scale', group: 'autoscaling' },
      ],
    });
    const openApi = (await test.get('/openapi/v3/apis/stable.example.com/v1')) as { components?: { schemas: Json } };
    expect(Object.keys(openApi.components?.schemas ?? {})).toContain('com.example.stable.v1.CronTab');
  });

  it('whose names are taken is not served', async () => {
    await using test = await start();
    await test.post(DEFINITIONS, definition());
    const rival = {
      ...definition({ names: { plural: 'others', singular: 'other', kind: 'CronTab' } }),
      metadata: { name: 'others.stable.example.com' },
    };
    expect(await test.post(DEFINITIONS, rival)).toMatchObject({
      code: 201,
      status: {
        conditions: [
          { type: 'NamesAccepted', status: 'False', reason: 'KindConflict', message: '"CronTab" is already in use' },
          { type: 'Established', status: 'False' },
        ],
      },
    });
    expect((await test.get('/apis/stable.example.com/v1/namespaces/default/others')).code).toBe(404);
  });

  it('of many that are made at the same moment and want a name, one has it', async () => {
    await using test = await start();
    const rivals = Array.from({ length: 8 }, (_, i) => ({
      ...definition({ names: { plural: `tabs${i}`, singular: `tab${i}`, kind: 'CronTab' } }),
      metadata: { name: `tabs${i}.stable.example.com` },
    }));
    const made = await Promise.all(rivals.map((rival) => test.post(DEFINITIONS, rival)));
    expect(made.map(({ code }) => code)).toEqual(rivals.map(() => 201));
    const accepted = made.map(
      (one) => (one as unknown as { status: { conditions: { status: string }[] } }).status.conditions[0]?.status,
    );
    expect(accepted.filter((status) => status === 'True')).toHaveLength(1);
    expect(accepted.filter((status) => status === 'False')).toHaveLength(rivals.length - 1);
  });

  it("that is not structural is refused in Kubernetes' words", async () => {
    await using test = await start();
    const refused = async (properties: Json) =>
      (await test.post(DEFINITIONS, definition({}, { schema: { openAPIV3Schema: { type: 'object', properties } } })))[
        'message'
      ];
    expect(await refused({ a: {} })).toContain(
      'spec.versions[0].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields',
    );
    expect(await refused({ a: { type: 'array' } })).toContain('properties[a].items: Required value: must be specified');
    expect(await refused({ a: { type: 'string', pattern: '(' } })).toContain('must be a valid regular expression');
    expect(await refused({ a: { type: 'array', items: { type: 'string' }, uniqueItems: true } })).toContain(
      'uniqueItems cannot be set to true',
    );
    expect(await refused({ a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self ==' }] } })).toContain(
      'compilation failed',
    );
    expect(
      (await test.post(DEFINITIONS, { ...definition({ group: 'x.k8s.io' }), metadata: { name: 'crontabs.x.k8s.io' } }))[
        'message'
      ],
    ).toContain(
      'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation',
    );
  });
});

describe('a definition, judged', () => {
  it('by its spec only where the spec is written', async () => {
    await using test = await start();
    await test.post(DEFINITIONS, definition());
    const path = `${DEFINITIONS}/crontabs.stable.example.com`;
    const merge = { 'content-type': 'application/merge-patch+json' };
    // A controller may write a status that lacks what the server wrote there (row 17).
    const status = { conditions: [], storedVersions: ['v0'], acceptedNames: { kind: '', plural: '' } };
    expect(await test.send('PATCH', `${path}/status`, { status }, merge)).toMatchObject({
      code: 200,
      status: { storedVersions: ['v0'] },
    });
    expect(
      await test.send('PATCH', `${path}/status`, { status: { acceptedNames: { plural: 'UPPER' } } }, merge),
    ).toMatchObject({ code: 422 });
  });

  it.each<[string, Json, string]>([
    [
      'a webhook without address',
      { strategy: 'Webhook' },
      'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
    ],
    [
      'an unknown strategy',
      { strategy: 'Foo' },
      'spec.conversion.strategy: Unsupported value: "Foo": supported values: "None", "Webhook"',
    ],
    [
      'a webhook over http',
      { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'http://a' } } },
      'spec.conversion.webhookClientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
    ],
    [
      'an unknown review',
      { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v9'], clientConfig: { url: 'https://a' } } },
      'spec.conversion.conversionReviewVersions: Invalid value: ["v9"]: must include at least one of v1, v1beta1',
    ],
    [
      'a webhook that is not used',
      { strategy: 'None', webhook: { conversionReviewVersions: ['v1'] } },
      'spec.conversion.conversionReviewVersions: Forbidden: should not be set',
    ],
  ])('by its conversion: %s', async (_what, conversion, why) => {
    await using test = await start();
    expect((await test.post(DEFINITIONS, definition({ conversion })))['message']).toContain(why);
  });
});

describe('what a schema did not ask for before', () => {
  const text = { type: 'string' };
  const item = (v: Json) => ({
    type: 'array',
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['k'],
    items: { type: 'object', required: ['k'], properties: { k: text, v } },
  });
  const before = { type: 'object', properties: { a: text, b: text, l: { type: 'array', items: text }, m: item(text) } };
  const after = {
    type: 'object',
    required: ['z'],
    'x-kubernetes-validations': [{ rule: '!has(self.b) || self.b != "bad"' }],
    properties: {
      z: text,
      a: { ...text, pattern: '^[a-z]+$' },
      b: { ...text, maxLength: 3 },
      l: { type: 'array', items: { ...text, maxLength: 2 } },
      m: item({ ...text, maxLength: 2 }),
    },
  };
  const SKIPPED =
    '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
  const versions = (schemaOf: Json) =>
    definition({
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: schemaOf, status: { type: 'object', properties: { x: { type: 'integer' } } } },
            },
          },
        },
      ],
    });
  const merge = { 'content-type': 'application/merge-patch+json' };

  // The answers are kube-apiserver 1.36's to the same requests (KEP-4008).
  it('is asked of what changes only, and rules where the schema is kept', async () => {
    await using test = await start();
    await test.post(DEFINITIONS, versions(before));
    await test.post(TABS, {
      ...tab('a'),
      spec: {
        a: 'LONG',
        b: '1',
        l: ['LONG'],
        m: [
          { k: '1', v: 'LONG' },
          { k: '2', v: 's' },
        ],
      },
    });
    expect(
      (await test.send('PATCH', `${DEFINITIONS}/crontabs.stable.example.com`, { spec: versions(after)['spec'] }, merge))
        .code,
    ).toBe(200);
    const patch = async (change: Json, path = ''): Promise<unknown> => {
      const answer = await test.send('PATCH', `${TABS}/a${path}`, change, merge);
      return answer.code === 200 ? 200 : String(answer['message']).replace(/^[^:]*: /, '');
    };
    expect(await patch({ metadata: { labels: { x: 'y' } } })).toBe(200);
    expect(await patch({ spec: { b: '2' } })).toBe(`[spec.z: Required value, ${SKIPPED}]`);
    expect(await patch({ spec: { z: '1', b: '2' } })).toBe(200);
    expect(await patch({ spec: { z: '2', l: ['LONG', 'x'] } })).toContain('spec.l[0]: Too long');
    expect(
      await patch({
        spec: {
          z: '2',
          m: [
            { k: '1', v: 'LONG' },
            { k: '2', v: 't' },
          ],
        },
      }),
    ).toBe(200);
    expect(
      await patch({
        spec: {
          z: '2',
          m: [
            { k: '1', v: 'LONGER' },
            { k: '2', v: 't' },
          ],
        },
      }),
    ).toContain('spec.m[0].v: Too long');
    expect(await patch({ spec: { z: '3', b: 'bad' } })).toBe(
      'spec: Invalid value: failed rule: !has(self.b) || self.b != "bad"',
    );
    expect(await patch({ spec: { z: '3', b: 'bad', a: 'NEW' } })).toBe(
      '[spec.a: Invalid value: "NEW": spec.a in body should match \'^[a-z]+$\', spec: Invalid value: failed rule: !has(self.b) || self.b != "bad"]',
    );
    expect(await patch({ status: { x: 1 } }, '/status')).toBe(200);
  });
});

describe('conversion by webhook', () => {
  const conversion = {
    strategy: 'Webhook',
    webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://127.0.0.1:1' } },
  };
  const OTHER = TABS.replace('/v1/', '/v1beta1/');

  it('a body of one version is never shown as another (row 5)', async () => {
    await using test = await start();
    await test.post(DEFINITIONS, definition({ conversion }));
    expect(await test.get(OTHER)).toMatchObject({ code: 200, items: [] });
    expect(await test.post(TABS, tab('a'))).toMatchObject({ code: 201 });
    expect(await test.get(`${TABS}/a`)).toMatchObject({ code: 200, apiVersion: 'stable.example.com/v1' });
    for (const path of [`${OTHER}/a`, OTHER]) {
      expect(await test.get(path)).toMatchObject({
        code: 500,
        message: expect.stringMatching(
          /^conversion webhook for stable\.example\.com\/v1, Kind=CronTab failed: /,
        ) as string,
      });
    }
    const other = { ...tab('b'), apiVersion: 'stable.example.com/v1beta1' };
    expect(await test.post(OTHER, other)).toMatchObject({
      code: 500,
      message: expect.stringMatching(
        /^conversion webhook for stable\.example\.com\/v1beta1, Kind=CronTab failed: /,
      ) as string,
    });
    expect(await test.get(`${TABS}/b`)).toMatchObject({ code: 404 });
  });

  it('a watch of the other version ends with the error, and the server goes on', async () => {
    await using test = await start();
    await test.post(DEFINITIONS, definition({ conversion }));
    await test.post(TABS, tab('a'));
    const watched = await test
      .get(`${OTHER}?watch=true&timeoutSeconds=2`)
      .catch((error: unknown) => ({ broken: String(error) }));
    expect(JSON.stringify(watched)).not.toContain('"ADDED"');
    expect(await test.get(`${TABS}/a`)).toMatchObject({ code: 200 });
  });
});

describe('custom resources', () => {
  it('are defaulted, pruned and validated by schema and rules', async () => {
    await using test = await start();
    await test.post(DEFINITIONS, definition());
    const created = await test.post(
      TABS,
      tab('a', { unknown: 1, free: { any: [1] }, ports: [{ name: 'x', port: 'http' }] }),
    );
    expect(created).toMatchObject({
      code: 201,
      metadata: { generation: 1 },
      spec: { schedule: 'daily', replicas: 2, min: 1, free: { any: [1] } },
    });
    expect(created['spec']).not.toHaveProperty('unknown');
    const why = async (fields: Json) => (await test.post(TABS, tab('b', fields)))['message'];
    expect(await why({ schedule: 'NO' })).toBe(
      'CronTab.stable.example.com "b" is invalid: spec.schedule: Invalid value: "NO": spec.schedule in body should match \'^[a-z]+$\'',
    );
    expect(await why({ replicas: 'x' })).toContain('spec.replicas in body must be of type integer: "string"');
    expect(await why({ replicas: 11 })).toContain('should be less than or equal to 10');
    expect(await why({ min: 5 })).toContain('spec: Invalid value: min must not exceed replicas');
    expect(await why({ ports: [{ name: 'x' }, { name: 'x' }] })).toContain(
      'spec.ports[1]: Duplicate value: {"name":"x"}',
    );
    expect((await test.post(TABS, { ...tab('b'), spec: {} }))['message']).toContain('spec.schedule: Required value');
    expect(await test.post(`${TABS}?fieldValidation=Strict`, tab('b', { unknown: 1 }))).toMatchObject({
      code: 400,
      message: expect.stringContaining('unknown field "spec.unknown"') as string,
    });
    expect((await test.post(TABS, { ...tab('b'), metadata: { name: 'b', labels: { a: 1 } } })).code).toBe(400);
  });

  it('keep what a rule on oldSelf says, and have generation, status and scale', async () => {
    await using test = await start();
    await test.post(DEFINITIONS, definition());
    await test.post(TABS, { ...tab('a', { image: 'one' }), status: { replicas: 7 } });
    const merge = (path: string, body: Json) =>
      test.send('PATCH', `${TABS}/${path}`, body, { 'content-type': 'application/merge-patch+json' });
    expect(await merge('a', { spec: { image: 'two' } })).toMatchObject({
      code: 422,
      message: expect.stringContaining('spec.image: Invalid value: "two": failed rule: self == oldSelf') as string,
    });
    expect(await merge('a/status', { status: { replicas: 3, selector: 'a=b' }, spec: { replicas: 9 } })).toMatchObject({
      code: 200,
      metadata: { generation: 1 },
      spec: { replicas: 2 },
      status: { replicas: 3 },
    });
    expect(await merge('a/scale', { spec: { replicas: 5 } })).toMatchObject({
      kind: 'Scale',
      spec: { replicas: 5 },
      status: { replicas: 3, selector: 'a=b' },
    });
    expect(await test.get(`${TABS}/a`)).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 5 } });
    const strategic = { 'content-type': 'application/strategic-merge-patch+json' };
    expect((await test.send('PATCH', `${TABS}/a`, {}, strategic)).code).toBe(415);
    expect((await test.get(`${TABS}/a`, { accept: 'application/vnd.kubernetes.protobuf' })).code).toBe(406);
  });

  it('are shown in every served version, in tables, and selected by declared fields', async () => {
    await using test = await start();
    await test.post(DEFINITIONS, definition());
    await test.post(TABS, tab('a', { image: 'one', ports: [{ name: 'x' }, { name: 'y' }] }));
    await test.post(TABS.replace('/v1/', '/v1beta1/'), {
      ...tab('b', { image: 'two' }),
      apiVersion: 'stable.example.com/v1beta1',
    });
    expect(await test.get(`${TABS}/b`)).toMatchObject({ apiVersion: 'stable.example.com/v1' });
    expect(await test.get(`${TABS.replace('/v1/', '/v1beta1/')}/a`)).toMatchObject({
      apiVersion: 'stable.example.com/v1beta1',
    });
    const table = await test.get(TABS, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' });
    expect(table).toMatchObject({
      columnDefinitions: [{ name: 'Name' }, { name: 'Schedule' }, { name: 'Ports', priority: 1 }],
      rows: [{ cells: ['a', 'daily', 'x'] }, { cells: ['b', 'daily', null] }],
    });
    expect(((await test.get(`${TABS}?fieldSelector=spec.image%3Dtwo`)) as { items?: unknown[] }).items).toMatchObject([
      { metadata: { name: 'b' } },
    ]);
    expect((await test.get(`${TABS}?fieldSelector=spec.schedule%3Dx`)).code).toBe(400);
  });

  it('go with their definition, which waits for those that finalizers hold', async () => {
    await using test = await start();
    await test.post(DEFINITIONS, definition());
    await test.post(TABS, tab('a'));
    await test.post(TABS, { ...tab('held'), metadata: { name: 'held', finalizers: ['example.com/hold'] } });
    const path = `${DEFINITIONS}/crontabs.stable.example.com`;
    expect(await test.send('DELETE', path)).toMatchObject({
      metadata: { finalizers: ['customresourcecleanup.apiextensions.k8s.io'] },
    });
    expect((await test.post(TABS, tab('late'))).code).toBe(405);
    await expect.poll(async () => (await test.get(`${TABS}/a`)).code, { timeout: 60_000 }).toBe(404);
    expect((await test.get(path)).code).toBe(200);
    await test.send(
      'PATCH',
      `${TABS}/held`,
      { metadata: { finalizers: [] } },
      { 'content-type': 'application/merge-patch+json' },
    );
    await expect.poll(async () => (await test.get(path)).code, { timeout: 60_000 }).toBe(404);
    expect((await test.get(TABS)).code).toBe(404);
  });

  it('follow a changed definition: a version that is served no more is gone', async () => {
    await using test = await start();
    const { spec: before } = (await test.post(DEFINITIONS, definition())) as { spec?: { versions: Json[] } };
    const versions = (before?.versions ?? []).map((version) =>
      version['name'] === 'v1beta1' ? { ...version, served: false } : version,
    );
    await test.send(
      'PATCH',
      `${DEFINITIONS}/crontabs.stable.example.com`,
      { spec: { versions } },
      { 'content-type': 'application/merge-patch+json' },
    );
    expect((await test.get(TABS.replace('/v1/', '/v1beta1/'))).code).toBe(404);
    expect((await test.get(TABS)).code).toBe(200);
  });
});
