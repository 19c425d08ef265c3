/**
 * A member on a small file system that fills up and empties. Needs root (mounts a tmpfs); says so and skips otherwise.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import type { NodeId, PeerInfo } from '../../../raft/contract.js';
import { TestAuthority } from '../../../raft/testing/certificates.js';
import { startStoreMember } from './start.js';
import type { StoreMember } from './start.js';

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('skipped: a full disk (needs root)\n');

const MIB = 2 ** 20;
const PORT = 23_851;
const bytes = (text: string) => Buffer.from(text);

describe.skipIf(!isRoot)('a full disk', () => {
  let root: string;
  let mount: string;
  let member: StoreMember;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'full-disk-'));
    mount = join(root, 'small');
    await mkdir(mount);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=200m', 'tmpfs', mount]);
    const peer: PeerInfo = {
      id: 1 as NodeId,
      name: 'm1',
      peerAddress: `127.0.0.1:${PORT}`,
      clientAddresses: [],
      learner: false,
    };
    const authority = await TestAuthority.create(Date.now());
    member = await startStoreMember({
      clusterId: 'full',
      id: peer.id,
      name: 'm1',
      peers: [peer],
      certificates: await authority.issue('m1'),
      dataDir: mount,
      listen: { host: '127.0.0.1', port: PORT },
      diskReserve_bytes: 32 * MIB,
      clock: systemClock,
      random: systemRandom,
      thread: false,
      log: { level: 'silent' },
      onFatal: (error) => expect.fail(error.message),
    });
  });
  afterAll(async () => {
    await member?.stop();
    if (mount !== undefined) execFileSync('umount', [mount]);
    await rm(root, { recursive: true, force: true });
  });

  async function until(holds: () => Promise<boolean>): Promise<void> {
    for (let i = 0; i < 300; i++) {
      if (await holds()) return;
      await systemClock.sleep(50);
    }
    throw new Error('never');
  }

  it('is read-only before it is full, still deletes, and recovers when room returns', async () => {
    const { store } = member;
    await until(async () => existsSync(join(mount, 'reserve')));
    await store.put({ kind: 'put', key: bytes('a'), value: bytes('1') });
    const { bavail, bsize } = await statfs(mount);
    await writeFile(join(mount, 'filler'), Buffer.alloc(bavail * bsize - 16 * MIB, 1));
    await until(async () => (await store.alarms()).length === 1);
    expect([existsSync(join(mount, 'reserve')), (await store.alarms())[0]?.kind]).toEqual([false, 'disk']);
    await expect(store.put({ kind: 'put', key: bytes('b'), value: bytes('2') })).rejects.toMatchObject({
      code: 'no-space',
    });
    expect(
      await store.kvTxn({ compare: [], failure: [], success: [{ kind: 'delete', key: bytes('a') }] }),
    ).toMatchObject({ results: [{ deleted: 1 }] });
    await rm(join(mount, 'filler'));
    await until(async () => (await store.alarms()).length === 0 && existsSync(join(mount, 'reserve')));
    await store.put({ kind: 'put', key: bytes('b'), value: bytes('2') });
  });
});
