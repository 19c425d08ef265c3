/** Impersonation's headers on their way from the socket to the authenticator (issue 6, row 42). */
import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { describe, expect, it } from 'vitest';
import type { AuthenticationRequest } from '../ports.js';
import { startApiServer } from '../testing/api-server.js';

const PATH = '/api/v1/namespaces/d/pods?fieldSelector=metadata.name%3Dp';

describe('the lines of an impersonation', () => {
  it('reach the authenticator one by one, all of them, and with what is asked for', async () => {
    const seen: AuthenticationRequest[] = [];
    await using running = await startApiServer({
      authenticator: () => ({
        authenticate(asked) {
          seen.push(asked);
          return Promise.resolve(undefined);
        },
      }),
    });
    const ask = async (headers: OutgoingHttpHeaders) => {
      const outgoing = request(`${running.url}${PATH}`, { ca: running.certificate, headers, agent: false });
      outgoing.end();
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
      response.resume();
      await once(response, 'end');
      return response.statusCode;
    };
    const utf8 = Buffer.from('jané').toString('latin1');
    expect(
      await ask({ 'Impersonate-User': ['a, b', utf8], 'Impersonate-Group': 'x,y', 'Impersonate-Extra-K': [utf8] }),
    ).toBe(401);
    expect(seen[0]?.headers).toMatchObject({
      'impersonate-user': ['a, b', 'jané'],
      'impersonate-group': ['x,y'],
      'impersonate-extra-k': ['jané'],
    });
    expect(seen[0]?.asked).toMatchObject({
      kind: 'resource',
      verb: 'list',
      resource: 'pods',
      namespace: 'd',
      name: 'p',
    });
    // A proxy appends its own headers to those of its client: none may be lost behind them.
    const filler = Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`X-${i}`, '']));
    expect(await ask({ ...filler, 'Impersonate-User': 'low' })).toBe(401);
    expect(seen[1]?.headers['impersonate-user']).toEqual(['low']);
  });
});
