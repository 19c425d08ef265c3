import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { PodStream, PodStreamInput, PodStreamOutput, PodStreamRequest } from '../../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../../apimachinery/status.js';
import { PushStream } from '../../../../platform/stream.js';
import type { UpgradeRequest } from '../../ports.js';
import { createStreamingFront } from '../index.js';

/** The far end: records what it is sent, and says what the test pushes. */
class FarEnd implements PodStream {
  readonly output = new PushStream<PodStreamOutput>({ limit: 1000, onOverflow: () => new Error('overflow') });
  readonly input: PodStreamInput[] = [];
  closed = false;

  write(input: PodStreamInput): Promise<void> {
    this.input.push(input);
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
    this.output.end();
  }

  [Symbol.asyncIterator](): AsyncIterator<PodStreamOutput> {
    return this.output;
  }
}

let server: Server | undefined;
afterEach(() => server?.close());

async function setUp(more: Partial<UpgradeRequest> = {}, open?: (request: PodStreamRequest) => Promise<PodStream>) {
  const far: FarEnd[] = [];
  const asked: PodStreamRequest[] = [];
  server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void createStreamingFront().serve({
      kind: 'exec', user: { name: 'u', groups: [] }, namespace: 'd', pod: 'p', uid: 'x', container: 'c', command: ['sh'],
      stdin: true, stdout: true, stderr: true, tty: false, ports: [], request, socket, head,
      reach: () => Promise.resolve(),
      open(wanted) {
        asked.push(wanted);
        if (open !== undefined) return open(wanted);
        const end = new FarEnd();
        far.push(end);
        return Promise.resolve(end);
      },
      ...more,
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dial = (protocols: string[]) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, protocols);
    const frames: Buffer[] = [];
    socket.on('message', (data) => frames.push(data as Buffer));
    return { socket, frames };
  };
  return { far, asked, dial };
}

const until = async (condition: () => boolean) => {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 2));
  expect(condition()).toBe(true);
};
const textOf = (frames: Buffer[], channel: number) => Buffer.concat(frames.filter((f) => f[0] === channel).map((f) => f.subarray(1))).toString();

describe('exec over WebSocket', () => {
  it('carries input, output, sizes, the end of input and the exit code (v5)', async () => {
    const { far, dial } = await setUp();
    const { socket, frames } = dial(['v5.channel.k8s.io', 'v4.channel.k8s.io']);
    await once(socket, 'open');
    expect(socket.protocol).toBe('v5.channel.k8s.io');
    socket.send(Buffer.from('\0ls\n'));
    socket.send(Buffer.concat([Buffer.of(4), Buffer.from('{"Width":80,"Height":24}')]));
    socket.send(Buffer.concat([Buffer.of(4), Buffer.from('{"Width":"__proto__"}')]));
    socket.send(Buffer.of(255, 0));
    await until(() => far[0]?.input.length === 3);
    expect(far[0]?.input).toEqual([{ kind: 'stdin', data: Buffer.from('ls\n') }, { kind: 'resize', columns: 80, rows: 24 }, { kind: 'stdin-end' }]);
    far[0]?.output.push({ kind: 'stdout', data: Buffer.from('out') });
    far[0]?.output.push({ kind: 'stderr', data: Buffer.from('err') });
    far[0]?.output.push({ kind: 'exit', code: 3 });
    await once(socket, 'close');
    expect([textOf(frames, 1), textOf(frames, 2)]).toEqual(['out', 'err']);
    expect(JSON.parse(textOf(frames, 3))).toMatchObject({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '3' }] } });
  });

  it('reports success, and speaks base64 to those who ask for it', async () => {
    const { far, dial } = await setUp();
    const { socket, frames } = dial(['base64.channel.k8s.io']);
    await once(socket, 'open');
    socket.send(`0${Buffer.from('hi').toString('base64')}`);
    await until(() => far[0]?.input.length === 1);
    expect(far[0]?.input[0]).toEqual({ kind: 'stdin', data: Buffer.from('hi') });
    far[0]?.output.push({ kind: 'exit', code: 0 });
    await once(socket, 'close');
    const last = frames.at(-1)?.toString() ?? '';
    expect([last[0], JSON.parse(Buffer.from(last.slice(1), 'base64').toString())]).toEqual(['3', { metadata: {}, status: 'Success' }]);
  });

  it('answers no 101 when the far end cannot be reached (CVE-2018-1002105)', async () => {
    const { dial } = await setUp({}, () => Promise.reject(apiErrors.serviceUnavailable('node w1 has no session')));
    const { socket } = dial(['v5.channel.k8s.io']);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    let body = '';
    for await (const chunk of response) body += String(chunk);
    expect([response.statusCode, JSON.parse(body)]).toMatchObject([503, { kind: 'Status', message: 'node w1 has no session' }]);
  });

  it('refuses protocols it does not know, and closes the far end when the client goes', async () => {
    const { far, dial, asked } = await setUp({ tty: true });
    const refused = dial(['v9.channel.k8s.io']).socket;
    const [, response] = (await once(refused, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(400);
    const { socket } = dial(['v4.channel.k8s.io']);
    await once(socket, 'open');
    expect(asked[0]).toMatchObject({ tty: true, stderr: false });
    socket.terminate();
    await until(() => far[0]?.closed === true);
  });
});

describe('port-forward over WebSocket channels', () => {
  it('names each port, then carries its bytes', async () => {
    const { far, dial } = await setUp({ kind: 'port-forward', ports: [8080, 53] });
    const { socket, frames } = dial(['v4.channel.k8s.io']);
    await once(socket, 'open');
    await until(() => frames.length === 4);
    expect(frames.map((f) => [f[0], f.readUInt16LE(1)])).toEqual([[0, 8080], [1, 8080], [2, 53], [3, 53]]);
    socket.send(Buffer.concat([Buffer.of(2), Buffer.from('query')]));
    await until(() => far[1]?.input.length === 1);
    far[1]?.output.push({ kind: 'stdout', data: Buffer.from('answer') });
    await until(() => textOf(frames, 2).endsWith('answer'));
    socket.close();
    await until(() => far.every((end) => end.closed));
  });
});
