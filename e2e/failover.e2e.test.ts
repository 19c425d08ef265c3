/**
 * kill -9 of the leading member while kubectl, the SDK and etcdctl write and watch (point 4), and `@kubernetes/client-node`, a client
 * nobody here wrote, through a member's death (point 8). Members are processes on loopback, workers hollow: needs neither root nor
 * containers.
 */
import { CoreV1Api, KubeConfig, PatchStrategy, setHeaderOptions, Watch, type V1ConfigMap } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configMaps, namespaces } from '../apimachinery/gen/resources.js';
import { systemClock } from '../platform/clock.js';
import { isApiError } from '../apimachinery/status.js';
import type { Client } from '../sdk/client.js';
import type { Etcdctl } from './lib/etcdctl.js';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { showLogsOnFailure } from './lib/on-failure.js';
import { missing } from './lib/requirements.js';
import { sleep, until } from './lib/until.js';
import { UpCluster } from './lib/up-cluster.js';
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

  async function writtenEverywhere(): Promise<void> {
    const revision = Math.max(...(await until('all members to answer', () => etcdctl.status())).map(({ Status }) => Status.header.revision));
    await until('all members to have caught up', async () => (await etcdctl.status()).length === 3
      && (await etcdctl.status()).every(({ Status }) => Status.header.revision >= revision), { timeout_ms: 30_000 });
    const hashes = await etcdctl.hashes(revision);
    expect(hashes).toHaveLength(3);
    expect(new Set(hashes.map(({ HashKV }) => `${HashKV.hash} ${HashKV.compact_revision ?? 0}`)).size).toBe(1);
  }

  it('4: kill -9 of the leader, again and again, during writes: nothing acknowledged is lost, watches have no gap', async () => {
    const namespace = 'writes';
    await client.create(namespaces, { metadata: { name: namespace } });
    const { metadata } = await client.list(configMaps, { namespace });
    const watch = new WatchRecord(client, namespace, metadata.resourceVersion ?? '');
    const etcdWatch = etcdctl.start(['watch', '--prefix', '/writes/']);
    const writers = [
      kubectlWriter(kubectl, { namespace, servers: servers() }), sdkWriter(client, { namespace }), etcdctlWriter(etcdctl, { keyPrefix: '/writes/' }),
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
      await writtenEverywhere();
    }
    process.stderr.write(`failover: longest time without an acknowledged write of the SDK around kill -9 of the leader: ${gaps_ms.join(', ')} ms\n`);
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
    const puts = () => etcdWatch.stdout.split('\n').filter((line) => line.startsWith('/writes/')).map((key) => key.slice('/writes/'.length));
    await until('etcdctl watch to have seen all', () => puts().length >= keys.size);
    await etcdWatch.stop('SIGINT');
    expect(puts().toSorted()).toEqual([...keys.keys()].toSorted());
    await writtenEverywhere();
  });

  it('4: a follower that was dead for a while catches up', async () => {
    const leader = await cluster.leader();
    const follower = cluster.state().members.find(({ name }) => name !== leader)?.name ?? '';
    const pid = await cluster.kill(follower);
    const writer = sdkWriter(client, { namespace: 'default', prefix: 'while-away' });
    await writer.progress(200);
    await writer.stop();
    await cluster.returned(follower, pid);
    await writtenEverywhere();
  });

  it('8: @kubernetes/client-node lists, creates, patches, deletes, and watches through a member\'s death', async () => {
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const api = config.makeApiClient(CoreV1Api);
    const namespace = 'default';
    const { metadata } = await api.listNamespacedConfigMap({ namespace });

    const seen: string[] = [];
    let resourceVersion = metadata?.resourceVersion;
    let stopped = false;
    let abort = () => {};
    // As the client's informer does: resume from the last version when a connection ends.
    const watching = (async () => {
      while (!stopped) {
        await new Promise<void>((resolve) => {
          const onEvent = (type: string, object: V1ConfigMap) => {
            resourceVersion = object.metadata?.resourceVersion ?? resourceVersion;
            seen.push(`${type} ${object.metadata?.name ?? ''} ${object.data?.['step'] ?? ''}`);
          };
          new Watch(config).watch(`/api/v1/namespaces/${namespace}/configmaps`, { resourceVersion, labelSelector: 'test=client-node' }, onEvent, () => resolve())
            .then((controller) => { abort = () => controller.abort(); }, () => resolve());
        });
        await sleep(50);
      }
    })();

    const body = (name: string): V1ConfigMap => ({ metadata: { name, labels: { test: 'client-node' } }, data: { step: '1' } });
    await api.createNamespacedConfigMap({ namespace, body: body('client-node-a') });
    await until('the first event', () => seen.length === 1);
    // The member this client talks to dies; the supervisor starts it again.
    const address = config.getCurrentCluster()?.server;
    const member = cluster.state().members.find(({ api: url }) => url === address)?.name ?? '';
    const pid = await cluster.kill(member);
    // In the moment of the death the outcome of a write may be unknown: asked again, it has happened or happens now.
    await until('a write through another member', () => client.create(configMaps, {
      metadata: { name: 'client-node-b', namespace, labels: { test: 'client-node' } }, data: { step: '1' },
    }).then(() => true, (error: unknown) => isApiError(error, 'AlreadyExists')));
    await cluster.returned(member, pid);
    const patch = { name: 'client-node-a', namespace, body: { data: { step: '2' } } };
    await until('the member to answer', () => api.patchNamespacedConfigMap(patch, setHeaderOptions('Content-Type', PatchStrategy.MergePatch)));
    await api.deleteNamespacedConfigMap({ name: 'client-node-a', namespace });
    await until('the last event', () => seen.some((event) => event.startsWith('DELETED')));
    stopped = true;
    abort();
    await watching;
    expect(seen).toEqual(['ADDED client-node-a 1', 'ADDED client-node-b 1', 'MODIFIED client-node-a 2', 'DELETED client-node-a 2']);
    await expect(api.readNamespacedConfigMap({ name: 'client-node-a', namespace })).rejects.toMatchObject({ code: 404 });
    expect((await api.listNamespacedConfigMap({ namespace, labelSelector: 'test=client-node' })).items.map((item) => item.metadata?.name)).toEqual(['client-node-b']);
  });
});
