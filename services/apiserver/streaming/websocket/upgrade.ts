/** From an HTTP upgrade to a WebSocket: which protocol, and whose socket. */
import type { IncomingMessage } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { apiErrors } from '../../../../apimachinery/status.js';
import { isBearerProtocol } from '../../auth/protocol-token.js';
import type { UpgradeRequest } from '../../ports.js';
import { refuse } from '../../rest/raw-answer.js';

const MESSAGE_BYTES_MAX = 1024 * 1024;

export function isWebSocket(upgrade: UpgradeRequest): boolean {
  return upgrade.request.headers.upgrade?.toLowerCase() === 'websocket';
}

/** Protocols the client offers, in its order. */
export function offeredProtocols(upgrade: UpgradeRequest): string[] {
  return (upgrade.request.headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !isBearerProtocol(name));
}

/** The first of `known` that the client offers; '' when it offers none, as clients of the first days do. */
export function choose(upgrade: UpgradeRequest, known: readonly string[]): string {
  const offered = offeredProtocols(upgrade);
  const chosen = known.find((name) => offered.includes(name));
  if (chosen === undefined && offered.length === 0) return '';
  if (chosen === undefined)
    throw apiErrors.badRequest(
      `unable to upgrade: none of the offered protocols is supported: ${offered.join(', ')}; supported: ${known.join(', ')}`,
    );
  return chosen;
}

/**
 * Takes over the socket. Resolves once `101` has been sent; a handshake that is none has been answered when it rejects.
 */
export function accept(upgrade: UpgradeRequest, protocol: string): Promise<WebSocket> {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
  });
  server.on('headers', (headers) => {
    if (protocol !== '') headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
  });
  return new Promise((resolve, reject) => {
    const onClose = () => reject(new Error('the client has gone'));
    upgrade.socket.once('close', onClose);
    if (upgrade.socket.destroyed) onClose();
    server.once('wsClientError', (error) => {
      refuse(upgrade.socket, apiErrors.badRequest(`unable to upgrade: ${error.message}`));
      reject(error);
    });
    server.handleUpgrade(withoutProtocols(upgrade.request), upgrade.socket, upgrade.head, (socket) => {
      upgrade.socket.off('close', onClose);
      resolve(socket);
    });
  });
}

/**
 * `ws` takes tokens only for protocols, as RFC 6455 has it; `SPDY/3.1+portforward.k8s.io` is none. The choice has been
 * made.
 */
function withoutProtocols(request: IncomingMessage): IncomingMessage {
  const headers = { ...request.headers };
  delete headers['sec-websocket-protocol'];
  return Object.create(request, { headers: { value: headers } }) as IncomingMessage;
}
