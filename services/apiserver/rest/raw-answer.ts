/**
 * Whole answers as bytes, for sockets that HTTP's own response does not serve: upgrades, and requests that could not be
 * read.
 */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import { renderStatus } from './render.js';

function statusAnswer(error: ApiError): Buffer {
  return plainAnswer(error.code, renderStatus(error.status));
}

export function plainAnswer(code: number, body: Uint8Array, contentType = 'application/json'): Buffer {
  return Buffer.concat([
    Buffer.from(
      `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Error'}\r\ncontent-type: ${contentType}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`,
    ),
    body,
  ]);
}

/** What stands before a body that ends with the connection. */
export function streamHead(code: number, contentType: string): string {
  return `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Error'}\r\ncontent-type: ${contentType}\r\nconnection: close\r\n\r\n`;
}

/** An answer without a body. */
export function statusLine(code: number): string {
  return `HTTP/1.1 ${code} ${STATUS_CODES[code] ?? 'Error'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`;
}

/** The last thing on the socket of an upgrade: a plain HTTP answer with a Status. */
export function refuse(socket: Duplex, error: unknown): void {
  const failure = error instanceof ApiError ? error : apiErrors.internal((error as Error).message);
  if (socket.destroyed || !socket.writable) socket.destroy();
  else socket.end(statusAnswer(failure));
}
