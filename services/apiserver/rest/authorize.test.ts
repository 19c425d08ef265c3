/** Which name a request is authorized for (k8s.io/apiserver/pkg/endpoints/request.RequestInfo). */
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import type { AuthorizationAttributes } from '../ports.js';
import { startApiServer } from '../testing/api-server.js';

const SECRETS = '/api/v1/namespaces/default/secrets';
const BY_NAME = 'fieldSelector=metadata.name%3Ds';

describe('the name that a request is authorized for', () => {
  it.each<[method: string, path: string, verb: string, name: string | undefined]>([
    ['GET', `${SECRETS}/s`, 'get', 's'],
    ['GET', `${SECRETS}?${BY_NAME}`, 'list', 's'],
    ['GET', `${SECRETS}?watch=1&timeoutSeconds=1&${BY_NAME}`, 'watch', 's'],
    ['GET', `${SECRETS}?fieldSelector=metadata.name!%3Ds`, 'list', undefined],
    ['DELETE', `${SECRETS}/s`, 'delete', 's'],
    ['DELETE', `${SECRETS}?${BY_NAME}`, 'deletecollection', undefined],
  ])('%s %s', async (method, path, verb, name) => {
    const asked: AuthorizationAttributes[] = [];
    await using running = await startApiServer({
      authorizer: () => ({
        authorize(attributes) {
          asked.push(attributes);
          return Promise.resolve({ allowed: false, reason: '' });
        },
      }),
    });
    const dispatcher = new Agent({ connect: { ca: running.certificate } });
    const response = await fetch(`${running.url}${path}`, { method, dispatcher });
    await response.text();
    await dispatcher.destroy();
    expect(response.status).toBe(403);
    expect(asked).toMatchObject([{ verb, resource: 'secrets' }]);
    expect(asked.map((one) => (one.kind === 'resource' ? one.name : undefined))).toEqual([name]);
  });
});
