/** The forms requests and answers may have: media types, encodings, older paths, WebSocket. */
import { gzipSync } from 'node:zlib';
import { Agent, fetch } from 'undici';
import type { RequestInit } from 'undici';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { decodeProtobuf, encodeProtobuf } from '../../../apimachinery/codec/protobuf/index.js';
import { configMap, pod } from '../registry/testing.js';
import { startApiServer } from '../testing/api-server.js';

const MAPS = '/api/v1/namespaces/default/configmaps';
const PROTOBUF = { accept: 'application/vnd.kubernetes.protobuf' };
const JSON_BODY = { 'content-type': 'application/json' };

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const call = (path: string, init: RequestInit = {}) => fetch(`${running.url}${path}`, { ...init, dispatcher });
  return {
    ...running,
    call,
    post: (path: string, body: object) =>
      call(path, { method: 'POST', body: JSON.stringify(body), headers: JSON_BODY }),
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

describe('protobuf answers', () => {
  it('are given to clients that take nothing else: objects, lists, errors and deletions', async () => {
    await using test = await start();
    await test.post(MAPS, configMap('a', { k: 'v' }));
    const read = async (path: string, init: RequestInit = {}) => {
      const response = await test.call(path, { ...init, headers: PROTOBUF });
      expect(response.headers.get('content-type')).toBe('application/vnd.kubernetes.protobuf');
      return { code: response.status, ...decodeProtobuf(Buffer.from(await response.arrayBuffer())) };
    };
    expect(await read(`${MAPS}/a`)).toMatchObject({
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'default' },
      data: { k: 'v' },
    });
    expect(await read(MAPS)).toMatchObject({
      kind: 'ConfigMapList',
      items: [{ metadata: { name: 'a' }, data: { k: 'v' } }],
    });
    expect(await read(`${MAPS}/none`)).toMatchObject({ kind: 'Status', code: 404, reason: 'NotFound' });
    expect(await read(`${MAPS}/a`, { method: 'DELETE' })).toMatchObject({ kind: 'Status', status: 'Success' });
  });

  it('have frames of their own in a watch', async () => {
    await using test = await start();
    await test.post(MAPS, configMap('a', { k: 'v' }));
    const response = await test.call(`${MAPS}?watch=1&timeoutSeconds=1`, { headers: PROTOBUF });
    expect(response.headers.get('content-type')).toBe('application/vnd.kubernetes.protobuf;stream=watch');
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.readUInt32BE(0)).toBe(bytes.length - 4);
    expect(bytes.subarray(4, 11).toString('latin1')).toBe('\x0a\x05ADDED');
    expect(decodeProtobuf(bytes.subarray(bytes.indexOf('k8s\0')))).toMatchObject({
      kind: 'ConfigMap',
      metadata: { name: 'a' },
    });
  });

  it('are no tables: the next form the client accepts is taken', async () => {
    await using test = await start();
    const accept =
      'application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1;g=meta.k8s.io';
    expect(await (await test.call(MAPS, { headers: { accept } })).json()).toMatchObject({ kind: 'Table' });
  });
});

describe('other forms', () => {
  it('YAML, in and out', async () => {
    await using test = await start();
    const headers = { 'content-type': 'application/yaml', accept: 'application/yaml' };
    const created = await test.call(MAPS, {
      method: 'POST',
      headers,
      body: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: in-yaml\ndata:\n  mode: "yes"\n',
    });
    expect([created.status, created.headers.get('content-type')]).toEqual([201, 'application/yaml']);
    expect(parse(await created.text())).toMatchObject({ kind: 'ConfigMap', data: { mode: 'yes' } });
    expect((await test.call(`${MAPS}?watch=1`, { headers: { accept: 'application/yaml' } })).status).toBe(406);
  });

  it('bodies compressed by gzip, and none that grow without end', async () => {
    await using test = await start();
    const headers = { ...JSON_BODY, 'content-encoding': 'gzip' };
    const post = async (body: Uint8Array) => (await test.call(MAPS, { method: 'POST', headers, body })).status;
    expect(await post(gzipSync(JSON.stringify(configMap('z', { k: 'v' }))))).toBe(201);
    expect(await post(gzipSync(Buffer.alloc(64 << 20, 0x20)))).toBe(413);
    expect(await post(Buffer.from('{"not":"gzip"}'))).toBe(400);
  });

  it('OpenAPI v2 as protobuf, for clients before 1.29', async () => {
    await using test = await start();
    const accept = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
    const response = await test.call('/openapi/v2', { headers: { accept } });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, accept.replace('@', '.')]);
    const text = Buffer.from(await response.arrayBuffer()).toString('latin1');
    expect(text.slice(0, 5)).toBe('\x0a\x032.0');
    expect(text).toContain('io.k8s.api.apps.v1.Deployment');
  });

  it('POST bindings, the older way to bind a pod', async () => {
    await using test = await start();
    await test.post('/api/v1/namespaces/default/pods', pod('a'));
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'a' },
      target: { apiVersion: 'v1', kind: 'Node', name: 'n1' },
    };
    const answer = await test.post('/api/v1/namespaces/default/bindings', binding);
    expect([answer.status, await answer.json()]).toMatchObject([201, { kind: 'Status', status: 'Success' }]);
    expect(await (await test.call('/api/v1/namespaces/default/pods/a')).json()).toMatchObject({
      spec: { nodeName: 'n1' },
    });
  });
});

