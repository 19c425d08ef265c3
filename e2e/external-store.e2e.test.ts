/**
 * Servers without a store of their own: on three members of Debian's etcd, and beside three members of ours. The
 * scenario is the one of a cluster with its own store; what dies is a member of the store, and one of the servers.
 */
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configMaps } from '../apimachinery/gen/resources.js';
import { connect } from '../sdk/grpc/connect.js';
import type { Client } from '../sdk/client.js';
import type { Child } from './lib/child.js';
import { clientNodeThroughDeath } from './lib/client-node.js';
import { EtcdCluster } from './lib/etcd-cluster.js';
import { deleteGuestbook, guestbookSteps } from './lib/guestbook.js';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { missing } from './lib/requirements.js';
import { Rest } from './lib/rest.js';
import { deathStep, userSteps, type Place, type Victim } from './lib/scenario.js';
import { hollowWorker, printed, ServerProcess } from './lib/server-process.js';
import { until } from './lib/until.js';
import { adminTls, navarch, UpCluster } from './lib/up-cluster.js';

/** On etcd, a write that its dying leader had taken in waits for etcd's own timeout of seven seconds. */
const GAP_MS_MAX = 30_000;

const lackingEtcd = missing('a cluster on an external etcd', ['kubectl', 'etcdctl', 'etcd']);

