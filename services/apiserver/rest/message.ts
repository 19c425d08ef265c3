/** A request and its answer without a socket: what the REST front takes and gives. */
import type { PeerCertificate } from '../ports.js';

export interface RestRequest {
  readonly method: string;
  /** Path and query, as on the request line. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Reads the whole body; RequestEntityTooLarge beyond `limit_bytes`. */
  body(limit_bytes: number): Promise<Uint8Array>;
  readonly peerCertificate?: PeerCertificate | undefined;
  readonly remoteAddress?: string | undefined;
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal;
}

export interface RestResponse {
  readonly status: number;
  readonly headers: Record<string, string | readonly string[]>;
  /** A stream is sent chunk by chunk as it comes, and ended when it ends. */
  readonly body: Uint8Array | AsyncIterable<Uint8Array>;
}

export function headerOf(request: Pick<RestRequest, 'headers'>, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : (value?.join(', ') ?? '');
}
