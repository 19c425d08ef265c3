import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { deployments, events, nodes, pods } from '../../apimachinery/gen/resources.js';
import type { Pod } from '../../apimachinery/gen/types.js';
import { silentLogger } from '../../platform/log.js';
import { clientOf } from '../../sdk/object-client.js';
import { FakeObjectService, seededRandom, VirtualClock } from '../../sdk/testing/index.js';
import { createDashboard, type Dashboard, type MemberRow } from './dashboard.js';
import { Gate } from './gate.js';
import type { Snapshot } from './snapshot.js';

const started: Dashboard[] = [];
const open: IncomingMessage[] = [];

afterEach(async () => {
  for (const stream of open.splice(0)) stream.destroy();
  await Promise.all(started.splice(0).map((dashboard) => dashboard.stop()));
});

const MEMBER: MemberRow = {
  name: 'm1',
  endpoint: '127.0.0.1:2379',
  role: 'leader',
  term: 3,
  revision: 42,
  lag: 0,
  error: '',
};

async function setUp(members: () => Promise<readonly MemberRow[]> = () => Promise.resolve([MEMBER])) {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const service = new FakeObjectService({ clock, random });
  const client = clientOf(service);
  const dashboard = createDashboard({ client, members, clock, random, logger: silentLogger });
  started.push(dashboard);
  await dashboard.start();
  await clock.advance(0);
  return { clock, client, dashboard, service, url: new URL(dashboard.url) };
}

interface Asked {
  readonly method?: string;
  readonly host?: string;
}

function head(url: URL, path: string, { method = 'GET', host = url.host }: Asked = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    httpRequest({ host: '127.0.0.1', port: url.port, path, method, headers: { host }, agent: false }, resolve)
      .on('error', reject)
      .end();
  });
}

async function ask(
  url: URL,
  path: string,
  asked: Asked = {},
): Promise<{ code: number | undefined; headers: IncomingHttpHeaders; text: string }> {
  const response = await head(url, path, asked);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { code: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() };
}

/** Snapshots as they come. */
async function listen(url: URL) {
  const response = await head(url, `${url.pathname}events`);
  open.push(response);
  const messages: Snapshot[] = [];
  let text = '';
  let wake = () => undefined as void;
  response
    .setEncoding('utf8')
    .on('error', () => undefined)
    .on('data', (chunk: string) => {
      text += chunk;
      const parts = text.split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts)
        if (part.startsWith('data: ')) messages.push((JSON.parse(part.slice(6)) as { state: Snapshot }).state);
      wake();
    });
  const reach = async (count: number): Promise<Snapshot> => {
    while (messages.length < count)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return messages[count - 1]!;
  };
  return { response, messages, reach };
}

const pod = (name: string, more: Partial<Pod> = {}): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [], nodeName: 'n1' },
  ...more,
});

describe('who may read', () => {
  it('refuses whatever comes without the key, and tells nothing', async () => {
    const { url } = await setUp();
    const key = url.pathname.slice(1, -1);
    for (const path of [
      '/',
      '/app.js',
      '/events',
      '/favicon.ico',
      `/${key.slice(0, -1)}/`,
      `/${key}x/`,
      `/?${key}`,
      `//${key}/`,
      `/x/${key}/`,
      '/%00/',
      `http://127.0.0.1${url.pathname}`,
    ]) {
      const { code, text } = await ask(url, path);
      expect([path, code]).toEqual([path, 403]);
      expect(text).not.toContain(key);
    }
    expect((await ask(url, '/', { method: 'POST' })).code).toBe(403);
  });

  it('refuses a foreign Host, also with the key: a name that was rebound to 127.0.0.1', async () => {
    const { url } = await setUp();
    for (const host of [
      'evil.example',
      `evil.example:${url.port}`,
      '127.0.0.1',
      `127.0.0.1:1`,
      `127.0.0.1.evil.example:${url.port}`,
    ]) {
      expect([host, (await ask(url, url.pathname, { host })).code]).toEqual([host, 403]);
    }
    // Node's own client never leaves it out or empty.
    for (const host of [undefined, ''])
      expect(new Gate('k').judge({ method: 'GET', url: '/k/', host }, 80)).toMatchObject({ kind: 'refuse', code: 403 });
    expect((await ask(url, url.pathname, { host: `localhost:${url.port}` })).code).toBe(200);
  });

  it('takes no method but GET', async () => {
    const { url } = await setUp();
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD']) {
      const { code, headers } = await ask(url, url.pathname, { method });
      expect([method, code, headers.allow]).toEqual([method, 405, 'GET']);
    }
  });

  it('listens on 127.0.0.1, with a key of its own each time', async () => {
    const [a, b] = [await setUp(), await setUp()];
    expect(a.url.hostname).toBe('127.0.0.1');
    expect(a.url.pathname).toMatch(/^\/[\w-]{32}\/$/);
    const other = createDashboard({
      client: b.client,
      members: () => Promise.resolve([]),
      clock: b.clock,
      random: seededRandom(2),
      logger: silentLogger,
    });
    started.push(other);
    await other.start();
    expect(new URL(other.url).pathname).not.toBe(a.url.pathname);
  });

  it('says so when its port is taken', async () => {
    const { client, clock, url } = await setUp();
    const second = createDashboard({
      client,
      members: () => Promise.resolve([]),
      clock,
      random: seededRandom(2),
      logger: silentLogger,
      port: Number(url.port),
    });
    await expect(second.start()).rejects.toThrow('EADDRINUSE');
    await second.stop();
  });
});