describe.skipIf(lackingEtcd.length > 0)('a cluster on an external etcd', () => {
  const directory = mkdtempSync(join(tmpdir(), 'navarch-external-'));
  const pkiDir = join(directory, 'pki');
  const kubeconfig = join(directory, 'kubeconfig');
  let etcd: EtcdCluster;
  let servers: readonly ServerProcess[] = [];
  let workers: readonly Child[] = [];
  let kubectl: Kubectl;
  let client: Client;

  const storeArgs = () => [
    '--store-endpoints',
    etcd.files.endpoints.join(','),
    '--store-ca',
    etcd.files.ca,
    '--store-cert',
    etcd.files.certificate,
    '--store-key',
    etcd.files.key,
  ];
  const programsSay = async () =>
    [
      (await kubectl.run(['get', 'nodes', '-o', 'yaml'])).stdout.slice(-6000),
      ...servers.map(({ name, log }) => `${name}: ${log}`),
      ...workers.map((worker, index) => `w${index + 1} (exit code ${worker.code}): ${worker.stderr.slice(-3000)}`),
    ].join('\n');
  const ofServer = (server: ServerProcess | undefined): Victim => ({
    kill: async () => server?.stop('SIGKILL'),
    revive: async () => server?.start(),
  });

  beforeAll(async () => {
    [etcd] = await Promise.all([EtcdCluster.start(3), printed('pki', 'init', '--pki-dir', pkiDir)]);
    servers = await Promise.all(
      ['s1', 's2'].map((name) => ServerProcess.at({ name, directory, pkiDir, args: storeArgs() })),
    );
    const [first, second] = servers;
    await Promise.all(servers.map((server) => server.start()));
    await writeFile(kubeconfig, await printed('kubeconfig', '--pki-dir', pkiDir, '--server', first?.api ?? ''), {
      mode: 0o600,
    });
    const token = (await printed('token', 'create', '--pki-dir', pkiDir, '--endpoints', first?.grpc ?? '')).trim();
    // Each knows one server, and is told of the other.
    workers = [
      hollowWorker(directory, 'w1', { servers: [first?.grpc ?? ''], token }),
      hollowWorker(directory, 'w2', { servers: [second?.grpc ?? ''], token }),
    ];
    kubectl = new Kubectl(findKubectl() ?? '', kubeconfig);
    client = await connect({ endpoints: servers.map(({ grpc }) => grpc), tls: adminTls(kubeconfig) });
    await until(
      'both nodes to be Ready',
      async () => ((await kubectl.ok(['get', 'nodes'])).match(/ Ready /g) ?? []).length === 2,
      { show: programsSay },
    );
  });

  afterAll(async () => {
    await client?.close();
    await kubectl?.close();
    await Promise.all([...workers, ...servers].map((one) => one.stop('SIGKILL')));
    await etcd?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const place = (): Place => ({ kubectl, etcdctl: etcd.etcdctl, client, servers: servers.map(({ api }) => api) });

  userSteps(place);

  it('navarch status shows the servers, and where their store is', async () => {
    const found = await printed(
      'status',
      '--pki-dir',
      pkiDir,
      '--endpoints',
      servers.map(({ grpc }) => grpc).join(','),
    );
    for (const row of [/^s1 +127\.0\.0\.1:\d+ +apiserver /m, /^s2 +127\.0\.0\.1:\d+ +apiserver /m, /^w1 +Ready/m])
      expect(found).toMatch(row);
    expect(found).toContain(`store: ${etcd.members.map(({ endpoint }) => endpoint).join(', ')}\n`);
    const { members } = JSON.parse(await printed('status', '--data-dir', servers[0]?.dataDir ?? '', '-o', 'json')) as {
      members: { role: string; revision: number }[];
    };
    expect(members).toMatchObject([{ role: 'apiserver', revision: expect.any(Number) as number }]);
  });

  it('a server with the secrets of another cluster is fenced; flags and directories of members and of such servers do not mix', async () => {
    const other = join(directory, 'other');
    await printed('pki', 'init', '--pki-dir', join(other, 'pki'));
    const stranger = await ServerProcess.at({
      name: 's9',
      directory: other,
      pkiDir: join(other, 'pki'),
      args: storeArgs(),
    });
    stranger.launch();
    expect([await stranger.ended(), stranger.log]).toEqual([
      3,
      expect.stringContaining('belongs to the cluster') as string,
    ]);
    const mixed = await navarch(['server', '--name', 's9', '--data-dir', join(other, 's9'), '--only', 'apiserver']);
    expect([mixed.code, mixed.stderr]).toEqual([1, expect.stringContaining('give --store-endpoints') as string]);
    const member = await navarch(['server', '--name', 's1', '--data-dir', servers[0]?.dataDir ?? '']);
    expect([member.code, member.stderr]).toEqual([
      1,
      expect.stringMatching(/in use by another process|give --store-endpoints/) as string,
    ]);
  });

  deathStep(place, {
    who: 'the leader of etcd',
    gap_ms_max: GAP_MS_MAX,
    async victim() {
      const leader = await etcd.leader();
      return {
        kill: () => leader.stop(),
        revive: async () => {
          leader.start();
          await etcd.whenHealthy();
        },
      };
    },
  });

  deathStep(place, { who: 'one server', gap_ms_max: GAP_MS_MAX, victim: () => Promise.resolve(ofServer(servers[0])) });

  it("@kubernetes/client-node lists, creates, patches, deletes, and watches through a server's death", () =>
    clientNodeThroughDeath({
      kubeconfig,
      client,
      async dies(address) {
        const victim = ofServer(servers.find(({ api }) => api === address));
        await victim.kill();
        return () => victim.revive();
      },
    }));

  it('etcd stops and comes back: 503 meanwhile, the servers live and go on, nothing was lost', async () => {
    const { ca, certificate, privateKey } = adminTls(kubeconfig);
    const rest = new Rest(servers[1]?.api ?? '', { ca, certificate, privateKey });
    await client.create(configMaps, { metadata: { name: 'before', namespace: 'default' } });
    await Promise.all(etcd.members.map((member) => member.stop()));
    const path = '/api/v1/namespaces/default/configmaps';
    const read = await until('a refusal', async () => {
      const answer = await rest.get(path);
      return answer.code === 503 ? answer : undefined;
    });
    expect(read.status).toMatchObject({
      reason: 'ServiceUnavailable',
      message: expect.stringContaining('the store cannot be reached: no connection to etcd') as string,
    });
    const write = await rest.post(path, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'during' } });
    expect([write.code, write.status.reason]).toEqual([503, 'ServiceUnavailable']);
    expect(await navarch(['status', '--data-dir', servers[1]?.dataDir ?? ''])).toMatchObject({
      stdout: expect.stringContaining('cannot be reached') as string,
    });
    for (const member of etcd.members) member.start();
    await until('a write', () =>
      client.create(configMaps, { metadata: { name: 'after', namespace: 'default' } }).then(() => true),
    );
    expect(servers.every(({ running }) => running)).toBe(true);
    const { items } = await client.list(configMaps, { namespace: 'default' });
    expect(items.map(({ metadata }) => metadata?.name)).toEqual(expect.arrayContaining(['after', 'before']));
    expect(items.some(({ metadata }) => metadata?.name === 'during')).toBe(false);
  });

  it('a server that stops in order is gone from the endpoints of the API', async () => {
    await servers[0]?.stop();
    expect(servers[0]?.running).toBe(false);
    const second = new Kubectl(findKubectl() ?? '', kubeconfig, ['--server', servers[1]?.api ?? '']);
    const slices = async () =>
      (await second.ok(['get', 'endpointslices', '-l', 'kubernetes.io/service-name=kubernetes', '-o', 'name']))
        .trim()
        .split('\n');
    await until(
      'one endpoint to be left',
      async () => (await slices()).join() === 'endpointslice.discovery.k8s.io/kubernetes-s2',
    );
    await deleteGuestbook(second);
    await second.close();
  });
});

