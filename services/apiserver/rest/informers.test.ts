/**
 * What client-go's informers and its like rely on, over HTTP (API concepts: "Efficient detection of changes", KEP-3157,
 * KEP-365).
 */
import { Agent, fetch } from 'undici';
import type { RequestInit } from 'undici';
import { describe, expect, it } from 'vitest';
import type { Revision } from '../../store/store.js';
import { configMap, pod } from '../registry/testing.js';
import { startApiServer } from '../testing/api-server.js';

interface Meta {
  name?: string;
  resourceVersion?: string;
  uid?: string;
  generation?: number;
  annotations?: Record<string, string>;
  [field: string]: unknown;
}
interface Answer {
  status: number;
  code?: number;
  kind?: string;
  reason?: string;
  message?: string;
  metadata: Meta & { continue?: string; remainingItemCount?: number };
  items: { metadata: Meta }[];
  [field: string]: unknown;
}
interface Event {
  type: string;
  object: { kind: string; code?: number; reason?: string; metadata: Meta };
}

const MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const JSON_TYPE = { 'content-type': 'application/json' };
const MERGE = { 'content-type': 'application/merge-patch+json' };

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const call = (path: string, init: RequestInit = {}) => fetch(`${running.url}${path}`, { ...init, dispatcher });
  const json = async (path: string, init: RequestInit = {}): Promise<Answer> => {
    const response = await call(path, init);
    const body = (await response.json()) as Answer;
    return { ...body, code: response.status };
  };
  return {
    ...running,
    call,
    json,
    post: (path: string, body: object) =>
      json(path, { method: 'POST', body: JSON.stringify(body), headers: JSON_TYPE }),
    patch: (path: string, body: object) => json(path, { method: 'PATCH', body: JSON.stringify(body), headers: MERGE }),
    remove: (path: string, body?: object) =>
      json(path, {
        method: 'DELETE',
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: JSON_TYPE }),
      }),
    async watch(path: string, seconds = 1): Promise<Event[]> {
      const response = await call(`${path}${path.includes('?') ? '&' : '?'}watch=true&timeoutSeconds=${seconds}`);
      const text = (await response.text()).trim();
      return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Event);
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

const names = (list: { items: { metadata: Meta }[] }) => list.items.map(({ metadata }) => metadata.name);
const seen = (events: Event[]) => events.map(({ type, object }) => `${type} ${object.metadata.name ?? ''}`.trim());

