/**
 * The whole scenario in one process: `startCluster` with three members and two hollow workers, real TLS and gRPC on loopback, and
 * the real kubectl and etcdctl where this machine has them (point 7 of the scenario; the containers' own traffic is not in it).
 */
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configMaps, namespaces, pods } from '../apimachinery/gen/resources.js';
import { systemClock } from '../platform/clock.js';
import { systemExecutor } from '../platform/exec.js';
import { startCluster, type Cluster } from '../testing/index.js';
import { Etcdctl } from './lib/etcdctl.js';
import { deleteGuestbook, guestbookSteps, isReady, rolledOut, rolloutSteps, situation, webPods, IMAGE } from './lib/guestbook.js';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { missing } from './lib/requirements.js';
import { until } from './lib/until.js';
import { CLI } from './lib/up-cluster.js';
import { configMapValues, etcdctlWriter, keyValues, kubectlWriter, sdkWriter } from './lib/writers.js';
import { WatchRecord } from './lib/watch-record.js';

describe('a script of a user', () => {
  it('gets its cluster, and ends when that is stopped: nothing else keeps its process alive', async () => {
    const script = `import { startCluster } from ${JSON.stringify(join(dirname(CLI), '..', 'testing', 'index.js'))};
      const cluster = await startCluster({ members: 3, nodes: 2 });
      console.log('ready');
      await cluster.stop();`;
    const result = await systemExecutor.run(process.execPath, ['--input-type=module', '-e', script]);
    expect([result.code, result.stdout]).toEqual([0, 'ready\n']);
  });
});

const lacking = missing('the scenario in one process', ['kubectl', 'etcdctl']);

