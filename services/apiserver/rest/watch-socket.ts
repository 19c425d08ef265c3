/**
 * A watch over WebSocket (k8s.io/apiserver/pkg/endpoints/handlers.WatchServer.HandleWS): the usual answer, one message
 * for each event.
 */
import { once } from 'node:events';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { headerOf } from './message.js';
import { isBearerProtocol } from '../auth/protocol-token.js';
import type { RestRequest, RestResponse } from './message.js';
import { verbOf } from './objects.js';
import { parseUrl } from './url.js';
import type { UpgradeSocket } from './upgrade-socket.js';

/** Clients of a watch have nothing to say: a message of theirs is read and dropped. */
const MESSAGE_BYTES_MAX = 4096;

const acceptor = new WebSocketServer({
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MESSAGE_BYTES_MAX,
  handleProtocols: (offered) => [...offered].find((name) => !isBearerProtocol(name)) ?? false,
});

/** Throws BadRequest like `parseUrl`. */
export function isWatchUpgrade(request: RestRequest): boolean {
  const { route, query } = parseUrl(request.url);
  return (
    route.kind === 'resource' &&
    route.subresource === undefined &&
    headerOf(request, 'upgrade').toLowerCase() === 'websocket' &&
    verbOf(request.method, route, query) === 'watch'
  );
}

/** Resolves when the watch is over; the caller answers what is returned, a refusal, in plain HTTP. */
export async function serveWatchSocket(
  request: RestRequest,
  { request: incoming, socket, head }: UpgradeSocket,
  handle: (request: RestRequest) => Promise<RestResponse>,
): Promise<RestResponse | undefined> {
  const response = await handle(request);
  const { body } = response;
  if (response.status !== 200 || body instanceof Uint8Array) return response;
  const isText = response.headers['content-type'] === 'application/json';
  const accepted = new Promise<WebSocket>((resolve) => acceptor.handleUpgrade(incoming, socket, head, resolve));
  // A handshake that ws refuses (a bad key, a version it does not know) it answers itself, and closes.
  const connection = await Promise.race([accepted, once(socket, 'close').then(() => undefined)]);
  if (connection === undefined) {
    await body[Symbol.asyncIterator]().return?.();
    return undefined;
  }
  connection.on('error', () => connection.terminate());
  try {
    for await (const event of body) {
      if (connection.readyState !== connection.OPEN) break;
      await sent(connection, isText ? Buffer.from(event).toString('utf8').trimEnd() : event);
    }
  } finally {
    connection.close();
  }
  return undefined;
}

/** Waits until the message has left: a watcher that does not read is held up here, and closed by the cacher's bound. */
function sent(connection: WebSocket, message: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => connection.send(message, () => resolve()));
}
