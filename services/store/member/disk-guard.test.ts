import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { VirtualClock } from '../../../platform/clock.js';
import { reserveFile } from '../../../platform/disk/reserve.js';
import type { DiskReserve } from '../../../platform/disk/reserve.js';
import { KvState } from '../mvcc/kv-state.js';
import { StoreError } from '../store.js';
import { DiskGuard } from './disk-guard.js';

const MIB = 2 ** 20;

it('makes the cluster read-only before the disk is full, gives up the reserve, and recovers by itself', async () => {
  const clock = new VirtualClock();
  const state = new KvState();
  const disk = { free_bytes: 1000 * MIB, held: false, answers: true };
  const reserve: DiskReserve = {
    size_bytes: 64 * MIB,
    free_bytes: () => (disk.answers ? Promise.resolve(disk.free_bytes) : Promise.reject(new Error('EIO'))),
    hold: async () => void (disk.held = true),
    release: async () => void (disk.held = false),
  };
  const changes: string[] = [];
  const guard = new DiskGuard({
    reserve,
    clock,
    self: () => 7n,
    alarms: () => state.alarms.all,
    change: async (action, alarm) => {
      changes.push(action);
      state.apply({ kind: 'alarm', action, alarm }, 1);
    },
  });
  const put = () =>
    state.apply({ kind: 'put', put: { kind: 'put', key: Buffer.from('k'), value: Buffer.from('v') } }, 1);
  guard.start();
  await clock.advance(10);
  expect([disk.held, changes]).toEqual([true, []]);
  guard.check();
  disk.free_bytes = 60 * MIB;
  await clock.advance(1000);
  expect([disk.held, changes]).toEqual([false, ['raise']]);
  expect(() => guard.check()).toThrow('database space exceeded');
  expect(put()).toBeInstanceOf(StoreError);
  expect(
    state.apply(
      { kind: 'txn', txn: { compare: [], failure: [], success: [{ kind: 'delete', key: Buffer.from('k') }] } },
      1,
    ),
  ).toMatchObject({ kind: 'txn' });
  // What the reserve gave back is no recovery.
  disk.free_bytes = 130 * MIB;
  await clock.advance(3000);
  expect(changes).toEqual(['raise']);
  disk.answers = false;
  await clock.advance(3000);
  disk.answers = true;
  disk.free_bytes = 500 * MIB;
  await clock.advance(1000);
  expect([disk.held, changes, put()]).toEqual([true, ['raise', 'clear'], expect.objectContaining({ kind: 'put' })]);
  guard.stop();
  disk.free_bytes = 0;
  await clock.advance(5000);
  expect(changes).toEqual(['raise', 'clear']);
});

it('holds real room', async () => {
  const root = await mkdtemp(join(tmpdir(), 'reserve-'));
  const reserve = reserveFile(join(root, 'reserve'), 3 * MIB + 5);
  expect(await reserve.free_bytes()).toBeGreaterThan(0);
  await reserve.hold();
  await reserve.hold();
  const { size, blocks } = await stat(join(root, 'reserve'));
  expect([size, blocks * 512 >= size]).toEqual([3 * MIB + 5, true]);
  await reserve.release();
  await reserve.release();
  expect(await readdir(root)).toEqual([]);
  await rm(root, { recursive: true });
  await expect(reserve.hold()).rejects.toThrow('ENOENT');
  await expect(reserve.free_bytes()).rejects.toThrow('ENOENT');
});
