/**
 * The guestbook as a person meets it with kubectl: applied, looked at, rolled forward, rolled back, stalled by a broken
 * image. The same steps run against real containers and against hollow workers in one process; what only containers can
 * show is in the scenario of the former.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Deployment, Endpoints, EndpointSlice, Pod } from '../../apimachinery/gen/types.js';
import type { Kubectl } from './kubectl.js';
import { EXAMPLES } from './up-cluster.js';
import { until } from './until.js';

const MANIFEST = join(EXAMPLES, 'guestbook.yaml');
export const IMAGE = {
  web1: 'navarch.example/web:1',
  web2: 'navarch.example/web:2',
  broken: 'navarch.example/missing/web:3',
} as const;
export const NODE_PORT = 30_080;

interface Items<T> {
  readonly items: readonly T[];
}

export async function webPods(kubectl: Kubectl): Promise<readonly Pod[]> {
  return (await kubectl.json<Items<Pod>>(['get', 'pods', '-l', 'tier=web'])).items;
}

export const isReady = (pod: Pod) =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

/** For a message: what a person would look at first. */
export async function situation(kubectl: Kubectl): Promise<string> {
  const [pods, events] = await Promise.all([
    kubectl.run(['get', 'pods,deployments,nodes', '-o', 'wide']),
    kubectl.run(['get', 'events', '--sort-by', '.metadata.creationTimestamp']),
  ]);
  return `${pods.stdout}${pods.stderr}\n${events.stdout.split('\n').slice(-25).join('\n')}`;
}

export async function rolledOut(kubectl: Kubectl, deployment: string, timeout_s = 60): Promise<void> {
  const result = await kubectl.run(['rollout', 'status', `deployment/${deployment}`, `--timeout=${timeout_s}s`], {
    timeout_ms: (timeout_s + 10) * 1000,
  });
  if (result.code !== 0) throw new Error(`${result.stdout}${result.stderr}\n${await situation(kubectl)}`);
  expect(result.stdout).toContain(`deployment "${deployment}" successfully rolled out`);
}

/** Registers the steps; `kubectl` is asked when a step runs. */
export function guestbookSteps(kubectl: () => Kubectl): void {
  it('kubectl apply and rollout status: six objects, three web pods on both workers', async () => {
    const applied = await kubectl().ok(['apply', '-f', MANIFEST]);
    expect(
      applied
        .trim()
        .split('\n')
        .map((line) => line.split(' ').at(-1)),
    ).toEqual(Array(6).fill('created'));
    await rolledOut(kubectl(), 'backend');
    await rolledOut(kubectl(), 'web');
    const pods = await webPods(kubectl());
    expect(pods.filter(isReady)).toHaveLength(3);
    expect(new Set(pods.map((pod) => pod.spec?.nodeName)).size).toBe(2);
    expect(new Set(pods.map((pod) => pod.status?.podIP)).size).toBe(3);
  });

  it('kubectl apply again changes nothing', async () => {
    const applied = await kubectl().ok(['apply', '-f', MANIFEST]);
    expect(
      applied
        .trim()
        .split('\n')
        .map((line) => line.split(' ').at(-1)),
    ).toEqual(Array(6).fill('unchanged'));
    expect((await kubectl().run(['diff', '-f', MANIFEST])).code).toBe(0);
  });

  it('kubectl get all -o wide shows pods, services, deployments and replica sets', async () => {
    const all = await kubectl().ok(['get', 'all', '-o', 'wide']);
    for (const row of [
      /^pod\/web-\S+ +1\/1 +Running/m,
      /^service\/web +NodePort .*80:30080\/TCP/m,
      /^service\/backend +ClusterIP/m,
      /^deployment\.apps\/web +3\/3 +3 +3 /m,
      /^replicaset\.apps\/web-\S+ +3 +3 +3 /m,
    ])
      expect(all).toMatch(row);
  });

  it('kubectl describe pod tells its story', async () => {
    const [pod] = await webPods(kubectl());
    const text = await kubectl().ok(['describe', 'pod', pod?.metadata?.name ?? '']);
    for (const fact of [
      /^Status: +Running/m,
      /Controlled By: +ReplicaSet\/web-/,
      /GREETING: +<set to the key 'greeting' of config map 'guestbook'>/,
      /ADMIN_KEY: +<set to the key 'admin-key' in secret 'guestbook'>/,
      /Liveness: +http-get/,
      /Ready +True/,
      /Scheduled .*Successfully assigned default\/web-/,
    ]) {
      expect(text).toMatch(fact);
    }
    expect(text).not.toContain('open sesame');
  });

  it('kubectl get endpointslices and endpoints: the three web pods behind the Service', async () => {
    const { items } = await kubectl().json<Items<EndpointSlice>>([
      'get',
      'endpointslices',
      '-l',
      'kubernetes.io/service-name=web',
    ]);
    const addresses = items
      .flatMap((slice) => slice.endpoints ?? [])
      .filter((endpoint) => endpoint.conditions?.ready === true)
      .flatMap(({ addresses: list }) => list);
    const pods = await webPods(kubectl());
    expect(addresses.toSorted()).toEqual(pods.map((pod) => pod.status?.podIP ?? '').toSorted());
    await until(
      'Endpoints to follow',
      async () =>
        (await kubectl().json<Endpoints>(['get', 'endpoints', 'web'])).subsets
          ?.flatMap((subset) => subset.addresses ?? [])
          .map(({ ip }) => ip)
          .toSorted()
          .join() === addresses.toSorted().join(),
    );
  });
}