describe('what charts write', () => {
  it('a namespace on what has none is dropped, a claim template may be mounted, a deprecated version is told of', async () => {
    await using test = await start();
    const role = await test.post('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
      metadata: { name: 'r', namespace: 'x' },
      rules: [],
    });
    expect([role.status, ((await role.json()) as { metadata: object }).metadata]).toEqual([
      201,
      expect.not.objectContaining({ namespace: 'x' }),
    ]);
    const labels = { app: 'db' };
    const set = await test.post('/apis/apps/v1/namespaces/default/statefulsets', {
      metadata: { name: 'db' },
      spec: {
        serviceName: 'db',
        selector: { matchLabels: labels },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
          },
        ],
        template: {
          metadata: { labels },
          spec: { containers: [{ name: 'a', image: 'i', volumeMounts: [{ name: 'data', mountPath: '/data' }] }] },
        },
      },
    });
    expect(set.status).toBe(201);
    const endpoints = await test.call('/api/v1/namespaces/default/endpoints');
    expect(endpoints.headers.get('warning')).toBe(
      '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"',
    );
  });
});

describe('watches by other ways', () => {
  const events = async (response: Awaited<ReturnType<typeof fetch>>) =>
    (await response.text())
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { object: { metadata: { name: string } } }).object.metadata.name);

  it('/watch/ in the path, for a collection and for one name', async () => {
    await using test = await start();
    await test.post(MAPS, configMap('a'));
    await test.post(MAPS, configMap('b'));
    const [all, one, everywhere] = await Promise.all(
      ['namespaces/default/configmaps', 'namespaces/default/configmaps/b', 'configmaps'].map(async (path) =>
        events(await test.call(`/api/v1/watch/${path}?timeoutSeconds=1`)),
      ),
    );
    expect([all, one, everywhere]).toEqual([['a', 'b'], ['b'], ['a', 'b']]);
  });

  it('over WebSocket, one message for each event', async () => {
    await using test = await start();
    await test.post(MAPS, configMap('a'));
    const socket = new WebSocket(`${test.url.replace('https', 'wss')}${MAPS}?watch=true&timeoutSeconds=1`, {
      ca: test.certificate,
    });
    const messages: string[] = [];
    socket.on('message', (data: Buffer) => messages.push(data.toString()));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(messages.map((message) => JSON.parse(message) as unknown)).toMatchObject([
      { type: 'ADDED', object: { metadata: { name: 'a' } } },
    ]);
    const refused = new WebSocket(`${test.url.replace('https', 'wss')}/api/v1/nothing?watch=true`, {
      ca: test.certificate,
    });
    expect(
      await new Promise((resolve) =>
        refused.once('unexpected-response', (_request, response) => resolve(response.statusCode)),
      ),
    ).toBe(404);
    refused.on('error', () => undefined);
    refused.terminate();
  });
});

describe('protobuf bodies', () => {
  it('are answered in JSON when that is asked for', async () => {
    await using test = await start();
    const body = encodeProtobuf(configMap('p', { k: 'v' }) as Record<string, unknown>) ?? new Uint8Array();
    const response = await test.call(MAPS, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/vnd.kubernetes.protobuf', accept: 'application/json' },
    });
    expect(await response.json()).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'p' } });
  });
});
