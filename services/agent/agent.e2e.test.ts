/**
 * The agent against a real containerd: needs root, containerd, runc, the CNI plugins and busybox-static. It runs in a
 * network namespace of its own, without a route to the outside: the file starts itself again in there.
 */
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../apimachinery/gen/types.js';
import { configMaps, events, nodes, pods, secrets } from '../../apimachinery/gen/resources.js';
import type { PodStreamInput, PodStreamRequest } from '../../apimachinery/pod-streams.js';
import { systemClock } from '../../platform/clock.js';
import { createLogger } from '../../platform/log.js';
import { systemRandom } from '../../platform/random.js';
import { missingForContainerd, startContainerd } from '../../testing/containerd.js';
import type { Containerd } from '../../testing/containerd.js';
import { isInNetns, runInNetns } from '../../testing/netns.js';
import { buildBusyboxImage, buildPauseImage } from '../../platform/images/busybox.js';
import { startMember, testApi } from '../nodelink/test-cluster.js';
import type { TestMember } from '../nodelink/test-cluster.js';
import { createAgent } from './agent.js';
import type { Agent } from './agent.js';
import { CriRuntime } from './runtime/cri/cri-runtime.js';
import { HostVolumes } from './volumes/host-volumes.js';
import { VOLUME_PLUGINS } from './volumes/plugins/index.js';

const missing = missingForContainerd('agent.e2e');
const IMAGE = 'example.test/busybox:1';
const PAUSE = 'example.test/pause:1';
const api = testApi();
let directory = '';
let containerd: Containerd | undefined;
let member: TestMember | undefined;
let agent: Agent | undefined;

async function startAgent(): Promise<Agent> {
  const logger = createLogger('agent', { level: 'warn', file: join(directory, 'agent.log') });
  const started = createAgent({
    nodeName: 'w1',
    memberEndpoints: [member?.endpoint ?? ''],
    nodeIP: '127.0.0.1',
    clusterDNS: '10.96.0.10',
    dataDir: join(directory, 'agent'),
    runtime: new CriRuntime({ socket: containerd?.socket ?? '', clock: systemClock }),
    volumes: new HostVolumes({
      dataDir: join(directory, 'agent'),
      logRoot: join(directory, 'agent', 'logs'),
      random: systemRandom,
      plugins: VOLUME_PLUGINS,
    }),
    clock: systemClock,
    random: systemRandom,
    logger,
  });
  await started.start();
  return started;
}

async function until<T>(what: string, read: () => Promise<T | undefined | false>): Promise<T> {
  for (let attempt = 0; attempt < 600; attempt++) {
    const value = await read();
    if (value !== undefined && value !== false) return value;
    await systemClock.sleep(50);
  }
  throw new Error(`timed out waiting for ${what}`);
}

const ref = (name: string) => ({ namespace: 'default', name });
const get = (name: string) => api.client.get(pods, ref(name));
const shell = (script: string) => ['sh', '-c', script];
type Spec = Partial<NonNullable<Pod['spec']>>;
type Container = NonNullable<Pod['spec']>['containers'][number];

function create(name: string, container: Partial<Container>, spec: Spec = {}): Promise<Pod> {
  return api.client.create(pods, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'default', name },
    spec: {
      nodeName: 'w1',
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: IMAGE, command: shell('sleep 3600'), ...container }],
      ...spec,
    },
  });
}

async function collect(request: PodStreamRequest, inputs: readonly PodStreamInput[] = []): Promise<string> {
  const stream = await member?.nodelink.open('w1', request, { signal: new AbortController().signal });
  for (const input of inputs) await stream?.write(input);
  let text = '';
  for await (const frame of stream ?? [])
    text += frame.kind === 'exit' ? `[exit ${frame.code}]` : Buffer.from(frame.data).toString('utf8');
  return text;
}

function exec(
  pod: Pod,
  command: readonly string[],
  options: { stdin?: boolean; tty?: boolean; inputs?: readonly PodStreamInput[] } = {},
): Promise<string> {
  const { stdin = false, tty = false, inputs = [] } = options;
  return collect(
    {
      kind: 'exec',
      namespace: 'default',
      pod: pod.metadata?.name ?? '',
      uid: pod.metadata?.uid ?? '',
      container: 'main',
      command,
      stdin,
      stdout: true,
      stderr: true,
      tty,
    },
    inputs,
  );
}