describe.skipIf(lacking.length > 0)('the scenario in one process', () => {
  let cluster: Cluster;
  let kubectl: Kubectl;
  let etcdctl: Etcdctl;
  let directory = '';

  beforeAll(async () => {
    cluster = await startCluster({ members: 3, nodes: 2 });
    kubectl = new Kubectl(findKubectl() ?? '', await cluster.kubeconfig());
    directory = mkdtempSync(join(tmpdir(), 'navarch-e2e-'));
    const files = { ca: join(directory, 'ca.crt'), certificate: join(directory, 'admin.crt'), key: join(directory, 'admin.key') };
    await writeFile(files.ca, cluster.pki.clusterAuthority.certificate);
    await writeFile(files.certificate, cluster.admin.certificate);
    await writeFile(files.key, cluster.admin.privateKey, { mode: 0o600 });
    etcdctl = new Etcdctl({ endpoints: cluster.members.map(({ grpc }) => grpc), ...files });
  });

  afterAll(async () => {
    await kubectl?.close();
    await cluster?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('kubectl get nodes: two Ready with versions, addresses and capacity', async () => {
    const table = await kubectl.ok(['get', 'nodes', '-o', 'wide']);
    expect(table).toMatch(/^w1 +Ready +\S+ +\S+ +v1\.\d+\S* +127\.0\.0\.1/m);
    const { items } = await kubectl.json<{ items: { status: { capacity: Record<string, string> } }[] }>(['get', 'nodes']);
    expect(items).toHaveLength(2);
    for (const { status } of items) expect(Object.keys(status.capacity)).toEqual(expect.arrayContaining(['cpu', 'memory', 'pods']));
    expect(await kubectl.ok(['version'])).toContain('Server Version: v1.36');
  });

  guestbookSteps(() => kubectl);

  it('set image and undo: never fewer than three pods that are ready', async () => {
    let fewest = 3;
    let watching = true;
    const observed = (async () => {
      while (watching) fewest = Math.min(fewest, (await cluster.client.list(pods, { namespace: 'default', labelSelector: 'tier=web' })).items.filter(isReady).length);
    })();
    for (const [args, image] of [[['set', 'image', 'deployment/web', `web=${IMAGE.web2}`], IMAGE.web2], [['rollout', 'undo', 'deployment/web'], IMAGE.web1]] as const) {
      await kubectl.ok(args);
      await rolledOut(kubectl, 'web');
      await until('only new pods', async () => (await webPods(kubectl)).every((pod) => pod.spec?.containers[0]?.image === image), { show: () => situation(kubectl) });
    }
    watching = false;
    await observed;
    expect(fewest).toBe(3);
  });

  rolloutSteps(() => kubectl);

  it('etcdctl get /registry shows the objects', async () => {
    const keys = (await etcdctl.ok(['get', '/registry', '--prefix', '--keys-only'])).split('\n');
    expect(keys).toEqual(expect.arrayContaining(['/registry/deployments/default/web', '/registry/configmaps/default/guestbook', '/registry/minions/w1']));
  });

  it('a worker falls silent: its pods run elsewhere; it returns and cleans up', async () => {
    const [, second] = cluster.nodes;
    await second?.stop();
    await until('w2 to be NotReady', async () => /^w2 +NotReady/m.test(await kubectl.ok(['get', 'nodes'])));
    await until('three ready pods on w1', async () => (
      (await webPods(kubectl)).filter((pod) => isReady(pod) && pod.spec?.nodeName === 'w1').length === 3
    ), { timeout_ms: 60_000, show: () => situation(kubectl) });
    await second?.start();
    await cluster.whenNodesReady();
    await until('no pod left that is being deleted', async () => (await webPods(kubectl)).length === 3, { timeout_ms: 60_000, show: () => situation(kubectl) });
  });

  it('the leader dies during writes: nothing acknowledged is lost, watches have no gap, members agree', async () => {
    const namespace = 'writes';
    await cluster.client.create(namespaces, { metadata: { name: namespace } });
    const { metadata } = await cluster.client.list(configMaps, { namespace });
    const watch = new WatchRecord(cluster.client, namespace, metadata.resourceVersion ?? '');
    const writers = [
      kubectlWriter(kubectl, { namespace, servers: cluster.members.map(({ api }) => api) }), sdkWriter(cluster.client, { namespace }),
      etcdctlWriter(etcdctl, { keyPrefix: '/writes/' }),
    ];
    await Promise.all(writers.map((writer) => writer.progress(3)));
    const status = await etcdctl.status();
    const leading = status.find(({ Status }) => Status.leader === Status.header.member_id)?.Endpoint;
    const leader = cluster.members.find(({ grpc }) => grpc === leading);
    expect(leader).toBeDefined();
    const killed_ms = systemClock.monotonic();
    await leader?.kill();
    await Promise.all(writers.map((writer) => writer.progress(5)));
    await leader?.start();
    await Promise.all(writers.map((writer) => writer.progress(3)));
    await Promise.all(writers.map((writer) => writer.stop()));
    const [byKubectl, bySdk, byEtcdctl] = writers;
    const found = await configMapValues(kubectl, namespace);
    expect([byKubectl?.lost(found), bySdk?.lost(found), byEtcdctl?.lost(await keyValues(etcdctl, '/writes/'))]).toEqual([[], [], []]);
    expect(bySdk?.longestGap(killed_ms)).toBeLessThan(10_000);

    const created = [...found.keys()].filter((name) => name !== 'kube-root-ca.crt');
    await until('the watch to have seen all', () => created.every((name) => watch.added.includes(name)));
    await watch.stop();
    expect(watch.added.filter((name) => name !== 'kube-root-ca.crt').toSorted()).toEqual(created.toSorted());
    expect(watch.versions).toEqual(watch.versions.toSorted((a, b) => a - b));

    const { Status } = (await etcdctl.status())[0] ?? {};
    const hashes = await etcdctl.hashes(Status?.header.revision ?? 0);
    expect(hashes).toHaveLength(3);
    expect(new Set(hashes.map(({ HashKV }) => HashKV.hash)).size).toBe(1);
  });

  it('kubectl delete takes everything with it', () => deleteGuestbook(kubectl));
});
