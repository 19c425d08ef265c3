import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateSync } from 'node:zlib';
import { afterEach, expect, it } from 'vitest';
import type { ExecRequest } from '../runtime.js';
import { SPDY_DICTIONARY } from './spdy-dictionary.js';
import { openStreaming, streamingUrl } from './streaming.js';

const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));
const request: ExecRequest = { kind: 'exec', namespace: 'n', pod: 'p', uid: 'u', container: 'c', command: ['x'], stdin: false, stdout: true, stderr: false, tty: false };

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

it.each(['http://192.0.2.1:1/x', 'http://example.test/x', 'https://127.0.0.1/x', 'file:///etc/passwd'])('goes nowhere but to loopback: %s', (url) => {
  expect(() => streamingUrl(url)).toThrow('not on loopback');
});

it('follows no redirect (CVE-2020-8559)', async () => {
  let visits = 0;
  const url = await serve((server) => server.on('request', (_request, response) => {
    visits++;
    response.writeHead(302, { location: '/elsewhere' }).end();
  }));
  await expect(openStreaming(url, request, new AbortController().signal)).rejects.toThrow('answered 302');
  expect(visits).toBe(1);
});

it('ends with an error when the far end talks nonsense', async () => {
  const url = await serve((server) => server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n');
    socket.write(Buffer.alloc(64, 0xff));
    socket.on('error', () => undefined);
  }));
  const stream = await openStreaming(url, request, new AbortController().signal);
  await expect((async () => { for await (const _frame of stream); })()).rejects.toThrow('a SPDY frame is too large');
});