function logs(
  pod: Pod,
  options: { previous?: boolean; tailLines?: number; timestamps?: boolean; follow?: boolean; container?: string } = {},
): Promise<string> {
  const { previous = false, timestamps = false, follow = false, container = 'main', tailLines } = options;
  return collect({
    kind: 'log',
    namespace: 'default',
    pod: pod.metadata?.name ?? '',
    uid: pod.metadata?.uid ?? '',
    container,
    follow,
    previous,
    timestamps,
    ...(tailLines === undefined ? {} : { tailLines }),
  });
}

const running = (name: string) =>
  until(`${name} to run`, async () => {
    const pod = await get(name);
    return pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ===
      true
      ? pod
      : undefined;
  });
const waiting = (name: string, reason: string) =>
  until(`${name} to wait with ${reason}`, async () => {
    const state = (await get(name)).status?.containerStatuses?.[0];
    return state?.state?.waiting?.reason === reason ? state : undefined;
  });
const gone = (name: string) =>
  until(`${name} to go`, () =>
    get(name).then(
      () => undefined,
      () => true,
    ),
  );

const outside = () =>
  describe.skipIf(missing.length > 0)('in a network namespace of its own', () => {
    it('runs pods on containerd', { timeout: 300_000 }, async () => {
      expect(await runInNetns('services/agent/agent.e2e.test.ts')).toBe('');
    });
  });