/**
 * set image, undo, a broken image: after the first steps. `during` runs while the rollouts do, and sees both their
 * beginnings.
 */
export function rolloutSteps(kubectl: () => Kubectl): void {
  it('set image to a broken one: the rollout stalls, the old pods stay, and the pod says why', async () => {
    await kubectl().ok(['set', 'image', 'deployment/web', `web=${IMAGE.broken}`]);
    const stalled = await until(
      'a pod that waits for its image',
      async () =>
        (await webPods(kubectl())).find((pod) =>
          /ErrImage|ImagePullBackOff/.test(pod.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? ''),
        ),
      { timeout_ms: 60_000, show: () => situation(kubectl()) },
    );
    expect((await webPods(kubectl())).filter(isReady)).toHaveLength(3);
    const status = await kubectl().run(['rollout', 'status', 'deployment/web', '--timeout=2s']);
    expect([status.code, status.stdout]).toEqual([
      1,
      expect.stringContaining('1 out of 3 new replicas have been updated'),
    ]);
    const text = await kubectl().ok(['describe', 'pod', stalled.metadata?.name ?? '']);
    expect(text).toContain(IMAGE.broken);
    expect(text).toMatch(/Warning +Failed/);
    const described = await kubectl().ok(['get', 'pods', '-l', 'tier=web']);
    expect(described).toMatch(/0\/1 +(ErrImagePull|ErrImageNeverPull|ImagePullBackOff)/);
  });

  it('rollout undo ends it', async () => {
    await kubectl().ok(['rollout', 'undo', 'deployment/web']);
    await rolledOut(kubectl(), 'web');
    await until('the broken pod to be gone', async () => (await webPods(kubectl())).length === 3, {
      show: () => situation(kubectl()),
    });
    const history = await kubectl().ok(['rollout', 'history', 'deployment/web']);
    expect(history.trim().split('\n').length).toBeGreaterThanOrEqual(4);
  });

  it('scale and delete', async () => {
    await kubectl().ok(['scale', 'deployment/web', '--replicas=5']);
    await rolledOut(kubectl(), 'web');
    await kubectl().ok(['scale', 'deployment/web', '--replicas=3']);
    await until('three web pods', async () => (await webPods(kubectl())).length === 3, {
      show: () => situation(kubectl()),
    });
    const web = await kubectl().json<Deployment>(['get', 'deployment', 'web']);
    expect(web.status?.readyReplicas).toBe(3);
  });
}

/** All of it goes, and what it owned goes with it. */
export async function deleteGuestbook(kubectl: Kubectl): Promise<void> {
  await kubectl.ok(['delete', '-f', MANIFEST, '--timeout=60s'], { timeout_ms: 90_000 });
  await until(
    'pods and replica sets to go',
    async () =>
      (await kubectl.ok(['get', 'pods,replicasets,endpoints,endpointslices', '-l', 'app=guestbook', '-o', 'name'])) ===
      '',
    { show: () => situation(kubectl) },
  );
}
