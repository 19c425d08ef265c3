import { describe, expect, it } from 'vitest';
import { VirtualClock, systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { MemoryStore } from '../store/backend/memory-store.js';
import { StoreError } from '../store/store.js';
import type { Store } from '../store/store.js';
import { externalStore } from './external-store.js';

const open = (store: Store, clusterId: string, clock = systemClock) =>
  externalStore({ store, endpoints: ['etcd:2379'], clusterId, clock, logger: silentLogger });

describe('a store elsewhere', () => {
  it('belongs to the cluster that came first; a server with other secrets is fenced', async () => {
    const store = new MemoryStore();
    await open(store, 'cluster-a').start();
    await open(store, 'cluster-a').start();
    await expect(open(store, 'cluster-b').start()).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining('belongs to the cluster cluster-a') as string,
    });
    await store.close();
  });

  it('is waited for, and a server that is told to stop meanwhile stops', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore();
    let down = true;
    const flaky = {
      txn: (...request: Parameters<Store['txn']>) =>
        down ? Promise.reject(new StoreError('unavailable', 'no connection')) : store.txn(...request),
      close: () => store.close(),
    } as Store;
    const first = open(flaky, 'cluster-a', clock);
    const started = first.start();
    await clock.advance(10_000);
    down = false;
    await clock.advance(1000);
    await started;
    down = true;
    const second = open(flaky, 'cluster-a', clock);
    const refused = expect(second.start()).rejects.toThrow('stopped while it waited');
    await clock.advance(1000);
    await second.stop();
    await refused;
  });

  it('that refuses this server for good is not asked again', async () => {
    const refusing = {
      txn: () => Promise.reject(new StoreError('invalid', 'etcdserver: permission denied')),
    } as unknown as Store;
    await expect(open(refusing, 'cluster-a').start()).rejects.toThrow('--store-cert');
  });
});
