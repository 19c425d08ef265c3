import { afterEach, describe, expect, it } from 'vitest';
import { apiErrors } from '../../../../apimachinery/status.js';
import { systemClock } from '../../../../platform/clock.js';
import { HEARTBEAT_MS, LINGER_MS, STREAMS_TIMEOUT_MS } from '../limits.js';
import { startFront, until, type FrontServer, type FrontServerOptions } from '../testing/front-server.js';
import { dialSpdy, type Dialled } from '../testing/spdy-client.js';

let front: FrontServer | undefined;
afterEach(() => front?.stop());

async function upgraded(
  options: FrontServerOptions,
  protocols: readonly string[],
): Promise<Extract<Dialled, { kind: 'upgraded' }> & { front: FrontServer }> {
  front = await startFront(options);
  const dialled = await dialSpdy(front.port, protocols);
  if (dialled.kind === 'refused') throw new Error(dialled.body);
  return { ...dialled, front };
}

const V4 = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];

describe('exec over SPDY/3.1', () => {
  it('carries input, its end, both outputs and the exit code (v4)', async () => {
    const {
      client,
      protocol,
      front: { far, served },
    } = await upgraded({}, V4);
    expect(protocol).toBe('v4.channel.k8s.io');
    for (const [index, type] of ['error', 'stdin', 'stdout', 'stderr'].entries())
      client.open(index * 2 + 1, { streamtype: type });
    client.data(3, 'in', true);
    await until(() => far[0]?.input.length === 2);
    expect(far[0]?.input).toEqual([{ kind: 'stdin', data: Buffer.from('in') }, { kind: 'stdin-end' }]);
    far[0]?.output.push({ kind: 'stdout', data: Buffer.from('out') });
    far[0]?.output.push({ kind: 'stderr', data: Buffer.from('err') });
    far[0]?.output.push({ kind: 'exit', code: 3 });
    await until(() => client.frames.at(-1)?.kind === 'goaway');
    expect([client.textOf(5), client.textOf(7), [1, 5, 7].every((stream) => client.ended(stream))]).toEqual([
      'out',
      'err',
      true,
    ]);
    expect(JSON.parse(client.textOf(1))).toMatchObject({
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    await until(() => served.count === 1);
  });

  it.each([
    [['v3.channel.k8s.io'], 'v3.channel.k8s.io'],
    [['v2.channel.k8s.io'], 'v2.channel.k8s.io'],
    [[], 'channel.k8s.io'],
    [['v9.channel.k8s.io', 'v2.channel.k8s.io, v4.channel.k8s.io'], 'v2.channel.k8s.io'],
  ])('tells older clients in plain text how it ended (%s)', async (offered, chosen) => {
    const upgrade = { stdin: false, stderr: false };
    for (const [code, text] of [
      [0, ''],
      [3, 'command terminated with non-zero exit code: exit status 3'],
    ] as const) {
      const {
        client,
        protocol,
        front: { far, stop },
      } = await upgraded({ upgrade }, offered);
      expect(protocol).toBe(chosen);
      client.open(1, { streamtype: 'error' });
      client.open(3, { streamtype: 'stdout' });
      far[0]?.output.push({ kind: 'exit', code });
      await until(() => client.ended(1));
      expect(client.textOf(1)).toBe(text);
      stop();
    }
  });

  it('takes terminal sizes, several to a frame or one to several, and skips what is none', async () => {
    const {
      client,
      front: { far, asked },
    } = await upgraded({ upgrade: { tty: true } }, V4);
    for (const [index, type] of ['error', 'stdin', 'stdout', 'resize'].entries())
      client.open(index * 2 + 1, { streamtype: type });
    client.data(7, '{"Width":80,"Height":24}\n{"Width":-1,"Height":"a"}\n{"Wid');
    client.data(7, `th":100,"Height":50}\n${'x'.repeat(1000)}null}`);
    client.data(7, '{"Width":1,"Height":2}');
    await until(() => far[0]?.input.length === 3);
    expect(far[0]?.input).toEqual(
      [
        [80, 24],
        [100, 50],
        [1, 2],
      ].map(([columns, rows]) => ({ kind: 'resize', columns, rows })),
    );
    expect(asked[0]).toMatchObject({ tty: true, stderr: false });
  });

  it('refuses streams that the request has not announced, or announced once', async () => {
    const { client } = await upgraded({ upgrade: { stdin: false } }, V4);
    client.open(1, { streamtype: 'error' });
    client.open(3, { streamtype: 'error' });
    client.open(5, { streamtype: 'stdin' });
    client.open(7, { streamtype: '__proto__' });
    client.open(9, {});
    await until(() => client.frames.length === 5);
    expect(client.frames.map((frame) => [frame.kind, 'stream' in frame ? frame.stream : 0])).toEqual([
      ['syn-reply', 1],
      ['rst-stream', 3],
      ['rst-stream', 5],
      ['rst-stream', 7],
      ['rst-stream', 9],
    ]);
  });

  it('closes the far end when the client goes, breaks the protocol, or never opens its streams', async () => {
    for (const end of ['goes', 'breaks', 'waits'] as const) {
      const {
        client,
        socket,
        front: { far, clock, served, stop },
      } = await upgraded({}, V4);
      client.open(1, { streamtype: 'error' });
      await until(() => client.frames.length === 1);
      if (end === 'goes') socket.destroy();
      if (end === 'breaks') socket.write('GET / HTTP/1.1\r\n\r\n');
      if (end === 'waits') await clock.advance(STREAMS_TIMEOUT_MS);
      if (end !== 'goes') await until(() => client.frames.at(-1)?.kind === 'goaway');
      if (end === 'waits') socket.destroy();
      await until(() => far[0]?.closed === true && served.count === 1);
      await clock.advance(LINGER_MS);
      stop();
    }
  });

  it('notices by its heartbeat that a client has gone whose input nobody reads', async () => {
    const {
      client,
      socket,
      front: { far, clock },
    } = await upgraded({}, V4);
    const [end] = far;
    if (end !== undefined) end.write = () => new Promise(() => undefined);
    for (const [index, type] of ['error', 'stdin', 'stdout', 'stderr'].entries())
      client.open(index * 2 + 1, { streamtype: type });
    for (let i = 0; i < 64; i++) client.data(3, 'x'.repeat(256 * 1024));
    await until(() => client.frames.filter(({ kind }) => kind === 'syn-reply').length === 4);
    socket.destroy();
    for (let beats = 0; beats < 20 && end?.closed !== true; beats++) {
      await clock.advance(HEARTBEAT_MS);
      await systemClock.sleep(10);
    }
    expect(end?.closed).toBe(true);
  });

  it('answers no 101 when the far end cannot be reached, or no protocol is shared (CVE-2018-1002105)', async () => {
    front = await startFront({ open: () => Promise.reject(apiErrors.serviceUnavailable('node w1 has no session')) });
    const unreachable = await dialSpdy(front.port, V4);
    expect(unreachable).toMatchObject({ kind: 'refused', code: 503 });
    expect(await dialSpdy(front.port, ['v9.channel.k8s.io'])).toMatchObject({ kind: 'refused', code: 400 });
    expect(await dialSpdy(front.port, V4, 'SPDY/2')).toMatchObject({ kind: 'refused', code: 400 });
    expect(front.asked.length).toBe(1);
  });
});

describe('port-forward over SPDY/3.1', () => {
  const options: FrontServerOptions = { upgrade: { kind: 'port-forward' } };
  const pair = (port: string, requestid: string) =>
    (['error', 'data'] as const).map((streamtype) => ({ streamtype, port, requestid }));

  it('joins pairs by request id, many at a time, and ends each by itself', async () => {
    const {
      client,
      socket,
      front: { far, asked },
    } = await upgraded(options, ['portforward.k8s.io']);
    const [error0 = {}, data0 = {}] = pair('80', '0');
    const [error1 = {}, data1 = {}] = pair('81', '1');
    client.open(1, error0);
    client.open(3, data1);
    client.open(5, error1);
    client.open(7, data0);
    await until(() => far.length === 2);
    expect(asked.map((request) => (request.kind === 'port-forward' ? request.port : 0))).toEqual([81, 80]);
    client.data(7, 'to 80');
    client.data(3, 'to 81');
    await until(() => far[0]?.text === 'to 81' && far[1]?.text === 'to 80');
    far[0]?.output.push({ kind: 'stdout', data: Buffer.from('from 81') });
    far[0]?.output.end();
    await until(() => client.ended(3) && client.ended(5));
    expect([client.textOf(3), client.textOf(5), client.ended(7)]).toEqual(['from 81', '', false]);
    client.send({ kind: 'rst-stream', stream: 7, status: 5 });
    await until(() => far[1]?.closed === true);
    socket.destroy();
  });

  it('says on the error stream why a port cannot be opened, or broke', async () => {
    const {
      client,
      front: { far, asked },
    } = await upgraded(options, []);
    for (const [index, headers] of pair('80', '').entries()) client.open(index * 2 + 1, headers);
    await until(() => asked.length === 1);
    far[0]?.output.fail(new Error('connection reset'));
    await until(() => client.ended(1) && client.ended(3));
    expect(client.textOf(1)).toBe('connection reset');
    front?.stop();
    const second = await upgraded(
      { ...options, open: () => Promise.reject(apiErrors.badRequest('connection refused')) },
      [],
    );
    for (const [index, headers] of pair('80', 'a').entries()) second.client.open(index * 2 + 1, headers);
    await until(() => second.client.ended(1) && second.client.ended(3));
    expect(second.client.textOf(1)).toBe('error forwarding port 80 to pod p: connection refused');
  });

  it('refuses streams without a port or type, and halves that do not fit or stay alone', async () => {
    const {
      client,
      front: { clock, asked },
    } = await upgraded(options, []);
    client.open(1, { streamtype: 'data', port: '0', requestid: '1' });
    client.open(3, { streamtype: 'data', port: '1e3', requestid: '1' });
    client.open(5, { streamtype: 'stdin', port: '80', requestid: '1' });
    client.open(7, { streamtype: 'data', port: '80', requestid: '1' });
    client.open(9, { streamtype: 'data', port: '80', requestid: '1' });
    client.open(11, { streamtype: 'error', port: '81', requestid: '1' });
    await until(() => client.frames.length === 6);
    expect(client.frames.map((frame) => frame.kind)).toEqual([
      'rst-stream',
      'rst-stream',
      'rst-stream',
      'syn-reply',
      'rst-stream',
      'rst-stream',
    ]);
    await clock.advance(STREAMS_TIMEOUT_MS);
    await until(() => client.frames.some((frame) => frame.kind === 'rst-stream' && frame.stream === 7));
    expect(asked).toEqual([]);
  });

  it('answers no 101 when the node has no session', async () => {
    front = await startFront({
      upgrade: { kind: 'port-forward', reach: () => Promise.reject(apiErrors.serviceUnavailable('no session')) },
    });
    expect(await dialSpdy(front.port, ['portforward.k8s.io'])).toMatchObject({ kind: 'refused', code: 503 });
  });
});
