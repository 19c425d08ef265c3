/**
 * A worker in trouble, with real containers: its agent, its containerd and all members die under it; and what pods may
 * ask of it: tokens, parts of volumes, a look inside by an ephemeral container, its own port.
 */
import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mustRun, systemExecutor } from '../platform/exec.js';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { showLogsOnFailure } from './lib/on-failure.js';
import { missing } from './lib/requirements.js';
import { until } from './lib/until.js';
import { adminTls, killProcess, UpCluster } from './lib/up-cluster.js';

const lacking = missing('worker', ['kubectl', 'containers']);
const IMAGE = 'navarch.example/web:1';
const IDLE = 'setInterval(() => {}, 1000)';
/**
 * Ready by TCP and not by exec: whoever dies between an exec's creation and its start leaves containerd's shim (1.6)
 * waiting 30 s for the exec's pipes, and the shim says and does nothing else for the pod meanwhile.
 */
const STEADY = "require('net').createServer((socket) => socket.end()).listen(8080); console.log('up')";
const MEMBERS = ['m1', 'm2', 'm3'] as const;

interface PodJson {
  readonly status: {
    readonly phase?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly lastTransitionTime: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly containerID?: string;
      readonly restartCount: number;
      readonly state: {
        readonly waiting?: { readonly message: string };
        readonly terminated?: { readonly message?: string };
      };
    }[];
  };
}

