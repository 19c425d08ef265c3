import { Server, ServerCredentials } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { systemClock, VirtualClock } from '../../../platform/clock.js';
import { WatchService } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import { storeConformance } from '../conformance.js';
import { etcdServices } from '../etcd/index.js';
import { MemoryStore } from '../backend/memory-store.js';
import { isOrdered } from './endpoint.js';
import { EtcdStore } from './etcd-store.js';

async function serve(backend: MemoryStore): Promise<{ server: Server; address: string }> {
  const server = new Server();
  for (const { definition, implementation } of etcdServices({ backend, authorize: () => true, tls: false }))
    server.addService(definition, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { server, address: `127.0.0.1:${port}` };
}

storeConformance('external driver on our own etcd API', async () => {
  const backend = new MemoryStore();
  const { server, address } = await serve(backend);
  const store = new EtcdStore({ endpoints: [address], clock: systemClock });
  return {
    store,
    close: async () => {
      await store.close();
      server.forceShutdown();
      await backend.close();
    },
  };
});

describe('EtcdStore', () => {
  it('goes on at the next endpoint when one is gone: reads, and watches without a gap or a repetition', async () => {
    const backend = new MemoryStore();
    const [first, second] = [await serve(backend), await serve(backend)];
    const store = new EtcdStore({ endpoints: [first.address, second.address], clock: systemClock });
    const put = (value: string) => backend.put({ kind: 'put', key: Buffer.from('k'), value: Buffer.from(value) });
    const controller = new AbortController();
    const seen: string[] = [];
    const { revision } = await put('0');
    let onSeen = () => undefined as void;
    const watching = (async () => {
      for await (const { events } of store.watch(
        { key: Buffer.from('k'), startRevision: revision },
        { signal: controller.signal },
      )) {
        for (const event of events) if (event.kind === 'put') seen.push(Buffer.from(event.kv.value).toString());
        onSeen();
      }
    })();
    const until = (count: number) =>
      new Promise<void>((resolve) => {
        onSeen = () => (seen.length >= count ? resolve() : undefined);
        onSeen();
      });
    await put('1');
    await until(2);
    first.server.forceShutdown();
    await put('2');
    await put('3');
    await until(4);
    expect(seen).toEqual(['0', '1', '2', '3']);
    expect((await store.range({ key: Buffer.from('k') })).kvs[0]?.version).toBe(4);
    controller.abort();
    await watching;
    await store.close();
    second.server.forceShutdown();
    await backend.close();
  });

  it('leaves an endpoint that is there and says nothing, and misses nothing', async () => {
    const backend = new MemoryStore();
    const silent = new Server();
    let asked = 0;
    silent.addService(WatchService, { watch: () => void asked++ });
    const silentPort = await new Promise<number>((resolve, reject) => {
      silent.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const { server, address } = await serve(backend);
    const clock = new VirtualClock(systemClock.now());
    const store = new EtcdStore({ endpoints: [`127.0.0.1:${silentPort}`, address], clock });
    const { revision } = await backend.put({ kind: 'put', key: Buffer.from('k'), value: Buffer.from('0') });
    const controller = new AbortController();
    const iterator = store
      .watch({ key: Buffer.from('k'), startRevision: revision }, { signal: controller.signal })
      [Symbol.asyncIterator]();
    const first = iterator.next();
    while (asked === 0) await systemClock.sleep(5);
    let arrived = false;
    void first.then(() => (arrived = true));
    while (!arrived) {
      await clock.advance(1000);
      await systemClock.sleep(5);
    }
    expect((await first).value).toMatchObject({ revision, events: [{ kind: 'put' }] });
    controller.abort();
    await iterator.return?.();
    await store.close();
    silent.forceShutdown();
    server.forceShutdown();
    await backend.close();
  });

  it('writes at the next endpoint what the first could not take; with none there it says that nothing happened', async () => {
    const backend = new MemoryStore();
    const { server, address } = await serve(backend);
    const gone = await serve(backend);
    gone.server.forceShutdown();
    const store = new EtcdStore({ endpoints: [gone.address, address], clock: systemClock });
    const put = () =>
      store.txn({
        compare: [],
        success: [{ kind: 'put', key: Buffer.from('once'), value: Buffer.from('1') }],
        failure: [],
      });
    await put();
    expect((await store.range({ key: Buffer.from('once') })).kvs[0]?.version).toBe(1);
    server.forceShutdown();
    const error: unknown = await put().catch((reason: unknown) => reason);
    // The connection may break under the write, or be known to be broken.
    expect(['unavailable', 'unknown-outcome']).toContain((error as { code: string }).code);
    await expect(put()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^no connection to etcd: connect ECONNREFUSED \S+$/) as string,
    });
    await store.close();
    await backend.close();
  });
});

describe('progress that was asked for', () => {
  it('is trusted from the releases on that keep it behind the events it covers (etcd #15220)', () => {
    expect(['3.4.23', '3.4.24', '3.5.7', '3.3.27', '2.3.8', ''].filter(isOrdered)).toEqual([]);
    expect(
      ['3.4.25', '3.5.8', '3.5.16', '3.6.0', '3.6.0-rc.1', '4.0.0'].filter((version) => !isOrdered(version)),
    ).toEqual([]);
  });
});
