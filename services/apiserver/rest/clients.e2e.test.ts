/** Clients nobody here wrote: the installed kubectl versions, and @kubernetes/client-node. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startApiServer } from '../testing/api-server.js';

const run = promisify(execFile);

/**
 * Versioned binaries beside the one in the path, or that one alone. Those before 1.29 want OpenAPI v2 as protobuf to
 * apply.
 */
function kubectls(): string[] {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'kubectl'))
    .find((path) => existsSync(path));
  if (found === undefined) return [];
  const folder = dirname(realpathSync(found));
  const versioned = readdirSync(folder)
    .filter((name) => Number(/^kubectl\.1\.(\d+)$/.exec(name)?.[1] ?? 0) >= 29)
    .map((name) => join(folder, name));
  return versioned.length > 0 ? versioned : [found];
}

async function startWithConfig() {
  const running = await startApiServer();
  const folder = mkdtempSync(join(tmpdir(), 'apiserver-'));
  const config = join(folder, 'config');
  writeFileSync(
    config,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'default' } }],
      clusters: [
        {
          name: 'c',
          cluster: {
            server: running.url,
            'certificate-authority-data': Buffer.from(running.certificate).toString('base64'),
          },
        },
      ],
      users: [{ name: 'u', user: { token: 'admin' } }],
    }),
  );
  return {
    config,
    folder,
    async [Symbol.asyncDispose]() {
      await running[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

const MANIFEST = `
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {a: "1"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "image:1"}]}
`;

const binaries = kubectls();

if (binaries.length === 0) it.skip('kubectl (skipped: there is none in the path)', () => undefined);

describe.each(binaries.map((path) => ({ path, name: path.slice(path.lastIndexOf('/') + 1) })))('$name', ({ path }) => {
  it('applies, changes, shows and deletes', async () => {
    await using test = await startWithConfig();
    const kubectl = async (...args: string[]) => {
      const env = { ...process.env, KUBECONFIG: test.config, HOME: test.folder };
      return (await run(path, [...args, '--cache-dir', join(test.folder, 'cache')], { env, timeout: 20_000 })).stdout;
    };
    const manifest = join(test.folder, 'manifest.yaml');
    writeFileSync(manifest, MANIFEST);
    expect(await kubectl('apply', '-f', manifest)).toContain('deployment.apps/web created');
    expect(await kubectl('apply', '-f', manifest)).toContain('deployment.apps/web unchanged');
    expect(await kubectl('apply', '--server-side', '--force-conflicts', '-f', manifest)).toContain(
      'configmap/conf serverside-applied',
    );
    expect(await kubectl('scale', 'deployment/web', '--replicas=3')).toContain('scaled');
    expect(await kubectl('set', 'image', 'deployment/web', 'c=image:2')).toContain('updated');
    expect(await kubectl('get', 'deployments', '-o', 'wide')).toMatch(/web +0\/3 .*image:2/);
    expect(await kubectl('get', 'deployment/web', '-o', 'jsonpath={.spec.replicas}')).toBe('3');
    expect(await kubectl('create', 'deployment', 'typed', '--image=image:1')).toContain('created');
    expect(await kubectl('explain', 'pod.spec.containers')).toContain('image');
    expect(await kubectl('delete', '-f', manifest)).toContain('deleted');
    expect(await kubectl('get', 'all')).not.toContain('web');
  }, 120_000);
});

describe('@kubernetes/client-node', () => {
  it('creates, lists, watches and deletes', async () => {
    const { CoreV1Api, KubeConfig, Watch } = await import('@kubernetes/client-node');
    await using test = await startWithConfig();
    const config = new KubeConfig();
    config.loadFromFile(test.config);
    const api = config.makeApiClient(CoreV1Api);
    await api.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'a' }, data: { k: 'v' } } });
    const list = await api.listNamespacedConfigMap({ namespace: 'default' });
    expect(list.items.map((item) => item.metadata?.name)).toEqual(['a']);
    const seen: string[] = [];
    const ended = new Promise<void>((resolve, reject) => {
      void new Watch(config)
        .watch(
          '/api/v1/namespaces/default/configmaps',
          { resourceVersion: list.metadata?.resourceVersion ?? '' },
          (type) => {
            seen.push(type);
            if (seen.length === 2) resolve();
          },
          reject,
        )
        .then(async () => {
          await api.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'b' } } });
          await api.deleteNamespacedConfigMap({ namespace: 'default', name: 'b' });
        });
    });
    await ended;
    expect(seen).toEqual(['ADDED', 'DELETED']);
  });
});