describe('what is served', () => {
  it('is the page, its style and its script, under a policy that allows nothing else', async () => {
    const { url } = await setUp();
    const types = { '': 'text/html', 'style.css': 'text/css', 'app.js': 'text/javascript' };
    for (const [name, type] of Object.entries(types)) {
      const { code, headers } = await ask(url, url.pathname + name);
      expect([code, headers['content-type']]).toEqual([200, `${type}; charset=utf-8`]);
      expect(headers['content-security-policy']).toMatch(/^default-src 'self';/);
      expect(headers['content-security-policy']).not.toContain('unsafe');
      expect([
        headers['x-content-type-options'],
        headers['referrer-policy'],
        headers['cache-control'],
        headers['x-frame-options'],
      ]).toEqual(['nosniff', 'no-referrer', 'no-store', 'DENY']);
    }
    expect((await ask(url, '/')).headers['content-security-policy']).toMatch(/^default-src 'self';/);
  });

  it('has no other files, whatever the path says', async () => {
    const { url } = await setUp();
    for (const name of ['../dashboard.ts', '..%2fdashboard.ts', 'index.html/', 'constructor', '/etc/passwd']) {
      expect([name, (await ask(url, url.pathname + name)).code]).toEqual([name, 404]);
    }
    const bare = await ask(url, url.pathname.slice(0, -1));
    expect([bare.code, bare.headers.location]).toEqual([308, url.pathname]);
  });

  it('keeps to its own policy: no inline script or style, nothing from elsewhere, no markup from text', async () => {
    const read = (name: string) => readFile(new URL(`./public/${name}`, import.meta.url), 'utf8');
    const [page, style, script] = await Promise.all([read('index.html'), read('style.css'), read('app.js')]);
    expect(page).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/);
    for (const text of [page, style, script]) expect(text).not.toMatch(/https?:|url\(|@import/);
    expect(script).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/);
    for (const [, id] of script.matchAll(/byId\('([\w-]+)'\)|(?:rows|showMore|showSummary)\('([\w-]+)'/g))
      if (id !== undefined) expect(page).toContain(`id="${id}"`);
  });
});