const inside = () =>
  describe('the agent on containerd', { timeout: 60_000 }, () => {
    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'navarch-agent-'));
      const image = await buildBusyboxImage(IMAGE, join(directory, 'busybox.tar'));
      const pause = await buildPauseImage(PAUSE, join(directory, 'pause.tar'));
      containerd = await startContainerd({
        directory,
        sandboxImage: PAUSE,
        images: [image, pause],
        podCIDR: '198.18.7.0/24',
        clock: systemClock,
      });
      member = await startMember(api, 'm1', 'w1', []);
      agent = await startAgent();
      await until('the node to be ready', async () => {
        const node = await api.client.get(nodes, { name: 'w1' }).catch(() => undefined);
        return node?.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
      });
    }, 60_000);

    afterAll(async () => {
      const all = await api.client.list(pods);
      for (const pod of all.items)
        await api.client.delete(pods, ref(pod.metadata?.name ?? ''), { gracePeriodSeconds: 0 });
      await systemClock.sleep(3000);
      await agent?.stop();
      await member?.stop();
      await containerd?.stop();
      await rm(directory, { recursive: true, force: true });
    }, 60_000);

    it('runs a pod with init container, variables, ConfigMap, Secret on tmpfs and emptyDir; logs and exec', async () => {
      await api.client.create(configMaps, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: ref('settings'),
        data: { greeting: 'hello', 'app.conf': 'one' },
      });
      await api.client.create(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: ref('keys'),
        data: { key: Buffer.from('s3cret').toString('base64') },
      });
      await create(
        'full',
        {
          command: shell('echo "$GREETING $(cat /shared/made) from $POD"; while :; do sleep 1; done'),
          env: [
            { name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'settings', key: 'greeting' } } },
            { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'BOTH', value: '$(GREETING)-$(POD)' },
          ],
          volumeMounts: [
            { name: 'shared', mountPath: '/shared' },
            { name: 'conf', mountPath: '/conf' },
            { name: 'keys', mountPath: '/keys' },
          ],
          resources: { limits: { memory: '64Mi', cpu: '500m' } },
        },
        {
          initContainers: [
            {
              name: 'first',
              image: IMAGE,
              command: shell('echo made-by-init > /shared/made'),
              volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
            },
          ],
          volumes: [
            { name: 'shared', emptyDir: {} },
            { name: 'conf', configMap: { name: 'settings' } },
            { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
          ],
        },
      );
      const pod = await running('full');
      expect(pod.status).toMatchObject({ phase: 'Running', qosClass: 'Burstable', hostIP: '127.0.0.1' });
      expect(pod.status?.podIP).toMatch(/^198\.18\.7\./);
      expect(pod.status?.initContainerStatuses?.[0]?.state?.terminated).toMatchObject({
        exitCode: 0,
        reason: 'Completed',
      });
      expect(await logs(pod)).toBe('hello made-by-init from full\n');
      expect(await logs(pod, { timestamps: true })).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z? ?/);
      expect(
        await exec(
          pod,
          shell('cat /keys/key /conf/greeting; echo; echo $BOTH; hostname; mount | grep -c "tmpfs on /keys"'),
        ),
      ).toBe('s3cret' + 'hello\nhello-full\nfull\n1\n[exit 0]');
      expect(await exec(pod, shell('cat /etc/resolv.conf'))).toContain(
        'search default.svc.cluster.local svc.cluster.local cluster.local',
      );
      expect(await exec(pod, shell('echo err >&2; exit 7'))).toBe('err\n[exit 7]');
      expect(
        await exec(pod, ['sh'], {
          stdin: true,
          tty: true,
          inputs: [
            { kind: 'resize', columns: 90, rows: 30 },
            { kind: 'stdin', data: Buffer.from('exit 3\n') },
          ],
        }),
      ).toContain('[exit 3]');
      const large = Buffer.alloc(3_000_000, 'x');
      const piped = await exec(pod, shell('cat | wc -c; echo done >&2'), {
        stdin: true,
        inputs: [
          { kind: 'stdin', data: large.subarray(0, 1_000_000) },
          { kind: 'stdin', data: large.subarray(1_000_000) },
          { kind: 'stdin-end' },
        ],
      });
      expect(piped).toContain('3000000\n');
      expect((await exec(pod, shell('head -c 5000000 /dev/zero'))).length).toBe(5_000_000 + '[exit 0]'.length);
      await api.client.patch(configMaps, ref('settings'), { type: 'merge', body: { data: { 'app.conf': 'two' } } });
      await until('the mounted ConfigMap to change', async () =>
        (await exec(pod, ['cat', '/conf/app.conf'])).startsWith('two'),
      );
      await api.client.delete(pods, ref('full'));
      await gone('full');
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(
        `${directory}/agent/pods/${pod.metadata?.uid ?? ''}`,
      );
    });

    it('restarts what fails with back-off, keeps the log of the last run, and says CrashLoopBackOff', async () => {
      await create('crash', { command: shell('echo run; exit 3') });
      const status = await waiting('crash', 'CrashLoopBackOff');
      expect(status.lastState?.terminated).toMatchObject({ exitCode: 3, reason: 'Error' });
      expect(status.restartCount).toBe(1);
      expect(status.state?.waiting?.message).toMatch(
        /^back-off 10s restarting failed container=main pod=crash_default\(/,
      );
      expect(await logs(await get('crash'), { previous: true })).toBe('run\n');
      await api.client.delete(pods, ref('crash'), { gracePeriodSeconds: 1 });
      await gone('crash');
    });

    it('reports OOMKilled, the termination message, and Succeeded and Failed phases', async () => {
      await create(
        'hungry',
        { command: ['tail', '-c', '200000000', '/dev/zero'], resources: { limits: { memory: '16Mi' } } },
        { restartPolicy: 'Never' },
      );
      await create(
        'said',
        { command: shell('printf "because" > /dev/termination-log; exit 1') },
        { restartPolicy: 'Never' },
      );
      await create('fine', { command: ['true'] }, { restartPolicy: 'OnFailure' });
      const ended = (name: string, phase: string) =>
        until(`${name} ${phase}`, async () => {
          const pod = await get(name);
          return pod.status?.phase === phase ? pod : undefined;
        });
      expect((await ended('said', 'Failed')).status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
        exitCode: 1,
        message: 'because',
      });
      expect((await ended('fine', 'Succeeded')).status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
        exitCode: 0,
        reason: 'Completed',
      });
      const hungry = await until('the hungry pod to end', async () => {
        const pod = await get('hungry');
        return pod.status?.containerStatuses?.[0]?.state?.terminated === undefined ? undefined : pod;
      });
      expect(hungry.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
        reason: 'OOMKilled',
        exitCode: 137,
      });
      for (const name of ['hungry', 'said', 'fine']) {
        await api.client.delete(pods, ref(name));
        await gone(name);
      }
    });

    it('says why an image cannot be had', async () => {
      await create('noimage', { image: 'registry.invalid/nope:1' });
      const status = await until('the reason', async () => {
        const found = (await get('noimage')).status?.containerStatuses?.[0];
        return found?.state?.waiting?.reason === 'ErrImagePull' || found?.state?.waiting?.reason === 'ImagePullBackOff'
          ? found
          : undefined;
      });
      expect(status.state?.waiting?.message).toContain('registry.invalid/nope:1');
      await waiting('noimage', 'ImagePullBackOff');
      const seen = await until('the event', async () =>
        (await api.client.list(events)).items
          .map((handle) => handle)
          .find((event) => JSON.stringify(event).includes('Failed to pull image')),
      );
      expect(seen).toBeDefined();
      await api.client.delete(pods, ref('noimage'));
      await gone('noimage');
    });

    it('gates readiness by an exec probe and restarts by a liveness probe', async () => {
      await create('probed', {
        command: shell('touch /tmp/alive; sleep 3600'),
        readinessProbe: { exec: { command: ['test', '-f', '/tmp/ready'] }, periodSeconds: 1, failureThreshold: 1 },
        livenessProbe: {
          exec: { command: ['test', '-f', '/tmp/alive'] },
          periodSeconds: 1,
          failureThreshold: 1,
          initialDelaySeconds: 1,
        },
      });
      const pod = await until('probed to run', async () => {
        const found = await get('probed');
        return found.status?.phase === 'Running' ? found : undefined;
      });
      expect(pod.status?.containerStatuses?.[0]?.ready).toBe(false);
      await exec(pod, ['touch', '/tmp/ready']);
      await running('probed');
      await exec(pod, ['rm', '/tmp/alive']);
      await until('the restart', async () => (await get('probed')).status?.containerStatuses?.[0]?.restartCount === 1);
      await api.client.delete(pods, ref('probed'));
      await gone('probed');
    });

    it('probes over HTTP and TCP, and forwards ports', async () => {
      await create('server', {
        command: shell('mkdir -p /www && echo served > /www/index.html && httpd -f -p 8080 -h /www'),
        ports: [{ name: 'http', containerPort: 8080 }],
        startupProbe: { tcpSocket: { port: 'http' }, periodSeconds: 1 },
        readinessProbe: { httpGet: { path: '/index.html', port: 'http' }, periodSeconds: 1 },
      });
      const pod = await running('server');
      const answer = await collect(
        { kind: 'port-forward', namespace: 'default', pod: 'server', uid: pod.metadata?.uid ?? '', port: 8080 },
        [{ kind: 'stdin', data: Buffer.from('GET /index.html HTTP/1.0\r\n\r\n') }],
      );
      expect(answer).toContain('served');
      await api.client.delete(pods, ref('server'));
      await gone('server');
    });

    it('adopts containers after it was killed, and cleans up pods that went away meanwhile', async () => {
      await create('kept', {});
      await create('dropped', {});
      const before = await running('kept');
      const dropped = await running('dropped');
      await agent?.stop();
      await api.client.delete(pods, ref('dropped'), { gracePeriodSeconds: 0 });
      agent = await startAgent();
      const runtime = new CriRuntime({ socket: containerd?.socket ?? '', clock: systemClock });
      await until(
        'the dropped pod to be cleaned away',
        async () => (await runtime.list(dropped.metadata?.uid)).sandboxes.length === 0,
      );
      await runtime.close();
      const after = await running('kept');
      expect(after.status?.containerStatuses).toEqual(before.status?.containerStatuses);
      expect(await exec(after, ['hostname'])).toBe('kept\n[exit 0]');
    });
  });

// The file is run twice: outside it starts itself inside.
if (isInNetns) inside();
else outside();
