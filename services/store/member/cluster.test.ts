import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../../../platform/assert.js';
import { systemClock } from '../../../platform/clock.js';
import { systemRandom } from '../../../platform/random.js';
import type { NodeId, PeerInfo } from '../../../raft/contract.js';
import { MemoryLog, MemoryNetwork } from '../../../raft/index.js';
import { storeConformance } from '../conformance.js';
import { COMMAND_LEVEL } from '../mvcc/commands.js';
import type { Revision, WatchBatch } from '../store.js';
import { startInlineMember } from './start.js';
import type { StoreMember } from './start.js';

const bytes = (text: string) => Buffer.from(text);

class Cluster {
  readonly members = new Map<number, StoreMember>();
  readonly logs = new Map<number, MemoryLog>();
  readonly network = new MemoryNetwork(systemClock);
  readonly peers: PeerInfo[];
  readonly #root: string;

  private constructor(root: string, size: number) {
    this.#root = root;
    this.peers = Array.from({ length: size }, (_, i) => ({
      id: (i + 1) as NodeId,
      name: `m${i + 1}`,
      peerAddress: '',
      clientAddresses: [],
      learner: false,
    }));
  }

  static async start(size: number): Promise<Cluster> {
    const cluster = new Cluster(await mkdtemp(join(tmpdir(), 'cluster-')), size);
    await Promise.all(cluster.peers.map(({ id }) => cluster.startMember(id)));
    await cluster.leader();
    return cluster;
  }

