import { describe, expect, it } from 'vitest';
import type { ObjectService, WatchEvent } from '../../../apimachinery/object-service.js';
import type { UnknownObject } from '../../../apimachinery/object.js';
import { configMap, pod, resources, startRegistry } from './testing.js';

const { configMaps, pods, namespaces } = resources;
const namespace = 'default';

async function data(service: ObjectService, name: string): Promise<unknown> {
  return ((await service.get({ resource: configMaps, namespace, name })).object as UnknownObject)['data'];
}

async function take(events: AsyncIterable<WatchEvent>, count: number): Promise<string[]> {
  const seen: string[] = [];
  for await (const { type, handle } of events) {
    seen.push(`${type} ${handle.object.metadata?.name ?? ''}`);
    if (seen.length === count) break;
  }
  return seen;
}

describe('create', () => {
  it('gives an object what only the server gives', async () => {
    await using test = await startRegistry();
    const handle = await test.service.create({ resource: configMaps, namespace, object: configMap('a', { k: 'v' }) });
    const { metadata } = handle.object;
    expect(metadata).toMatchObject({ name: 'a', namespace, resourceVersion: handle.resourceVersion });
    expect(metadata?.uid).toMatch(/^[0-9a-f]{8}-/);
    expect(metadata?.creationTimestamp).toMatch(/Z$/);
    const read = await test.service.get({ resource: configMaps, namespace, name: 'a' });
    expect(JSON.parse(Buffer.from(read.json).toString())).toEqual(handle.object);
    expect(read.object).toEqual(handle.object);
  });

  it('stores no resourceVersion, and nothing outside its prefix', async () => {
    await using test = await startRegistry();
    await test.service.create({ resource: configMaps, namespace, object: configMap('a') });
    const { kvs } = await test.store.range({ key: Buffer.from('/registry/'), rangeEnd: Buffer.from('/registry0') });
    expect(kvs.map((kv) => Buffer.from(kv.key).toString())).toEqual(['/registry/configmaps/default/a']);
    expect(Buffer.from(kvs[0]!.value).toString()).not.toContain('resourceVersion');
  });

  it('makes up names for generateName', async () => {
    await using test = await startRegistry();
    const object = { ...configMap(''), metadata: { generateName: 'job-' } };
    const handle = await test.service.create({ resource: configMaps, namespace, object });
    expect(handle.object.metadata?.name).toMatch(/^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  it('refuses what must not be', async () => {
    await using test = await startRegistry();
    const { service } = test;
    await service.create({ resource: configMaps, namespace, object: configMap('a') });
    const refused = (object: object, extra = {}) =>
      service.create({ resource: configMaps, namespace, object, ...extra });
    await expect(refused(configMap('a'))).rejects.toMatchObject({ code: 409, reason: 'AlreadyExists' });
    await expect(refused({ ...configMap('b'), kind: 'Secret' })).rejects.toMatchObject({ code: 400 });
    await expect(refused({ ...configMap('b'), metadata: { name: 'b', namespace: 'other' } })).rejects.toMatchObject({
      code: 400,
    });
    await expect(refused({ ...configMap('b'), metadata: { name: 'b', resourceVersion: '1' } })).rejects.toMatchObject({
      code: 500,
    });
    await expect(refused({ metadata: {} })).rejects.toMatchObject({ code: 422 });
    await expect(refused({ ...configMap('b'), data: { a: 1 } })).rejects.toMatchObject({ code: 400 });
    await expect(refused({ ...configMap('b'), surprise: 1 }, { fieldValidation: 'Strict' })).rejects.toMatchObject({
      code: 400,
    });
    await expect(refused(configMap('B_'))).rejects.toMatchObject({ code: 422 });
    // CVE-2019-11247 and CVE-2022-3162: scope and name stay inside their place.
    await expect(service.get({ resource: configMaps, namespace: '../x', name: 'a' })).rejects.toMatchObject({
      code: 400,
    });
    await expect(service.get({ resource: namespaces, namespace: 'x', name: 'a' })).rejects.toMatchObject({ code: 400 });
    await expect(
      service.get({ resource: { group: '', version: 'v1', resource: '__proto__' }, name: 'a' }),
    ).rejects.toMatchObject({ code: 404 });
  });

  it('does nothing on a dry run', async () => {
    await using test = await startRegistry();
    const handle = await test.service.create({ resource: configMaps, namespace, object: configMap('a'), dryRun: true });
    expect(handle.object.metadata?.uid).toBeDefined();
    await expect(test.service.get({ resource: configMaps, namespace, name: 'a' })).rejects.toMatchObject({ code: 404 });
  });
});

describe('update and patch', () => {
  it('conflict when the version is not the newest, and retry when none is named', async () => {
    await using test = await startRegistry();
    const { service } = test;
    const first = await service.create({ resource: configMaps, namespace, object: configMap('a') });
    const versioned = { ...first.object, data: { k: '1' } };
    await service.update({ resource: configMaps, namespace, name: 'a', object: versioned });
    await expect(
      service.update({ resource: configMaps, namespace, name: 'a', object: versioned }),
    ).rejects.toMatchObject({ reason: 'Conflict' });
    await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        service.patch({
          resource: configMaps,
          namespace,
          name: 'a',
          type: 'merge',
          patch: { data: { [`p${i}`]: 'x' } },
        }),
      ),
    );
    expect(Object.keys((await data(service, 'a')) as object)).toHaveLength(11);
  });

  it('write nothing when nothing changes', async () => {
    await using test = await startRegistry();
    const { service } = test;
    const first = await service.create({ resource: configMaps, namespace, object: configMap('a', { k: 'v' }) });
    const again = await service.patch({
      resource: configMaps,
      namespace,
      name: 'a',
      type: 'merge',
      patch: { data: { k: 'v' } },
    });
    expect(again.resourceVersion).toBe(first.resourceVersion);
  });

  it('take a resourceVersion in a patch as a condition', async () => {
    await using test = await startRegistry();
    const { service } = test;
    await service.create({ resource: configMaps, namespace, object: configMap('a') });
    const patch = { metadata: { resourceVersion: '1' }, data: { k: 'v' } };
    await expect(
      service.patch({ resource: configMaps, namespace, name: 'a', type: 'merge', patch }),
    ).rejects.toMatchObject({ code: 409 });
  });

  it('keep what the server owns', async () => {
    await using test = await startRegistry();
    const { service } = test;
    const { object } = await service.create({ resource: configMaps, namespace, object: configMap('a') });
    const changed = {
      ...object,
      metadata: {
        ...object.metadata,
        creationTimestamp: '2001-01-01T00:00:00Z',
        deletionTimestamp: '2001-01-01T00:00:00Z',
      },
    };
    const updated = await service.update({ resource: configMaps, namespace, name: 'a', object: changed });
    expect(updated.object.metadata).toEqual(object.metadata);
    const other = { ...object, metadata: { ...object.metadata, uid: 'another' } };
    await expect(service.update({ resource: configMaps, namespace, name: 'a', object: other })).rejects.toMatchObject({
      code: 409,
    });
  });
});

describe('delete', () => {
  it('waits for finalizers, then removes', async () => {
    await using test = await startRegistry();
    const { service } = test;
    const object = { ...configMap('a'), metadata: { name: 'a', finalizers: ['example.com/hold'] } };
    await service.create({ resource: configMaps, namespace, object });
    const first = await service.delete({ resource: configMaps, namespace, name: 'a' });
    expect(first.gone).toBe(false);
    expect(first.handle.object.metadata?.deletionTimestamp).toBeDefined();
    await expect(
      service.patch({
        resource: configMaps,
        namespace,
        name: 'a',
        type: 'merge',
        patch: { metadata: { finalizers: ['example.com/hold', 'example.com/new'] } },
      }),
    ).rejects.toMatchObject({ code: 422 });
    await service.patch({
      resource: configMaps,
      namespace,
      name: 'a',
      type: 'merge',
      patch: { metadata: { finalizers: null } },
    });
    await expect(service.get({ resource: configMaps, namespace, name: 'a' })).rejects.toMatchObject({ code: 404 });
  });

  it('adds the finalizer of the propagation policy', async () => {
    await using test = await startRegistry();
    await test.service.create({ resource: configMaps, namespace, object: configMap('a') });
    const result = await test.service.delete({
      resource: configMaps,
      namespace,
      name: 'a',
      options: { propagationPolicy: 'Foreground' },
    });
    expect(result).toMatchObject({
      gone: false,
      handle: { object: { metadata: { finalizers: ['foregroundDeletion'] } } },
    });
  });

  it('checks preconditions', async () => {
    await using test = await startRegistry();
    await test.service.create({ resource: configMaps, namespace, object: configMap('a') });
    await expect(
      test.service.delete({ resource: configMaps, namespace, name: 'a', options: { preconditions: { uid: 'x' } } }),
    ).rejects.toMatchObject({ code: 409 });
  });

  it('takes a collection by selector', async () => {
    await using test = await startRegistry();
    for (const [name, app] of [
      ['a', 'x'],
      ['b', 'y'],
      ['c', 'x'],
    ] as const) {
      await test.service.create({ resource: pods, namespace, object: pod(name, { app }) });
    }
    await test.service.deleteCollection({
      resource: pods,
      namespace,
      labelSelector: 'app=x',
      options: { gracePeriodSeconds: 0 },
    });
    const left = await test.service.list({ resource: pods, namespace });
    expect(left.items.map((item) => item.object.metadata?.name)).toEqual(['b']);
  });
});

describe('list and watch', () => {
  it('pages stay consistent while objects come and go', async () => {
    await using test = await startRegistry();
    const { service } = test;
    for (const name of ['a', 'b', 'c', 'd'])
      await service.create({ resource: configMaps, namespace, object: configMap(name) });
    const first = await service.list({ resource: configMaps, namespace, limit: 2 });
    expect(first.metadata.remainingItemCount).toBe(2);
    await service.delete({ resource: configMaps, namespace, name: 'c' });
    await service.create({ resource: configMaps, namespace, object: configMap('e') });
    const second = await service.list({
      resource: configMaps,
      namespace,
      limit: 9,
      continue: first.metadata.continue!,
    });
    expect(second.items.map((item) => item.object.metadata?.name)).toEqual(['c', 'd']);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  it('an expired page says how to go on', async () => {
    await using test = await startRegistry();
    const { service } = test;
    for (const name of ['a', 'b', 'c'])
      await service.create({ resource: configMaps, namespace, object: configMap(name) });
    const first = await service.list({ resource: configMaps, namespace, limit: 1 });
    await service.delete({ resource: configMaps, namespace, name: 'b' });
    await test.store.compact(test.store.revision);
    const failure = await service
      .list({ resource: configMaps, namespace, continue: first.metadata.continue! })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 410, reason: 'Expired' });
    const token = (failure as { status: { metadata: { continue: string } } }).status.metadata.continue;
    const rest = await service.list({ resource: configMaps, namespace, continue: token });
    expect(rest.items.map((item) => item.object.metadata?.name)).toEqual(['c']);
  });

  it('an object that leaves the selector is deleted, one that enters is added', async () => {
    await using test = await startRegistry();
    const { service } = test;
    const start = await service.create({ resource: pods, namespace, object: pod('a', { app: 'x' }) });
    const events = service.watch({
      resource: pods,
      namespace,
      labelSelector: 'app=x',
      resourceVersion: start.resourceVersion,
    });
    await service.create({ resource: pods, namespace, object: pod('b', { app: 'y' }) });
    const label = (name: string, app: string) =>
      service.patch({ resource: pods, namespace, name, type: 'merge', patch: { metadata: { labels: { app } } } });
    await label('a', 'y');
    await label('b', 'x');
    await service.delete({ resource: pods, namespace, name: 'b', options: { gracePeriodSeconds: 0 } });
    expect(await take(events, 3)).toEqual(['DELETED a', 'ADDED b', 'DELETED b']);
  });

  it('a watch without version begins with what exists; sendInitialEvents ends that with a bookmark (KEP-3157)', async () => {
    await using test = await startRegistry();
    const { service } = test;
    await service.create({ resource: configMaps, namespace, object: configMap('a') });
    await service.list({ resource: configMaps, namespace });
    expect(await take(service.watch({ resource: configMaps }), 1)).toEqual(['ADDED a']);
    const streamed = service.watch({
      resource: configMaps,
      sendInitialEvents: true,
      allowWatchBookmarks: true,
      resourceVersionMatch: 'NotOlderThan',
    });
    expect(await take(streamed, 2)).toEqual(['ADDED a', 'BOOKMARK ']);
    expect(() => service.watch({ resource: configMaps, sendInitialEvents: true })).toThrow('resourceVersionMatch');
  });

  it('resumes from the store what the window has forgotten, and says Expired after compaction', async () => {
    await using test = await startRegistry();
    const { service } = test;
    const first = await service.create({ resource: configMaps, namespace, object: configMap('a', { n: '0' }) });
    const count = 2100;
    for (let n = 1; n <= count; n++)
      await service.patch({
        resource: configMaps,
        namespace,
        name: 'a',
        type: 'merge',
        patch: { data: { n: String(n) } },
      });
    const seen: string[] = [];
    for await (const { handle } of service.watch({ resource: configMaps, resourceVersion: first.resourceVersion })) {
      seen.push(((handle.object as UnknownObject)['data'] as { n: string }).n);
      if (seen.length === count) break;
    }
    expect(seen).toEqual(Array.from({ length: count }, (_, i) => String(i + 1)));
    await test.store.compact(test.store.revision);
    await expect(
      take(service.watch({ resource: configMaps, resourceVersion: first.resourceVersion }), 1),
    ).rejects.toMatchObject({ reason: 'Expired' });
  });

  it('selects by name, and by fields of the kind', async () => {
    await using test = await startRegistry();
    const { service } = test;
    for (const name of ['a', 'b']) await service.create({ resource: pods, namespace, object: pod(name) });
    const names = async (fieldSelector: string) =>
      (await service.list({ resource: pods, namespace, fieldSelector })).items.map(
        (item) => item.object.metadata?.name,
      );
    expect(await names('metadata.name=a')).toEqual(['a']);
    expect(await names('metadata.name!=a')).toEqual(['b']);
    expect(await names('metadata.name=a,metadata.name=b')).toEqual([]);
    expect(await names('metadata.name=a,spec.nodeName=n1')).toEqual([]);
    expect(await names('status.phase=Pending')).toEqual(['a', 'b']);
    expect(await names('metadata.namespace=elsewhere')).toEqual([]);
  });

  it('refuses selectors and versions that make no sense', async () => {
    await using test = await startRegistry();
    const { service } = test;
    await expect(service.list({ resource: pods, fieldSelector: 'spec.nothing=x' })).rejects.toMatchObject({
      code: 400,
      message: 'field label not supported: spec.nothing',
    });
    await expect(service.list({ resource: pods, labelSelector: '=,' })).rejects.toMatchObject({ code: 400 });
    await expect(service.list({ resource: pods, resourceVersion: 'x' })).rejects.toMatchObject({ code: 400 });
    await expect(
      service.list({ resource: pods, resourceVersion: '0', resourceVersionMatch: 'Exact' }),
    ).rejects.toMatchObject({ code: 400 });
    await expect(service.list({ resource: pods, continue: 'x' })).rejects.toMatchObject({ code: 400 });
  });
});

describe('versions', () => {
  const events = (group: string) => ({ group, version: 'v1', resource: 'events' });
  const scalers = (version: string) => ({ group: 'autoscaling', version, resource: 'horizontalpodautoscalers' });

  it('of one resource share its objects, each in its own shape', async () => {
    await using test = await startRegistry();
    const { service } = test;
    const event: UnknownObject = {
      metadata: { name: 'e' },
      regarding: { kind: 'Pod', name: 'a', namespace },
      reason: 'R',
      note: 'text',
      type: 'Normal',
      action: 'A',
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'example.com/c',
      reportingInstance: 'c-1',
    };
    await service.create({ resource: events('events.k8s.io'), namespace, object: event });
    const core = await service.list({ resource: events(''), namespace, fieldSelector: 'involvedObject.name=a' });
    expect(core.items.map((item) => item.object)).toMatchObject([
      { apiVersion: 'v1', kind: 'Event', message: 'text', involvedObject: { name: 'a' } },
    ]);
    const scaler: UnknownObject = {
      metadata: { name: 'h' },
      spec: {
        maxReplicas: 3,
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
        targetCPUUtilizationPercentage: 50,
      },
    };
    await service.create({ resource: scalers('v1'), namespace, object: scaler });
    const dry = await service.patch({
      resource: scalers('v1'),
      namespace,
      name: 'h',
      type: 'merge',
      patch: { spec: { maxReplicas: 9 } },
      dryRun: true,
    });
    expect(dry.object).toMatchObject({
      apiVersion: 'autoscaling/v1',
      spec: { maxReplicas: 9, targetCPUUtilizationPercentage: 50 },
    });
    const patched = await service.patch({
      resource: scalers('v2'),
      namespace,
      name: 'h',
      type: 'merge',
      patch: { spec: { maxReplicas: 4 } },
    });
    expect(patched.object).toMatchObject({
      apiVersion: 'autoscaling/v2',
      spec: { maxReplicas: 4, metrics: [{ type: 'Resource' }] },
    });
    const read = await service.get({ resource: scalers('v1'), namespace, name: 'h' });
    expect(read.object).toMatchObject({
      apiVersion: 'autoscaling/v1',
      spec: { maxReplicas: 4, targetCPUUtilizationPercentage: 50 },
    });
  });
});
