import { describe, expect, it } from 'vitest';
import { VirtualClock, systemClock } from '../../../platform/clock.js';
import { silentLogger } from '../../../platform/log.js';
import { MemoryStore } from '../../store/backend/memory-store.js';
import { StoreError } from '../../store/store.js';
import type { Revision, Store, StoreWatchRequest } from '../../store/store.js';
import { builtInScheme } from '../../../apimachinery/scheme/builtin.js';
import type { KubeObject } from '../../../apimachinery/object.js';
import { present } from '../../../platform/assert.js';
import { Cacher } from './cacher.js';
import { CachedObject, encodeForStore, spliceVersion } from './cached-object.js';
import { decodeContinue, encodeContinue } from './continue-token.js';
import { EventWindow, WindowBudget, cacheEvent } from './event-window.js';
import { ReadGate } from './read-gate.js';
import { watch } from './watch.js';
import { WATCHER_BUFFER, WATCHER_BYTES_MAX } from './watcher.js';

const kind = present(builtInScheme().byResource({ group: '', version: 'v1', resource: 'configmaps' }), 'configmaps');
const key = (name: string) => Buffer.from(`/registry/configmaps/default/${name}`);
const value = (name: string, n = 0) =>
  encodeForStore({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'default', labels: { n: String(n) } },
  });
const put = (store: MemoryStore, name: string, n = 0) =>
  store.txn({ compare: [], success: [{ kind: 'put', key: key(name), value: value(name, n) }], failure: [] });

describe('stored bytes', () => {
  it('get their version by splicing, in whatever form others wrote them', () => {
    const parse = (bytes: Uint8Array) => JSON.parse(Buffer.from(bytes).toString()) as { metadata: object };
    expect(parse(spliceVersion(value('a'), 7)).metadata).toMatchObject({ resourceVersion: '7', name: 'a' });
    expect(parse(spliceVersion(Buffer.from('{"apiVersion":"v1","kind":"X","metadata":{}}'), 7)).metadata).toEqual({
      resourceVersion: '7',
    });
    const foreign = '{ "spec": {"metadata":{"a":1}}, "metadata": {"name":"a"}, "kind":"X", "apiVersion":"v1" }';
    expect(parse(spliceVersion(Buffer.from(foreign), 7))).toMatchObject({
      metadata: { resourceVersion: '7', name: 'a' },
      spec: { metadata: { a: 1 } },
    });
  });
});

describe('the window', () => {
  it('knows what it has forgotten', () => {
    const window = new EventWindow(3, 10, new WindowBudget(1_000_000));
    const object = new CachedObject({ key: 'k', namespace: '', name: 'k' }, 1, { json: value('k') });
    for (let revision = 11; revision <= 16; revision++) window.push(cacheEvent(revision, object, undefined));
    expect(window.after(12)).toBeUndefined();
    expect(window.after(13)?.map((event) => event.revision)).toEqual([14, 15, 16]);
    expect(window.after(99)).toEqual([]);
  });

  /** Whoever may change one ConfigMap of 1 MB held 2,048 versions of it in the memory of every member. */
  it('is bounded in bytes, over all resources: the largest pays, the others keep what they have', () => {
    const budget = new WindowBudget(10_000);
    const [large, small] = [new EventWindow(100, 0, budget), new EventWindow(100, 0, budget)];
    const event = (revision: number, bytes: number) =>
      cacheEvent(
        revision,
        new CachedObject({ key: 'k', namespace: '', name: 'k' }, revision, { json: Buffer.alloc(bytes) }),
        undefined,
      );
    small.push(event(1, 1000));
    for (let revision = 2; revision <= 50; revision++) large.push(event(revision, 2000));
    expect([small.held_bytes, large.held_bytes]).toEqual([1000, 8000]);
    expect(small.after(0)).toHaveLength(1);
    expect([large.after(45), large.after(46)?.map(({ revision }) => revision)]).toEqual([undefined, [47, 48, 49, 50]]);
    large.push(event(51, 20_000));
    expect([large.after(50), large.after(51), large.held_bytes]).toEqual([undefined, [], 0]);
    large.push(event(52, 100));
    expect(large.after(51)?.map(({ revision }) => revision)).toEqual([52]);
    small.restart(60);
    expect([small.after(59), small.after(60), small.held_bytes]).toEqual([undefined, [], 0]);
    large.push(event(61, 9900));
    expect(large.held_bytes).toBe(10_000);
  });
});

