import { expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { MemoryStore } from '../backend/memory-store.js';
import { ExternalCompaction } from './compaction.js';

const PERIOD_MS = 60_000;
const put = (store: MemoryStore, value: string) =>
  store.put({ kind: 'put', key: Buffer.from('k'), value: Buffer.from(value) });

it('drops what is older than a period, by one of several, and no less when that one is gone', async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ clock });
  let compactions = 0;
  const counted = {
    txn: store.txn.bind(store),
    compact: (revision: Parameters<MemoryStore['compact']>[0]) => {
      compactions++;
      return store.compact(revision);
    },
  };
  const users = [1, 2, 3].map(
    () => new ExternalCompaction({ store: counted, keep: { mode: 'periodic', keep_ms: PERIOD_MS }, clock }),
  );
  for (const user of users) await user.start();
  const old = await put(store, 'old');
  for (let period = 0; period < 4; period++) {
    await put(store, `${period}`);
    await clock.advance(PERIOD_MS);
  }
  const { compactRevision } = await store.status();
  expect(compactRevision).toBeGreaterThan(old.revision);
  expect(compactRevision).toBeLessThan((await store.status()).revision - 1);
  expect(compactions).toBeLessThanOrEqual(4);
  await users[0]?.stop();
  await users[1]?.stop();
  await put(store, 'more');
  for (let period = 0; period < 3; period++) await clock.advance(PERIOD_MS);
  expect((await store.status()).compactRevision).toBeGreaterThan(compactRevision);
  await users[2]?.stop();
  await store.close();
});

it('keeps so many revisions', async () => {
  const clock = new VirtualClock();
  const store = new MemoryStore({ clock });
  const user = new ExternalCompaction({ store, keep: { mode: 'revisions', keep: 5, interval_ms: 1000 }, clock });
  await user.start();
  for (let i = 0; i < 20; i++) await put(store, `${i}`);
  await clock.advance(1000);
  const { revision, compactRevision } = await store.status();
  expect(revision - compactRevision).toBe(5);
  await user.stop();
  await store.close();
});
