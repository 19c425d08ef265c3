/** What the TLS handshake says about a caller. */
import type { X509Certificate } from 'node:crypto';
import type { ServerHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';

export type Standing =
  /** A certificate of the listener's authority, good until then. */
  | { readonly kind: 'identified'; readonly until_ms: number }
  /** No certificate. */
  | { readonly kind: 'anonymous' }
  /** A certificate that proves nothing: of another authority, or not valid at the handshake. */
  | { readonly kind: 'refused' };

export function standingOf(session: ServerHttp2Session): Standing {
  const socket = session.socket as Partial<TLSSocket>;
  const certificate: X509Certificate | undefined = socket.getPeerX509Certificate?.();
  if (certificate === undefined) return { kind: 'anonymous' };
  return socket.authorized === true
    ? { kind: 'identified', until_ms: Date.parse(certificate.validTo) }
    : { kind: 'refused' };
}
