/** Who calls: from gRPC's call to the port of authentication. */
import type { Metadata } from '@grpc/grpc-js';
import type { UserInfo } from '../../../apimachinery/object-service.js';
import { apiErrors } from '../../../apimachinery/status.js';
import type { AuthenticationRequest, Authenticator, PeerCertificate } from '../ports.js';

/** The part of a grpc-js server call that says who is at the other end. */
export interface IdentifiedCall {
  readonly metadata: Metadata;
  getPath(): string;
  getPeer(): string;
  /** Holds a certificate only when the handshake proved it against the client CA. */
  getAuthContext(): { readonly sslPeerCertificate?: { readonly raw: Buffer; readonly fingerprint256: string } } | null;
}

/** Connections that are remembered, so that their certificates are parsed once. */
const CERTIFICATES_MAX = 4096;

export class CallIdentity {
  readonly #authenticator: Authenticator;
  /** One object for one certificate, as the port asks: an authenticator keeps what it found out in a WeakMap. */
  readonly #certificates = new Map<string, PeerCertificate>();

  constructor(authenticator: Authenticator) {
    this.#authenticator = authenticator;
  }

  /** Throws ApiError Unauthorized for callers nobody knows. */
  async of(call: IdentifiedCall): Promise<UserInfo> {
    const user = await this.#authenticator.authenticate(this.#request(call));
    if (user === undefined) throw apiErrors.unauthorized();
    return user;
  }

  #request(call: IdentifiedCall): AuthenticationRequest {
    const certificate = this.#certificateOf(call);
    return {
      headers: headersOf(call.metadata),
      path: call.getPath(),
      remoteAddress: addressOf(call.getPeer()),
      ...(certificate === undefined ? {} : { peerCertificate: certificate }),
    };
  }

  #certificateOf(call: IdentifiedCall): PeerCertificate | undefined {
    const raw = call.getAuthContext()?.sslPeerCertificate;
    if (raw === undefined) return undefined;
    const known = this.#certificates.get(raw.fingerprint256);
    if (known !== undefined) return known;
    const certificate: PeerCertificate = { der: raw.raw, verified: true };
    if (this.#certificates.size >= CERTIFICATES_MAX) this.#certificates.clear();
    this.#certificates.set(raw.fingerprint256, certificate);
    return certificate;
  }
}

/** Text headers only; a header that was sent twice is a list. */
function headersOf(metadata: Metadata): Record<string, string | readonly string[]> {
  const headers = new Map<string, string | readonly string[]>();
  for (const key of Object.keys(metadata.getMap())) {
    const values = metadata.get(key).filter((value) => typeof value === 'string');
    const [only] = values;
    if (only !== undefined) headers.set(key, values.length === 1 ? only : values);
  }
  return Object.fromEntries(headers);
}

/** `ipv4:10.0.0.1:4000`, `[::1]:4000` and `10.0.0.1:4000` all name a host. */
function addressOf(peer: string): string {
  return peer
    .replace(/^ipv[46]:/, '')
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '');
}