describe.each([
  ['configmaps', MAPS, configMap],
  ['pods', PODS, pod],
] as const)('lists of %s', (_plural, path, make) => {
  it('come in chunks that are one snapshot', async () => {
    await using test = await start();
    for (const name of ['a', 'b', 'c']) await test.post(path, make(name));
    const first = await test.json(`${path}?limit=2`);
    expect([names(first), first.metadata.remainingItemCount]).toEqual([['a', 'b'], 1]);
    await test.post(path, make('d'));
    const rest = await test.json(`${path}?limit=2&continue=${encodeURIComponent(first.metadata.continue ?? '')}`);
    expect([names(rest), rest.metadata.continue ?? '', rest.metadata.resourceVersion]).toEqual([
      ['c'],
      '',
      first.metadata.resourceVersion,
    ]);
  });

  it('know versions: none, 0, not older, exact, and one from the future', async () => {
    await using test = await start();
    const {
      metadata: { resourceVersion: old = '' },
    } = await test.post(path, make('a'));
    await test.post(path, make('b'));
    expect(names(await test.json(path))).toEqual(['a', 'b']);
    expect((await test.json(`${path}?resourceVersion=0`)).code).toBe(200);
    expect(names(await test.json(`${path}?resourceVersion=${old}&resourceVersionMatch=NotOlderThan`))).toEqual([
      'a',
      'b',
    ]);
    expect(names(await test.json(`${path}?resourceVersion=${old}&resourceVersionMatch=Exact`))).toEqual(['a']);
    expect(await test.json(`${path}?resourceVersion=0&resourceVersionMatch=Exact`)).toMatchObject({
      status: 'Failure',
      code: expect.any(Number) as number,
    });
    expect((await test.json(`${path}?resourceVersionMatch=Exact`)).code).toBeGreaterThanOrEqual(400);
    expect((await test.json(`${path}?resourceVersion=abc`)).code).toBe(400);
    expect(await test.json(`${path}/a?resourceVersion=999999`)).toMatchObject({
      code: 504,
      details: { causes: [{ reason: 'ResourceVersionTooLarge' }] },
    });
  });

  it('are selected by labels and fields', async () => {
    await using test = await start();
    await test.post(path, { ...make('a'), metadata: { name: 'a', labels: { tier: 'x' } } });
    await test.post(path, make('b'));
    const select = async (query: string) => names(await test.json(`${path}?${query}`));
    expect(await select('labelSelector=tier%3Dx')).toEqual(['a']);
    expect(await select('labelSelector=tier')).toEqual(['a']);
    expect(await select('labelSelector=!tier')).toEqual(['b']);
    expect(await select('labelSelector=tier+notin+(x,y)')).toEqual(['b']);
    expect(await select('fieldSelector=metadata.name%3Db')).toEqual(['b']);
    expect(await select('fieldSelector=metadata.name!%3Db,metadata.namespace%3Ddefault')).toEqual(['a']);
    expect((await test.json(`${path}?fieldSelector=spec.none%3Db`)).code).toBe(400);
    expect((await test.json(`${path}?labelSelector=a%3D%3D%3D`)).code).toBe(400);
  });

  it('are watched from a version, without a gap, and those that leave the selector are deleted', async () => {
    await using test = await start();
    const {
      metadata: { resourceVersion = '' },
    } = await test.json(path);
    await test.post(path, { ...make('a'), metadata: { name: 'a', labels: { on: 'yes' } } });
    await test.patch(`${path}/a`, { metadata: { labels: { on: 'no' } } });
    await test.remove(`${path}/a`, { gracePeriodSeconds: 0 });
    expect(seen(await test.watch(`${path}?resourceVersion=${resourceVersion}`))).toEqual([
      'ADDED a',
      'MODIFIED a',
      'DELETED a',
    ]);
    expect(seen(await test.watch(`${path}?resourceVersion=${resourceVersion}&labelSelector=on%3Dyes`))).toEqual([
      'ADDED a',
      'DELETED a',
    ]);
  });

  it('stream instead, with a bookmark at the end of what there is', async () => {
    await using test = await start();
    await test.post(path, make('a'));
    const query = 'sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan';
    const events = await test.watch(`${path}?${query}`);
    expect(seen(events)).toEqual(['ADDED a', 'BOOKMARK']);
    expect(events[1]?.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
    const {
      metadata: { resourceVersion },
    } = await test.json(path);
    expect(Number(events[1]?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(resourceVersion) - 1);
    const refused = await test.json(`${path}?watch=true&sendInitialEvents=true&allowWatchBookmarks=true`);
    expect(refused.code).toBeGreaterThanOrEqual(400);
  });

  it('of a version that was compacted are told so', async () => {
    await using test = await start();
    const {
      metadata: { resourceVersion: old = '' },
    } = await test.post(path, make('a'));
    const chunk = async () => (await test.json(`${path}?limit=1`)).metadata.continue ?? '';
    await test.post(path, make('b'));
    const token = await chunk();
    for (let round = 0; round < 3; round += 1)
      await test.patch(`${path}/a`, { metadata: { labels: { round: String(round) } } });
    await test.store.compact(Number((await test.json(path)).metadata.resourceVersion) as Revision);
    const expired = await test.json(`${path}?limit=1&continue=${encodeURIComponent(token)}`);
    expect(expired).toMatchObject({ code: 410, reason: 'Expired' });
    expect(expired.metadata.continue ?? '').not.toBe('');
    expect(
      names(await test.json(`${path}?limit=1&continue=${encodeURIComponent(expired.metadata.continue ?? '')}`)),
    ).toEqual(['b']);
    expect(await test.json(`${path}?resourceVersion=${old}&resourceVersionMatch=Exact`)).toMatchObject({ code: 410 });
  });

  it('of a version that was compacted are told so, too, when what they list has not changed since', async () => {
    await using test = await start();
    for (const name of ['a', 'b', 'c']) await test.post(path, make(name));
    const token = (await test.json(`${path}?limit=1`)).metadata.continue ?? '';
    const next = () => test.json(`${path}?limit=1&continue=${encodeURIComponent(token)}`);
    for (const name of ['d', 'e'])
      await test.post('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    expect(names(await next())).toEqual(['b']);
    await test.store.compact(Number((await test.json('/api/v1/namespaces')).metadata.resourceVersion) as Revision);
    const expired = await next();
    expect(expired).toMatchObject({ code: 410, reason: 'Expired' });
    expect(
      names(await test.json(`${path}?limit=1&continue=${encodeURIComponent(expired.metadata.continue ?? '')}`)),
    ).toEqual(['b']);
  });
});

describe('writes', () => {
  it('hold preconditions, and tell who was first', async () => {
    await using test = await start();
    const { metadata } = await test.post(MAPS, configMap('a'));
    expect(await test.post(MAPS, configMap('a'))).toMatchObject({ code: 409, reason: 'AlreadyExists' });
    await test.patch(`${MAPS}/a`, { data: { k: 'v' } });
    const put = await test.json(`${MAPS}/a`, {
      method: 'PUT',
      headers: JSON_TYPE,
      body: JSON.stringify({ ...configMap('a'), metadata: { name: 'a', resourceVersion: metadata.resourceVersion } }),
    });
    expect(put).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(await test.remove(`${MAPS}/a`, { preconditions: { uid: 'other' } })).toMatchObject({
      code: 409,
      reason: 'Conflict',
    });
    expect(
      await test.remove(`${MAPS}/a`, { preconditions: { resourceVersion: metadata.resourceVersion } }),
    ).toMatchObject({ code: 409 });
    expect(await test.remove(`${MAPS}/a`, { preconditions: { uid: metadata.uid } })).toMatchObject({
      code: 200,
      status: 'Success',
    });
  });

  it('generate names, try without effect, and count generations', async () => {
    await using test = await start();
    const made = await test.post(MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'x-' } });
    expect(made.metadata.name).toMatch(/^x-[a-z0-9]{5}$/);
    expect((await test.post(`${MAPS}?dryRun=All`, configMap('dry'))).code).toBe(201);
    expect((await test.json(`${MAPS}/dry`)).code).toBe(404);
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    const template = { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } };
    await test.post(deployments, {
      metadata: { name: 'd' },
      spec: { selector: { matchLabels: { a: 'b' } }, template },
    });
    await test.patch(`${deployments}/d/status`, { status: { observedGeneration: 1 }, spec: { replicas: 9 } });
    await test.patch(`${deployments}/d`, { metadata: { labels: { x: 'y' } } });
    expect(await test.json(`${deployments}/d`)).toMatchObject({
      metadata: { generation: 1 },
      spec: { replicas: 1 },
      status: { observedGeneration: 1 },
    });
    expect(await test.patch(`${deployments}/d/scale`, { spec: { replicas: 4 } })).toMatchObject({
      kind: 'Scale',
      spec: { replicas: 4 },
    });
    expect((await test.json(`${deployments}/d`)).metadata.generation).toBe(2);
  });

  it('leave what finalizers hold, and let it go with the last of them', async () => {
    await using test = await start();
    await test.post(MAPS, { ...configMap('a'), metadata: { name: 'a', finalizers: ['example.com/hold'] } });
    expect(await test.remove(`${MAPS}/a`)).toMatchObject({
      code: 200,
      kind: 'ConfigMap',
      metadata: { deletionTimestamp: expect.any(String) as string },
    });
    expect(
      (await test.patch(`${MAPS}/a`, { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } })).code,
    ).toBe(422);
    await test.patch(`${MAPS}/a`, { metadata: { finalizers: null } });
    expect((await test.json(`${MAPS}/a`)).code).toBe(404);
  });

  it('delete collections by selector', async () => {
    await using test = await start();
    await test.post(MAPS, { ...configMap('a'), metadata: { name: 'a', labels: { x: 'y' } } });
    await test.post(MAPS, configMap('b'));
    expect((await test.remove(`${MAPS}?labelSelector=x%3Dy`)).code).toBe(200);
    expect(names(await test.json(MAPS))).toEqual(['b']);
    expect((await test.remove('/api/v1/configmaps')).code).toBe(405);
    expect(
      (await test.post('/api/v1/configmaps', { ...configMap('c'), metadata: { name: 'c', namespace: 'default' } }))
        .code,
    ).toBe(405);
    expect((await test.json('/api/v1/configmaps/b')).code).toBe(404);
  });

  it('say what is wrong with a patch in the words of kube-apiserver', async () => {
    await using test = await start();
    await test.post(MAPS, configMap('a'));
    const send = (type: string, body: string) =>
      test.json(`${MAPS}/a?fieldValidation=Strict&fieldManager=me`, {
        method: 'PATCH',
        headers: { 'content-type': type },
        body,
      });
    expect(await send('application/strategic-merge-patch+json', '{"bogus":{"a":[1,"b"]}}')).toMatchObject({
      code: 422,
      message:
        ' "" is invalid: patch: Invalid value: "map[bogus:map[a:[1 b]]]": strict decoding error: unknown field "bogus"',
    });
    expect(await send('application/merge-patch+json', '{"data":{"a":1}}')).toMatchObject({
      code: 422,
      message: expect.stringContaining('cannot unmarshal number into Go struct field ConfigMap.data') as string,
    });
    expect(
      await send('application/apply-patch+yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nbogus: 1\n'),
    ).toMatchObject({
      code: 500,
      message: 'failed to create typed patch object (/a; /v1, Kind=ConfigMap): .bogus: field not declared in schema',
    });
  });

  it('name their managers, and apply finds conflicts', async () => {
    await using test = await start();
    const apply = (manager: string, value: string, force = false) =>
      test.json(`${MAPS}/a?fieldManager=${manager}&force=${force}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/apply-patch+yaml' },
        body: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: "${value}"}\n`,
      });
    expect((await apply('one', '1')).code).toBe(201);
    expect(await apply('two', '2')).toMatchObject({
      code: 409,
      reason: 'Conflict',
      details: { causes: [{ reason: 'FieldManagerConflict', field: '.data.k' }] },
    });
    expect((await apply('two', '2', true)).code).toBe(200);
    expect(
      (
        await test.json(`${MAPS}/a?fieldManager=`, {
          method: 'PATCH',
          headers: { 'content-type': 'application/apply-patch+yaml' },
          body: '{}',
        })
      ).code,
    ).toBe(422);
  });
});
