/** How objects end: owners, finalizers, namespaces; and what two kinds of apply make of one object. */
import { expect, it } from 'vitest';
import { until } from '../lib/until.js';
import {
  accepted,
  define,
  inGroup,
  namespace,
  patch,
  post,
  put,
  refused,
  APPLY,
  JSON_PATCH,
  MERGE,
  type Json,
  type Place,
} from './place.js';

const configMap = (name: string, metadata: Json = {}): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, ...metadata },
});
const FINALIZER = 'rules.example/held';

export function lifecycleRules(place: () => Place): void {
  const gone = (path: string) => until(`${path} to be gone`, async () => (await place().rest.get(path)).code === 404);
  const events = async (home: string, name: string) => {
    const { items } = accepted(await place().rest.get(`${home}/events?fieldSelector=involvedObject.name=${name}`)) as {
      items: { type: string; reason: string }[];
    };
    return items.map(({ type, reason }) => `${type} ${reason}`);
  };

  it('an owner in another namespace, of another name or another kind, is no owner: its dependents are collected', async () => {
    const home = await namespace(place(), 'owners');
    const away = await namespace(place(), 'owners-away');
    const {
      metadata: { uid },
    } = accepted(await post(place(), `${home}/configmaps`, configMap('owner'))) as { metadata: { uid: string } };
    const owned = (name: string, owner: Json = {}) =>
      configMap(name, { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid, ...owner }] });
    accepted(await post(place(), `${home}/configmaps`, owned('right')));
    accepted(await post(place(), `${away}/configmaps`, owned('away')));
    accepted(await post(place(), `${home}/configmaps`, owned('other-name', { name: 'other' })));
    accepted(await post(place(), `${home}/configmaps`, owned('other-kind', { kind: 'Secret' })));
    await Promise.all([
      gone(`${away}/configmaps/away`),
      gone(`${home}/configmaps/other-name`),
      gone(`${home}/configmaps/other-kind`),
    ]);
    await until('the event', async () => (await events(away, 'away')).includes('Warning OwnerRefInvalidNamespace'));
    // Of all of them it has been there for the longest time.
    accepted(await place().rest.get(`${home}/configmaps/right`));
  });

  it('while an object is being deleted no finalizer is added; the last one that goes takes it away', async () => {
    const home = await namespace(place(), 'dying');
    const dying = async (path: string, body: Json) => {
      accepted(
        await post(place(), path.slice(0, path.lastIndexOf('/')), {
          ...body,
          metadata: { name: 'c', finalizers: [FINALIZER] },
        }),
        201,
      );
      accepted(await place().rest.send('DELETE', path));
      const change = (to: Json) => patch(place(), path, MERGE, to);
      refused(
        await change({ metadata: { finalizers: [FINALIZER, 'rules.example/new'] } }),
        422,
        /no new finalizers can be added if the object is being deleted/,
      );
      refused(
        await patch(place(), path, JSON_PATCH, [
          { op: 'replace', path: '/metadata/finalizers/0', value: 'rules.example/other' },
        ]),
        422,
        /no new finalizers/,
      );
      expect(
        accepted(await change({ metadata: { deletionTimestamp: null, annotations: { still: 'written' } } })),
      ).toMatchObject({
        metadata: { deletionTimestamp: expect.any(String) as unknown, annotations: { still: 'written' } },
      });
      refused(
        await post(place(), path.slice(0, path.lastIndexOf('/')), { ...body, metadata: { name: 'c' } }),
        409,
        /already exists/,
      );
      return change;
    };
    await dying(`${home}/configmaps/c`, { data: { a: '1' } });
    expect(accepted(await patch(place(), `${home}/configmaps/c`, MERGE, { data: { a: '2' } }))).toMatchObject({
      data: { a: '2' },
    });
    accepted(await patch(place(), `${home}/configmaps/c`, MERGE, { metadata: { finalizers: null } }));
    expect((await place().rest.get(`${home}/configmaps/c`)).code).toBe(404);
    // A custom resource obeys the same, and a PUT that leaves the finalizer out is its last word.
    const ends = await define(place(), home, { plural: 'ends', spec: { type: 'object' } });
    const end: Json = { apiVersion: 'rules.example/v1', kind: 'End' };
    await dying(`${ends.path}/c`, end);
    const { metadata } = accepted(await place().rest.get(`${ends.path}/c`)) as { metadata: Json };
    accepted(
      await put(place(), `${ends.path}/c`, {
        ...end,
        metadata: { name: 'c', resourceVersion: metadata['resourceVersion'] },
      }),
    );
    expect((await place().rest.get(`${ends.path}/c`)).code).toBe(404);
  });

  it('a namespace held by a finalizer says why and takes nothing new; forced and made again it has its old content', async () => {
    const home = await namespace(place(), 'held');
    accepted(await post(place(), `${home}/configmaps`, configMap('f', { finalizers: [FINALIZER] })));
    await place().kubectl.ok(['delete', 'namespace', 'held', '--wait=false']);
    const conditions = () =>
      place().kubectl.ok([
        'get',
        'namespace',
        'held',
        '-o',
        'jsonpath={range .status.conditions[?(@.status=="True")]}{.type} {.reason} {.message}{"\\n"}{end}',
      ]);
    await until(
      'the reason',
      async () => /NamespaceFinalizersRemaining SomeFinalizersRemain .*rules\.example\/held/.test(await conditions()),
      { show: conditions },
    );
    const because = /because it is being terminated/;
    refused(await post(place(), `${home}/configmaps`, configMap('new')), 403, because);
    refused(await patch(place(), `${home}/configmaps/new?fieldManager=me`, APPLY, configMap('new')), 403, because);
    refused(
      await post(place(), `${inGroup(home, 'apps/v1')}/deployments`, {
        metadata: { name: 'd' },
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
        },
      }),
      403,
      because,
    );
    // What is there may still be changed.
    accepted(await patch(place(), `${home}/configmaps/f`, MERGE, { data: { a: '1' } }));
    accepted(
      await put(place(), `${home}/finalize`, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'held' },
        spec: { finalizers: [] },
      }),
    );
    await gone(home);
    await namespace(place(), 'held');
    expect(accepted(await place().rest.get(`${home}/configmaps/f`))).toMatchObject({ data: { a: '1' } });
    accepted(await patch(place(), `${home}/configmaps/f`, MERGE, { metadata: { finalizers: null } }));
  });

  it('kubectl apply drops what its own server-side apply added, in data and in labels', async () => {
    await namespace(place(), 'applied');
    const apply = (object: Json, ...flags: string[]) =>
      place().kubectl.ok(['-n', 'applied', 'apply', ...flags, '-f', '-'], { stdin: JSON.stringify(object) });
    const plain = { ...configMap('m', { labels: { a: '1' } }), data: { a: '1' } };
    await apply(plain);
    await apply(
      { ...configMap('m', { labels: { a: '1', added: 'x' } }), data: { a: '1', added: 'x' } },
      '--server-side',
    );
    const stored = () =>
      place().kubectl.json<{ data: Json; metadata: { labels: Json } }>(['-n', 'applied', 'get', 'configmap', 'm']);
    expect((await stored()).data).toEqual({ a: '1', added: 'x' });
    await apply(plain);
    const { data, metadata } = await stored();
    expect({ data, labels: metadata.labels }).toEqual({ data: { a: '1' }, labels: { a: '1' } });
  });
}
