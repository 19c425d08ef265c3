import { connect } from 'node:tls';
import { once } from 'node:events';
import { Agent, fetch } from 'undici';
import type { RequestInit } from 'undici';
import { describe, expect, it } from 'vitest';
import type { PodStream, PodStreamOutput, PodStreamRequest } from '../../../apimachinery/pod-streams.js';
import { configMap, pod } from '../registry/testing.js';
import { startApiServer } from '../testing/api-server.js';

type Json = Record<string, unknown>;

async function startClient(options: Parameters<typeof startApiServer>[0] = {}) {
  const running = await startApiServer(options);
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const call = (path: string, init: RequestInit = {}) => fetch(`${running.url}${path}`, { ...init, dispatcher });
  return {
    ...running,
    call,
    async json(path: string, init: RequestInit = {}): Promise<Json & { status: number }> {
      const response = await call(path, init);
      return { ...((await response.json()) as Json), status: response.status };
    },
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      call(path, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      }),
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

const MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };

describe('verbs over HTTPS', () => {
  it('create, read, list, patch, delete', async () => {
    await using test = await startClient();
    const created = await test.post(MAPS, configMap('a', { k: 'v' }));
    expect([created.status, created.headers.get('audit-id') !== null]).toEqual([201, true]);
    expect(await test.json(`${MAPS}/a`)).toMatchObject({
      status: 200,
      kind: 'ConfigMap',
      apiVersion: 'v1',
      data: { k: 'v' },
    });
    expect(await test.json('/api/v1/configmaps?limit=5')).toMatchObject({
      kind: 'ConfigMapList',
      items: [{ metadata: { name: 'a' } }],
    });
    const patched = await test.json(`${MAPS}/a`, {
      method: 'PATCH',
      body: '{"data":{"l":"w"}}',
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    expect(patched['data']).toEqual({ k: 'v', l: 'w' });
    const applied = await test.json(`${MAPS}/b?fieldManager=me`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body: 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {x: z}\n',
    });
    expect(applied).toMatchObject({
      status: 201,
      metadata: { managedFields: [{ manager: 'me', operation: 'Apply' }] },
    });
    const gone = await test.json(`${MAPS}/a`, { method: 'DELETE' });
    expect(gone).toMatchObject({ kind: 'Status', details: { name: 'a', kind: 'configmaps' } });
    expect(await test.json(`${MAPS}/a`)).toMatchObject({ status: 404, reason: 'NotFound' });
  });

  it('answers tables and metadata alone', async () => {
    await using test = await startClient();
    await test.post(PODS, pod('a'));
    const table = await test.json(PODS, { headers: TABLE });
    expect(table).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      rows: [{ object: { kind: 'PartialObjectMetadata', metadata: { name: 'a' } } }],
    });
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    await test.post(deployments, {
      metadata: { name: 'd' },
      spec: {
        replicas: 3,
        selector: { matchLabels: { a: 'b' } },
        template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      },
    });
    const scale = await test.json(`${deployments}/d/scale`, { headers: TABLE });
    expect((scale['columnDefinitions'] as { name: string }[]).map(({ name }) => name)).toEqual([
      'Name',
      'Desired',
      'Available',
      'Age',
    ]);
    expect(scale).toMatchObject({
      kind: 'Table',
      rows: [
        {
          cells: ['d', 3, 0, expect.any(String) as string],
          object: { kind: 'PartialObjectMetadata', metadata: { name: 'd' } },
        },
      ],
    });
    const partial = await test.json(PODS, {
      headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
    });
    expect(partial).toMatchObject({
      kind: 'PartialObjectMetadataList',
      items: [{ kind: 'PartialObjectMetadata', metadata: { name: 'a' } }],
    });
    expect(await test.json(PODS, { headers: { accept: 'application/cbor' } })).toMatchObject({
      status: 406,
      reason: 'NotAcceptable',
    });
  });

  it('streams a watch, as objects and as tables, and ends it in time', async () => {
    await using test = await startClient();
    const lines = async (headers: Record<string, string>) => {
      const response = await test.call(`${PODS}?watch=1&timeoutSeconds=1`, { headers });
      return (await response.text())
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { type: string; object: Json });
    };
    await test.post(PODS, pod('a'));
    const [plain, tables] = await Promise.all([lines({}), lines(TABLE), test.post(PODS, pod('b'))]);
    expect(plain.map(({ type, object }) => [type, object['kind']])).toEqual([
      ['ADDED', 'Pod'],
      ['ADDED', 'Pod'],
    ]);
    const columns = tables.map(({ object }) => (object['columnDefinitions'] as unknown[]).length > 0);
    expect(columns).toEqual([true, false]);
  });

  it('warns of unknown fields, and refuses them when told to be strict', async () => {
    await using test = await startClient();
    const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"1","a":"2"},"extra":1}';
    const warned = await test.post(MAPS, body);
    expect(warned.headers.get('warning')).toBe(
      '299 - "duplicate field \\"data.a\\"", 299 - "unknown field \\"extra\\""',
    );
    expect((await test.post(`${MAPS}?fieldValidation=Strict`, body)).status).toBe(400);
    const refused = await test.post(MAPS, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"A_b"},"extra":1}');
    expect([refused.status, refused.headers.get('warning')]).toEqual([422, '299 - "unknown field \\"extra\\""']);
  });

  it('compresses large answers for those who accept it', async () => {
    await using test = await startClient();
    await test.post(MAPS, configMap('a', { k: 'v'.repeat(200_000) }));
    const response = await test.call(MAPS, { headers: { 'accept-encoding': 'gzip' } });
    expect(response.headers.get('content-encoding')).toBe('gzip');
    expect(await response.text()).toContain('vvv');
  });
});

