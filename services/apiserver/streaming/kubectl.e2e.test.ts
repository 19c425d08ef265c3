/**
 * The kubectl binaries of this machine against the front: SPDY/3.1 before 1.30 (exec) and 1.31 (port-forward),
 * WebSocket since.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as startRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PodStreamRequest } from '../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../apimachinery/status.js';
import { until } from './testing/front-server.js';
import { startKubectlServer } from './testing/kubectl-server.js';
import { openLocally } from './testing/local-pod.js';

const MINORS = [27, 28, 29, 30, 31, 32, 33] as const;
const found = spawnSync('sh', ['-c', 'command -v kubectl']).stdout.toString().trim();
const binaryOf = (minor: number) => (found === '' ? '' : join(dirname(realpathSync(found)), `kubectl.1.${minor}`));
const PAYLOAD = randomBytes(8 << 20);
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');

let server: Awaited<ReturnType<typeof startKubectlServer>>;
let unreachable: Awaited<ReturnType<typeof startKubectlServer>>;
let web: Server;
let directory: string;
const webPort = () => (web.address() as AddressInfo).port;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'navarch-kubectl-'));
  const refuse = () => Promise.reject(apiErrors.serviceUnavailable('node "n" has no session'));
  server = await startKubectlServer({ open: openLocally });
  unreachable = await startKubectlServer({ open: refuse, reach: refuse });
  web = createServer((request, response) => {
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => response.end(`${request.url} ${hash.digest('hex')} ${'x'.repeat(300_000)}`));
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
});

afterAll(() => {
  server.stop();
  unreachable.stop();
  web.close();
  rmSync(directory, { recursive: true, force: true });
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function start(
  minor: number,
  args: readonly string[],
  { url = server.url, env = {} }: { url?: string; env?: Record<string, string> } = {},
) {
  const connection = [
    `--server=${url}`,
    '--insecure-skip-tls-verify',
    '--token=t',
    `--cache-dir=${directory}/cache`,
    '--namespace=default',
  ];
  return spawn(binaryOf(minor), [...connection, ...args], {
    stdio: 'pipe',
    env: { PATH: process.env['PATH'], HOME: directory, KUBECONFIG: '/dev/null', ...env },
  });
}

async function kubectl(
  minor: number,
  args: readonly string[],
  { input, ...more }: { input?: Buffer; url?: string; env?: Record<string, string> } = {},
): Promise<Outcome> {
  const child = start(minor, args, more);
  const out: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => out.push(data));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: Buffer.concat(out), stderr };
}

/**
 * Runs `use` with the local port of a `kubectl port-forward` to the web server; returns what kubectl wrote to stderr.
 */
async function forwarding(
  minor: number,
  target: number,
  options: { env?: Record<string, string> },
  use: (port: number) => Promise<void>,
): Promise<string> {
  const child = start(minor, ['port-forward', 'pod/p', `:${target}`], options);
  let [stdout, stderr] = ['', ''];
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const closed = once(child, 'close');
  try {
    const port = await new Promise<number>((resolve, reject) => {
      child.stdout.on('data', (data: Buffer) => {
        stdout += data.toString();
        const match = /127\.0\.0\.1:(\d+)/.exec(stdout);
        if (match !== null) resolve(Number(match[1]));
      });
      child.on('close', () => reject(new Error(`kubectl has ended: ${stderr}`)));
    });
    await use(port);
  } finally {
    child.kill();
    await closed;
  }
  return stderr;
}

