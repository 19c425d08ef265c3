/**
 * The walk of docs/contributing/volume.md, done with a small claim volume: one plugin, one row in the agent's table of
 * plugins, and rows in the table of node objects. Nothing else of the agent, nodelink or the protocol knows of it.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { persistentVolumeClaims, persistentVolumes, pods } from '../../apimachinery/gen/resources.js';
import type { PersistentVolume, PersistentVolumeClaim, Pod } from '../../apimachinery/gen/types.js';
import { NODE_OBJECTS } from '../../apimachinery/node-objects/table.js';
import type { NodeObjectTable } from '../../apimachinery/node-objects/table.js';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { systemRandom } from '../../platform/random.js';
import { NodeServiceClient } from '../../proto/gen/navarch/node/v1/node.js';
import type { KindNames, SessionResponse } from '../../proto/gen/navarch/node/v1/node.js';
import { createAgent } from '../agent/agent.js';
import { ConfigError } from '../agent/pod-spec/env.js';
import { HollowRuntime } from '../agent/runtime/hollow.js';
import { HostVolumes } from '../agent/volumes/host-volumes.js';
import type { VolumePlugin } from '../agent/volumes/plugin.js';
import { VOLUME_PLUGINS } from '../agent/volumes/plugins/index.js';
import { startMember, testApi } from './test-cluster.js';
import type { TestApi, TestMember } from './test-cluster.js';

const TABLE: NodeObjectTable = {
  kinds: [
    ...NODE_OBJECTS.kinds,
    {
      resource: persistentVolumeClaims,
      onDisk: true,
      refersTo: ({ spec }: PersistentVolumeClaim) => [{ kind: 'PersistentVolume', name: spec?.volumeName }],
    },
    { resource: persistentVolumes, onDisk: true },
  ],
  volumes: {
    ...NODE_OBJECTS.volumes,
    persistentVolumeClaim: ({ claimName }) => [{ kind: 'PersistentVolumeClaim', name: claimName }],
  },
};

/** The volume's directory holds the name of what it uses, for the release. */
const claimPlugin: VolumePlugin<'persistentVolumeClaim'> = {
  type: 'persistentVolumeClaim',
  async prepare({ pod, source: { claimName }, path, sources }) {
    const namespace = pod.metadata?.namespace ?? '';
    const claim: PersistentVolumeClaim | undefined = sources.object({
      kind: 'PersistentVolumeClaim',
      namespace,
      name: claimName,
    });
    const name = claim?.spec?.volumeName ?? '';
    const volume: PersistentVolume | undefined = sources.object({ kind: 'PersistentVolume', namespace: '', name });
    const hostPath = volume?.spec?.hostPath?.path;
    if (hostPath === undefined) throw new ConfigError(`persistentvolumeclaim "${claimName}" is not bound to a volume`);
    await mkdir(path, { recursive: true });
    await writeFile(join(hostPath, 'in-use'), claimName);
    await writeFile(join(path, name), '');
    return { hostPath, readOnly: false };
  },
  async release(path) {
    const used = existsSync(path) ? readdirSync(path) : [];
    for (const name of used) await rm(join(directory, name, 'in-use'), { force: true });
  },
};

let directory = '';
let api: TestApi;
let member: TestMember;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'navarch-claim-'));
  for (const name of ['pv1', 'pv2']) await mkdir(join(directory, name));
  api = testApi(TABLE);
  member = await startMember(api, 'm1', 'w1', []);
  stops.push(() => member.stop());
});
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
  rmSync(directory, { recursive: true, force: true });
});

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let attempt = 0; attempt < 2400; attempt++) {
    if (await holds()) return;
    await systemClock.sleep(25);
  }
  throw new Error(`timed out waiting for ${what}`);
}

const ref = (name: string) => ({ namespace: 'default', name });
const podOf = (name: string, claimName: string): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: ref(name),
  spec: {
    nodeName: 'w1',
    containers: [{ name: 'web', image: 'web:1', volumeMounts: [{ name: 'v', mountPath: '/data' }] }],
    volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }],
  },
});
const claimOf = (volumeName: string): PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: ref('data'),
  spec: { volumeName },
});