describe.skipIf(lacking.length > 0)('a worker', () => {
  let cluster: UpCluster;
  showLogsOnFailure(() => cluster);
  let kubectl: Kubectl;

  beforeAll(async () => {
    cluster = await UpCluster.start({ name: 'worker' });
    kubectl = new Kubectl(findKubectl() ?? '', cluster.kubeconfig);
    await kubectl.ok(['create', 'configmap', 'settings', '--from-literal=greeting=hello']);
    await apply('steady', {
      script: STEADY,
      container: { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } },
    });
    await kubectl.ok(['wait', '--for=condition=Ready', 'pod/steady', '--timeout=60s']);
  });

  afterAll(async () => {
    for (const member of MEMBERS) if (cluster?.pidOf(member) !== undefined) await cluster.kill(member, 'SIGCONT');
    await kubectl?.close();
    await cluster?.stop();
  });

  async function apply(
    name: string,
    options: { readonly script?: string; readonly container?: object; readonly spec?: object },
  ): Promise<void> {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        nodeName: 'w1',
        terminationGracePeriodSeconds: 1,
        containers: [
          { name: 'c', image: IMAGE, command: ['node', '-e', options.script ?? IDLE], ...options.container },
        ],
        ...options.spec,
      },
    };
    await kubectl.ok(['apply', '-f', '-'], { stdin: JSON.stringify(pod) });
  }

  const pod = (name: string) => kubectl.json<PodJson>(['get', 'pod', name]);
  const node = (name: string, script: string) => kubectl.ok(['exec', name, '--', 'node', '-e', script]);
  const socketOf = () => `${cluster.dataDir}/w1`;
  const isReady = async () =>
    (await kubectl.ok(['get', 'node', 'w1', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'])) ===
    'True';

  /** Process ids by container id, as containerd of w1 has them. */
  async function tasks(): Promise<Map<string, number>> {
    const config = await mustRun(systemExecutor, 'cat', [`${socketOf()}/containerd.toml`]);
    const socket = /\/run\/navarch[^"']*w1\/containerd\.sock/.exec(config)?.[0] ?? '';
    const table = await mustRun(systemExecutor, 'ctr', ['--address', socket, '--namespace', 'k8s.io', 'task', 'list']);
    return new Map(
      table
        .trim()
        .split('\n')
        .slice(1)
        .map((line): [string, number] => {
          const [id = '', pid = '', status] = line.trim().split(/\s+/);
          return [id, status === 'RUNNING' ? Number(pid) : 0];
        }),
    );
  }

  const containerId = async (name: string) =>
    (await pod(name)).status.containerStatuses?.[0]?.containerID?.replace(/^.*:\/\//, '') ?? '';

  it('kill -9 of the agent: its pods stay as they are, and ready all the while', async () => {
    const before = await pod('steady');
    const old = await cluster.kill('w1');
    await cluster.returned('w1', old);
    await until(
      'the worker to be heard of again',
      async () => (await kubectl.run(['exec', 'steady', '--', 'true'])).code === 0,
    );
    expect((await pod('steady')).status).toEqual(before.status);
  });

  it('kill -9 of containerd: it is started again, and finds its containers', async () => {
    const before = await containerId('steady');
    const pid = (
      await mustRun(systemExecutor, 'pgrep', ['-f', `^containerd --config ${cluster.dataDir}/w1/containerd.toml`])
    ).trim();
    killProcess(Number(pid));
    await until('the containers to be found', async () => (await tasks()).get(before));
    await until('the node to be ready', isReady);
    await until('exec', async () => (await kubectl.run(['exec', 'steady', '--', 'true'])).code === 0);
    expect((await pod('steady')).status.containerStatuses?.[0]).toMatchObject({
      containerID: `containerd://${before}`,
      restartCount: 0,
    });
  });

  it('no member answers, and the agent starts: its pods are adopted, and one that ends runs again', async () => {
    const before = await containerId('steady');
    for (const member of MEMBERS) await cluster.kill(member, 'SIGSTOP');
    try {
      await cluster.returned('w1', await cluster.kill('w1'));
      killProcess(await until('its process', async () => [(await tasks()).get(before)].find((pid) => pid !== 0)));
      await until(
        'a container in its place',
        async () => {
          const running = [...(await tasks())].filter(([, pid]) => pid !== 0).map(([id]) => id);
          return running.length === 2 && !running.includes(before);
        },
        { show: async () => `${before} was killed; now ${JSON.stringify([...(await tasks())])}` },
      );
    } finally {
      for (const member of MEMBERS) await cluster.kill(member, 'SIGCONT');
    }
    await until(
      'the restart to be told',
      async () => (await pod('steady')).status.containerStatuses?.[0]?.restartCount === 1,
    );
    expect(await kubectl.ok(['logs', '--previous', 'steady'])).toBe('up\n');
  });

  it('exec and logs through each member', async () => {
    for (const { api } of cluster.state().members) {
      expect(await kubectl.ok(['--server', api, 'exec', 'steady', '--', 'hostname'])).toBe('steady\n');
      expect(await kubectl.ok(['--server', api, 'logs', 'steady'])).toBe('up\n');
    }
  });

  it("a pod's token opens the API at its name in the cluster", async () => {
    const script = `const fs = require('fs'), d = '/var/run/secrets/kubernetes.io/serviceaccount/';
      require('https').get('https://kubernetes.default.svc/api/v1/namespaces/default/pods', { ca: fs.readFileSync(d + 'ca.crt'), headers: { authorization: 'Bearer ' + fs.readFileSync(d + 'token') } },
        (r) => { let b = ''; r.on('data', (c) => b += c).on('end', () => console.log(r.statusCode, JSON.parse(b).message)); });`;
    expect(await node('steady', script)).toMatch(
      /^403 pods is forbidden: User "system:serviceaccount:default:default"/,
    );
  });

  it('parts of volumes: a file of a ConfigMap, a directory by a variable, and no link', async () => {
    const volumes = [
      { name: 'settings', configMap: { name: 'settings' } },
      { name: 'shared', emptyDir: {} },
    ];
    await apply('parts', {
      container: {
        env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        volumeMounts: [
          { name: 'settings', mountPath: '/one/greeting', subPath: 'greeting' },
          { name: 'shared', mountPath: '/mine', subPathExpr: 'of/$(POD)' },
          { name: 'shared', mountPath: '/all' },
        ],
      },
      spec: { volumes },
    });
    await kubectl.ok(['wait', '--for=condition=Ready', 'pod/parts', '--timeout=30s']);
    expect(
      await node(
        'parts',
        "const fs = require('fs'); fs.writeFileSync('/mine/f', ''); console.log(fs.readFileSync('/one/greeting', 'utf8'), fs.readdirSync('/all/of/parts'))",
      ),
    ).toBe("hello [ 'f' ]\n");
    await apply('escape', {
      container: { volumeMounts: [{ name: 'shared', mountPath: '/in', subPath: 'x' }] },
      spec: {
        volumes,
        initContainers: [
          {
            name: 'i',
            image: IMAGE,
            command: ['node', '-e', "require('fs').symlinkSync('/etc', '/all/x')"],
            volumeMounts: [{ name: 'shared', mountPath: '/all' }],
          },
        ],
      },
    });
    await until('the refusal', async () =>
      (await pod('escape')).status.containerStatuses?.[0]?.state.waiting?.message.includes('is a symbolic link'),
    );
  });

  it('kubectl debug: a container that sees the processes of another', async () => {
    await kubectl.ok([
      'debug',
      'steady',
      `--image=${IMAGE}`,
      '--target=c',
      '--container=look',
      '--',
      'node',
      '-e',
      "console.log(require('fs').readFileSync('/proc/1/cmdline', 'utf8').replaceAll('\\0', ' '))",
    ]);
    expect(
      await until('its output', async () => {
        const { code, stdout } = await kubectl.run(['logs', 'steady', '-c', 'look']);
        return code === 0 && stdout !== '' ? stdout : undefined;
      }),
    ).toContain("console.log('up')");
  });

  /** Where the kernel keeps the group of a pod, in each hierarchy. */
  async function groupsOf(uid: string): Promise<string[]> {
    const found = await systemExecutor.run('find', ['/sys/fs/cgroup', '-type', 'd', '-name', `pod${uid}`]);
    return found.stdout
      .trim()
      .split('\n')
      .filter((path) => path !== '');
  }

  it("requests and limits are the kernel's, before and after a resize, and go with the pod", async () => {
    const resources = { requests: { cpu: '50m', memory: '32Mi' }, limits: { cpu: '200m', memory: '96Mi' } };
    await apply('limited', { container: { resources } });
    await kubectl.ok(['wait', '--for=condition=Ready', 'pod/limited', '--timeout=30s']);
    const uid = await kubectl.ok(['get', 'pod', 'limited', '-o', 'jsonpath={.metadata.uid}']);
    const groups = await groupsOf(uid);
    /** v1, or v2. */
    const limits = async () => {
      const read = async (...files: string[]) =>
        (
          await systemExecutor.run('sh', [
            '-c',
            'cat "$@" 2>/dev/null',
            'sh',
            ...groups.flatMap((group) => files.map((file) => `${group}/${file}`)),
          ])
        ).stdout.trim();
      return {
        quota: (await read('cpu.cfs_quota_us', 'cpu.max')).split(/\s/)[0],
        memory: await read('memory.limit_in_bytes', 'memory.max'),
      };
    };
    expect(await limits()).toEqual({ quota: '20000', memory: String(96 * 2 ** 20) });
    const status = async () =>
      (await kubectl.json<{ status: { containerStatuses: readonly unknown[] } }>(['get', 'pod', 'limited'])).status
        .containerStatuses[0];
    expect(await status()).toMatchObject({ resources, allocatedResources: resources.requests });
    const wanted = { requests: { cpu: '100m', memory: '32Mi' }, limits: { cpu: '400m', memory: '128Mi' } };
    await kubectl.ok([
      'patch',
      'pod',
      'limited',
      '--subresource',
      'resize',
      '-p',
      JSON.stringify({ spec: { containers: [{ name: 'c', resources: wanted }] } }),
    ]);
    await until('the resize', async () => (await limits()).quota === '40000');
    await until('its report', async () => JSON.stringify(await status()).includes('"400m"'));
    expect(await limits()).toEqual({ quota: '40000', memory: String(128 * 2 ** 20) });
    expect(await status()).toMatchObject({ resources: wanted, allocatedResources: wanted.requests, restartCount: 0 });
    await kubectl.ok(['delete', 'pod', 'limited', '--wait']);
    await until('the groups to go', async () => (await groupsOf(uid)).length === 0);
  });

  it("exec of a command that is not there says so in the runtime's words", async () => {
    const { code, stderr } = await kubectl.run(['exec', 'steady', '--', 'nothing-here']);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^error: Internal error occurred: .*"nothing-here": executable file not found in \$PATH/m),
    ]);
  });

  it('the last words of a container are its log, when it asks for that', async () => {
    await apply('words', {
      script: "console.log('because'); process.exit(3)",
      container: { terminationMessagePolicy: 'FallbackToLogsOnError' },
      spec: { restartPolicy: 'Never' },
    });
    await until('its end', async () => (await pod('words')).status.phase === 'Failed');
    expect((await pod('words')).status.containerStatuses?.[0]?.state.terminated?.message).toBe('because\n');
  });

  it('port 10250: health and metrics for the administrator, nothing without a certificate', async () => {
    const address = cluster.state().workers.find(({ name }) => name === 'w1')?.address ?? '';
    const { ca, certificate, privateKey } = adminTls(cluster.kubeconfig);
    const ask = (path: string, tls: object) =>
      new Promise<string>((resolve, reject) => {
        request({ host: address, port: 10_250, path, ca, agent: false, ...tls }, (response) => {
          let text = '';
          response
            .setEncoding('utf8')
            .on('data', (chunk: string) => (text += chunk))
            .on('end', () => resolve(`${response.statusCode ?? 0} ${text}`));
        })
          .once('error', reject)
          .end();
      });
    const admin = { cert: certificate, key: privateKey };
    expect(await ask('/healthz', admin)).toBe('200 ok');
    expect(await ask('/metrics', admin)).toContain('navarch_agent_has_primary 1');
    await expect(ask('/healthz', {})).rejects.toThrow();
  });
});
