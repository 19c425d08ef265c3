import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../platform/clock.js';
import { createAuthority, issueCertificate, type KeyPair, type Usage } from '../../../platform/pki/x509.js';
import { systemRandom } from '../../../platform/random.js';
import { AgentMetrics } from './metrics.js';
import { NodeServer } from './node-server.js';

const context = { clock: systemClock, random: systemRandom };
const lifetime_ms = 3_600_000;
const figures = {
  runtime: 'cri',
  phases: new Map([
    ['Running', 2],
    ['made up', 9],
  ]),
  runningContainers: 3,
  hasPrimary: true,
  events: [{ type: 'Normal', reason: 'Started', count: 4 }],
  faults: [{ part: 'dns', count: 2, last: 'made up', last_ms: 0 }],
};

let authority: KeyPair;
let foreign: KeyPair;
let server: NodeServer;
let wrong: string | undefined;

const client = (organization: string, usages: readonly Usage[] = ['client'], from = authority) =>
  issueCertificate(
    from,
    { subject: { commonName: 'somebody', organizations: [organization] }, usages, lifetime_ms },
    context,
  );

function ask(path: string, pair: KeyPair | undefined, method = 'GET'): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: '127.0.0.1',
        port: server.port,
        path,
        method,
        ca: authority.certificate,
        servername: 'w1',
        agent: false,
        ...(pair === undefined ? {} : { cert: pair.certificate, key: pair.privateKey }),
      },
      (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => (text += chunk))
          .on('end', () => resolve({ code: response.statusCode ?? 0, text }));
      },
    );
    call.once('error', reject);
    call.end();
  });
}

beforeAll(async () => {
  authority = await createAuthority('cluster', lifetime_ms, context);
  foreign = await createAuthority('cluster', lifetime_ms, context);
  const own = await issueCertificate(
    authority,
    { subject: { commonName: 'node serving w1' }, usages: ['server'], names: ['w1', '127.0.0.1'], lifetime_ms },
    context,
  );
  const metrics = new AgentMetrics(() => figures);
  server = new NodeServer({
    host: '127.0.0.1',
    port: 0,
    tls: { ca: authority.certificate, certificate: own.certificate, key: own.privateKey },
    health: () => Promise.resolve(wrong),
    metrics: () => metrics.text(),
  });
  await server.start();
});
afterAll(() => server.stop());

describe("the worker's port (CVE-2025-0426)", () => {
  it.each(['system:masters', 'system:monitoring'])('tells %s how the worker is', async (group) => {
    const pair = await client(group);
    wrong = undefined;
    expect(await ask('/healthz', pair)).toEqual({ code: 200, text: 'ok' });
    wrong = 'the container runtime is not ready';
    expect(await ask('/healthz', pair)).toEqual({ code: 503, text: 'the container runtime is not ready\n' });
  });

  it.each([
    '/healthz',
    '/metrics',
    '/',
    '/pods',
    '/exec/default/a/web',
    '/containerLogs/default/a/web',
    '/checkpoint/default/a/web',
  ])('answers %s to nobody without a certificate, nor to a foreign one', async (path) => {
    await expect(ask(path, undefined)).rejects.toThrow();
    await expect(ask(path, await client('system:masters', ['client'], foreign))).rejects.toThrow();
    await expect(ask(path, await client('system:masters', ['server']))).rejects.toThrow();
  });

  it.each(['system:nodes', 'system:authenticated', 'system:masters2'])('refuses %s', async (group) => {
    expect((await ask('/metrics', await client(group))).code).toBe(403);
    expect((await ask('/nothing', await client(group))).code).toBe(403);
  });

  it('has no other path and no other method', async () => {
    const pair = await client('system:masters');
    expect((await ask('/pods', pair)).code).toBe(404);
    expect((await ask('/metrics', pair, 'POST')).code).toBe(405);
    expect((await ask('/../healthz', pair)).code).toBe(404);
  });

  it('counts with labels of its own only', async () => {
    const { code, text } = await ask('/metrics', await client('system:monitoring'));
    expect(code).toBe(200);
    expect(text).toContain('navarch_agent_pods{phase="Running"} 2');
    expect(text).toContain('navarch_agent_pods{phase="Pending"} 0');
    expect(text).toContain('navarch_agent_pod_events_total{type="Normal",reason="Started"} 4');
    expect(text).toContain('navarch_agent_part_faults_total{part="dns"} 2');
    expect(text).not.toContain('made up');
    await ask('/metrics', await client('system:monitoring'));
    expect((await ask('/metrics', await client('system:monitoring'))).text).toContain('reason="Started"} 4');
  });
});
