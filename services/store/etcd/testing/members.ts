/** Members of ours for one test, on threads of their own when that is built, each with the etcd API in plain text. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { systemClock } from '../../../../platform/clock.js';
import { freePorts } from '../../../../platform/free-ports.js';
import { systemRandom } from '../../../../platform/random.js';
import type { NodeId, PeerInfo } from '../../../../raft/contract.js';
import { TestAuthority } from '../../../../raft/testing/certificates.js';
import { startStoreMember } from '../../member/start.js';
import type { StoreMember } from '../../member/start.js';
import { etcdServices } from '../index.js';

export interface TestMembers {
  readonly members: readonly StoreMember[];
  /** host:port of each one's etcd API. */
  readonly addresses: readonly string[];
  /** A folder of the test's own, which goes with the members. */
  readonly directory: string;
  stop(): Promise<void>;
}

/** Resolves when they serve and one of them leads. Their ids are 1, 2, ..., their names m1, m2, ... */
export async function startTestMembers(count: number, { thread }: { readonly thread: boolean }): Promise<TestMembers> {
  const directory = await mkdtemp(join(tmpdir(), 'members-'));
  const authority = await TestAuthority.create(systemClock.now());
  const ports = await freePorts(count * 2);
  const peers = Array.from({ length: count }, (_, i): PeerInfo => ({
    id: (i + 1) as NodeId,
    name: `m${i + 1}`,
    learner: false,
    peerAddress: `127.0.0.1:${ports[i * 2] ?? 0}`,
    clientAddresses: [`127.0.0.1:${ports[i * 2 + 1] ?? 0}`],
  }));
  const members: StoreMember[] = [];
  const servers: Server[] = [];
  for (const [i, { id, name }] of peers.entries()) {
    const member = await startStoreMember({
      clusterId: 'e2e',
      id,
      name,
      peers,
      certificates: await authority.issue(name),
      dataDir: join(directory, name),
      listen: { host: '127.0.0.1', port: ports[i * 2] ?? 0 },
      clock: systemClock,
      random: systemRandom,
      thread,
      quota_bytes: 0,
      diskReserve_bytes: 0,
      log: { level: 'error' },
    });
    members.push(member);
    const server = new Server();
    for (const { definition, implementation } of etcdServices({
      backend: member.store,
      member,
      authorize: () => true,
      tls: false,
    }))
      server.addService(definition, implementation);
    const address = peers[i]?.clientAddresses[0] ?? '';
    await new Promise<number>((resolve, reject) =>
      server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    servers.push(server);
  }
  for (let ready = false; !ready;)
    ready =
      (await members[0]?.store.readRevision().then(
        () => true,
        () => systemClock.sleep(20).then(() => false),
      )) ?? true;
  return {
    members,
    directory,
    addresses: peers.map(({ clientAddresses }) => clientAddresses[0] ?? ''),
    async stop() {
      for (const server of servers) server.forceShutdown();
      await Promise.all(members.map((member) => member.stop()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
