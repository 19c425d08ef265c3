/**
 * The scenario of a user with a whole cluster and hollow workers, in steps that know nothing of how the cluster came
 * about: members in one process, or servers on a store elsewhere. What containers alone can show is in the guestbook's
 * own scenario.
 */
import { expect, it } from 'vitest';
import { configMaps, namespaces, pods } from '../../apimachinery/gen/resources.js';
import { systemClock } from '../../platform/clock.js';
import type { Client } from '../../sdk/client.js';
import type { Etcdctl } from './etcdctl.js';
import { guestbookSteps, isReady, rolledOut, rolloutSteps, situation, webPods, IMAGE } from './guestbook.js';
import type { Kubectl } from './kubectl.js';
import { until } from './until.js';
import { WatchRecord } from './watch-record.js';
import { configMapValues, etcdctlWriter, keyValues, kubectlWriter, sdkWriter } from './writers.js';

export interface Place {
  readonly kubectl: Kubectl;
  /** The store behind the servers. */
  readonly etcdctl: Etcdctl;
  /** On all servers. */
  readonly client: Client;
  /** REST addresses. */
  readonly servers: readonly string[];
}

/** Something that dies at once, as by kill -9, and comes back with the state it had. */
export interface Victim {
  kill(): Promise<void>;
  /** Resolves when it is there again. */
  revive(): Promise<void>;
}

/** Two nodes, the guestbook, rollouts without a gap, the objects in the store. `place` is asked when a step runs. */
export function userSteps(place: () => Place): void {
  it('kubectl get nodes: two Ready with versions, addresses and capacity', async () => {
    const { kubectl } = place();
    const table = await kubectl.ok(['get', 'nodes', '-o', 'wide']);
    expect(table).toMatch(/^w1 +Ready +\S+ +\S+ +v1\.\d+\S* +127\.0\.0\.1/m);
    const { items } = await kubectl.json<{ items: { status: { capacity: Record<string, string> } }[] }>([
      'get',
      'nodes',
    ]);
    expect(items).toHaveLength(2);
    for (const { status } of items)
      expect(Object.keys(status.capacity)).toEqual(expect.arrayContaining(['cpu', 'memory', 'pods']));
    expect(await kubectl.ok(['version'])).toContain('Server Version: v1.36');
  });

  guestbookSteps(() => place().kubectl);

  it('set image and undo: never fewer than three pods that are ready', async () => {
    const { kubectl, client } = place();
    let fewest = 3;
    let watching = true;
    const observed = (async () => {
      while (watching)
        fewest = Math.min(
          fewest,
          (await client.list(pods, { namespace: 'default', labelSelector: 'tier=web' })).items.filter(isReady).length,
        );
    })();
    for (const [args, image] of [
      [['set', 'image', 'deployment/web', `web=${IMAGE.web2}`], IMAGE.web2],
      [['rollout', 'undo', 'deployment/web'], IMAGE.web1],
    ] as const) {
      await kubectl.ok(args);
      await rolledOut(kubectl, 'web');
      await until(
        'only new pods',
        async () => (await webPods(kubectl)).every((pod) => pod.spec?.containers[0]?.image === image),
        { show: () => situation(kubectl) },
      );
    }
    watching = false;
    await observed;
    expect(fewest).toBe(3);
  });

  rolloutSteps(() => place().kubectl);

  it('etcdctl get /registry shows the objects', async () => {
    const keys = (await place().etcdctl.ok(['get', '/registry', '--prefix', '--keys-only'])).split('\n');
    expect(keys).toEqual(
      expect.arrayContaining([
        '/registry/deployments/default/web',
        '/registry/configmaps/default/guestbook',
        '/registry/minions/w1',
      ]),
    );
  });
}

export interface DeathOptions {
  /** Who dies: in the step's name, and in the names of what is written. */
  readonly who: string;
  readonly victim: () => Promise<Victim>;
  /** The longest time that the SDK may be without an acknowledged write. */
  readonly gap_ms_max: number;
}

/** Writers by kubectl, the SDK and etcdctl, and a watch, through a death and a return. */
export function deathStep(place: () => Place, { who, victim, gap_ms_max }: DeathOptions): void {
  it(`${who} dies during writes: nothing acknowledged is lost, watches have no gap, members of the store agree`, async () => {
    const { kubectl, etcdctl, client, servers } = place();
    const namespace = `writes-${who.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
    const keyPrefix = `/${namespace}/`;
    await client.create(namespaces, { metadata: { name: namespace } });
    const { metadata } = await client.list(configMaps, { namespace });
    const watch = new WatchRecord(client, namespace, metadata.resourceVersion ?? '');
    const writers = [
      kubectlWriter(kubectl, { namespace, servers }),
      sdkWriter(client, { namespace }),
      etcdctlWriter(etcdctl, { keyPrefix }),
    ] as const;
    const [byKubectl, bySdk, byEtcdctl] = writers;
    await Promise.all(writers.map((writer) => writer.progress(3)));
    const dying = await victim();
    const killed_ms = systemClock.monotonic();
    await dying.kill();
    await Promise.all(writers.map((writer) => writer.progress(5, 60_000)));
    await dying.revive();
    await Promise.all(writers.map((writer) => writer.progress(3)));
    await Promise.all(writers.map((writer) => writer.stop()));
    const found = await configMapValues(kubectl, namespace);
    expect([byKubectl.lost(found), bySdk.lost(found), byEtcdctl.lost(await keyValues(etcdctl, keyPrefix))]).toEqual([
      [],
      [],
      [],
    ]);
    expect(bySdk.longestGap(killed_ms)).toBeLessThan(gap_ms_max);

    const created = [...found.keys()].filter((name) => name !== 'kube-root-ca.crt');
    await until('the watch to have seen all', () => created.every((name) => watch.added.includes(name)));
    await watch.stop();
    expect(watch.added.filter((name) => name !== 'kube-root-ca.crt').toSorted()).toEqual(created.toSorted());
    expect(watch.versions).toEqual(watch.versions.toSorted((a, b) => a - b));
    await storeAgrees(etcdctl);
  });
}

/** Every member of the store gives the same hash at the same revision. */
export async function storeAgrees(etcdctl: Etcdctl): Promise<void> {
  const before = await until('all members of the store to answer', () => etcdctl.status());
  const revision = Math.max(...before.map(({ Status }) => Status.header.revision));
  await until(
    'all members of the store to have caught up',
    async () => (await etcdctl.status()).every(({ Status }) => Status.header.revision >= revision),
    { timeout_ms: 30_000 },
  );
  const hashes = await etcdctl.hashes(revision);
  expect(hashes).toHaveLength(before.length);
  expect(new Set(hashes.map(({ HashKV }) => `${HashKV.hash} ${HashKV.compact_revision ?? 0}`)).size).toBe(1);
}