function post(port: number, path: string, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = startRequest({ host: '127.0.0.1', port, path, method: 'POST', agent: false }, (response) => {
      let text = '';
      response.on('data', (data: Buffer) => (text += data.toString()));
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function manyRequests(port: number): Promise<void> {
  const bodies = Array.from({ length: 24 }, (_, i) => PAYLOAD.subarray(i * 1000, i * 1000 + 200_000));
  const answers = await Promise.all(bodies.map((body, i) => post(port, `/${i}`, body)));
  for (const [i, body] of bodies.entries()) expect(answers[i]?.slice(0, -300_000)).toBe(`/${i} ${sha256(body)} `);
}

for (const minor of MINORS) {
  const absent = !existsSync(binaryOf(minor));
  describe.skipIf(absent)(`kubectl 1.${minor}${absent ? ' (not on this machine)' : ''}`, () => {
    it('execs: both outputs and the exit code', async () => {
      const { code, stdout, stderr } = await kubectl(minor, [
        'exec',
        'p',
        '--',
        'sh',
        '-c',
        'echo out; echo err >&2; exit 7',
      ]);
      expect([code, stdout.toString(), stderr]).toEqual([7, 'out\n', 'err\ncommand terminated with exit code 7\n']);
      expect(server.upgrades.at(-1)).toMatch(
        minor < 30 ? /^spdy\/3\.1 .*v4\.channel\.k8s\.io/ : /^websocket v5\.channel\.k8s\.io/,
      );
    });

    it('sends megabytes from a pipe, and its end', async () => {
      const { code, stdout } = await kubectl(minor, ['exec', '-i', 'p', '--', 'sha256sum'], { input: PAYLOAD });
      expect([code, stdout.toString().split(' ')[0]]).toEqual([0, sha256(PAYLOAD)]);
    });

    it('echoes megabytes both ways at once', async () => {
      const { code, stdout } = await kubectl(minor, ['exec', '-i', 'p', '--', 'cat'], { input: PAYLOAD });
      expect([code, sha256(stdout)]).toEqual([0, sha256(PAYLOAD)]);
    });

    it('hears how a command ended that left most of its input unread', async () => {
      const { code, stdout } = await kubectl(minor, ['exec', '-i', 'p', '--', 'sh', '-c', 'head -c 10; exit 5'], {
        input: PAYLOAD,
      });
      expect([code, stdout]).toEqual([5, PAYLOAD.subarray(0, 10)]);
    });

    it('attaches', async () => {
      const { code, stdout } = await kubectl(minor, ['attach', '-i', 'p'], { input: Buffer.from('hello\n') });
      expect([code, stdout.toString()]).toEqual([0, 'hello\n']);
    });

    it('copies files there and back', async () => {
      const [from, pod, back] = ['from', 'pod', 'back'].map((name) => join(directory, `${name}-${minor}`)) as [
        string,
        string,
        string,
      ];
      writeFileSync(from, PAYLOAD);
      expect(await kubectl(minor, ['cp', from, `p:${pod}`])).toMatchObject({ code: 0 });
      expect(await kubectl(minor, ['cp', `p:${pod}`, back])).toMatchObject({ code: 0 });
      expect(sha256(readFileSync(back))).toBe(sha256(PAYLOAD));
    });

    it('forwards a port, many connections at a time', async () => {
      const stderr = await forwarding(minor, webPort(), {}, async (port) => {
        await manyRequests(port);
        await manyRequests(port);
      });
      expect(stderr).toBe('');
      expect(server.upgrades.at(-1)).toMatch(
        minor < 31 ? /^spdy\/3\.1 portforward\.k8s\.io/ : /^websocket SPDY\/3\.1\+portforward\.k8s\.io/,
      );
    });

    it('is told why a port cannot be reached', async () => {
      const stderr = await forwarding(minor, 1, {}, async (port) => {
        await expect(post(port, '/', Buffer.alloc(0))).rejects.toThrow();
      });
      expect(stderr).toMatch(/an error occurred forwarding \d+ -> 1: error forwarding port 1 to pod p: .*ECONNREFUSED/);
    });

    it('is told before any 101 that the node cannot be reached', async () => {
      const outcomes = await Promise.all(
        [
          ['exec', 'p', '--', 'true'],
          ['port-forward', 'pod/p', ':80'],
        ].map((args) => kubectl(minor, args, { url: unreachable.url })),
      );
      for (const { code, stderr } of outcomes) {
        expect(code).toBe(1);
        expect(stderr).toContain('node "n" has no session');
      }
    });
  });
}

describe.skipIf(found === '' || spawnSync('sh', ['-c', 'command -v script']).status !== 0)(
  'a terminal (needs script(1))',
  () => {
    it.each([27, 29, 33].filter((minor) => existsSync(binaryOf(minor))))(
      'of kubectl 1.%i tells its size, and has one output',
      async (minor) => {
        const asked: PodStreamRequest[] = [];
        const sizes: string[] = [];
        const terminal = await startKubectlServer({
          open: async (request) => {
            asked.push(request);
            const stream = await openLocally(request);
            return {
              write: (input) => {
                if (input.kind === 'resize') sizes.push(`${input.columns}x${input.rows}`);
                return stream.write(input);
              },
              close: () => stream.close(),
              [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator](),
            };
          },
        });
        const command = `stty cols 97 rows 31; ${binaryOf(minor)} --server=${terminal.url} --insecure-skip-tls-verify --token=t --cache-dir=${directory}/cache exec -it p -- sh -c 'read line; echo "got $line"; exit 9'`;
        const child = spawn('script', ['-qec', command, '/dev/null'], {
          stdio: 'pipe',
          env: { PATH: process.env['PATH'], HOME: directory, KUBECONFIG: '/dev/null', SHELL: '/bin/sh' },
        });
        let output = '';
        child.stdout.on('data', (data: Buffer) => (output += data.toString()));
        const closed = once(child, 'close');
        await until(() => sizes.length > 0);
        child.stdin.write('hello\n');
        const [code] = (await closed) as [number];
        terminal.stop();
        expect(output).toContain('got hello');
        expect([code, sizes[0], asked[0]]).toMatchObject([9, '97x31', { tty: true, stderr: false }]);
      },
    );
  },
);

describe.skipIf(!existsSync(binaryOf(33)))('kubectl 1.33 told to speak SPDY', () => {
  const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' };

  it('execs and forwards', async () => {
    const { stdout } = await kubectl(33, ['exec', '-i', 'p', '--', 'sha256sum'], { input: PAYLOAD, env });
    expect(stdout.toString().split(' ')[0]).toBe(sha256(PAYLOAD));
    expect(server.upgrades.at(-1)).toMatch(/^spdy\/3\.1 /);
    await forwarding(33, webPort(), { env }, manyRequests);
    expect(server.upgrades.at(-1)).toMatch(/^spdy\/3\.1 portforward/);
  });
});
