/**
 * TEST SUPPORT: what every Client must do, whatever lies between it and the objects. Run against each implementation;
 * the server behind it starts empty and may be anything that knows ConfigMaps, Pods, ControllerRevisions and Leases.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configMaps, controllerRevisions, pods } from '../../apimachinery/gen/resources.js';
import type { ConfigMap } from '../../apimachinery/gen/types.js';
import type { ServedResource } from '../../apimachinery/object-service.js';
import { isApiError } from '../../apimachinery/status.js';
import type { StatusReason } from '../../apimachinery/status.js';
import type { Client } from '../client.js';

export interface ConformanceTarget {
  readonly client: Client;
  readonly close: () => Promise<void>;
}

const NAMESPACE = 'default';
const configMap = (name: string, v = '1', labels: Record<string, string> = {}): ConfigMap => ({
  metadata: { name, namespace: NAMESPACE, labels },
  data: { v },
});
const at = (name: string) => ({ namespace: NAMESPACE, name });

async function reasonOf(call: Promise<unknown>): Promise<StatusReason> {
  try {
    await call;
  } catch (error) {
    if (isApiError(error)) return error.reason;
    throw error;
  }
  throw new Error('the call did not fail');
}

export function clientConformance(name: string, open: () => Promise<ConformanceTarget>): void {
  describe(`Client conformance: ${name}`, () => {
    let target: ConformanceTarget;
    beforeEach(async () => {
      target = await open();
    });
    afterEach(() => target.close());
    discoveryConformance(() => target.client);
    objectsConformance(() => target.client);
    listConformance(() => target.client);
    watchConformance(() => target.client);
  });
}

function discoveryConformance(client: () => Client): void {
  it('says what is served, and ends when it is aborted', async () => {
    const abort = new AbortController();
    const found: ServedResource[][] = [];
    const reason = new Error('seen enough');
    const read = (async () => {
      for await (const resources of client().discover({ signal: abort.signal })) {
        found.push([...resources]);
        abort.abort(reason);
      }
    })();
    await expect(read).rejects.toBe(reason);
    const served = found[0]?.find(({ group, resource }) => group === '' && resource === 'configmaps');
    expect(served).toMatchObject({
      ...configMaps,
      builtIn: true,
      verbs: expect.arrayContaining(['list', 'watch', 'delete']) as string[],
    });
  });
}

function objectsConformance(client: () => Client): void {
  it('creates, gets, updates and deletes', async () => {
    const made = await client().create(configMaps, configMap('a'));
    expect(made.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(await client().get(configMaps, at('a'))).toEqual(made);
    const changed = await client().update(configMaps, { ...made, data: { v: '2' } });
    expect(changed.data).toEqual({ v: '2' });
    expect(changed.metadata?.resourceVersion).not.toBe(made.metadata?.resourceVersion);
    expect((await client().delete(configMaps, at('a'))).gone).toBe(true);
    expect(await reasonOf(client().get(configMaps, at('a')))).toBe('NotFound');
  });

  it('keeps what a ConfigMap may hold: Unicode, line breaks, names of Object.prototype', async () => {
    const data = { text: 'ναύαρχος\n\u0000\u{1F6A2}', constructor: 'x', toString: 'y' };
    await client().create<ConfigMap>(configMaps, { ...configMap('a'), data });
    expect((await client().get(configMaps, at('a'))).data).toEqual(data);
  });

  it('keeps every digit of an int64, whatever way it is written', async () => {
    const metadata = { name: 'r', namespace: NAMESPACE };
    const wide = 9_007_199_254_740_993n;
    await client().create(controllerRevisions, { metadata, revision: wide, data: { ns: -wide } });
    expect(await client().get(controllerRevisions, metadata)).toMatchObject({ revision: wide, data: { ns: -wide } });
    expect(
      await client().patch(controllerRevisions, metadata, { type: 'merge', body: { revision: wide + 2n } }),
    ).toMatchObject({ revision: wide + 2n });
    expect((await client().list(controllerRevisions, { namespace: NAMESPACE })).items).toMatchObject([
      { revision: wide + 2n },
    ]);
  });

  it('fails with the words and codes of Kubernetes', async () => {
    const made = await client().create(configMaps, configMap('a'));
    await expect(client().create(configMaps, configMap('a'))).rejects.toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
      message: 'configmaps "a" already exists',
      status: { details: { name: 'a', kind: 'configmaps' } },
    });
    await client().update(configMaps, { ...made, data: { v: '2' } });
    expect(await reasonOf(client().update(configMaps, { ...made, data: { v: '3' } }))).toBe('Conflict');
    expect(await reasonOf(client().delete(configMaps, at('nobody')))).toBe('NotFound');
    expect(
      await reasonOf(
        client().delete(configMaps, at('a'), { preconditions: { uid: '00000000-0000-4000-8000-000000000000' } }),
      ),
    ).toBe('Conflict');
    await expect(client().update(configMaps, { metadata: {} })).rejects.toMatchObject({ reason: 'BadRequest' });
  });

  it('patches', async () => {
    await client().create(configMaps, configMap('a', '1', { app: 'web' }));
    const patched = await client().patch(configMaps, at('a'), {
      type: 'merge',
      body: { metadata: { labels: { app: null, tier: 'front' } }, data: { w: '2' } },
    });
    expect([patched.metadata?.labels, patched.data]).toEqual([{ tier: 'front' }, { v: '1', w: '2' }]);
  });

  it('generates names', async () => {
    const made = await client().create<ConfigMap>(configMaps, {
      metadata: { generateName: 'web-', namespace: NAMESPACE },
    });
    expect(made.metadata?.name).toMatch(/^web-[a-z0-9]{5}$/);
  });

  it('leaves nothing behind of a dry run', async () => {
    await client().create(configMaps, configMap('a'), { dryRun: true });
    expect(await reasonOf(client().get(configMaps, at('a')))).toBe('NotFound');
  });

  it('writes status apart from spec', async () => {
    const pod = await client().create(pods, {
      metadata: { name: 'p', namespace: NAMESPACE },
      spec: { containers: [{ name: 'c', image: 'i' }] },
    });
    const after = await client().updateStatus(pods, {
      ...pod,
      spec: { containers: [{ name: 'other', image: 'i' }] },
      status: { phase: 'Running' },
    });
    expect([after.status?.phase, after.spec?.containers[0]?.name]).toEqual(['Running', 'c']);
  });

  it('says whether a deleted object is still there', async () => {
    const made = await client().create<ConfigMap>(configMaps, {
      metadata: { name: 'a', namespace: NAMESPACE, finalizers: ['example.com/hold'] },
    });
    expect((await client().delete(configMaps, at('a'))).gone).toBe(false);
    const marked = await client().get(configMaps, at('a'));
    expect(marked.metadata?.deletionTimestamp).toMatch(/^\d{4}-\d\d-\d\dT/);
    await client().update<ConfigMap>(configMaps, { ...marked, metadata: { ...marked.metadata, finalizers: [] } });
    expect(await reasonOf(client().get(configMaps, at('a')))).toBe('NotFound');
    expect(made.metadata?.uid).toBe(marked.metadata?.uid);
  });

  it('fails a call with the reason of its signal', async () => {
    const stop = new AbortController();
    stop.abort(new Error('no longer needed'));
    await expect(client().get(configMaps, at('a'), { signal: stop.signal })).rejects.toThrow('no longer needed');
  });
}

function listConformance(client: () => Client): void {
  it('lists, selects and pages', async () => {
    for (let i = 0; i < 7; i++)
      await client().create(configMaps, configMap(`c${i}`, '1', { parity: i % 2 === 0 ? 'even' : 'odd' }));
    const names = (list: { readonly items: readonly ConfigMap[] }) => list.items.map((item) => item.metadata?.name);
    expect(names(await client().list(configMaps, { namespace: NAMESPACE }))).toEqual([
      'c0',
      'c1',
      'c2',
      'c3',
      'c4',
      'c5',
      'c6',
    ]);
    expect(names(await client().list(configMaps, { namespace: NAMESPACE, labelSelector: 'parity=odd' }))).toEqual([
      'c1',
      'c3',
      'c5',
    ]);
    expect(names(await client().list(configMaps, { namespace: NAMESPACE, fieldSelector: 'metadata.name=c4' }))).toEqual(
      ['c4'],
    );
    const first = await client().list(configMaps, { namespace: NAMESPACE, limit: 5 });
    expect([first.items.length, first.metadata.remainingItemCount]).toEqual([5, 2]);
    const second = await client().list(configMaps, {
      namespace: NAMESPACE,
      limit: 5,
      continue: first.metadata.continue ?? '',
    });
    expect([names(second), second.metadata.continue ?? '']).toEqual([['c5', 'c6'], '']);
    expect(names(await client().list(configMaps, { namespace: 'elsewhere' }))).toEqual([]);
  });

  it('lists all of a collection that is larger than a page and a message', async () => {
    const filling = 'x'.repeat(10_000);
    for (let i = 0; i < 600; i++)
      await client().create<ConfigMap>(configMaps, {
        metadata: { name: `c${i}`, namespace: NAMESPACE },
        data: { filling },
      });
    const { items } = await client().list(configMaps, { namespace: NAMESPACE });
    expect(new Set(items.map((item) => item.metadata?.name)).size).toBe(600);
  });

  it('deletes a collection', async () => {
    for (const name of ['a', 'b', 'c'])
      await client().create(configMaps, configMap(name, '1', { gone: String(name !== 'b') }));
    await client().deleteCollection(configMaps, { namespace: NAMESPACE, labelSelector: 'gone=true' });
    expect(
      (await client().list(configMaps, { namespace: NAMESPACE })).items.map((item) => item.metadata?.name),
    ).toEqual(['b']);
  });
}

function watchConformance(client: () => Client): void {
  it('watches from a version: every event, once, in order', async () => {
    const { metadata } = await client().list(configMaps, { namespace: NAMESPACE });
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const event of client().watch(configMaps, {
        namespace: NAMESPACE,
        resourceVersion: metadata.resourceVersion ?? '',
        signal: stop.signal,
      })) {
        seen.push(`${event.type} ${event.object.metadata?.name ?? ''} ${event.object.data?.['v'] ?? ''}`);
        if (event.type === 'DELETED') return;
      }
    })();
    const made = await client().create(configMaps, configMap('a'));
    for (let i = 2; i <= 20; i++)
      await client().patch(configMaps, at('a'), { type: 'merge', body: { data: { v: String(i) } } });
    await client().delete(configMaps, at('a'), { preconditions: { uid: made.metadata?.uid ?? '' } });
    await watching;
    const expected = ['ADDED a 1', ...Array.from({ length: 19 }, (_, i) => `MODIFIED a ${i + 2}`), 'DELETED a 20'];
    expect(seen).toEqual(expected);
  });

  it('ends a watch when its signal aborts, with the reason', async () => {
    const stop = new AbortController();
    const watching = (async () => {
      for await (const event of client().watch(configMaps, { signal: stop.signal })) {
        if (event.type === 'ADDED') stop.abort(new Error('seen enough'));
      }
    })();
    await client().create(configMaps, configMap('a'));
    await expect(watching).rejects.toThrow('seen enough');
  });

  it('tells what exists, then a bookmark, when asked for initial events', async () => {
    await client().create(configMaps, configMap('a'));
    const seen: string[] = [];
    const options = {
      namespace: NAMESPACE,
      sendInitialEvents: true,
      allowWatchBookmarks: true,
      resourceVersionMatch: 'NotOlderThan',
    } as const;
    for await (const event of client().watch(configMaps, options)) {
      seen.push(event.type);
      if (event.type === 'BOOKMARK') {
        expect(event.object.metadata?.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
        break;
      }
    }
    expect(seen).toEqual(['ADDED', 'BOOKMARK']);
  });
}