describe('the stream', () => {
  it('begins with everything, and brings one message for many changes', async () => {
    const t = await setUp();
    await t.client.create(nodes, {
      metadata: { name: 'n1' },
      status: {
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
        conditions: [{ type: 'Ready', status: 'True' }],
      },
    });
    await t.client.create(deployments, {
      metadata: { name: 'web', namespace: 'default' },
      spec: { replicas: 2, selector: {}, template: {} },
      status: { readyReplicas: 1 },
    });
    await t.clock.advance(0);
    const stream = await listen(t.url);
    expect(stream.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const first = await stream.reach(1);
    expect(first.synced).toBe(true);
    expect(first.nodes.rows).toMatchObject([
      { name: 'n1', status: 'Ready', health: 'good', address: '10.0.0.1', pods: 0 },
    ]);
    expect(first.deployments.rows).toMatchObject([
      { namespace: 'default', name: 'web', ready: 1, wanted: 2, health: 'waiting' },
    ]);
    for (let i = 0; i < 20; i++) await t.client.create(pods, pod(`p${i}`));
    await t.clock.advance(250);
    const second = await stream.reach(2);
    expect([second.pods.total, second.nodes.rows[0]?.pods]).toEqual([20, 20]);
    expect(second.members).toEqual([MEMBER]);
    await t.clock.advance(1500);
    expect(stream.messages).toHaveLength(2);
  });

  it('sends nothing when nothing that is shown changed', async () => {
    const t = await setUp();
    await t.client.create(pods, pod('p'));
    await t.clock.advance(0);
    const stream = await listen(t.url);
    await t.clock.advance(300);
    await stream.reach(2);
    const old = await t.client.get(pods, { namespace: 'default', name: 'p' });
    await t.client.update(pods, { ...old, metadata: { ...old.metadata, labels: { not: 'shown' } } });
    await t.clock.advance(1000);
    await t.client.delete(pods, { namespace: 'default', name: 'p' }, { gracePeriodSeconds: 0 });
    await t.clock.advance(1000);
    expect((await stream.reach(3)).pods.total).toBe(0);
  });

  it('carries hostile text as data, on one line', async () => {
    const t = await setUp();
    const evil = '</script><script>alert(1)</script>\n\ndata: {"forged":1}\n\n';
    await t.client.create(pods, pod('<script>alert(1)</script>', { status: { phase: 'Failed', reason: evil } }));
    await t.client.create(events, {
      metadata: { name: 'e', namespace: 'default' },
      involvedObject: { kind: 'Pod', name: '<img src=x onerror=alert(1)>' },
      type: 'Warning',
      message: evil + 'x'.repeat(100_000),
    });
    await t.clock.advance(0);
    const stream = await listen(t.url);
    const {
      pods: table,
      events: [event],
    } = await stream.reach(1);
    expect(table.rows[0]).toMatchObject({ name: '<script>alert(1)</script>', status: evil, health: 'bad' });
    expect(event?.message.startsWith(evil)).toBe(true);
    expect(event?.message.length).toBeLessThan(500);
    expect(stream.messages).toHaveLength(1);
  });

  it('shows why members cannot be asked, and keeps the last known', async () => {
    let fail = false;
    const t = await setUp(() => (fail ? Promise.reject(new Error('all are away')) : Promise.resolve([MEMBER])));
    const stream = await listen(t.url);
    await t.clock.advance(250);
    expect((await stream.reach(2)).members).toEqual([MEMBER]);
    fail = true;
    await t.clock.advance(2500);
    expect(await stream.reach(3)).toMatchObject({ members: [MEMBER], membersError: 'all are away' });
  });

  it('asks members only while somebody looks, and one question at a time', async () => {
    let asked = 0;
    const t = await setUp(() => {
      asked++;
      return new Promise(() => undefined);
    });
    await t.clock.advance(10_000);
    expect(asked).toBe(0);
    await (await listen(t.url)).reach(1);
    await t.clock.advance(10_000);
    expect(asked).toBe(1);
  });

  it('is for a bounded number of pages; one that leaves makes room', async () => {
    const t = await setUp();
    const streams = [];
    for (let i = 0; i < 16; i++) streams.push(await listen(t.url));
    const refused = await ask(t.url, `${t.url.pathname}events`);
    expect([refused.code, refused.headers['retry-after']]).toEqual([503, '10']);
    streams[0]?.response.destroy();
    let code: number | undefined = 503;
    while (code === 503) {
      const next = await head(t.url, `${t.url.pathname}events`);
      open.push(next);
      code = next.statusCode;
      if (code === 503) next.resume();
    }
    expect(code).toBe(200);
  });

  it('ends when the dashboard stops, and no watch stays', async () => {
    const t = await setUp();
    const stream = await listen(t.url);
    const ended = new Promise<void>((resolve) => {
      stream.response.on('close', resolve);
    });
    expect(t.service.watchCount).toBe(4);
    await t.dashboard.stop();
    await ended;
    expect(t.service.watchCount).toBe(0);
    await t.dashboard.stop();
  });
});
