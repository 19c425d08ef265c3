/**
 * The example images in a real containerd: needs root, containerd, runc and busybox-static. Containers run on the
 * host's loopback by containerd's own client: no pod network is set up, no other address is used.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, statSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { freePorts } from '../../platform/free-ports.js';
import { startContainerd, type Containerd } from '../../testing/containerd.js';
import { buildExampleImages, EXAMPLE_IMAGES, missingForImages, SANDBOX_IMAGE } from './examples.js';

const run = promisify(execFile);
const missing = [
  ...(process.getuid?.() === 0 ? [] : ['root']),
  ...missingForImages(),
  ...['/usr/bin/containerd', '/usr/sbin/runc'].filter((path) => !existsSync(path)),
];
if (missing.length > 0) process.stderr.write(`example images: skipped, missing ${missing.join(', ')}\n`);

let directory = '';
let tars: string[] = [];
let containerd: Containerd | undefined;
const ctr = (...args: string[]) =>
  run('ctr', ['-a', containerd?.socket ?? '', '-n', 'k8s.io', ...args], { timeout: 60_000 });

async function answer(url: string, init: RequestInit = {}): Promise<{ readonly code: number; readonly text: string }> {
  for (let attempt = 0; ; attempt++) {
    try {
      const response = await fetch(url, {
        ...init,
        headers: { connection: 'close', ...(init.headers as Record<string, string>) },
        signal: AbortSignal.timeout(5000),
      });
      return { code: response.status, text: await response.text() };
    } catch (error) {
      if (attempt === 100) throw error;
      await systemClock.sleep(100);
    }
  }
}

describe.skipIf(missing.length > 0)('example images on containerd', { timeout: 120_000 }, () => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'navarch-images-'));
    tars = await buildExampleImages(join(directory, 'images'));
    containerd = await startContainerd({
      directory,
      sandboxImage: SANDBOX_IMAGE,
      images: tars,
      podCIDR: '198.18.9.0/24',
      clock: systemClock,
    });
  }, 120_000);

  afterAll(async () => {
    await containerd?.stop();
    await rm(directory, { recursive: true, force: true });
  }, 60_000);

  it('are built once, and old ones go', async () => {
    const [tar = ''] = tars;
    const built_ms = statSync(tar).mtimeMs;
    await writeFile(join(directory, 'images', 'examples-0123456789abcdef.tar'), 'of an older version');
    expect(await buildExampleImages(join(directory, 'images'))).toEqual(tars);
    expect(statSync(tar).mtimeMs).toBe(built_ms);
    expect(await readdir(join(directory, 'images'))).toHaveLength(tars.length);
  });

  it('are known to containerd by their names', async () => {
    const { stdout } = await ctr('images', 'list', '-q');
    expect(stdout.trim().split('\n')).toEqual(
      expect.arrayContaining([SANDBOX_IMAGE, ...Object.values(EXAMPLE_IMAGES)]),
    );
  });

  it('web answers, finds its configuration and its backend, and drains when it is told to stop', async () => {
    const [webPort = 0, backendPort = 0] = await freePorts(2);
    const [config, secret] = [join(directory, 'config'), join(directory, 'secret')];
    await mkdir(config);
    await mkdir(secret);
    await writeFile(join(config, 'rules.txt'), 'be kind\n');
    await writeFile(join(secret, 'admin-key'), 'sesame');
    const mount = (from: string) => [
      '--mount',
      `type=bind,src=${from},dst=/etc/guestbook/${from.slice(directory.length + 1)},options=rbind:ro`,
    ];
    const env = (values: Record<string, string | number>) =>
      Object.entries(values).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    // runc keeps the containers of all containerds of a machine in one folder: ids are this run's own.
    const [webId, backendId] = [`web-${webPort}`, `backend-${backendPort}`];
    await ctr('run', '-d', '--net-host', ...env({ PORT: backendPort }), EXAMPLE_IMAGES.backend1, backendId);
    await ctr(
      'run',
      '-d',
      '--net-host',
      ...mount(config),
      ...mount(secret),
      ...env({
        PORT: webPort,
        BACKEND_URL: `http://127.0.0.1:${backendPort}`,
        GREETING: 'Welcome',
        ADMIN_KEY: 'sesame',
        POD_NAME: 'web-1',
        NODE_NAME: 'w1',
        DRAIN_MS: 4000,
      }),
      EXAMPLE_IMAGES.web2,
      webId,
    );

    const web = `http://127.0.0.1:${webPort}`;
    expect(await answer(`${web}/whoami`)).toEqual({ code: 200, text: '{"pod":"web-1","node":"w1","version":"2"}\n' });
    const signed = await answer(web, { method: 'POST', body: 'Kilroy was here' });
    expect(signed.text).toMatch(
      /^Welcome\nbe kind\n\nweb 2, pod web-1 on w1; backend .*\n1 entries\n- Kilroy was here\n$/,
    );
    expect((await answer(web, { method: 'DELETE', headers: { 'x-admin-key': 'sesame' } })).code).toBe(200);
    expect((await answer(web, { method: 'DELETE', headers: { 'x-admin-key': 'open' } })).code).toBe(403);
    expect((await ctr('task', 'exec', '--exec-id', 'shell', webId, 'sh', '-c', 'id -u; node --version')).stdout).toBe(
      `65534\n${process.version}\n`,
    );

    await ctr('task', 'kill', '--signal', 'SIGTERM', webId);
    // The signal takes its way through containerd and runc: a moment later the server drains, and answers on.
    for (let attempt = 0; attempt < 60 && (await answer(`${web}/readyz`)).code !== 503; attempt++)
      await systemClock.sleep(50);
    expect((await answer(`${web}/readyz`)).code).toBe(503);
    expect((await answer(`${web}/whoami`)).code).toBe(200);
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await ctr('task', 'list')).stdout.includes('STOPPED')) break;
      await systemClock.sleep(100);
    }
    expect((await ctr('task', 'list')).stdout).toMatch(new RegExp(`${webId}\\s+\\d+\\s+STOPPED`));
  });
});
