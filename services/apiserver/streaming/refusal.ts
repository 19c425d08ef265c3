/** An upgrade that is refused: a plain HTTP answer with a Status, written on the raw socket. */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';

export function refuse(socket: Duplex, error: unknown): void {
  const { status } = error instanceof ApiError ? error : apiErrors.internal((error as Error).message);
  if (socket.destroyed || !socket.writable) return;
  const body = JSON.stringify(status);
  socket.end([
    `HTTP/1.1 ${status.code} ${STATUS_CODES[status.code] ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    '',
    body,
  ].join('\r\n'));
}
