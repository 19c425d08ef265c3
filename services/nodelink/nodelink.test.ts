import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { Lease, Node, Pod } from '../../apimachinery/gen/types.js';
import { configMaps, leases, nodes, pods, secrets } from '../../apimachinery/gen/resources.js';
import type { PodStream, PodStreamRequest } from '../../apimachinery/pod-streams.js';
import { apiErrors, isApiError } from '../../apimachinery/status.js';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { createSigningRequest } from '../../platform/pki/x509.js';
import { systemRandom } from '../../platform/random.js';
import { NodeServiceClient } from '../../proto/gen/navarch/node/v1/node.js';
import { createAgent, type Agent } from '../agent/agent.js';
import { FileCheckpoints } from '../agent/pod/checkpoints.js';
import { HollowRuntime } from '../agent/runtime/hollow.js';
import { startMember, testApi } from './test-cluster.js';
import type { TestApi, TestMember } from './test-cluster.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

async function until<T>(what: string, read: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (let attempt = 0; attempt < 2400; attempt++) {
    const value = await read();
    if (value !== undefined && value !== false) return value;
    await systemClock.sleep(25);
  }
  throw new Error(`timed out waiting for ${what}`);
}

async function members(api: TestApi, count: number): Promise<TestMember[]> {
  const endpoints: string[] = [];
  const started: TestMember[] = [];
  for (let i = 1; i <= count; i++) {
    const member = await startMember(api, `m${i}`, 'w1', endpoints);
    started.push(member);
    stops.push(() => member.stop());
  }
  return started;
}

async function worker(
  endpoints: readonly string[],
  podCIDR: (agent: Agent) => string | undefined = () => '10.244.1.0/24',
) {
  const runtime = new HollowRuntime({ clock: systemClock, podCIDR: () => podCIDR(agent) });
  const agent: Agent = createAgent({
    nodeName: 'w1',
    memberEndpoints: endpoints,
    runtime,
    nodeIP: '192.0.2.1',
    clusterDNS: '10.96.0.10',
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
  });
  stops.push(() => agent.stop());
  await agent.start();
  return { agent, runtime };
}

const podOf = (name: string, spec: Partial<NonNullable<Pod['spec']>> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { namespace: 'default', name },
  spec: { nodeName: 'w1', containers: [{ name: 'web', image: 'example.test/web:1' }], ...spec },
});
const ref = (name: string) => ({ namespace: 'default', name });
const phase = (api: TestApi, name: string, wanted: string) =>
  until(`${name} ${wanted}`, async () => {
    const pod = await api.client.get(pods, ref(name));
    return pod.status?.phase === wanted ? pod : undefined;
  });

async function textOf(stream: PodStream): Promise<string> {
  let text = '';
  for await (const frame of stream)
    text += frame.kind === 'exit' ? `[exit ${frame.code}]` : Buffer.from(frame.data).toString('utf8');
  return text;
}

const execOf = (pod: Pod, command: string[], stdin = false): PodStreamRequest => ({
  kind: 'exec',
  namespace: 'default',
  pod: pod.metadata?.name ?? '',
  uid: pod.metadata?.uid ?? '',
  container: 'web',
  command,
  stdin,
  stdout: true,
  stderr: true,
  tty: false,
});

