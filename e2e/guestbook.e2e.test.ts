/**
 * The whole scenario with real containers: `navarch up` as root makes three members and two workers, each a host of its
 * own, and real kubectl and etcdctl do what a newcomer, an operator and bad luck would do (points 1, 2, 3, 5 and 6 of
 * the scenario).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Node, Pod } from '../apimachinery/gen/types.js';
import { systemExecutor } from '../platform/exec.js';
import { Asker } from './lib/asker.js';
import {
  deleteGuestbook,
  guestbookSteps,
  IMAGE,
  isReady,
  NODE_PORT,
  rolledOut,
  rolloutSteps,
  situation,
  webPods,
} from './lib/guestbook.js';
import { tracesOnMachine, WorkerHost } from './lib/host.js';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { showLogsOnFailure } from './lib/on-failure.js';
import { missing } from './lib/requirements.js';
import { sleep, until } from './lib/until.js';
import { navarch, killProcess, UpCluster } from './lib/up-cluster.js';

const lacking = missing('the scenario with containers', ['containers', 'kubectl', 'etcdctl']);

describe.skipIf(lacking.length > 0)('the scenario with containers', () => {
  let cluster: UpCluster;
  showLogsOnFailure(() => cluster);
  let kubectl: Kubectl;
  const workerURL = (index: number, path = '/') =>
    `http://${cluster.state().workers[index]?.address ?? ''}:${NODE_PORT}${path}`;

  async function ask(index: number, path: string, init: RequestInit = {}): Promise<string> {
    const response = await fetch(workerURL(index, path), {
      ...init,
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(5000),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return text;
  }

  beforeAll(async () => {
    cluster = await UpCluster.start({ name: 'guestbook', args: ['--node-grace', '8', '--default-toleration', '5'] });
    kubectl = new Kubectl(findKubectl() ?? '', cluster.kubeconfig);
  });

  afterAll(async () => {
    await kubectl?.close();
    await cluster?.stop();
  });

  it('1: up says what to type next, and a shell understands it', async () => {
    for (const hint of [
      'export KUBECONFIG=',
      'kubectl get nodes',
      'examples/guestbook.yaml',
      `down --data-dir ${cluster.dataDir}`,
    ])
      expect(cluster.output).toContain(hint);
    const [status = ''] = /^ {2}.* status --data-dir .*$/m.exec(cluster.output) ?? [];
    expect(await systemExecutor.run('sh', ['-c', status])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('MEMBER') as string,
    });
    expect(cluster.state().mode).toBe('hosts');
  });

  it('1: kubectl get nodes: two Ready with versions, addresses and capacity', async () => {
    const { items } = await kubectl.json<{ items: Node[] }>(['get', 'nodes']);
    expect(items.map((node) => node.metadata?.name)).toEqual(['w1', 'w2']);
    for (const [index, node] of items.entries()) {
      expect(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
      expect(node.status?.nodeInfo?.kubeletVersion).toMatch(/^v1\.36/);
      expect(node.status?.nodeInfo?.containerRuntimeVersion).toMatch(/^containerd:/);
      expect(node.status?.addresses).toContainEqual({
        type: 'InternalIP',
        address: cluster.state().workers[index]?.address,
      });
      expect(Number(node.status?.capacity?.['cpu'])).toBeGreaterThan(0);
    }
  });

  it('1: navarch status: three members, one leader', async () => {
    const { code, stdout } = await navarch(['status', '--data-dir', cluster.dataDir, '-o', 'json']);
    expect(code).toBe(0);
    const { members, nodes, commandLevels } = JSON.parse(stdout) as {
      members: { role: string; reachable: boolean }[];
      nodes: { status: string }[];
      commandLevels: { inForce: number; members: { name: string; understood: number }[] };
    };
    expect(commandLevels.members.map(({ name, understood }) => `${name} ${understood}`)).toEqual(
      ['m1', 'm2', 'm3'].map((name) => `${name} ${commandLevels.inForce}`),
    );
    expect(members.map(({ role }) => role).toSorted()).toEqual(['follower', 'follower', 'leader']);
    expect(nodes.map(({ status }) => status)).toEqual(['Ready', 'Ready']);
    expect((await navarch(['status', '--data-dir', cluster.dataDir])).stdout).toMatch(/^m1 +\S+ +(leader|follower)/m);
  });

  describe('2: the guestbook', () => guestbookSteps(() => kubectl));

  it('2: a request to the NodePort of either worker is answered by pods on both', async () => {
    for (const worker of [0, 1]) {
      const nodes = new Set<string>();
      for (let i = 0; i < 40; i++) nodes.add((JSON.parse(await ask(worker, '/whoami')) as { node: string }).node);
      expect([...nodes].toSorted()).toEqual(['w1', 'w2']);
    }
  });

  it('2: web reads its ConfigMap and Secret, and finds the backend by its name in DNS', async () => {
    await ask(0, '/', { method: 'POST', body: 'Kilroy was here' });
    expect(await ask(1, '/')).toMatch(
      /^Welcome to the guestbook\nWrite what you like, but be kind.\n\nweb 1, .*; backend backend-\S+ on w\d\n1 entries\n- Kilroy was here\n$/,
    );
    const response = await fetch(workerURL(0), { method: 'DELETE', headers: { 'x-admin-key': 'open sesame' } });
    expect(await response.text()).toBe('the key fits\n');
  });

  it('2: kubectl logs -f follows; kubectl exec -it -- sh has a terminal and gives back the exit code', async () => {
    const [pod] = await webPods(kubectl);
    const name = pod?.metadata?.name ?? '';
    const logs = kubectl.start(['logs', '-f', name]);
    await logs.prints(/web 1: listening/);
    const seen = logs.stdout.length;
    await fetch(`http://${cluster.state().workers[0]?.address ?? ''}:${NODE_PORT}/whoami`);
    const asker = new Asker([workerURL(0, '/whoami')], { perSecond: 20, keepAlive: false });
    await until('a new line', () => logs.stdout.slice(seen).includes('GET /whoami 200'));
    await asker.stop();
    await logs.stop();

    const shell = kubectl.startOnTerminal(['exec', '-it', name, '--', 'sh']);
    await shell.prints(/\$ /);
    shell.write('tty; id -u; exit 7\n');
    expect(await shell.ended()).toBe(7);
    expect(shell.stdout).toMatch(/\/dev\/pts\/\d+\r?\n65534/);
    const piped = await kubectl.run(['exec', '-i', name, '--', 'sh', '-c', 'cat; echo done >&2'], {
      stdin: 'through and back',
    });
    expect(piped).toEqual({ code: 0, stdout: 'through and back', stderr: 'done\n' });
  });

  it('6: etcdctl get /registry --prefix --keys-only shows the objects', async () => {
    const keys = (await cluster.etcd().ok(['get', '/registry', '--prefix', '--keys-only'])).split('\n');
    expect(keys).toEqual(
      expect.arrayContaining([
        '/registry/deployments/default/web',
        '/registry/secrets/default/guestbook',
        '/registry/minions/w2',
      ]),
    );
  });

  it('3: set image and undo: not one failed request while two clients ask ten times a second', async () => {
    const urls = [workerURL(0), workerURL(1)];
    const askers = [
      new Asker(urls, { perSecond: 10, keepAlive: false }),
      new Asker(urls, { perSecond: 10, keepAlive: true }),
    ];
    for (const [args, image, version] of [
      [['set', 'image', 'deployment/web', `web=${IMAGE.web2}`], IMAGE.web2, '2'],
      [['rollout', 'undo', 'deployment/web'], IMAGE.web1, '1'],
    ] as const) {
      await kubectl.ok(args);
      await rolledOut(kubectl, 'web', 90);
      await until(
        'only new pods',
        async () => {
          const pods = await webPods(kubectl);
          return pods.length === 3 && pods.every((pod) => pod.spec?.containers[0]?.image === image);
        },
        { show: () => situation(kubectl) },
      );
      expect((JSON.parse(await ask(0, '/whoami')) as { version: string }).version).toBe(version);
    }
    for (const asked of await Promise.all(askers.map((asker) => asker.stop()))) {
      expect(asked.failures).toEqual([]);
      expect(asked.count).toBeGreaterThan(50);
      expect([...asked.answers.keys()].some((text) => text.includes('web 2, '))).toBe(true);
    }
  });

  describe('3: a broken image', () => rolloutSteps(() => kubectl));

  it('5: kill -9 of an agent: containers live on and are adopted', async () => {
    const host = await WorkerHost.withAddress(cluster.state().workers[0]?.address ?? '');
    const identities = (pods: readonly Pod[]) =>
      pods.map((pod) => [
        pod.metadata?.name,
        pod.status?.podIP,
        pod.status?.containerStatuses?.map(({ containerID, restartCount }) => `${containerID} ${restartCount}`),
      ]);
    const [pods, containers] = [await webPods(kubectl), await host.containers()];
    expect(containers.size).toBeGreaterThan(1);
    // The Service's rules are the kernel's: they answer on. Names are answered by the agent, so what needs DNS waits
    // for it.
    const asker = new Asker([workerURL(0, '/whoami'), workerURL(1, '/whoami')], { perSecond: 10, keepAlive: false });
    const pid = await cluster.kill('w1');
    await cluster.returned('w1', pid);
    await until('the node to be Ready', async () => /^w1 +Ready/m.test(await kubectl.ok(['get', 'nodes'])));
    // It must be the new agent that serves this: a pod on its node is asked for something only an agent can do.
    const onFirst = pods.find((pod) => pod.spec?.nodeName === 'w1')?.metadata?.name ?? '';
    await until(
      'exec through the new agent',
      async () => (await kubectl.run(['exec', onFirst, '--', 'hostname'])).stdout.trim() === onFirst,
    );
    await sleep(2000);
    expect(identities(await webPods(kubectl))).toEqual(identities(pods));
    expect(await host.containers()).toEqual(containers);
    expect((await asker.stop()).failures).toEqual([]);
    await until(
      'names to be resolved again',
      async () => (await Promise.all(Array.from({ length: 8 }, () => ask(0, '/')))).length === 8,
    );
  });

  it('5: a worker cut off: NotReady, its pods run elsewhere; it returns and cleans up', async () => {
    const host = await WorkerHost.withAddress(cluster.state().workers[1]?.address ?? '');
    const before = await host.containers();
    await host.cutOff();
    try {
      await until('w2 to be NotReady', async () => /^w2 +NotReady/m.test(await kubectl.ok(['get', 'nodes'])), {
        timeout_ms: 40_000,
      });
      await until(
        'three ready pods on w1',
        async () => (await webPods(kubectl)).filter((pod) => isReady(pod) && pod.spec?.nodeName === 'w1').length === 3,
        { timeout_ms: 60_000, show: () => situation(kubectl) },
      );
      await until('the guestbook to answer', () => ask(0, '/'), { timeout_ms: 30_000 });
      expect([...(await host.containers()).keys()].toSorted()).toEqual([...before.keys()].toSorted());
    } finally {
      await host.connect();
    }
    await until('w2 to be Ready', async () => /^w2 +Ready/m.test(await kubectl.ok(['get', 'nodes'])), {
      timeout_ms: 40_000,
    });
    await until(
      'its old containers to be gone',
      async () => {
        const now = await host.containers();
        return [...before.keys()].every((id) => !now.has(id));
      },
      { timeout_ms: 60_000, show: () => situation(kubectl) },
    );
    await until(
      'four pods, none of them leaving',
      async () => (await kubectl.ok(['get', 'pods', '-o', 'name'])).trim().split('\n').length === 4,
      { show: () => situation(kubectl) },
    );
    expect((await ask(1, '/whoami')).length).toBeGreaterThan(0);
  });

  it('up again changes nothing; up after kill -9 of everything heals', async () => {
    const before = cluster.state();
    await cluster.again();
    expect(cluster.state().processes.map(({ id }) => id?.pid)).toEqual(before.processes.map(({ id }) => id?.pid));
    killProcess(before.supervisor.pid);
    for (const { id } of before.processes) if (id !== undefined) killProcess(id.pid);
    await cluster.again();
    await rolledOut(kubectl, 'web');
    await until(
      'both NodePorts to answer',
      async () => (await ask(0, '/')).includes('Welcome') && (await ask(1, '/')).includes('Welcome'),
      { timeout_ms: 30_000, show: () => situation(kubectl) },
    );
  });

  it('kubectl delete takes everything with it', () => deleteGuestbook(kubectl));

  it('down leaves no process, namespace, link, mount or table behind', async () => {
    const host = await WorkerHost.withAddress(cluster.state().workers[0]?.address ?? '');
    expect((await tracesOnMachine(cluster.dataDir, host)).length).toBeGreaterThan(10);
    await cluster.stop();
    expect(await tracesOnMachine(cluster.dataDir, host)).toEqual([]);
  });
});
