import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { storeConformance } from '../conformance.js';
import { MemoryStore } from './memory-store.js';
import type { Revision } from '../store.js';

storeConformance('memory', async () => {
  const store = new MemoryStore();
  return { store, close: () => store.close() };
});

const bytes = (text: string) => Buffer.from(text);

describe('MemoryStore', () => {
  it('ends a lease after its time, and not while it is renewed', async () => {
    const clock = new VirtualClock();
    const store = new MemoryStore({ clock });
    const lease = await store.leaseGrant({ ttl_s: 5 });
    await store.put({ kind: 'put', key: bytes('a'), value: bytes('1'), lease: lease.id });
    const count = async () => (await store.range({ key: bytes('a') })).count;
    await clock.advance(4500);
    await store.leaseKeepAlive(lease.id);
    await clock.advance(4900);
    expect(await count()).toBe(1);
    expect((await store.leaseInfo(lease.id)).ttl_s).toBe(1);
    await clock.advance(500);
    expect(await count()).toBe(0);
    expect((await store.leaseInfo(lease.id)).ttl_s).toBe(-1);
    await store.close();
  });

  it('closes a watcher that takes nothing with overflow, and lets it resume', async () => {
    const store = new MemoryStore({ watchLag_events: 100 });
    const controller = new AbortController();
    const iterator = store.watch({ key: bytes('k') }, { signal: controller.signal })[Symbol.asyncIterator]();
    const first = iterator.next();
    await store.put({ kind: 'put', key: bytes('k'), value: bytes('first') });
    let last = (await first).value?.revision ?? 0;
    for (let i = 0; i < 200; i++) await store.put({ kind: 'put', key: bytes('k'), value: bytes(`${i}`) });
    const seen: string[] = [];
    const drain = async () => {
      for (let item = await iterator.next(); item.done !== true; item = await iterator.next()) {
        last = item.value.revision;
        for (const event of item.value.events) if (event.kind === 'put') seen.push(event.kv.value.toString());
      }
    };
    await expect(drain()).rejects.toMatchObject({ code: 'overflow' });
    expect(seen.length).toBeLessThan(200);
    for await (const batch of store.watch(
      { key: bytes('k'), startRevision: (last + 1) as Revision },
      { signal: controller.signal },
    )) {
      for (const event of batch.events) if (event.kind === 'put') seen.push(event.kv.value.toString());
      if (seen.length >= 200) controller.abort();
    }
    expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => `${i}`));
    await store.close();
  });

  it('fails calls and watches when it is closed', async () => {
    const store = new MemoryStore();
    const iterator = store.watch({ key: bytes('k') }, { signal: new AbortController().signal })[Symbol.asyncIterator]();
    const next = iterator.next();
    await store.close();
    await expect(next).rejects.toMatchObject({ code: 'closed' });
    await expect(store.range({ key: bytes('k') })).rejects.toMatchObject({ code: 'closed' });
  });
});