describe('a worker with a hollow runtime', () => {
  it('makes its Node and Lease, runs a pod to Ready, and ends it', async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    await worker([member?.endpoint ?? '']);
    const node = await until<Node>('the node', () =>
      api.client.get(nodes, { name: 'w1' }).then(
        (found) => (found.status?.conditions === undefined ? undefined : found),
        () => undefined,
      ),
    );
    expect(node.status?.conditions?.find((condition) => condition.type === 'Ready')?.status).toBe('True');
    expect(node.status?.addresses).toContainEqual({ type: 'InternalIP', address: '192.0.2.1' });
    const lease = await until<Lease>('the lease', () =>
      api.client.get(leases, { namespace: 'kube-node-lease', name: 'w1' }).catch(() => undefined),
    );
    expect(lease.spec?.holderIdentity).toBe('w1');

    await api.client.create(pods, podOf('a'));
    const running = await phase(api, 'a', 'Running');
    expect(running.status?.podIP).toMatch(/^10\.244\.1\./);
    expect(running.status?.conditions?.find((condition) => condition.type === 'Ready')?.status).toBe('True');
    expect(running.status?.containerStatuses?.[0]).toMatchObject({ ready: true, started: true, restartCount: 0 });

    await api.client.delete(pods, ref('a'));
    await until('the end of the pod', () =>
      api.client.get(pods, ref('a')).then(
        () => undefined,
        () => true,
      ),
    );
  });

  it('a tunnel that fails in our own code is told so, and the session lives (issue 6 row 27)', async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    const { runtime } = await worker([member?.endpoint ?? '']);
    await api.client.create(pods, podOf('a'));
    const pod = await phase(api, 'a', 'Running');
    const open = (command: string) =>
      member?.nodelink.open('w1', execOf(pod, [command]), { signal: new AbortController().signal });
    const honest = runtime.openExec.bind(runtime);
    runtime.openExec = () => {
      throw new Error('our mistake');
    };
    await expect(open('x')).rejects.toThrow('our mistake');
    runtime.openExec = async (id, request, signal) => {
      const stream = await honest(id, request, signal);
      return {
        write: (input) => stream.write(input),
        close: () => stream.close(),
        [Symbol.asyncIterator]: () => {
          throw new Error('our mistake');
        },
      };
    };
    const broken = await open('true');
    await expect(broken === undefined ? Promise.resolve('') : textOf(broken)).rejects.toThrow('our mistake');
    runtime.openExec = honest;
    expect(member?.nodelink.nodes()).toEqual(['w1']);
    const healthy = await open('hostname');
    expect(healthy === undefined ? '' : await textOf(healthy)).toContain('[exit 0]');
  });

  it("ends what is meant to end: init containers and tasks; runs images that are not root's; logs and attach end with them (issue 6, client-diffs)", async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    await worker([member?.endpoint ?? '']);
    const securityContext = { runAsNonRoot: true };
    await api.client.create(
      pods,
      podOf('job', {
        restartPolicy: 'Never',
        securityContext,
        initContainers: [{ name: 'init', image: 'example.test/init:1' }],
        containers: [{ name: 'web', image: 'example.test/job:1', command: ['echo', 'done'] }],
      }),
    );
    const running = await phase(api, 'job', 'Running');
    const log = await member?.nodelink.open(
      'w1',
      {
        kind: 'log',
        namespace: 'default',
        pod: 'job',
        uid: running.metadata?.uid ?? '',
        container: 'web',
        follow: true,
        previous: false,
        timestamps: false,
      },
      { signal: new AbortController().signal },
    );
    expect(log === undefined ? '' : await textOf(log)).toMatch(/\ndone\n.*exits with code 0\n$/s);
    const ended = await phase(api, 'job', 'Succeeded');
    expect(ended.status?.initContainerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 0,
      reason: 'Completed',
    });
    await api.client.create(
      pods,
      podOf('root', { securityContext, containers: [{ name: 'web', image: 'example.test/root/web:1' }] }),
    );
    await until(
      'the refusal of root',
      async () =>
        (await api.client.get(pods, ref('root'))).status?.containerStatuses?.[0]?.state?.waiting?.reason ===
        'CreateContainerConfigError',
    );
  });

  it('starts without members: its pods carry on from disk', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'navarch-agent-'));
    stops.push(() => rm(directory, { recursive: true }));
    const api = testApi();
    const [member] = await members(api, 1);
    const endpoint = member?.endpoint ?? '';
    const runtime = new HollowRuntime({ clock: systemClock });
    const start = async () => {
      const agent = createAgent({
        nodeName: 'w1',
        memberEndpoints: [endpoint],
        runtime,
        nodeIP: '192.0.2.1',
        clusterDNS: '',
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
        checkpoints: new FileCheckpoints({ directory, clock: systemClock, logger: silentLogger }),
      });
      await agent.start();
      return agent;
    };
    const first = await start();
    await api.client.create(pods, podOf('a'));
    await phase(api, 'a', 'Running');
    await first.stop();
    await member?.stop();
    const [{ id } = { id: '' }] = (await runtime.list()).containers;
    await runtime.stopContainer(id, 0);

    const second = await start();
    stops.push(() => second.stop());
    await until('the restart', async () =>
      (await runtime.list()).containers.some((record) => record.attempt === 1 && record.phase === 'running'),
    );
  });

  it('is ready once the cluster has given it a share of the pod network, and gives its pods addresses of that', async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    await api.client.create(pods, podOf('early'));
    await worker([member?.endpoint ?? ''], (agent) => agent.podCIDR());
    const readiness = async () =>
      (await api.client.get(nodes, { name: 'w1' }).catch(() => undefined))?.status?.conditions?.find(
        (condition) => condition.type === 'Ready',
      );
    expect(await until('the node', readiness)).toMatchObject({
      status: 'False',
      message: 'container runtime network not ready: the node has no share of the pod network yet',
    });
    await api.client.patch(
      nodes,
      { name: 'w1' },
      { type: 'merge', body: { spec: { podCIDR: '10.244.77.0/24', podCIDRs: ['10.244.77.0/24'] } } },
    );
    expect((await phase(api, 'early', 'Running')).status?.podIP).toMatch(/^10\.244\.77\./);
    await until('the node to be ready', async () => (await readiness())?.status === 'True');
  });

  it('is Ready again when it was taken for dead and is not', async () => {
    const api = testApi();
    const endpoints: string[] = [];
    const member = await startMember(api, 'm1', 'w1', endpoints, 100);
    stops.push(() => member.stop());
    await worker(endpoints);
    const readiness = async () =>
      (await api.client.get(nodes, { name: 'w1' })).status?.conditions?.find((condition) => condition.type === 'Ready')
        ?.status;
    await until('the node', async () => (await readiness().catch(() => undefined)) === 'True' || undefined);
    const node = await api.client.get(nodes, { name: 'w1' });
    const conditions = (node.status?.conditions ?? []).map((condition) => ({ ...condition, status: 'Unknown' }));
    await api.client.updateStatus(nodes, { ...node, status: { ...node.status, conditions } });
    await until('the node to be Ready again', async () => (await readiness()) === 'True' || undefined);
  });

  it('keeps conditions of others when it writes status', async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    const pod = await api.client.create(pods, podOf('a'));
    await api.client.updateStatus(pods, {
      ...pod,
      status: { conditions: [{ type: 'example.test/gate', status: 'True' }] },
    });
    await worker([member?.endpoint ?? '']);
    const running = await phase(api, 'a', 'Running');
    expect(running.status?.conditions).toContainEqual({ type: 'example.test/gate', status: 'True' });
  });

  it('says why a container waits for a ConfigMap, and starts it when that comes', async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    await worker([member?.endpoint ?? '']);
    await api.client.create(
      pods,
      podOf('a', {
        containers: [
          {
            name: 'web',
            image: 'web:1',
            env: [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'settings', key: 'x' } } }],
          },
        ],
      }),
    );
    const waiting = await until('the reason', async () =>
      (await api.client.get(pods, ref('a'))).status?.containerStatuses?.find(
        (status) => status.state?.waiting?.reason === 'CreateContainerConfigError',
      ),
    );
    expect(waiting.state?.waiting?.message).toBe('configmap "settings" not found');
    await api.client.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: ref('settings'),
      data: { x: 'from the map' },
    });
    const running = await phase(api, 'a', 'Running');
    const stream = await member?.nodelink.open('w1', execOf(running, ['env']), {
      signal: new AbortController().signal,
    });
    expect(stream === undefined ? '' : await textOf(stream)).toContain('X=from the map\n');
  });

  it('opens exec, log and port-forward through any member', async () => {
    const api = testApi();
    const [first, second] = await members(api, 2);
    await worker([first?.endpoint ?? '', second?.endpoint ?? '']);
    await api.client.create(pods, podOf('a'));
    const pod = await phase(api, 'a', 'Running');
    const { signal } = new AbortController();
    for (const member of [first, second]) {
      await until('a session', () => member?.nodelink.nodes().includes('w1'));
      await member?.nodelink.reach('w1');
      const exec = await member?.nodelink.open('w1', execOf(pod, ['hostname']), { signal });
      expect(exec && (await textOf(exec))).toBe('a\n[exit 0]');
    }
    const cat = await second?.nodelink.open('w1', execOf(pod, ['cat'], true), { signal });
    await cat?.write({ kind: 'stdin', data: Buffer.from('over and back') });
    await cat?.write({ kind: 'stdin-end' });
    expect(cat && (await textOf(cat))).toBe('over and back[exit 0]');
    const log = await first?.nodelink.open(
      'w1',
      {
        kind: 'log',
        namespace: 'default',
        pod: 'a',
        uid: pod.metadata?.uid ?? '',
        container: 'web',
        follow: false,
        previous: false,
        timestamps: false,
      },
      { signal },
    );
    expect(log && (await textOf(log))).toContain('web of a started');
    const refused = await first?.nodelink
      .open('w1', { ...execOf(pod, ['x']), container: 'nope' } as PodStreamRequest, { signal })
      .catch((error: unknown) => error);
    expect(isApiError(refused, 'BadRequest')).toBe(true);
    const unreachable = await first?.nodelink.reach('w9').catch((error: unknown) => error);
    expect(isApiError(unreachable, 'ServiceUnavailable')).toBe(true);
  });

  it('is not held up by a report that the API refuses, nor by one that fails for a moment', async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    await worker([member?.endpoint ?? '']);
    await until('the node', () =>
      api.client.get(nodes, { name: 'w1' }).then(
        () => true,
        () => undefined,
      ),
    );
    api.service.failNext('update', 'pods', apiErrors.badRequest('no'), 1);
    await api.client.create(pods, podOf('a'));
    await phase(api, 'a', 'Running');
    api.service.failNext('update', 'pods', apiErrors.serviceUnavailable('no quorum'), 1);
    await api.client.create(pods, podOf('b'));
    await phase(api, 'b', 'Running');
  });

  it('fails over at once when the primary goes, and restarts nothing', async () => {
    const api = testApi();
    const started = await members(api, 3);
    const { agent } = await worker(started.map((member) => member.endpoint));
    await api.client.create(pods, podOf('a'));
    const before = await phase(api, 'a', 'Running');
    await until('all sessions', () => started.every((member) => member.nodelink.nodes().includes('w1')));
    const primary = started.find((member) => member.endpoint === agent.primary());
    await primary?.stop();
    await until('another primary', () => agent.primary() !== undefined && agent.primary() !== primary?.endpoint);
    await api.client.create(pods, podOf('b'));
    await phase(api, 'b', 'Running');
    const after = await api.client.get(pods, ref('a'));
    expect(after.status?.containerStatuses).toEqual(before.status?.containerStatuses);
  });

  it('cleans up when pods went away while it was cut off', async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    const { runtime } = await worker([member?.endpoint ?? '']);
    await api.client.create(pods, podOf('a'));
    await phase(api, 'a', 'Running');
    await api.client.delete(pods, ref('a'), { gracePeriodSeconds: 0 });
    await until('nothing is left', async () => (await runtime.list()).sandboxes.length === 0);
  });
});

