/**
 * The control plane in pieces: a member that is store and API alone, and scheduler and controllers in processes of
 * their own, which are clients of it with the rights of Kubernetes' roles. What dies is the process that schedules.
 */
import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Child } from './lib/child.js';
import { findKubectl, Kubectl } from './lib/kubectl.js';
import { refusedRights } from './lib/refused-rights.js';
import { missing } from './lib/requirements.js';
import { hollowWorker, printed, ServerProcess } from './lib/server-process.js';
import { until } from './lib/until.js';
import { CLI, navarch } from './lib/up-cluster.js';

const lacking = missing('a control plane in pieces', ['kubectl']);

const WORKLOADS = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim, namespace: parts}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: parts}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: parts}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: manual, namespace: parts}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: manual, namespace: parts}
subsets: [{addresses: [{ip: 10.9.9.9}], ports: [{port: 80}]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: parts-sum}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {parts: 'yes'}}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: parts-one, labels: {parts: 'yes'}}
rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.parts.example.org}
spec:
  group: parts.example.org
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`;

describe.skipIf(lacking.length > 0)('a control plane in pieces', () => {
  const directory = mkdtempSync(join(tmpdir(), 'navarch-parts-'));
  const pkiDir = join(directory, 'pki');
  let member: ServerProcess;
  let kubectl: Kubectl;
  const parts = new Map<string, Child>();
  let worker: Child | undefined;

  const part = (name: string, ...args: readonly string[]) => {
    const child = new Child(process.execPath, [
      CLI,
      'server',
      '--name',
      name,
      '--data-dir',
      join(directory, name),
      '--server',
      member.grpc,
      '--pki-dir',
      pkiDir,
      ...args,
    ]);
    parts.set(name, child);
    return child;
  };
  const logs = () => [member.log, ...[...parts.values()].map(({ stderr }) => stderr)];
  const show = () =>
    Promise.resolve(
      logs()
        .map((log) => log.slice(-2_000))
        .join('\n'),
    );
  const get = async (...args: readonly string[]) =>
    (await kubectl.run(['-n', 'parts', 'get', ...args, '--ignore-not-found'])).stdout;
  const holder = (lease: string) => get('-n', 'kube-system', 'lease', lease, '-o', 'jsonpath={.spec.holderIdentity}');
  const isReady = (pods: number) => async () =>
    (await get('deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}')) === String(pods);

  beforeAll(async () => {
    await printed('pki', 'init', '--pki-dir', pkiDir);
    member = await ServerProcess.at({ name: 'm1', directory, pkiDir, args: ['--only', 'apiserver'] });
    await member.start();
    await writeFile(
      join(directory, 'kubeconfig'),
      await printed('kubeconfig', '--pki-dir', pkiDir, '--server', member.api),
      { mode: 0o600 },
    );
    kubectl = new Kubectl(findKubectl() ?? '', join(directory, 'kubeconfig'));
    const token = (await printed('token', 'create', '--pki-dir', pkiDir, '--endpoints', member.grpc)).trim();
    worker = hollowWorker(directory, 'w1', { servers: [member.grpc], token });
  });

  afterAll(async () => {
    await kubectl?.close();
    await Promise.all(
      [...parts.values(), ...(worker === undefined ? [] : [worker])].map((child) => child.stop('SIGKILL')),
    );
    await member?.stop('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  });

  it('the member runs nothing but the API: what is created stays as it is', async () => {
    await until('the node', async () => (await get('node', 'w1', '-o', 'name')) !== '');
    await kubectl.ok(['create', 'namespace', 'parts']);
    await kubectl.ok(['-n', 'parts', 'create', 'deployment', 'web', '--image', 'web:1', '--replicas', '2']);
    expect([await holder('kube-scheduler'), await holder('kube-controller-manager')]).toEqual(['', '']);
    expect(await get('replicasets,pods,serviceaccounts', '-o', 'name')).toBe('');
  });

  it('controllers alone make pods, which nobody schedules; --controllers leaves out what it names', async () => {
    part('c1', '--only', 'controllers', '--controllers', '*,-disruption-controller');
    await until(
      'the pods',
      async () => (await get('pods', '-o', 'name')).split('\n').filter((line) => line !== '').length === 2,
      { show },
    );
    await kubectl.ok(['apply', '-f', '-'], { stdin: WORKLOADS });
    await until(
      'the endpoints of others',
      async () => (await get('endpointslices', '-o', 'name')).includes('manual-'),
      { show },
    );
    await until(
      'the rules of others',
      async () => (await get('clusterrole', 'parts-sum', '-o', 'jsonpath={.rules[0].resources}')).includes('pods'),
      { show },
    );
    await until('the APIService', async () => (await get('apiservice', 'v1.parts.example.org', '-o', 'name')) !== '', {
      show,
    });
    expect(await get('pods', '-o', 'jsonpath={.items[*].spec.nodeName}')).toBe('');
    expect(await get('poddisruptionbudget', 'web', '-o', 'jsonpath={.status.expectedPods}')).toBe('0');
  });

  it('a scheduler alone places them, and another takes its place when it is killed', async () => {
    const first = part('s1', '--only', 'scheduler');
    await until('two ready pods', isReady(2), { show });
    part('s2', '--only', 'scheduler');
    expect(await holder('kube-scheduler')).toMatch(/^s1_/);
    await first.stop('SIGKILL');
    await kubectl.ok(['-n', 'parts', 'scale', 'deployment', 'web', '--replicas', '4']);
    await until('four ready pods', isReady(4), { show });
    expect(await holder('kube-scheduler')).toMatch(/^s2_/);
  });

  it('kinds that came while controllers run are collected, and their namespace goes', async () => {
    const widget = (name: string, owner = '') =>
      `{apiVersion: parts.example.org/v1, kind: Widget, metadata: {name: ${name}, namespace: parts${owner}}}`;
    await kubectl.ok(['apply', '-f', '-'], { stdin: widget('owner') });
    const uid = await get('widget', 'owner', '-o', 'jsonpath={.metadata.uid}');
    const ownerReferences = `, ownerReferences: [{apiVersion: parts.example.org/v1, kind: Widget, name: owner, uid: ${uid}, blockOwnerDeletion: true}]`;
    await kubectl.ok(['apply', '-f', '-'], { stdin: widget('owned', ownerReferences) });
    await kubectl.ok(['-n', 'parts', 'delete', 'widget', 'owner', '--cascade=foreground', '--timeout=30s']);
    expect(await get('widgets', '-o', 'name')).toBe('');
    await kubectl.ok(['-n', 'parts', 'delete', 'pvc', 'claim', '--timeout=30s']);
    await kubectl.ok(['delete', 'namespace', 'parts', '--timeout=60s']);
  });

  it('no component was refused what it needs', () => expect(refusedRights(logs())).toEqual([]));

  it('flags that contradict each other are refused with a sentence', async () => {
    const refusal = async (...args: readonly string[]) => {
      const { code, stderr } = await navarch(['server', '--data-dir', join(directory, 'none'), ...args]);
      return [code, stderr];
    };
    const says = (text: string) => [2, expect.stringContaining(text) as string];
    expect(await refusal('--only', 'scheduler')).toEqual(says('needs --server'));
    expect(await refusal('--only', 'dashboard')).toEqual(says('--only takes apiserver, scheduler, controllers'));
    expect(await refusal('--server', member.grpc)).toEqual(says('name them with --only'));
    expect(await refusal('--controllers', '*,-no-such-controller')).toEqual(
      says('"no-such-controller" is not a controller; there are: '),
    );
    expect(await refusal('--only', 'apiserver', '--controllers', '*')).toEqual(says('--only leaves them out'));
    expect(await refusal('--only', 'scheduler', '--server', member.grpc, '--join', member.grpc)).toEqual(
      says('make a member'),
    );
  });
});