  async startMember(id: NodeId): Promise<StoreMember> {
    const raftLog = this.logs.get(id) ?? new MemoryLog();
    this.logs.set(id, raftLog);
    const member = await startInlineMember({
      clusterId: 'test',
      id,
      name: `m${id}`,
      peers: this.peers,
      dataDir: join(this.#root, `${id}`),
      network: this.network,
      raftLog,
      clock: systemClock,
      random: systemRandom,
      log: { level: 'silent' },
      raft: { persist_ms: 20, election_ms: 200 },
    });
    this.members.set(id, member);
    return member;
  }

  async leader(): Promise<{ id: NodeId; member: StoreMember; term: number }> {
    for (;;) {
      for (const member of this.members.values()) {
        const { leader, id, role, term } = await member.raftStatus();
        if (role === 'leader' && leader === id) return { id, member, term };
      }
      await systemClock.sleep(10);
    }
  }

  async follower(): Promise<StoreMember> {
    const { id } = await this.leader();
    return present([...this.members].find(([other]) => other !== id)?.[1], 'a cluster has followers');
  }

  isolate(id: NodeId): void {
    for (const { id: other } of this.peers) {
      if (other === id) continue;
      this.network.cut(id, other);
      this.network.cut(other, id);
    }
  }

  /** Resolves when all members that run know that all understand what this program does. */
  async agreed(): Promise<void> {
    for (const member of this.members.values()) {
      while (((await member.raftStatus()).membership.level ?? 1) < COMMAND_LEVEL) await systemClock.sleep(10);
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.members.values()].map((member) => member.stop()));
    await rm(this.#root, { recursive: true, force: true });
  }
}

storeConformance('three members, asked at a follower', async () => {
  const cluster = await Cluster.start(3);
  return { store: (await cluster.follower()).store, close: () => cluster.stop() };
});

describe('three members', () => {
  let cluster: Cluster;
  beforeAll(async () => void (cluster = await Cluster.start(3)));
  afterAll(() => cluster.stop());
  const put = (member: StoreMember, key: string, value: string, lease = 0n) =>
    member.store.put({ kind: 'put', key: bytes(key), value: bytes(value), lease });

  it('agree on the hash of every revision', async () => {
    for (let i = 0; i < 60; i++) await put(present(cluster.members.get((i % 3) + 1), 'member'), `k${i % 7}`, `${i}`);
    const { revision } = await put((await cluster.leader()).member, 'last', '1');
    await (await cluster.leader()).member.store.compact((revision - 20) as Revision);
    for (let at = revision - 20; at <= revision; at += 5) {
      const hashes = await Promise.all(
        [...cluster.members.values()].map(async (member) => {
          await member.store.readRevision();
          return member.hash(at);
        }),
      );
      expect(new Set(hashes.map((h) => JSON.stringify(h))).size).toBe(1);
    }
  });

  it('carry a watch and a lease over the loss of their leader, without a gap', async () => {
    const { id, member: leader } = await cluster.leader();
    const follower = await cluster.follower();
    const lease = await leader.store.leaseGrant({ ttl_s: 1 });
    const { revision } = await put(leader, 'watched', '0', lease.id);
    const controller = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const batch of follower.store.watch(
        { key: bytes('watched'), startRevision: revision },
        { signal: controller.signal },
      )) {
        for (const event of batch.events)
          seen.push(event.kind === 'put' ? Buffer.from(event.kv.value).toString() : 'gone');
        if (seen.at(-1) === 'gone') controller.abort();
      }
    })();
    await put(leader, 'watched', '1', lease.id);
    await leader.stop();
    cluster.members.delete(id);
    await put(follower, 'watched', '2', lease.id);
    await watching;
    expect(seen).toEqual(['0', '1', '2', 'gone']);
    const back = await cluster.startMember(id);
    await back.store.readRevision();
    expect(await back.hash(0)).toEqual(await follower.hash(0));
  });

  it('renew leases without the log, asked at any of them, and all tell the same time that is left', async () => {
    await cluster.agreed();
    const members = [...cluster.members.values()];
    const { id } = await (await cluster.leader()).member.store.leaseGrant({ ttl_s: 100 });
    await Promise.all(members.map(({ store }) => store.readRevision()));
    const last = async () => (await cluster.leader()).member.raftStatus().then(({ lastIndex }) => lastIndex);
    const renewAll = async () => {
      const before = await last();
      for (const { store } of members) expect((await store.leaseKeepAlive(id)).ttl_s).toBe(100);
      return (await last()) - before;
    };
    // On a machine that stands still for a while, one may have gone through the log after all.
    while ((await renewAll()) > 0) await systemClock.sleep(10);
    for (const { store } of members) expect((await store.leaseInfo(id)).ttl_s).toBeGreaterThan(50);
    await expect(present(members[0], 'a member').store.leaseKeepAlive(id + 1n)).rejects.toMatchObject({
      code: 'lease-not-found',
    });
  });

  it('keep a lease for its time after a renewal, whoever was asked, over the loss of the leader that renewed it', async () => {
    await cluster.agreed();
    const { id: lost, member: leader } = await cluster.leader();
    const follower = await cluster.follower();
    const TTL_S = 2;
    const leases = await Promise.all([leader, follower].map(({ store }) => store.leaseGrant({ ttl_s: TTL_S })));
    const { revision } = await put(leader, 'kept0', '', leases[0]?.id);
    await put(leader, 'kept1', '', leases[1]?.id);
    await systemClock.sleep(1000);
    const asked_ms = systemClock.monotonic();
    await Promise.all([leader, follower].map(({ store }, i) => store.leaseKeepAlive(leases[i]?.id ?? 0n)));
    await leader.stop();
    cluster.members.delete(lost);
    const gone_ms: number[] = [];
    const done = new AbortController();
    for await (const { events } of follower.store.watch(
      { key: bytes('kept'), rangeEnd: bytes('kepu'), startRevision: revision },
      { signal: done.signal },
    )) {
      for (const { kind } of events) if (kind === 'delete') gone_ms.push(systemClock.monotonic());
      if (gone_ms.length === 2) done.abort();
    }
    expect(Math.min(...gone_ms) - asked_ms).toBeGreaterThanOrEqual(TTL_S * 1000);
    await cluster.startMember(lost);
  });

  it('renew nothing by the word of a leader that is cut off', async () => {
    await cluster.agreed();
    const { id, member: old } = await cluster.leader();
    const lease = await old.store.leaseGrant({ ttl_s: 100 });
    cluster.isolate(id);
    const renewing = old.store.leaseKeepAlive(lease.id).then(
      () => 'renewed',
      (error: { code: string }) => error.code,
    );
    const rest = present([...cluster.members].find(([other]) => other !== id)?.[1], 'a member of the majority');
    const revoke = async (): Promise<unknown> =>
      rest.store.leaseRevoke(lease.id).catch(() => systemClock.sleep(20).then(revoke));
    await revoke();
    cluster.network.heal();
    expect(['lease-not-found', 'unavailable', 'unknown-outcome']).toContain(await renewing);
  });

  it('never answer a linearizable read from a member that is cut off', async () => {
    const { id, member: old } = await cluster.leader();
    await put(old, 'fresh', 'old');
    cluster.isolate(id);
    const rest = [...cluster.members].filter(([other]) => other !== id).map(([, member]) => member);
    const writer = present(rest[0], 'a member of the majority');
    const write = async (): Promise<unknown> =>
      put(writer, 'fresh', 'new').catch(() => systemClock.sleep(20).then(write));
    await write();
    const read = old.store.range({ key: bytes('fresh') }).then(
      ({ kvs }) => kvs[0]?.value.toString(),
      (error: { code: string }) => error.code,
    );
    const stale = await old.store.range({ key: bytes('fresh'), serializable: true });
    expect(stale.kvs[0]?.value.toString()).toBe('old');
    cluster.network.heal();
    expect(['new', 'unavailable']).toContain(await read);
  });

  it('send progress with every revision before it', async () => {
    const { member } = await cluster.leader();
    const batches: WatchBatch[] = [];
    const done = new AbortController();
    const watching = (async () => {
      for await (const batch of member.store.watch(
        { key: bytes('p'), progressInterval_ms: 5 },
        { signal: done.signal },
      ))
        batches.push(batch);
    })();
    let revision = 0;
    for (let i = 0; i < 50; i++) ({ revision } = await put(member, 'p', `${i}`));
    while ((batches.at(-1)?.revision ?? 0) < revision || (batches.at(-1)?.events.length ?? 1) > 0)
      await systemClock.sleep(5);
    done.abort();
    await watching;
    let last = 0;
    for (const { events, revision: upTo } of batches) {
      for (const event of events)
        expect(event.kind === 'put' && event.kv.modRevision > last && event.kv.modRevision <= upTo).toBe(true);
      expect(upTo).toBeGreaterThanOrEqual(last);
      last = upTo;
    }
  });
});