describe('bad requests', () => {
  it('each has its code and a Status', async () => {
    await using test = await startClient({ flow: { read: 400 } });
    const cases: [string, RequestInit, number][] = [
      [MAPS, { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }, 400],
      [MAPS, { method: 'POST', body: '', headers: { 'content-type': 'application/json' } }, 400],
      [MAPS, { method: 'POST', body: '[]', headers: { 'content-type': 'application/json' } }, 400],
      [MAPS, { method: 'POST', body: 'x', headers: { 'content-type': 'text/csv' } }, 415],
      [MAPS, { method: 'POST', body: 'x'.repeat(4 << 20), headers: { 'content-type': 'application/json' } }, 413],
      [MAPS, { method: 'POST', body: '['.repeat(5000), headers: { 'content-type': 'application/json' } }, 400],
      [
        MAPS,
        { method: 'POST', body: 'k8s\0\xff\xff', headers: { 'content-type': 'application/vnd.kubernetes.protobuf' } },
        400,
      ],
      [
        MAPS,
        {
          method: 'POST',
          body: JSON.stringify({ ...configMap('a'), metadata: { name: 'a', labels: { '-': '' } } }),
          headers: { 'content-type': 'application/json' },
        },
        422,
      ],
      [`${MAPS}/a`, { method: 'PATCH', body: '{}', headers: { 'content-type': 'application/json' } }, 415],
      [`${MAPS}/a`, { method: 'PATCH', body: '{}', headers: { 'content-type': 'application/json-patch+json' } }, 404],
      [`${MAPS}/%E0%A4%A`, {}, 400],
      [`${MAPS}/..%2f..%2fsecrets`, {}, 400],
      [`${MAPS}?limit=x`, {}, 400],
      [`${MAPS}?dryRun=Some`, { method: 'POST', body: '{}' }, 422],
      ['/api/v1/namespaces/default/nodes', {}, 404],
      ['/api/v1/nothing', {}, 404],
      ['/apis/apps/v9/x', {}, 404],
      [MAPS, { method: 'PUT', body: '{}' }, 405],
      [`${MAPS}/a`, { method: 'POST', body: '{}' }, 405],
      [`${MAPS}/a/status`, {}, 404],
      ['/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {}, 405],
      [MAPS, { headers: { authorization: 'Bearer nobody' } }, 401],
      [MAPS, { headers: { authorization: 'Bearer no-body' } }, 403],
      ['/version', { headers: { authorization: 'Bearer no-body' } }, 403],
      [`${PODS}/x/exec?command=ls`, {}, 404],
      [`${PODS}/x/log`, {}, 404],
    ];
    for (const [path, init, code] of cases) {
      const answer = await test.json(path, init);
      expect([path, init.method ?? 'GET', answer['kind'], answer['code'] ?? answer.status]).toEqual([
        path,
        init.method ?? 'GET',
        'Status',
        code,
      ]);
    }
    expect((await test.call('/livez')).status).toBe(200);
  });

  it('does not let keys such as __proto__ through', async () => {
    await using test = await startClient();
    const body =
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","labels":{"constructor":"x"}},"data":{"constructor":"1"},"__proto__":{"polluted":"1"}}';
    expect((await test.post(MAPS, body)).status).toBe(201);
    expect(await test.json(`${MAPS}?labelSelector=constructor%3Dx`)).toMatchObject({
      items: [{ data: { constructor: '1' } }],
    });
    expect(({} as Json)['polluted']).toBeUndefined();
    expect(
      (await test.post(MAPS, body.replace('"constructor":"x"', '"__proto__":"x"').replace('"a"', '"b"'))).status,
    ).toBe(422);
  });

  it('too many at a time are asked to come back', async () => {
    await using test = await startClient({ flow: { read: 0 } });
    const response = await test.call(MAPS);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
    expect((await test.call('/readyz')).status).toBe(200);
  });

  it('survives clients that speak no HTTP, or leave in the middle', async () => {
    await using test = await startClient();
    const port = Number(new URL(test.url).port);
    for (const text of [
      'garbage\r\n\r\n',
      `POST ${MAPS} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{`,
      `GET ${MAPS}?watch=1 HTTP/1.1\r\nhost: x\r\n\r\n`,
    ]) {
      const socket = connect({ port, host: '127.0.0.1', ca: test.certificate });
      await once(socket, 'secureConnect');
      socket.write(text);
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
    }
    expect((await test.call('/readyz')).status).toBe(200);
  });
});

describe('discovery and documents', () => {
  it('is aggregated for those who ask, with an ETag', async () => {
    await using test = await startClient();
    const headers = { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' };
    const first = await test.call('/apis', { headers });
    expect(await first.json()).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: 'apidiscovery.k8s.io/v2' });
    const again = await test.call('/apis', {
      headers: { ...headers, 'if-none-match': first.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
    expect(await test.json('/api')).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    expect(await test.json('/apis')).toMatchObject({ kind: 'APIGroupList' });
    expect(await test.json('/apis/apps/v1')).toMatchObject({ kind: 'APIResourceList', groupVersion: 'apps/v1' });
    expect(await test.json('/version')).toMatchObject({ major: '1', minor: '36', gitVersion: 'v1.36.0' });
    const index = (await test.json('/openapi/v3')) as { paths?: Record<string, { serverRelativeURL: string }> };
    expect((await test.call(index.paths?.['api/v1']?.serverRelativeURL ?? '')).status).toBe(200);
    expect(await (await test.call('/metrics')).text()).toContain('apiserver_request_total');
  });
});

describe('what clients ask for (row 40)', () => {
  it('/ names the groups, their versions, the checks and the documents', async () => {
    await using test = await startClient();
    const { paths } = (await test.json('/')) as { paths?: string[] };
    expect(paths).toEqual(
      expect.arrayContaining([
        '/api',
        '/api/v1',
        '/apis',
        '/apis/apps',
        '/apis/apps/v1',
        '/apis/autoscaling/v2',
        '/livez/etcd',
        '/readyz/shutdown',
        '/openapi/v3',
        '/version',
      ]),
    );
    expect(paths).not.toContain('/livez/shutdown');
    for (const path of paths ?? []) expect([path, (await test.call(path)).status]).toEqual([path, 200]);
  });

  it("/api names the server's address", async () => {
    await using test = await startClient({ serverAddress: '192.0.2.1:6443' });
    expect(await test.json('/api')).toMatchObject({
      serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '192.0.2.1:6443' }],
    });
  });

  /** As kube-apiserver 1.36 answers. */
  it.each([
    ['/api/v1', 'pods', 'xPOwRZ+Yhw8='],
    ['/api/v1', 'events', 'r2yiGXH7wu8='],
    ['/api/v1', 'componentstatuses', undefined],
    ['/api/v1', 'bindings', undefined],
    ['/api/v1', 'pods/status', undefined],
    ['/apis/events.k8s.io/v1', 'events', 'r2yiGXH7wu8='],
    ['/apis/apps/v1', 'daemonsets', 'dd7pWHUlMKQ='],
    ['/apis/autoscaling/v1', 'horizontalpodautoscalers', 'qwQve8ut294='],
    ['/apis/autoscaling/v2', 'horizontalpodautoscalers', 'qwQve8ut294='],
    ['/apis/authentication.k8s.io/v1', 'tokenreviews', undefined],
  ])("%s %s has its storage version's hash", async (path, name, hash) => {
    await using test = await startClient();
    const { resources = [] } = (await test.json(path)) as {
      resources?: { name: string; storageVersionHash?: string }[];
    };
    expect(resources.find((resource) => resource.name === name)?.storageVersionHash).toBe(hash);
  });
});

describe('health (k8s.io/apiserver, server/healthz)', () => {
  const broken = {
    name: 'poststarthook/x',
    of: ['readyz'] as const,
    check: () => Promise.reject(new Error('not yet')),
  };

  it.each<readonly [path: string, status: number, text: string]>([
    ['/livez', 200, 'ok'],
    ['/livez?verbose', 200, '[+]ping ok\n[+]etcd ok\nlivez check passed\n'],
    ['/livez?verbose&exclude=etcd', 200, '[+]ping ok\n[+]etcd excluded: ok\nlivez check passed\n'],
    [
      '/livez?verbose&exclude=y&exclude=x',
      200,
      '[+]ping ok\n[+]etcd ok\nwarn: some health checks cannot be excluded: no matches for "x", "y"\nlivez check passed\n',
    ],
    ['/livez/etcd', 200, 'ok'],
    ['/livez/ping?verbose', 200, 'ok'],
    ['/livez/', 404, '404 page not found\n'],
    ['/livez/nope', 404, '404 page not found\n'],
    ['/livez/poststarthook/x', 404, '404 page not found\n'],
    [
      '/readyz',
      500,
      '[+]ping ok\n[+]etcd ok\n[+]etcd-readiness ok\n[-]poststarthook/x failed: reason withheld\n[+]shutdown ok\nreadyz check failed\n',
    ],
    ['/readyz?exclude=poststarthook/x', 200, 'ok'],
    ['/readyz/poststarthook/x', 500, 'internal server error: not yet\n'],
    ['/readyz/shutdown', 200, 'ok'],
  ])('%s', async (path, status, text) => {
    await using test = await startClient({ health: [broken] });
    const response = await test.call(path);
    expect([response.status, await response.text()]).toEqual([status, text]);
  });
});

describe('logs', () => {
  async function* lines(): AsyncGenerator<PodStreamOutput> {
    yield { kind: 'stdout', data: Buffer.from('one\n') };
    yield { kind: 'stdout', data: Buffer.from('two\n') };
  }

  it('come from the node, of the container that is meant', async () => {
    const asked: PodStreamRequest[] = [];
    const streamer = {
      reach: () => Promise.resolve(),
      open(_node: string, request: PodStreamRequest): Promise<PodStream> {
        asked.push(request);
        return Promise.resolve(Object.assign(lines(), { write: () => Promise.resolve(), close: () => undefined }));
      },
    };
    await using test = await startClient({ streamer });
    const running = pod('a');
    await test.post(PODS, { ...running, spec: { ...(running['spec'] as Json), nodeName: 'n1' } });
    expect(await (await test.call(`${PODS}/a/log?tailLines=5`)).text()).toBe('one\ntwo\n');
    expect(asked).toMatchObject([{ kind: 'log', container: 'main', tailLines: 5, follow: false }]);
    await test.post(PODS, {
      ...pod('b'),
      spec: {
        nodeName: 'n1',
        containers: [
          { name: 'x', image: 'i' },
          { name: 'y', image: 'i' },
        ],
      },
    });
    expect(await test.json(`${PODS}/b/log`)).toMatchObject({
      status: 400,
      message: 'a container name must be specified for pod b, choose one of: [x y]',
    });
    expect(await test.json(`${PODS}/b/log?container=z`)).toMatchObject({
      status: 400,
      message: 'container z is not valid for pod b',
    });
  });

  /**
   * Upstream's LogLocation: the container is judged before the node, and all of the pod's containers are named, in
   * their order.
   */
  it('of a pod without a node are empty, and its container is judged all the same', async () => {
    await using test = await startClient();
    await test.post(PODS, { ...pod('a'), spec: { containers: [{ name: 'x', image: 'i' }] } });
    const answer = await test.call(`${PODS}/a/log`);
    expect([answer.status, await answer.text(), answer.headers.get('content-length')]).toEqual([204, '', null]);
    expect(await test.json(`${PODS}/a/log?container=z`)).toMatchObject({
      status: 400,
      message: 'container z is not valid for pod a',
    });
    const containers = ['x', 'y'].map((name) => ({ name, image: 'i' }));
    await test.post(PODS, { ...pod('b'), spec: { containers, initContainers: [{ name: 'first', image: 'i' }] } });
    expect(await test.json(`${PODS}/b/log`)).toMatchObject({
      status: 400,
      message: 'a container name must be specified for pod b, choose one of: [first x y]',
    });
  });
});