async function createVolumes(): Promise<void> {
  for (const name of ['pv1', 'pv2']) {
    const spec = { hostPath: { path: join(directory, name) } };
    await api.client.create(persistentVolumes, {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name },
      spec,
    });
  }
}

/** What a member sends to a worker that takes `kinds`: lines in the order in which they came. */
async function listen(kinds: KindNames | undefined): Promise<string[]> {
  const client = new NodeServiceClient(member.endpoint, credentials.createInsecure());
  const call = client.session();
  const seen: string[] = [];
  call.on('error', () => undefined);
  call.on('data', ({ message }: SessionResponse) => {
    if (message?.$case === 'configObject')
      seen.push(`${message.value.kindName ?? '?'} ${message.value.namespace}/${message.value.name}`);
    if (message?.$case === 'configGone') seen.push(`gone ${message.value.name}`);
    if (message?.$case === 'podSpec') seen.push('pod');
    if (message?.$case === 'synced') seen.push('synced');
  });
  stops.push(() => {
    call.cancel();
    client.close();
    return Promise.resolve();
  });
  call.write({ message: { $case: 'hello', value: { nodeName: 'w1', agentVersion: 'test' } } });
  call.write({ message: { $case: 'role', value: { primary: true, revision: '0', known: [], kinds } } });
  await until('all to be sent', () => seen.includes('synced'));
  return seen;
}

describe('a type of volume that only its plugin and the tables know', () => {
  it('waits for its claim, is prepared when that is bound, and released with its pod', async () => {
    const volumes = new HostVolumes({
      dataDir: directory,
      logRoot: join(directory, 'logs'),
      random: systemRandom,
      plugins: [...VOLUME_PLUGINS, claimPlugin],
    });
    const agent = createAgent({
      nodeName: 'w1',
      memberEndpoints: [member.endpoint],
      runtime: new HollowRuntime({ clock: systemClock, podCIDR: () => '10.244.1.0/24' }),
      nodeIP: '192.0.2.1',
      clusterDNS: '10.96.0.10',
      volumes,
      objects: TABLE,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    stops.push(() => agent.stop());
    await agent.start();
    await createVolumes();
    await api.client.create(pods, podOf('a', 'data'));
    const status = async () => (await api.client.get(pods, ref('a'))).status;
    await until(
      'the reason',
      async () =>
        (await status())?.containerStatuses?.[0]?.state?.waiting?.message?.includes('"data" is not bound') === true,
    );
    await api.client.create(persistentVolumeClaims, claimOf('pv1'));
    await until('the pod to run', async () => (await status())?.phase === 'Running');
    expect([existsSync(join(directory, 'pv1', 'in-use')), existsSync(join(directory, 'pv2', 'in-use'))]).toEqual([
      true,
      false,
    ]);
    await api.client.delete(pods, ref('a'), { gracePeriodSeconds: 0 });
    await until('the release', () => !existsSync(join(directory, 'pv1', 'in-use')));
  });

  it("gives its node its claim and that claim's volume to read, no others, and takes back what the claim left", async () => {
    await createVolumes();
    await api.client.create(persistentVolumeClaims, claimOf('pv1'));
    await api.client.create(pods, podOf('a', 'data'));
    const seen = await listen({ names: TABLE.kinds.map(({ resource }) => resource.kind) });
    expect(seen).toEqual(['PersistentVolumeClaim default/data', 'PersistentVolume /pv1', 'pod', 'synced']);
    await api.client.patch(persistentVolumeClaims, ref('data'), {
      type: 'merge',
      body: { spec: { volumeName: 'pv2' } },
    });
    await until('the change', () => seen.includes('gone pv1'));
    expect(seen.slice(4)).toEqual(['PersistentVolumeClaim default/data', 'PersistentVolume /pv2', 'gone pv1']);
  });

  it('is kept from a worker that does not say it takes the kinds: an older one would take them for ConfigMaps', async () => {
    await createVolumes();
    await api.client.create(persistentVolumeClaims, claimOf('pv1'));
    await api.client.create(pods, podOf('a', 'data'));
    expect(await listen(undefined)).toEqual(['pod', 'synced']);
  });
});