const lackingOwn = missing('API servers beside members', ['kubectl', 'etcdctl']);

describe.skipIf(lackingOwn.length > 0)('API servers beside members, on their store', () => {
  let members: UpCluster;
  let servers: readonly ServerProcess[] = [];
  let kubectl: Kubectl;
  let client: Client;

  beforeAll(async () => {
    members = await UpCluster.start({ name: 'beside', loopback: true });
    const pkiDir = join(members.dataDir, 'pki');
    const args = [
      '--only',
      'apiserver',
      '--store-endpoints',
      members
        .state()
        .members.map(({ grpc }) => `https://${grpc}`)
        .join(','),
    ];
    servers = await Promise.all(
      ['s1', 's2'].map((name) => ServerProcess.at({ name, directory: join(members.dataDir, 'servers'), pkiDir, args })),
    );
    await Promise.all(servers.map((server) => server.start()));
    kubectl = new Kubectl(findKubectl() ?? '', members.kubeconfig, ['--server', servers[0]?.api ?? '']);
    client = await connect({ endpoints: servers.map(({ grpc }) => grpc), tls: adminTls(members.kubeconfig) });
  });

  afterAll(async () => {
    await client?.close();
    await kubectl?.close();
    await Promise.all(servers.map((server) => server.stop('SIGKILL')));
    await members?.stop();
  });

  const place = (): Place => ({ kubectl, etcdctl: members.etcd(), client, servers: servers.map(({ api }) => api) });

  guestbookSteps(() => kubectl);

  it('workers that joined by a member come to them too: logs from a pod of each node', async () => {
    for (const node of ['w1', 'w2']) {
      const pod =
        (await kubectl.ok(['get', 'pods', '--field-selector', `spec.nodeName=${node}`, '-o', 'name'])).split('\n')[0] ??
        '';
      await until(`logs from ${node}`, async () => (await kubectl.run(['logs', pod])).code === 0);
    }
  });

  deathStep(place, {
    who: 'the leading member',
    gap_ms_max: GAP_MS_MAX,
    async victim() {
      const leader = await members.leader();
      let pid = 0;
      return {
        kill: async () => void (pid = await members.kill(leader)),
        revive: async () => void (await members.returned(leader, pid)),
      };
    },
  });

  it('etcdctl --cluster goes to every member by itself', async () => {
    const etcdctl = members.etcd();
    const { grpc = '' } = members.state().members[0] ?? {};
    for (const args of [
      ['endpoint', 'status', '--cluster'],
      ['endpoint', 'health', '--cluster'],
      ['endpoint', 'hashkv', '--cluster'],
      ['defrag', '--cluster'],
    ]) {
      const { code, stdout, stderr } = await etcdctl.run(args, [grpc]);
      expect([args.join(' '), code, (stdout + stderr).trim().split('\n').length]).toEqual([args.join(' '), 0, 3]);
    }
  });

  it('members keep the endpoints of servers that live, and take away those of one that died', async () => {
    const slices = async () =>
      (await kubectl.ok(['get', 'endpointslices', '-l', 'kubernetes.io/service-name=kubernetes', '-o', 'name']))
        .match(/kubernetes-\w+/g)
        ?.toSorted();
    expect(await slices()).toEqual([
      'kubernetes-m1',
      'kubernetes-m2',
      'kubernetes-m3',
      'kubernetes-s1',
      'kubernetes-s2',
    ]);
    await servers[1]?.stop('SIGKILL');
    await until(
      'four endpoints',
      async () => (await slices())?.join() === 'kubernetes-m1,kubernetes-m2,kubernetes-m3,kubernetes-s1',
    );
  });
});
