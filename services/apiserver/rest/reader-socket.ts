/**
 * An answer that is a stream of bytes (`pods/log`) over WebSocket, for browsers
 * (k8s.io/streaming/pkg/httpstream/wsstream.Reader): an empty message first, then one message for each chunk, binary or
 * in base64. What the client sends is read and dropped.
 */
import { once } from 'node:events';
import { WebSocketServer, type WebSocket } from 'ws';
import { headerOf, type RestRequest, type RestResponse } from './message.js';
import { statusLine } from './raw-answer.js';
import type { UpgradeSocket } from './upgrade-socket.js';

/** In the client's order of preference; '' stands for a client that offers none. */
const PROTOCOLS: ReadonlyMap<string, 'binary' | 'base64'> = new Map([
  ['', 'binary'],
  ['binary.k8s.io', 'binary'],
  ['base64.binary.k8s.io', 'base64'],
]);
const MESSAGE_BYTES_MAX = 4096;

/** The stream that is to be sent over WebSocket; undefined: the answer is none, or the client wants no WebSocket. */
export function readerBody(
  request: RestRequest,
  { status, body }: RestResponse,
): AsyncIterable<Uint8Array> | undefined {
  const wanted = headerOf(request, 'upgrade').toLowerCase() === 'websocket' && status === 200;
  return wanted && !(body instanceof Uint8Array) ? body : undefined;
}

/**
 * Resolves when the stream has ended, or the client is gone. A client that speaks none of the protocols gets 403, as
 * upstream's does.
 */
export async function serveReaderSocket(
  request: RestRequest,
  { request: incoming, socket, head }: UpgradeSocket,
  body: AsyncIterable<Uint8Array>,
): Promise<void> {
  const offered = headerOf(request, 'sec-websocket-protocol')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const protocol = offered.length === 0 ? '' : offered.find((name) => PROTOCOLS.has(name));
  const encoding = protocol === undefined ? undefined : PROTOCOLS.get(protocol);
  if (protocol === undefined || encoding === undefined) {
    await body[Symbol.asyncIterator]().return?.();
    socket.end(statusLine(403));
    return;
  }
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    handleProtocols: () => (protocol === '' ? false : protocol),
  });
  const accepted = new Promise<WebSocket>((resolve) => server.handleUpgrade(incoming, socket, head, resolve));
  // A handshake that ws refuses it answers itself, and closes.
  const connection = await Promise.race([accepted, once(socket, 'close').then(() => undefined)]);
  if (connection === undefined) {
    await body[Symbol.asyncIterator]().return?.();
    return;
  }
  await copy(connection, body, encoding);
}

async function copy(
  connection: WebSocket,
  body: AsyncIterable<Uint8Array>,
  encoding: 'binary' | 'base64',
): Promise<void> {
  const send = (chunk: Uint8Array) =>
    sent(connection, encoding === 'base64' ? Buffer.from(chunk).toString('base64') : chunk);
  connection.on('error', () => connection.terminate());
  try {
    await send(Buffer.alloc(0));
    for await (const chunk of body) {
      if (connection.readyState !== connection.OPEN) break;
      await send(chunk);
    }
  } finally {
    connection.close();
  }
}

/** Waits until the message has left: a client that does not read is held up here, and the node with it. */
function sent(connection: WebSocket, message: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => connection.send(message, () => resolve()));
}
