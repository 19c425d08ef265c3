/**
 * Bytes that nobody sends by mistake: each gets a Status or is cut off, nothing is left behind, and the server lives.
 */
import { once } from 'node:events';
import { connect } from 'node:tls';
import { Agent, fetch } from 'undici';
import { describe, expect, it } from 'vitest';
import { configMap } from '../registry/testing.js';
import { startApiServer } from '../testing/api-server.js';

const MAPS = '/api/v1/namespaces/default/configmaps';

async function start() {
  const running = await startApiServer();
  const dispatcher = new Agent({ connect: { ca: running.certificate } });
  const socket = async () => {
    const open = connect({ port: Number(new URL(running.url).port), host: '127.0.0.1', ca: running.certificate });
    open.on('error', () => undefined);
    await once(open, 'secureConnect');
    return open;
  };
  const call = (path: string, init: Parameters<typeof fetch>[1] = {}) =>
    fetch(`${running.url}${path}`, { ...init, dispatcher });
  return {
    ...running,
    call,
    socket,
    /** What comes back for bytes on the wire, until the server closes. */
    async raw(text: string): Promise<string> {
      const open = await socket();
      let answer = '';
      open.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
      open.write(text, 'latin1');
      await once(open, 'close');
      return answer;
    },
    async [Symbol.asyncDispose]() {
      await dispatcher.destroy();
      await running[Symbol.asyncDispose]();
    },
  };
}

const close = 'connection: close\r\n';
const post = (type: string, body: string, more = '') =>
  `POST ${MAPS} HTTP/1.1\r\nhost: x\r\n${close}content-type: ${type}\r\n${more}content-length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`;
const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'
  .split('')
  .map(
    (name, index) =>
      `${name}: &${name} [${Array(9)
        .fill(`*${'abcdefghij'[index] ?? 'a'}`)
        .join(',')}]`,
  )
  .join('\n')}\n`;

describe('hostile bytes', () => {
  it.each<[string, string, RegExp]>([
    ['no HTTP', 'garbage\r\n\r\n', /^HTTP\/1\.1 400 [^]*"kind":"Status"[^]*is not valid HTTP/],
    ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /^(HTTP\/1\.1 400 [^]*"kind":"Status"|)/],
    [
      'headers without end',
      `GET /version HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`,
      /^(HTTP\/1\.1 431 [^]*"kind":"Status"|$)/,
    ],
    [
      'a chunk of no size',
      `POST ${MAPS} HTTP/1.1\r\nhost: x\r\n${close}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      /^HTTP\/1\.1 400 [^]*"kind":"Status"/,
    ],
    [
      'two lengths',
      `POST ${MAPS} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}`,
      /^HTTP\/1\.1 400 [^]*"kind":"Status"/,
    ],
    [
      'length and chunks',
      `POST ${MAPS} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 400 [^]*"kind":"Status"/,
    ],
    [
      'a percent that encodes nothing',
      `GET ${MAPS}/%zz HTTP/1.1\r\nhost: x\r\n${close}\r\n`,
      /^HTTP\/1\.1 400 [^]*"kind":"Status"/,
    ],
    [
      'a zero in the path',
      `GET ${MAPS}/a%00b HTTP/1.1\r\nhost: x\r\n${close}\r\n`,
      /^HTTP\/1\.1 400 [^]*"kind":"Status"/,
    ],
    ['a way up', `GET ${MAPS}/%2e%2e HTTP/1.1\r\nhost: x\r\n${close}\r\n`, /^HTTP\/1\.1 400 [^]*"kind":"Status"/],
    [
      'a method that is none of ours',
      `TRACE ${MAPS} HTTP/1.1\r\nhost: x\r\n${close}\r\n`,
      /^HTTP\/1\.1 405 [^]*"kind":"Status"/,
    ],
    [
      'an upgrade to something else',
      `GET ${MAPS} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n`,
      /^HTTP\/1\.1 200 [^]*"kind":"ConfigMapList"/,
    ],
    [
      'a WebSocket without a key',
      `GET ${MAPS}?watch=1 HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
    ['JSON cut short', post('application/json', '{"kind":'), /^HTTP\/1\.1 400 [^]*"kind":"Status"/],
    ['JSON without end', post('application/json', '['.repeat(100_000)), /^HTTP\/1\.1 400 [^]*nests deeper/],
    ['JSON that is a word', post('application/json', 'null'), /^HTTP\/1\.1 422 [^]*"kind":"Status"/],
    ['bytes that are no UTF-8', post('application/json', '\xff\xfe{}'), /^HTTP\/1\.1 400 [^]*"kind":"Status"/],
    ['YAML that grows', post('application/yaml', bomb), /^HTTP\/1\.1 400 [^]*"kind":"Status"/],
    ['YAML without end', post('application/yaml', '- '.repeat(5000)), /^HTTP\/1\.1 400 [^]*"kind":"Status"/],
    [
      'protobuf of another kind',
      post('application/vnd.kubernetes.protobuf', 'k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x00'),
      /^HTTP\/1\.1 400 [^]*"kind":"Status"/,
    ],
    [
      'protobuf that claims a gigabyte',
      post('application/vnd.kubernetes.protobuf', 'k8s\0\x0a\xff\xff\xff\xff\x0f'),
      /^HTTP\/1\.1 400 [^]*"kind":"Status"/,
    ],
    ['a type of its own', post('text/html', '<html>'), /^HTTP\/1\.1 415 [^]*"kind":"Status"/],
    [
      'an unknown encoding',
      post('application/json', '{}', 'content-encoding: br\r\n'),
      /^HTTP\/1\.1 415 [^]*"kind":"Status"/,
    ],
    [
      'a length beyond the limit',
      `POST ${MAPS} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n`,
      /^HTTP\/1\.1 413 [^]*"kind":"Status"/,
    ],
  ])('%s', async (_name, text, expected) => {
    await using test = await start();
    expect((await test.raw(text)).slice(0, 2000)).toMatch(expected);
    expect((await test.call('/readyz')).status).toBe(200);
  });

  it('selectors and numbers of any size are refused in time', async () => {
    await using test = await start();
    const codes = await Promise.all(
      [
        `labelSelector=${encodeURIComponent('a in ('.repeat(2000))}`,
        `labelSelector=${'a,'.repeat(20_000)}%3D%3D`,
        'limit=99999999999999999999',
        'timeoutSeconds=x&watch=1',
        'resourceVersion=1e9',
        'resourceVersion=-1',
        `continue=${'x'.repeat(10_000)}`,
        `fieldSelector=${'='.repeat(10_000)}`,
        'continue=e30',
      ].map(async (query) => (await test.call(`${MAPS}?${query}`)).status),
    );
    expect(codes.filter((code) => code < 400 || code > 431)).toEqual([]);
  });

  it('watchers that vanish leave nothing behind', async () => {
    await using test = await start();
    await test.call(MAPS, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(configMap('a')),
    });
    const gauge = async () =>
      Number(/^\S*inflight\S*long\S* (\d+)$/m.exec(await (await test.call('/metrics')).text())?.[1] ?? Number.NaN);
    const before = await gauge();
    const sockets = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const open = await test.socket();
        open.write(`GET ${MAPS}?watch=1 HTTP/1.1\r\nhost: x\r\n\r\n`);
        await once(open, 'data');
        return open;
      }),
    );
    expect(await gauge()).toBe(before + 20);
    for (const open of sockets) open.destroy();
    await expect.poll(gauge, { timeout: 60_000 }).toBe(before);
  });
});
