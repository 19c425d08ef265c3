/**
 * Who may change things may not make them: a PUT or apply to a name that does not exist needs the right to create, too
 * (row 7).
 */
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import type { AuthorizationAttributes } from '../ports.js';
import { startApiServer } from '../testing/api-server.js';

const NAMESPACED = '/namespaces/default';
const CREATED_BY_PUT: readonly (readonly [path: string, kind: string, body: object])[] = [
  [`/api/v1${NAMESPACED}/services`, 'Service', { spec: { ports: [{ port: 80 }] } }],
  [`/api/v1${NAMESPACED}/endpoints`, 'Endpoints', {}],
  [`/api/v1${NAMESPACED}/limitranges`, 'LimitRange', { spec: { limits: [] } }],
  [`/apis/coordination.k8s.io/v1${NAMESPACED}/leases`, 'Lease', { spec: {} }],
  ['/apis/node.k8s.io/v1/runtimeclasses', 'RuntimeClass', { handler: 'h' }],
  [`/apis/rbac.authorization.k8s.io/v1${NAMESPACED}/roles`, 'Role', { rules: [] }],
  ['/apis/rbac.authorization.k8s.io/v1/clusterroles', 'ClusterRole', { rules: [] }],
];

async function start(mayCreate: boolean) {
  const asked: AuthorizationAttributes[] = [];
  const running = await startApiServer({
    authorizer: () => ({
      authorize(attributes) {
        asked.push(attributes);
        return Promise.resolve({ allowed: mayCreate || attributes.verb !== 'create', reason: '' });
      },
    }),
  });
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  return {
    asked,
    async send(method: string, path: string, body: object) {
      const type = method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json';
      const response = await fetch(`${running.url}${path}`, {
        method,
        dispatcher,
        body: JSON.stringify(body),
        headers: { 'content-type': type },
      });
      const { message = '' } = (await response.json()) as { message?: string };
      return { status: response.status, message };
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

const objectOf = (path: string, kind: string, body: object, metadata: object = {}): object => ({
  apiVersion: (/^\/apis?\/(.*?v\d)\//.exec(path) ?? [])[1],
  kind,
  metadata: { name: 'a', ...metadata },
  ...body,
});

describe('a name that does not exist', () => {
  it.each(CREATED_BY_PUT)(
    'PUT %s: creates with the right to create alone, whatever version it names',
    async (path, kind, body) => {
      await using without = await start(false);
      for (const metadata of [{}, { resourceVersion: '5' }]) {
        const refused = await without.send('PUT', `${path}/a`, objectOf(path, kind, body, metadata));
        expect(refused).toMatchObject({
          status: 403,
          message: expect.stringContaining(
            `"a" is forbidden: User "admin" cannot create resource "${path.split('/').at(-1)}"`,
          ) as string,
        });
      }
      expect(without.asked.map(({ verb }) => verb)).toEqual(['update', 'create', 'update', 'create']);
      await using withRight = await start(true);
      const uid = await withRight.send('PUT', `${path}/a`, objectOf(path, kind, body, { uid: 'u' }));
      expect(uid).toMatchObject({
        status: 409,
        message: expect.stringContaining('Precondition failed: UID in precondition: u, UID in object meta: ') as string,
      });
      expect(
        await withRight.send('PUT', `${path}/a`, objectOf(path, kind, body, { resourceVersion: '5' })),
      ).toMatchObject({ status: 201 });
    },
  );

  it.each([
    [`/api/v1${NAMESPACED}/configmaps`, 'ConfigMap', {}],
    [`/api/v1${NAMESPACED}/secrets`, 'Secret', {}],
    ...CREATED_BY_PUT,
  ] as const)('apply %s: creates with the right to create alone', async (path, kind, body) => {
    await using without = await start(false);
    expect(await without.send('PATCH', `${path}/a?fieldManager=m`, objectOf(path, kind, body))).toMatchObject({
      status: 403,
    });
    expect(
      await without.send('PATCH', `${path}/a?fieldManager=m&dryRun=All`, objectOf(path, kind, body)),
    ).toMatchObject({ status: 403 });
    await using withRight = await start(true);
    expect(await withRight.send('PATCH', `${path}/a?fieldManager=m`, objectOf(path, kind, body))).toMatchObject({
      status: 201,
    });
  });

  it('PUT of a budget, which is not made so, is 404', async () => {
    await using running = await start(true);
    expect(
      await running.send('PUT', `/apis/policy/v1${NAMESPACED}/poddisruptionbudgets/a`, {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'a' },
      }),
    ).toMatchObject({ status: 404 });
  });

  it('what exists is changed without it', async () => {
    await using running = await start(true);
    const path = `/api/v1${NAMESPACED}/configmaps`;
    expect(await running.send('PATCH', `${path}/a?fieldManager=m`, objectOf(path, 'ConfigMap', {}))).toMatchObject({
      status: 201,
    });
    running.asked.splice(0);
    expect(
      await running.send('PATCH', `${path}/a?fieldManager=m`, objectOf(path, 'ConfigMap', { data: { k: 'v' } })),
    ).toMatchObject({ status: 200 });
    expect(running.asked.map(({ verb }) => verb)).toEqual(['patch']);
  });
});
