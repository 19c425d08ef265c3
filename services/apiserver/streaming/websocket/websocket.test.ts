import { once } from 'node:events';
import { request as startRequest, type IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { PodStream, PodStreamRequest } from '../../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../../apimachinery/status.js';
import type { UpgradeRequest } from '../../ports.js';
import { HEARTBEAT_MS } from '../limits.js';
import { startFront, until, type FrontServer } from '../testing/front-server.js';
import { SpdyTestClient } from '../testing/spdy-client.js';

let front: FrontServer | undefined;
afterEach(() => front?.stop());

async function setUp(more: Partial<UpgradeRequest> = {}, open?: (request: PodStreamRequest) => Promise<PodStream>) {
  front = await startFront({ upgrade: more, ...(open === undefined ? {} : { open }) });
  const { far, asked, port, clock } = front;
  const dial = (protocols: string[]) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, protocols);
    const frames: Buffer[] = [];
    socket.on('message', (data) => frames.push(data as Buffer));
    return { socket, frames };
  };
  return { far, asked, dial, clock };
}

/** An upgrade to WebSocket without the key that makes it one. */
async function fetchUpgrade(port: number): Promise<IncomingMessage> {
  const request = startRequest({
    host: '127.0.0.1',
    port,
    headers: { connection: 'Upgrade', upgrade: 'websocket' },
    agent: false,
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  return response;
}

const textOf = (frames: Buffer[], channel: number) =>
  Buffer.concat(frames.filter((f) => f[0] === channel).map((f) => f.subarray(1))).toString();

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
    expect(far[0]?.input).toEqual([
      { kind: 'stdin', data: Buffer.from('ls\n') },
      { kind: 'resize', columns: 80, rows: 24 },
      { kind: 'stdin-end' },
    ]);
    far[0]?.output.push({ kind: 'stdout', data: Buffer.from('out') });
    far[0]?.output.push({ kind: 'stderr', data: Buffer.from('err') });
    far[0]?.output.push({ kind: 'exit', code: 3 });
    await once(socket, 'close');
    expect([textOf(frames, 1), textOf(frames, 2)]).toEqual(['out', 'err']);
    expect(JSON.parse(textOf(frames, 3))).toMatchObject({
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
  });

  /**
   * Issue 6 row 24; kubelet's remotecommand: the conformance test "remote command execution over websockets" speaks v1
   * and wants nothing but output.
   */
  it.each<[string[], number, string]>([
    [['channel.k8s.io'], 0, ''],
    [['base64.channel.k8s.io'], 0, ''],
    [[], 0, ''],
    [['channel.k8s.io'], 3, 'command terminated with non-zero exit code: exit status 3'],
    [['base64.channel.k8s.io'], 3, 'command terminated with non-zero exit code: exit status 3'],
    [[], 3, 'command terminated with non-zero exit code: exit status 3'],
    [['v4.channel.k8s.io'], 0, '{"metadata":{},"status":"Success"}'],
    [['v4.base64.channel.k8s.io'], 0, '{"metadata":{},"status":"Success"}'],
    [['v5.channel.k8s.io'], 0, '{"metadata":{},"status":"Success"}'],
  ])(
    '%j, exit code %i: an empty message first, and on the error channel at the end %j',
    async (protocols, code, expected) => {
      const { far, dial } = await setUp();
      const { socket, frames } = dial(protocols);
      await once(socket, 'open');
      await until(() => far.length === 1 && frames.length === 1);
      const base64 = protocols[0]?.includes('base64') === true;
      const decode = (frame: Buffer) =>
        base64
          ? [Number(frame.toString()[0]), Buffer.from(frame.toString().slice(1), 'base64').toString()]
          : [frame[0], frame.subarray(1).toString()];
      far[0]?.output.push({ kind: 'exit', code });
      await once(socket, 'close');
      expect(frames.map(decode)).toEqual([[1, ''], ...(expected === '' ? [] : [[3, expected]])]);
    },
  );

  it('reports success, and speaks base64 to those who ask for it', async () => {
    const { far, dial } = await setUp();
    const { socket, frames } = dial(['v4.base64.channel.k8s.io']);
    await once(socket, 'open');
    socket.send(`0${Buffer.from('hi').toString('base64')}`);
    await until(() => far[0]?.input.length === 1);
    expect(far[0]?.input[0]).toEqual({ kind: 'stdin', data: Buffer.from('hi') });
    far[0]?.output.push({ kind: 'exit', code: 0 });
    await once(socket, 'close');
    const last = frames.at(-1)?.toString() ?? '';
    expect([last[0], JSON.parse(Buffer.from(last.slice(1), 'base64').toString())]).toEqual([
      '3',
      { metadata: {}, status: 'Success' },
    ]);
  });

  it('answers no 101 when the far end cannot be reached (CVE-2018-1002105)', async () => {
    const { dial } = await setUp({}, () => Promise.reject(apiErrors.serviceUnavailable('node w1 has no session')));
    const { socket } = dial(['v5.channel.k8s.io']);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    let body = '';
    for await (const chunk of response) body += String(chunk);
    expect([response.statusCode, JSON.parse(body)]).toMatchObject([
      503,
      { kind: 'Status', message: 'node w1 has no session' },
    ]);
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

describe('a WebSocket', () => {
  it('that is none gets an answer', async () => {
    front = await startFront({});
    const response = await fetchUpgrade(front.port);
    expect([response.statusCode, front.far[0]?.closed]).toEqual([400, true]);
  });

  it('is sent signs of life', async () => {
    const { dial, clock } = await setUp();
    const { socket } = dial(['v5.channel.k8s.io']);
    await once(socket, 'open');
    const ping = once(socket, 'ping');
    await clock.advance(HEARTBEAT_MS);
    await ping;
    socket.terminate();
  });

  it('keeps the answer of a command that has stopped reading its input', async () => {
    const { far, dial } = await setUp();
    const { socket, frames } = dial(['v4.channel.k8s.io']);
    await once(socket, 'open');
    await until(() => far.length === 1);
    const [end] = far;
    let refused = 0;
    if (end !== undefined) end.write = () => Promise.reject(new Error(`broken pipe ${++refused}`));
    socket.send(Buffer.from('\0input'));
    await until(() => refused > 0);
    end?.output.push({ kind: 'exit', code: 4 });
    await once(socket, 'close');
    expect(JSON.parse(textOf(frames, 3))).toMatchObject({ details: { causes: [{ message: '4' }] } });
  });
});

describe('port-forward over WebSocket channels', () => {
  it('names each port, then carries its bytes', async () => {
    const { far, dial } = await setUp({ kind: 'port-forward', ports: [8080, 53] });
    const { socket, frames } = dial(['v4.channel.k8s.io']);
    await once(socket, 'open');
    await until(() => frames.length === 4);
    expect(frames.map((f) => [f[0], f.readUInt16LE(1)])).toEqual([
      [0, 8080],
      [1, 8080],
      [2, 53],
      [3, 53],
    ]);
    socket.send(Buffer.concat([Buffer.of(2), Buffer.from('query')]));
    await until(() => far[1]?.input.length === 1);
    far[1]?.output.push({ kind: 'stdout', data: Buffer.from('answer') });
    await until(() => textOf(frames, 2).endsWith('answer'));
    socket.close();
    await until(() => far.every((end) => end.closed));
  });
});

describe('port-forward tunnelled in WebSocket (KEP-4006)', () => {
  const PROTOCOL = 'SPDY/3.1+portforward.k8s.io';
  /** `ws` neither offers a protocol with a '/' nor takes it for an answer. */
  function dialTunnel(port: number): WebSocket {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { 'sec-websocket-protocol': PROTOCOL } });
    socket.on('upgrade', (response) => {
      expect(response.headers['sec-websocket-protocol']).toBe(PROTOCOL);
      delete response.headers['sec-websocket-protocol'];
    });
    return socket;
  }

  it('takes SPDY bytes split anywhere, and answers in kind', async () => {
    front = await startFront({ upgrade: { kind: 'port-forward' } });
    const { far, port } = front;
    const socket = dialTunnel(port);
    const client = new SpdyTestClient((bytes) => {
      for (const byte of bytes) socket.send(Buffer.of(byte));
    });
    socket.on('message', (data: Buffer) => client.receive(data));
    await once(socket, 'open');
    client.open(1, { streamtype: 'error', port: '80', requestid: '0' });
    client.open(3, { streamtype: 'data', port: '80', requestid: '0' });
    client.data(3, 'question', true);
    await until(() => far[0]?.input.at(-1)?.kind === 'stdin-end');
    expect(far[0]?.text).toBe('question');
    far[0]?.output.push({ kind: 'stdout', data: Buffer.from('answer') });
    far[0]?.output.end();
    await until(() => client.ended(3) && client.ended(1));
    expect([client.textOf(3), client.textOf(1)]).toEqual(['answer', '']);
    socket.close();
    await until(() => front?.served.count === 1);
  });

  it('answers no 101 when the node cannot be reached, and takes no text', async () => {
    front = await startFront({
      upgrade: { kind: 'port-forward', reach: () => Promise.reject(apiErrors.serviceUnavailable('no session')) },
    });
    const [, response] = (await once(dialTunnel(front.port), 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(503);
    front.stop();
    front = await startFront({ upgrade: { kind: 'port-forward' } });
    const socket = dialTunnel(front.port);
    await once(socket, 'open');
    socket.send('text');
    expect((await once(socket, 'close'))[0]).toBe(1003);
  });
});
