/**
 * Requests that cannot be read or that lead nowhere: each was put to kube-apiserver, these are its codes and its words.
 */
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { startApiServer } from '../testing/api-server.js';

const MAPS = '/api/v1/namespaces/default/configmaps';
const WIDES = '/apis/case.example/v1/namespaces/default/wides';
const PAGE = '404 page not found\n';
const NS = '/api/v1/namespaces/default';
const NO_METHOD = 'the server does not allow this method on the requested resource';
const NO_RESOURCE = 'the server could not find the requested resource';
const HEAD = "couldn't get version/kind; json parse error: ";
const STRUCT = String.raw`struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }`;
const unrecognized = (kind: string, why: string, shown: string) =>
  `the object provided is unrecognized (must be of type ${kind}): ${why} (${shown})`;

interface Asked {
  readonly method?: string;
  readonly path: string;
  readonly type?: string;
  readonly accept?: string;
  readonly body?: string;
}

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const ask = async ({ method = 'GET', path, type = 'application/json', accept = 'application/json', body }: Asked) => {
    const response = await fetch(`${running.url}${path}`, {
      method,
      dispatcher,
      headers: { 'content-type': type, accept },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const status = text.startsWith('{')
      ? (JSON.parse(text) as { message?: string; reason?: string; details?: object; items?: object[] })
      : {};
    return { code: response.status, text, ...status };
  };
  await ask({
    method: 'POST',
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    body: JSON.stringify({
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
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    }),
  });
  await expect.poll(async () => (await ask({ path: WIDES })).code, { timeout: 20_000 }).toBe(200);
  return {
    ask,
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

const post = (path: string, body: string): Asked => ({ method: 'POST', path, body });
const patch = (type: string, body: string, path = `${MAPS}/a`): Asked => ({
  method: 'PATCH',
  path,
  body,
  type: `application/${type}`,
});

type Refusal = readonly [asked: Asked, code: number, message: string];

const REFUSALS: readonly Refusal[] = [
  // Names are shown as Go quotes them.
  [{ path: `${MAPS}/a%22b%5C` }, 404, 'configmaps "a\\"b\\\\" not found'],
  // Routes come first: what leads nowhere is not read.
  [{ method: 'DELETE', path: '/api/v1/watch/namespaces/default/configmaps/a' }, 405, NO_METHOD],
  [{ method: 'POST', path: '/api/v1/watch/configmaps', body: 'x' }, 405, NO_METHOD],
  [post(`${MAPS}/a/nosub`, 'x'), 404, NO_RESOURCE],
  [{ method: 'OPTIONS', path: `${MAPS}/a/nosub` }, 404, NO_RESOURCE],
  [{ method: 'PUT', path: `${NS}/nosuch`, body: '{}' }, 404, NO_RESOURCE],
  [{ path: '/apis/authentication.k8s.io/v1/tokenreviews/x' }, 404, NO_RESOURCE],
  [{ path: `${NS}/pods/x/exec` }, 404, 'pods "x" not found'],
  [{ method: 'PUT', path: `${NS}/pods/x/exec`, body: '{}' }, 405, NO_METHOD],
  [post(`${WIDES}/a/nosub`, 'x'), 404, 'wides.case.example "a" not found'],
  [{ method: 'OPTIONS', path: WIDES }, 405, ' is not supported on resources of kind "wides.case.example"'],
  [{ method: 'PUT', path: WIDES, body: '{}' }, 400, 'name must be provided'],
  [post(MAPS, '{"a":1'), 400, unrecognized('ConfigMap', `${HEAD}unexpected end of JSON input`, '{"a":1')],
  [post(MAPS, ''), 400, unrecognized('ConfigMap', `${HEAD}unexpected end of JSON input`, '<empty>')],
  [
    post(MAPS, 'x'),
    400,
    unrecognized('ConfigMap', `${HEAD}invalid character 'x' looking for beginning of value`, '78'),
  ],
  [
    post(MAPS, `{"metadata":{"name":"${'a'.repeat(40)}"},}`),
    400,
    unrecognized(
      'ConfigMap',
      `${HEAD}invalid character '}' looking for beginning of object key string`,
      `{"metadata":{"name":"${'a'.repeat(9)} ...`,
    ),
  ],
  [
    post(MAPS, '[]'),
    400,
    unrecognized('ConfigMap', `${HEAD}json: cannot unmarshal array into Go value of type ${STRUCT}`, '5b5d'),
  ],
  [
    post(MAPS, '"x"'),
    400,
    unrecognized('ConfigMap', `${HEAD}json: cannot unmarshal string into Go value of type ${STRUCT}`, '227822'),
  ],
  [
    post(MAPS, '{"apiVersion":5}'),
    400,
    unrecognized(
      'ConfigMap',
      `${HEAD}json: cannot unmarshal number into Go struct field .apiVersion of type string`,
      '{"apiVersion":5}',
    ),
  ],
  [post(MAPS, 'null'), 422, 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'],
  [
    post(WIDES, '{"metadata":{"name":"a"}}'),
    400,
    unrecognized('Wide', `Object 'Kind' is missing in '{"metadata":{"name":"a"}}'`, '{"metadata":{"name":"a"}}'),
  ],
  [
    post(WIDES, '{"kind":"Wide","metadata":{"name":"a"}}'),
    400,
    'the API version in the data () does not match the expected API version (case.example/v1)',
  ],
  [
    { ...post(`${WIDES}/x`, '{"a":1'), method: 'PUT' },
    400,
    unrecognized('Wide', `${HEAD}unexpected end of JSON input`, '{"a":1'),
  ],
  [patch('merge-patch+json', '{"a":1'), 400, 'error decoding patch: unexpected end of JSON input'],
  [
    patch('json-patch+json', '[{]'),
    400,
    "error decoding patch: invalid character ']' looking for beginning of object key string",
  ],
  [patch('strategic-merge-patch+json', '{"a":1'), 400, 'unexpected end of JSON input'],
  [patch('json', '{}'), 415, '415: Unsupported Media Type'],
  [
    patch('strategic-merge-patch+json', '{}', `${WIDES}/a`),
    415,
    'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml',
  ],
  [{ method: 'DELETE', path: `${MAPS}/a`, body: '{"a' }, 400, `${HEAD}unexpected end of JSON input`],
  [
    { method: 'DELETE', path: `${MAPS}/a`, body: '[]' },
    400,
    `${HEAD}json: cannot unmarshal array into Go value of type ${STRUCT}`,
  ],
  [
    post(MAPS, '{"metadata":{"name":"a","resourceVersion":"5"}}'),
    500,
    'resourceVersion should not be set on objects to be created',
  ],
  [{ path: '/api/v1/nothing' }, 404, NO_RESOURCE],
  [{ path: '/api/v9' }, 404, NO_RESOURCE],
  [{ path: '/apis/apps/v9/x' }, 404, NO_RESOURCE],
  [{ path: '/apis/apps/v9' }, 404, NO_RESOURCE],
  // A custom resource without the subresource is the thing that is not found.
  [{ path: `${WIDES}/a/status` }, 404, 'wides.case.example "a" not found'],
  [{ path: `${WIDES}/a/scale` }, 404, 'wides.case.example "a" not found'],
  [{ path: `${MAPS}/a/status` }, 404, NO_RESOURCE],
  [
    { path: MAPS, accept: 'text/html' },
    406,
    '406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch',
  ],
  [
    { path: `${MAPS}/a`, accept: 'text/html' },
    406,
    '406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  ],
  [
    { path: MAPS, accept: 'application/json;as=Table;v=v1;g=nope' },
    406,
    'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  ],
  [{ method: 'POST', path: '/version', body: '{}' }, 405, NO_METHOD],
  // The router in front of built-in kinds knows each path with its methods, and nothing of kinds; custom resources have
  // none before them.
  ...[
    ['POST', '/api/v1/configmaps'],
    ['DELETE', '/api/v1/namespaces'],
    ['PUT', '/api/v1/componentstatuses/x'],
    ['POST', '/api/v1/nodes/x/status'],
    ['GET', `${NS}/pods/x/eviction`],
    ['GET', `${NS}/pods/x/binding`],
    ['GET', `${NS}/serviceaccounts/x/token`],
    ['POST', `${NS}/pods/x/log`],
    ['GET', '/apis/authorization.k8s.io/v1/subjectaccessreviews'],
    ['GET', `${NS}/bindings`],
    ['POST', '/api/v1/watch/configmaps'],
    ['PUT', MAPS],
    ['POST', `${MAPS}/a`],
    ['PATCH', MAPS],
    ['OPTIONS', MAPS],
  ].map(([method = '', path = '']): Refusal => [
    { method, path, ...(method === 'GET' ? {} : { body: '{}' }) },
    405,
    NO_METHOD,
  ]),
  [{ path: '/api/v1/bindings' }, 404, NO_RESOURCE],
  [{ path: '/api/v1/watch/configmaps/x' }, 404, NO_RESOURCE],
  [{ path: '/api/v1/configmaps/x' }, 404, NO_RESOURCE],
  // A replacement names what it replaces; fields are looked at before.
  ...['null', '{}', '{"metadata":{}}', '{"metadata":{"name":""}}'].map((body): Refusal => [
    { ...post(`${MAPS}/x`, body), method: 'PUT' },
    400,
    'the name of the object (x based on URL) was undeterminable: name must be provided',
  ]),
  [
    { ...post(`${MAPS}/x`, '{"metadata":{"name":"y"}}'), method: 'PUT' },
    400,
    'the name of the object (y) does not match the name on the URL (x)',
  ],
  [
    { ...post(`${MAPS}/x`, '{"metadata":[]}'), method: 'PUT' },
    400,
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta',
  ],
  [
    { ...post(`${MAPS}/x`, '{"metadata":{"name":1}}'), method: 'PUT' },
    400,
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string',
  ],
  ...['text/html', 'application/cbor', 'application/*'].map((accept): Refusal => [
    { path: '/apis/apps/v1', accept },
    406,
    '406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  ]),
  [
    { path: `${MAPS}/a`, accept: 'application/*' },
    406,
    '406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  ],
  [
    { path: '/api', accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    406,
    'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf',
  ],
];

describe('what is refused', () => {
  it('has the code and the words of kube-apiserver', async () => {
    await using test = await start();
    for (const [asked, code, message] of REFUSALS)
      expect(await test.ask(asked), JSON.stringify(asked)).toMatchObject({ code, message });
  });

  it('is a page of its router where nobody answers for a path', async () => {
    await using test = await start();
    for (const path of [
      '/nothing',
      '/apis/nothing',
      '/apis/nothing/v1/x',
      '/apis/case.example/v9',
      '/apis/case.example/v9/x',
      '/apis/case.example/v1/nothing',
      '/apis/foo.bar/v1/x',
    ]) {
      expect(await test.ask({ path })).toEqual({ code: 404, text: PAGE });
    }
    // A custom resource has no path outside its scope, nor has any method there.
    for (const path of [
      '/nothing',
      '/apis/nothing/v1/x',
      '/apis/case.example/v1/wides',
      '/apis/case.example/v1/wides/a',
    ]) {
      for (const method of ['POST', 'PUT'])
        expect(await test.ask({ ...post(path, '{}'), method })).toEqual({ code: 404, text: PAGE });
    }
  });
});

describe('what is not refused', () => {
  it('an empty namespace is all of them, and discovery is given in every form that objects have', async () => {
    await using test = await start();
    await test.ask(post(MAPS, '{"metadata":{"name":"a"}}'));
    expect((await test.ask({ path: '/api/v1/namespaces//configmaps' })).items).toMatchObject([
      { metadata: { name: 'a', namespace: 'default' } },
    ]);
    expect(await test.ask({ path: '/apis/apps/v1', accept: '*/*' })).toMatchObject({
      kind: 'APIResourceList',
      groupVersion: 'apps/v1',
    });
    expect((await test.ask({ path: '/apis/apps/v1', accept: 'application/yaml' })).text).toMatch(
      /^(kind|apiVersion): /,
    );
    for (const path of ['/api', '/api/v1', '/apis', '/apis/apps', '/apis/apps/v1']) {
      expect(
        (await test.ask({ path, accept: 'application/vnd.kubernetes.protobuf,application/json' })).text.slice(0, 4),
        path,
      ).toBe('k8s\0');
    }
  });

  it('a dry run of a create takes a resourceVersion: nothing comes to the store', async () => {
    await using test = await start();
    expect(await test.ask(post(`${MAPS}?dryRun=All`, '{"metadata":{"name":"a","resourceVersion":"5"}}'))).toMatchObject(
      { code: 201 },
    );
  });

  it('items of lists say their type where it is not that of a built-in list', async () => {
    await using test = await start();
    await test.ask(post(MAPS, '{"metadata":{"name":"a"},"data":{"a":"1"}}'));
    await test.ask(post(WIDES, '{"apiVersion":"case.example/v1","kind":"Wide","metadata":{"name":"a"}}'));
    const { items: [map] = [] } = await test.ask({ path: `${MAPS}?fieldSelector=metadata.name=a` });
    expect(map).toMatchObject({ metadata: { name: 'a' }, data: { a: '1' } });
    expect(Object.keys(map ?? {})).toEqual(['metadata', 'data']);
    expect((await test.ask({ path: WIDES })).items).toMatchObject([{ apiVersion: 'case.example/v1', kind: 'Wide' }]);
  });
});
