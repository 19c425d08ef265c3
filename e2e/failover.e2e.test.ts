/**
 * kill -9 of the leading member while kubectl, the SDK and etcdctl write and watch (point 4), and
 * `@kubernetes/client-node`, a client nobody here wrote, through a member's death (point 8). Members are processes on
 * loopback, workers hollow: needs neither root nor containers.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configMaps, namespaces } from '../apimachinery/gen/resources.js';
import { systemClock } from '../platform/clock.js';
import type { Client } from '../sdk/client.js';
import { clientNodeThroughDeath } from './lib/client-node.js';
import type { Etcdctl } from './lib/etcdctl.js';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { showLogsOnFailure } from './lib/on-failure.js';
import { missing } from './lib/requirements.js';
import { storeAgrees } from './lib/scenario.js';
import { until } from './lib/until.js';
import { navarch, UpCluster } from './lib/up-cluster.js';
import { WatchRecord } from './lib/watch-record.js';
import { configMapValues, etcdctlWriter, keyValues, kubectlWriter, sdkWriter } from './lib/writers.js';

const lacking = missing('failover', ['kubectl', 'etcdctl']);
const KILLS = 3;
/** Made by a controller in every namespace, and none of the writers'. */
const ROOT_CA = 'kube-root-ca.crt';

describe.skipIf(lacking.length > 0)('failover', () => {
  let cluster: UpCluster;
  showLogsOnFailure(() => cluster);
  let kubectl: Kubectl;
  let etcdctl: Etcdctl;
  let client: Client;

  beforeAll(async () => {
    cluster = await UpCluster.start({ name: 'failover', loopback: true });
    kubectl = new Kubectl(findKubectl() ?? '', cluster.kubeconfig);
    etcdctl = cluster.etcd();
    client = await cluster.client();
  });

  afterAll(async () => {
    await client?.close();
    await kubectl?.close();
    await cluster?.stop();
  });

  const servers = () => cluster.state().members.map(({ api }) => api);

  it('4: kill -9 of the leader, again and again, during writes: nothing acknowledged is lost, watches have no gap', async () => {
    const namespace = 'writes';
    await client.create(namespaces, { metadata: { name: namespace } });
    const { metadata } = await client.list(configMaps, { namespace });
    const watch = new WatchRecord(client, namespace, metadata.resourceVersion ?? '');
    const etcdWatch = etcdctl.start(['watch', '--prefix', '/writes/']);
    const writers = [
      kubectlWriter(kubectl, { namespace, servers: servers() }),
      sdkWriter(client, { namespace }),
      etcdctlWriter(etcdctl, { keyPrefix: '/writes/' }),
    ] as const;
    const [byKubectl, bySdk, byEtcdctl] = writers;
    const gaps_ms: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      await Promise.all(writers.map((writer) => writer.progress(5)));
      const leader = await cluster.leader();
      const killed_ms = systemClock.monotonic();
      const pid = await cluster.kill(leader);
      await Promise.all(writers.map((writer) => writer.progress(3)));
      gaps_ms.push(Math.round(bySdk.longestGap(killed_ms)));
      await cluster.returned(leader, pid);
      await storeAgrees(etcdctl);
    }
    process.stderr.write(
      `failover: longest time without an acknowledged write of the SDK around kill -9 of the leader: ${gaps_ms.join(', ')} ms\n`,
    );
    await Promise.all(writers.map((writer) => writer.stop()));

    const found = await configMapValues(kubectl, namespace);
    const keys = await keyValues(etcdctl, '/writes/');
    expect([byKubectl.lost(found), bySdk.lost(found), byEtcdctl.lost(keys)]).toEqual([[], [], []]);
    for (const writer of writers) expect(writer.acknowledged.length).toBeGreaterThanOrEqual(KILLS * 8);

    const created = [...found.keys()].filter((name) => name !== ROOT_CA).toSorted();
    await until('the watch to have seen all', () => created.every((name) => watch.added.includes(name)));
    await watch.stop();
    expect(watch.added.filter((name) => name !== ROOT_CA).toSorted()).toEqual(created);
    expect(watch.versions).toEqual(watch.versions.toSorted((a, b) => a - b));
    const puts = () =>
      etcdWatch.stdout
        .split('\n')
        .filter((line) => line.startsWith('/writes/'))
        .map((key) => key.slice('/writes/'.length));
    await until('etcdctl watch to have seen all', () => puts().length >= keys.size);
    await etcdWatch.stop('SIGINT');
    expect(puts().toSorted()).toEqual([...keys.keys()].toSorted());
    await storeAgrees(etcdctl);
  });

  it('4: a follower that was dead for a while catches up', async () => {
    const leader = await cluster.leader();
    const follower = cluster.state().members.find(({ name }) => name !== leader)?.name ?? '';
    const pid = await cluster.kill(follower);
    const writer = sdkWriter(client, { namespace: 'default', prefix: 'while-away' });
    await writer.progress(200);
    await writer.stop();
    await cluster.returned(follower, pid);
    await storeAgrees(etcdctl);
  });

  it("up's kubeconfig outlives each member: kubectl goes on, its watch is cut at once and begun again (issue 6, row 30)", async () => {
    const namespace = 'default';
    const seen = new Set<string>();
    let stopped = false;
    let child: ReturnType<Kubectl['start']> | undefined;
    // As a person does, and every informer: again when the connection ends.
    const watching = (async () => {
      while (!stopped) {
        child = kubectl.start([
          'get',
          'configmaps',
          '-n',
          namespace,
          '--watch',
          '-o',
          'jsonpath={.metadata.name}{"\\n"}',
        ]);
        await child.ended();
        for (const name of child.stdout.split('\n')) seen.add(name);
      }
    })();
    // kubectl does not send a POST again by itself: one that was under way at the member that died is the person's to
    // repeat.
    const created = (name: string) =>
      until(
        `configmap ${name}`,
        async () => {
          const { code, stderr } = await kubectl.run(['create', 'configmap', name, '-n', namespace]);
          return code === 0 || stderr.includes('already exists');
        },
        { timeout_ms: 10_000, interval_ms: 100 },
      );
    let made = 0;
    for (const { name } of cluster.state().members) {
      const pid = await cluster.kill(name);
      for (let i = 0; i < 5; i++) await created(`front-${made++}`);
      await cluster.returned(name, pid);
      await kubectl.ok(['get', 'configmaps', '-n', namespace]);
    }
    const last = `front-${made - 1}`;
    await until(
      `the watch shows ${last}`,
      async () => child?.stdout.split('\n').includes(last) === true || seen.has(last),
      { timeout_ms: 20_000 },
    );
    stopped = true;
    await child?.stop('SIGTERM');
    await watching;
    for (let i = 0; i < made; i++) expect(seen).toContain(`front-${i}`);
    const { stdout } = await navarch(['status', '--data-dir', cluster.dataDir]);
    for (const { name } of cluster.state().members)
      expect(stdout).toMatch(new RegExp(`^  ${name}: \\d+ times?, last after killed by SIGKILL`, 'm'));
  });

  it("8: @kubernetes/client-node lists, creates, patches, deletes, and watches through a member's death", () =>
    clientNodeThroughDeath({
      kubeconfig: cluster.kubeconfig,
      client,
      // The kubeconfig names the front: whichever member the client reached, it must not care.
      async dies() {
        const member = await cluster.leader();
        const pid = await cluster.kill(member);
        return async () => void (await cluster.returned(member, pid));
      },
    }));
});