describe('continue tokens', () => {
  it('say where to go on, and refuse what is none', () => {
    const token = { revision: 5, after: 'default/a' };
    expect(decodeContinue(encodeContinue(token))).toEqual(token);
    for (const text of [
      '',
      '%',
      encodeContinue({ revision: 5, after: '../secrets/x' }),
      Buffer.from('{"v":"x"}').toString('base64url'),
    ]) {
      expect(() => decodeContinue(text)).toThrow('continue key is not valid');
    }
  });
});

describe('the read gate', () => {
  it('never answers a read with a question asked before it (etcd #20418)', async () => {
    const questions: ((revision: Revision) => void)[] = [];
    const gate = new ReadGate({ readRevision: () => new Promise((resolve) => questions.push(resolve)) });
    const [first, second, third] = [gate.revision(), gate.revision(), gate.revision()];
    expect(questions).toHaveLength(1);
    questions[0]?.(1 as Revision);
    expect(await first).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(questions).toHaveLength(2);
    questions[1]?.(2 as Revision);
    expect(await Promise.all([second, third])).toEqual([2, 2]);
  });
});

describe('the feed', () => {
  const start = async (store: Store) => {
    const cacher = new Cacher({ store, clock: systemClock, logger: silentLogger, kinds: [kind] });
    await cacher.start();
    return cacher;
  };

  /** A store whose watches fail when told to. */
  function breakable(store: MemoryStore) {
    let fail: ((error: Error) => void) | undefined;
    const broken: Store = Object.create(store, {
      watch: {
        value: (request: StoreWatchRequest, options: { readonly signal: AbortSignal }) => {
          const failing = new AbortController();
          fail = (error) => failing.abort(error);
          return (async function* () {
            yield* store.watch(request, { signal: AbortSignal.any([options.signal, failing.signal]) });
            if (failing.signal.aborted) throw failing.signal.reason;
          })();
        },
      },
      range: { value: store.range.bind(store) },
      txn: { value: store.txn.bind(store) },
      readRevision: { value: store.readRevision.bind(store) },
    }) as Store;
    return { broken, fail: (error: Error) => fail?.(error) };
  }

  it('resumes where its watch broke, without a gap', async () => {
    const store = new MemoryStore();
    const { broken, fail } = breakable(store);
    const cacher = await start(broken);
    await put(store, 'a');
    await cacher.fresh();
    fail(new StoreError('unavailable', 'the leader is lost'));
    await put(store, 'b');
    await cacher.fresh();
    expect(cacher.of(kind).size).toBe(2);
    expect(
      cacher
        .of(kind)
        .eventsAfter(1)
        ?.map((event) => event.current?.location.name),
    ).toEqual(['a', 'b']);
    await cacher.stop();
  });

  it('passes over what is no object, wherever somebody has put it, and goes on', async () => {
    const store = new MemoryStore();
    const junk = (at: Buffer, bytes: string) =>
      store.txn({ compare: [], success: [{ kind: 'put', key: at, value: Buffer.from(bytes) }], failure: [] });
    for (const [i, bytes] of ['x', '', 'null', '[]', '"text"', '7', '{"metadata":'].entries())
      await junk(key(`before-${i}`), bytes);
    await junk(Buffer.from('/registry/nothing/here'), 'x');
    const cacher = await start(store);
    const began = cacher.revision;
    await put(store, 'a');
    await put(store, 'b');
    await cacher.fresh();
    expect(cacher.of(kind).size).toBe(2);
    // An object that junk replaces is gone; one that replaces junk is new.
    await junk(key('a'), 'x');
    await put(store, 'before-0');
    await cacher.fresh();
    expect([...cacher.of(kind).select({})].map(({ location }) => location.name)).toEqual(['b', 'before-0']);
    expect(
      cacher
        .of(kind)
        .eventsAfter(began)
        ?.map((event) => event.current?.location.name ?? 'gone'),
    ).toEqual(['a', 'b', 'gone', 'before-0']);
    await cacher.stop();
  });

  it('reads everything anew when its history has been compacted, and ends the watches that missed it', async () => {
    const store = new MemoryStore();
    const { broken, fail } = breakable(store);
    const cacher = await start(broken);
    await put(store, 'a');
    await cacher.fresh();
    const abort = new AbortController();
    const ended = (async () => {
      const seen: string[] = [];
      const query = {
        selection: {},
        resourceVersion: undefined,
        bookmarks: false,
        sendInitialEvents: undefined,
        signal: abort.signal,
      };
      for await (const event of watch(cacher, kind, query)) seen.push(event.type);
      return seen;
    })();
    await new Promise((resolve) => setTimeout(resolve, 10));
    fail(new StoreError('compacted', 'gone'));
    expect(await ended).toEqual(['ADDED']);
    await put(store, 'b');
    await cacher.fresh();
    expect([...cacher.of(kind).select({})].map((object) => object.location.name)).toEqual(['a', 'b']);
    await cacher.stop();
  });

  it('gives up on a version that does not come: ResourceVersionTooLarge', async () => {
    const store = new MemoryStore();
    const clock = new VirtualClock();
    const cacher = new Cacher({ store, clock, logger: silentLogger, kinds: [kind] });
    await cacher.start();
    const waiting = cacher.reached(1000).catch((error: unknown) => error);
    await clock.advance(5000);
    expect(await waiting).toMatchObject({
      code: 504,
      status: { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } },
    });
    await cacher.stop();
  });

  it('closes a watcher that is too slow rather than drop events', async () => {
    const store = new MemoryStore();
    const cacher = await start(store);
    const watcher = cacher.of(kind).watch({}, cacher.revision);
    for (let n = 0; n <= WATCHER_BUFFER; n++) await put(store, 'a', n);
    await cacher.fresh();
    let delivered = 0;
    for await (const item of watcher.stream) if (item.type !== 'BOOKMARK') delivered++;
    expect(delivered).toBe(WATCHER_BUFFER);
    expect(cacher.of(kind).watchers).toBe(0);
    await cacher.stop();
  });

  it('closes a watcher for which too many bytes wait, however few events they are', async () => {
    const store = new MemoryStore();
    const cacher = await start(store);
    const watcher = cacher.of(kind).watch({}, cacher.revision);
    const large = 'x'.repeat(1024 * 1024);
    for (let n = 0; n < 20; n++) {
      const object = encodeForStore({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'a', namespace: 'default' },
        data: { n: String(n), large },
      } as KubeObject);
      await store.txn({ compare: [], success: [{ kind: 'put', key: key('a'), value: object }], failure: [] });
    }
    await cacher.fresh();
    expect(watcher.stream.weight).toBeGreaterThan(WATCHER_BYTES_MAX);
    expect(watcher.stream.weight).toBeLessThan(WATCHER_BYTES_MAX + 2 * large.length);
    expect(cacher.of(kind).watchers).toBe(0);
    for await (const _ of watcher.stream);
    expect(watcher.stream.weight).toBe(0);
    await cacher.stop();
  });

  it('tells idle watchers how far they are', async () => {
    const store = new MemoryStore();
    const clock = new VirtualClock();
    const cacher = new Cacher({ store, clock, logger: silentLogger, kinds: [kind] });
    await cacher.start();
    const watcher = cacher.of(kind).watch({ namespace: 'elsewhere' }, cacher.revision);
    await put(store, 'a');
    await cacher.fresh();
    await clock.advance(31_000);
    expect((await watcher.stream.next()).value).toEqual({ type: 'BOOKMARK', revision: cacher.revision });
    await cacher.stop();
  });
});