describe('what a worker may', () => {
  it('is sent its own pods and the Secrets they refer to, and no others', async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    await api.client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: ref('mine'), data: { a: 'YQ==' } });
    await api.client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: ref('other'), data: { a: 'YQ==' } });
    await api.client.create(
      pods,
      podOf('a', { containers: [{ name: 'web', image: 'x', envFrom: [{ secretRef: { name: 'mine' } }] }] }),
    );
    await api.client.create(pods, {
      ...podOf('b'),
      spec: { nodeName: 'w2', containers: [{ name: 'web', image: 'x', envFrom: [{ secretRef: { name: 'other' } }] }] },
    });
    const client = new NodeServiceClient(member?.endpoint ?? '', credentials.createInsecure());
    const call = client.session();
    const seen: string[] = [];
    const synced = new Promise<void>((resolve) => {
      call.on('data', ({ message }: { message?: { $case: string; value: { name?: string; pod?: Uint8Array } } }) => {
        if (message?.$case === 'configObject') seen.push(`config ${message.value.name ?? ''}`);
        if (message?.$case === 'podSpec')
          seen.push(
            `pod ${(JSON.parse(Buffer.from(message.value.pod ?? []).toString('utf8')) as Pod).metadata?.name ?? ''}`,
          );
        if (message?.$case === 'synced') resolve();
      });
      call.on('error', () => undefined);
    });
    call.write({ message: { $case: 'hello', value: { nodeName: 'w1', agentVersion: 'test' } } });
    call.write({ message: { $case: 'role', value: { primary: true, revision: '0', known: [], kinds: undefined } } });
    await synced;
    expect(seen).toEqual(['config mine', 'pod a']);
    call.cancel();
    client.close();
  });

  it("cannot write the status of another node's pod, nor remove a pod nobody deleted", async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    const other = await api.client.create(pods, { ...podOf('b'), spec: { nodeName: 'w2', containers: [] } });
    const own = await api.client.create(pods, podOf('a'));
    const client = new NodeServiceClient(member?.endpoint ?? '', credentials.createInsecure());
    const call = client.session();
    call.on('error', () => undefined);
    call.on('data', () => undefined);
    const uid = (pod: Pod) => ({ namespace: 'default', name: pod.metadata?.name ?? '', uid: pod.metadata?.uid ?? '' });
    call.write({ message: { $case: 'hello', value: { nodeName: 'w1', agentVersion: 'test' } } });
    call.write({ message: { $case: 'role', value: { primary: true, revision: '0', known: [], kinds: undefined } } });
    call.write({
      message: { $case: 'podReport', value: { ...uid(other), status: Buffer.from('{"phase":"Failed"}') } },
    });
    call.write({ message: { $case: 'podTerminated', value: uid(own) } });
    call.write({ message: { $case: 'podReport', value: { ...uid(own), status: Buffer.from('{"phase":"Running"}') } } });
    await phase(api, 'a', 'Running');
    expect((await api.client.get(pods, ref('b'))).status?.phase).toBeUndefined();
    call.cancel();
    client.close();
  });

  it("is refused with another node's name, a wrong token, and garbage", async () => {
    const api = testApi();
    const [member] = await members(api, 1);
    const client = new NodeServiceClient(member?.endpoint ?? '', credentials.createInsecure());
    const ended = (first: Parameters<ReturnType<typeof client.session>['write']>[0]) =>
      new Promise<string>((resolve) => {
        const call = client.session();
        call.on('data', () => undefined);
        call.on('error', (error) => resolve(error.message));
        call.write(first);
      });
    expect(await ended({ message: { $case: 'hello', value: { nodeName: 'w2', agentVersion: '' } } })).toContain(
      'the certificate is of node "w1"',
    );
    expect(await ended({ message: { $case: 'heartbeat', value: { sequence: 1 } } })).toContain('begins with Hello');
    const { request } = await createSigningRequest({ commonName: 'w9' });
    const register = (token: string, nodeName: string) =>
      new Promise<string>((resolve) => {
        client.register({ token, nodeName, csr: request }, (error, answer) =>
          resolve(error === null ? answer.certificate : error.message),
        );
      });
    expect(await register('bad', 'w9')).toContain('join token');
    expect(await register('good', '../../etc')).toContain('not a node name');
    expect(await register('good', 'w9')).toBe('certificate of w9');
    client.close();
  });
});
