import { expect, it } from 'vitest';
import { healthPaths, serveHealth } from './health.js';
import { StartProgress } from './start-checks.js';

const NONE = new URLSearchParams();
const text = async (path: string, progress: StartProgress, query = NONE): Promise<string> =>
  Buffer.from((await serveHealth(path, query, progress.checks())).body as Uint8Array).toString();

// kube-apiserver's names (row 40): probes and scripts wait for `/readyz/poststarthook/rbac/bootstrap-roles`.
it('parts of the start are named checks under each path, not finished until they are done', async () => {
  const progress = new StartProgress();
  expect(healthPaths(progress.checks())).toEqual(
    expect.arrayContaining([
      '/livez/poststarthook/rbac/bootstrap-roles',
      '/healthz/poststarthook/crd-informer-synced',
      '/readyz/poststarthook/scheduling/bootstrap-system-priority-classes',
      '/readyz/autoregister-completion',
      '/readyz/informer-sync',
    ]),
  );
  expect(healthPaths(progress.checks())).not.toContain('/livez/informer-sync');
  for (const kind of ['/livez', '/readyz', '/healthz']) {
    expect((await serveHealth(kind, NONE, progress.checks())).status).toBe(500);
    expect(await text(`${kind}/poststarthook/rbac/bootstrap-roles`, progress)).toBe(
      'internal server error: not finished\n',
    );
  }
  progress.done('roles');
  expect(await text('/livez/poststarthook/rbac/bootstrap-roles', progress)).toBe('ok');
  expect(await text('/livez', progress)).toMatch(
    /^\[-\].*failed: reason withheld\n(.*\n)*\[\+\]poststarthook\/rbac\/bootstrap-roles ok\n(.*\n)*livez check failed\n$/,
  );
});

it('are all well when every part is done', async () => {
  const progress = new StartProgress();
  progress.done(
    'admission',
    'cache',
    'definitions',
    'namespaces',
    'endpoints',
    'authentication',
    'presence',
    'token-tracking',
    'addresses',
    'roles',
    'priority-classes',
    'flow-policy',
    'kubernetes-service',
    'service-cidr',
    'api-services',
    'documents',
  );
  expect(await text('/readyz', progress)).toBe('ok');
  expect(
    (await text('/readyz', progress, new URLSearchParams('verbose')))
      .split('\n')
      .filter((line) => line.startsWith('[+]')),
  ).toHaveLength(progress.checks().length);
});
