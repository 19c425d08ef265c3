/**
 * TLS for the gRPC port: asks every client for a certificate, lets those without one in as far as authentication
 * (bearer tokens, a worker that joins), and takes a rotated certificate without a restart.
 */
import { ServerCredentials } from '@grpc/grpc-js';
import { HANDSHAKE_MS_MAX, LISTENER_CONTEXT } from '../../../platform/net/tls.js';
import type { TlsMaterial, TlsProvider } from '../ports.js';

export function rotatingServerCredentials(tls: TlsProvider): ServerCredentials {
  return new RotatingCredentials(tls);
}

class RotatingCredentials extends ServerCredentials {
  constructor(tls: TlsProvider) {
    super(
      {
        requestCert: true,
        rejectUnauthorized: false,
        handshakeTimeout: HANDSHAKE_MS_MAX,
        maxHeaderListPairs: HEADERS_MAX,
        maxSessionInvalidFrames: INVALID_FRAMES_MAX,
      },
      contextOf(tls.current()),
    );
    tls.onChange(() => this.updateSecureContextOptions(contextOf(tls.current())));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/** Of HTTP/2: headers of one request, and frames that make no sense before the connection is closed. */
const HEADERS_MAX = 64;
const INVALID_FRAMES_MAX = 100;

const contextOf = (material: TlsMaterial) => ({
  ...LISTENER_CONTEXT,
  ca: material.clientCa,
  cert: material.certificate,
  key: material.key,
});
