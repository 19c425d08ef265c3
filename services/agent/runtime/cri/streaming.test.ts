import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { deflateSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../../../platform/clock.js';
import type { ExecRequest } from '../runtime.js';
import { SPDY_DICTIONARY } from './spdy-dictionary.js';
import { openStreaming, streamingUrl } from './streaming.js';

const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));
const request: ExecRequest = {
  kind: 'exec',
  namespace: 'n',
  pod: 'p',
  uid: 'u',
  container: 'c',
  command: ['x'],
  stdin: false,
  stdout: true,
  stderr: false,
  tty: false,
};

async function serve(handle: (server: Server) => void): Promise<string> {
  const server = createServer();
  servers.push(server);
  handle(server);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/exec/token`;
}

it('has the dictionary of SPDY/3', () => {
  expect(deflateSync('x', { dictionary: SPDY_DICTIONARY }).subarray(2, 6).toString('hex')).toBe('e3c6a7c2');
});

it.each(['http://192.0.2.1:1/x', 'http://example.test/x', 'https://127.0.0.1/x', 'file:///etc/passwd'])(
  'goes nowhere but to loopback: %s',
  (url) => {
    expect(() => streamingUrl(url)).toThrow('not on loopback');
  },
);

it('follows no redirect (CVE-2020-8559)', async () => {
  let visits = 0;
  const url = await serve((server) =>
    server.on('request', (_request, response) => {
      visits++;
      response.writeHead(302, { location: '/elsewhere' }).end();
    }),
  );
  await expect(openStreaming(url, request, new AbortController().signal, systemClock)).rejects.toThrow('answered 302');
  expect(visits).toBe(1);
});

it('ends with an error when the far end talks nonsense', async () => {
  const url = await serve((server) =>
    server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n');
      socket.write(Buffer.alloc(64, 0xff));
      socket.on('error', () => undefined);
    }),
  );
  const stream = await openStreaming(url, request, new AbortController().signal, systemClock);
  await expect(
    (async () => {
      for await (const _frame of stream);
    })(),
  ).rejects.toThrow('a SPDY frame is too large');
});

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n';
/** A data frame that ends its stream. */
function last(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(stream);
  header.writeUInt32BE(2 ** 24 + Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}
/** Cuts what arrives into frames. */
function eachFrame(take: (frame: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (
      let size = 0;
      rest.length >= 8 && rest.length >= (size = 8 + rest.readUIntBE(5, 3));
      rest = rest.subarray(size)
    )
      take(rest.subarray(0, size));
  };
}
const failure = (more: object) => JSON.stringify({ metadata: {}, status: 'Failure', ...more });

/** Issue 6 row 28; the runtime's words are what kubectl shows. */
it("a command that the runtime cannot start fails with the runtime's own Status", async () => {
  const message =
    'Internal error occurred: error executing command in container: failed to exec in container: exec: "nothing": executable file not found in $PATH: unknown';
  const url = await serve((server) =>
    server.on('upgrade', (_request, socket) => {
      socket.on('error', () => undefined);
      socket.write(SWITCH);
      let opened = 0;
      socket.on(
        'data',
        eachFrame((frame) => {
          const isOpen = frame.readUInt16BE(0) === 0x8003 && frame.readUInt16BE(2) === 1;
          if (isOpen && ++opened === 2)
            socket.write(
              Buffer.concat([last(3, ''), last(1, failure({ reason: 'InternalError', message, code: 500 }))]),
            );
        }),
      );
    }),
  );
  const stream = await openStreaming(url, request, new AbortController().signal, systemClock);
  await expect(
    (async () => {
      for await (const _frame of stream);
    })(),
  ).rejects.toMatchObject({ status: { reason: 'InternalError', message, code: 500 } });
});

/** Issue 6 row 28: `cp` into a read-only pod sometimes ended with ECONNRESET. */
it('a command that ends while it is sent input, and resets the connection, is known by its exit code', async () => {
  const exit = failure({
    reason: 'NonZeroExitCode',
    message: 'exit status 2',
    details: { causes: [{ reason: 'ExitCode', message: '2' }] },
  });
  const url = await serve((server) =>
    server.on('upgrade', (_request, socket) => {
      let taken = 0;
      socket.on('error', () => undefined).write(SWITCH);
      socket.on(
        'data',
        eachFrame((frame) => {
          const isPing = frame.readUInt16BE(0) === 0x8003 && frame.readUInt16BE(2) === 6;
          if (isPing) socket.write(frame);
          else taken += frame.length;
          if (taken < 100_000 || socket.isPaused()) return;
          socket.pause();
          socket.write(Buffer.concat([last(5, ''), last(7, 'tar: read-only file system'), last(1, exit)]), () =>
            (socket as Socket).resetAndDestroy(),
          );
        }),
      );
    }),
  );
  for (let i = 0; i < 50; i++) {
    const stream = await openStreaming(
      url,
      { ...request, stdin: true, stderr: true },
      new AbortController().signal,
      systemClock,
    );
    void (async () => {
      for (let sent = 0; sent < 100; sent++) await stream.write({ kind: 'stdin', data: Buffer.alloc(64 << 10) });
    })().catch(() => undefined);
    const frames: unknown[] = [];
    for await (const frame of stream) frames.push(frame.kind === 'exit' ? frame : Buffer.from(frame.data).toString());
    expect(frames).toEqual(['tar: read-only file system', { kind: 'exit', code: 2, message: 'exit status 2' }]);
  }
});
