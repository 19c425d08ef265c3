/**
 * The whole scenario in one process: `startCluster` with three members and two hollow workers, real TLS and gRPC on
 * loopback, and the real kubectl and etcdctl where this machine has them (point 7 of the scenario; the containers' own
 * traffic is not in it).
 */
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemExecutor } from '../platform/exec.js';
import { startCluster, type Cluster } from '../testing/index.js';
import { Etcdctl } from './lib/etcdctl.js';
import { deleteGuestbook, isReady, situation, webPods } from './lib/guestbook.js';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { missing } from './lib/requirements.js';
import { deathStep, userSteps, type Place } from './lib/scenario.js';
import { until } from './lib/until.js';
import { CLI } from './lib/up-cluster.js';

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
    const files = {
      ca: join(directory, 'ca.crt'),
      certificate: join(directory, 'admin.crt'),
      key: join(directory, 'admin.key'),
    };
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

  const place = (): Place => ({
    kubectl,
    etcdctl,
    client: cluster.client,
    servers: cluster.members.map(({ api }) => api),
  });

  userSteps(place);

  it('a worker falls silent: its pods run elsewhere; it returns and cleans up', async () => {
    const [, second] = cluster.nodes;
    await second?.stop();
    await until('w2 to be NotReady', async () => /^w2 +NotReady/m.test(await kubectl.ok(['get', 'nodes'])));
    await until(
      'three ready pods on w1',
      async () => (await webPods(kubectl)).filter((pod) => isReady(pod) && pod.spec?.nodeName === 'w1').length === 3,
      { timeout_ms: 60_000, show: () => situation(kubectl) },
    );
    await second?.start();
    await cluster.whenNodesReady();
    await until('no pod left that is being deleted', async () => (await webPods(kubectl)).length === 3, {
      timeout_ms: 60_000,
      show: () => situation(kubectl),
    });
  });

  deathStep(place, {
    who: 'the leader',
    gap_ms_max: 10_000,
    async victim() {
      const leading = (await etcdctl.status()).find(
        ({ Status }) => Status.leader === Status.header.member_id,
      )?.Endpoint;
      const leader = cluster.members.find(({ grpc }) => grpc === leading);
      return { kill: async () => leader?.kill(), revive: async () => leader?.start() };
    },
  });

  it('kubectl delete takes everything with it', () => deleteGuestbook(kubectl));
});
