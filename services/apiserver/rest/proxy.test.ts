/** Issue 6, row 41: HTTP through the API server is not there yet, and says so, to those who may use it. */
import { Agent, fetch } from 'undici';
import { expect, it } from 'vitest';
import type { AuthorizationAttributes } from '../ports.js';
import { startApiServer } from '../testing/api-server.js';

const NAMESPACED = '/api/v1/namespaces/default';

it.each([
  [`${NAMESPACED}/pods/p/proxy`, 'pods', 'p'],
  [`${NAMESPACED}/pods/https:p:8443/proxy/a/b?c=d`, 'pods', 'https:p:8443'],
  [`${NAMESPACED}/services/web/proxy/`, 'services', 'web'],
  [`${NAMESPACED}/services/http:web:80/proxy/api/v1/namespaces/x`, 'services', 'http:web:80'],
  ['/api/v1/nodes/n1:10250/proxy/metrics', 'nodes', 'n1:10250'],
])('%s is 501 for those with the right to %s/proxy, by every method', async (path, resource, name) => {
  const asked: AuthorizationAttributes[] = [];
  const authorize = (attributes: AuthorizationAttributes) => {
    asked.push(attributes);
    return Promise.resolve({ allowed: !attributes.user.name.startsWith('no-'), reason: '' });
  };
  await using running = await startApiServer({ authorizer: () => ({ authorize }) });
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  for (const [method, verb] of [
    ['GET', 'get'],
    ['POST', 'create'],
    ['PUT', 'update'],
    ['PATCH', 'patch'],
    ['DELETE', 'delete'],
  ] as const) {
    const answer = await fetch(`${running.url}${path}`, {
      method,
      dispatcher,
      headers: { authorization: 'Bearer admin' },
    });
    expect([method, answer.status]).toEqual([method, 501]);
    expect(await answer.json()).toMatchObject({
      kind: 'Status',
      code: 501,
      message: expect.stringContaining('does not pass HTTP on') as string,
      details: { name, kind: resource },
    });
    expect(asked.at(-1)).toMatchObject({ verb, resource, name, subresource: 'proxy' });
    expect(
      (await fetch(`${running.url}${path}`, { method, dispatcher, headers: { authorization: 'Bearer no-rights' } }))
        .status,
    ).toBe(403);
    expect(
      (await fetch(`${running.url}${path}`, { method, dispatcher, headers: { authorization: 'Bearer nobody' } }))
        .status,
    ).toBe(401);
  }
  // A WebSocket is not the way around it.
  expect(
    (
      await fetch(`${running.url}${path}`, {
        dispatcher,
        headers: { authorization: 'Bearer no-rights', upgrade: 'websocket' },
      }).catch(() => ({ status: 403 }))
    ).status,
  ).toBe(403);
  await dispatcher.destroy();
});

it('is a 404 for kinds that have no proxy', async () => {
  await using running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  for (const path of [`${NAMESPACED}/configmaps/a/proxy/x`, `${NAMESPACED}/configmaps/a/b/c`])
    expect((await fetch(`${running.url}${path}`, { dispatcher })).status).toBe(404);
  await dispatcher.destroy();
});
