/** Mutual TLS of the peer port. The peers' CA is a trust domain of its own: whoever it signed is a member. */
import * as grpc from '@grpc/grpc-js';
import { HANDSHAKE_MS_MAX, LISTENER_CONTEXT } from '../../platform/net/tls.js';

/** PEM. */
export interface PeerCertificates {
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface PeerTls {
  /** Asked whenever a connection is set up, so that certificates can be rotated without a restart. */
  current(): PeerCertificates;
  /** The listener takes the new certificates for the next handshake. Without it, it keeps the first. */
  onChange?(listener: () => void): void;
}

/** Certificates that are exchanged while the member runs. Streams that are open stay open. */
export class ReplaceableTls implements PeerTls {
  #certificates: PeerCertificates;
  readonly #listeners: (() => void)[] = [];

  constructor(certificates: PeerCertificates) {
    this.#certificates = certificates;
  }

  current(): PeerCertificates {
    return this.#certificates;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  replace(certificates: PeerCertificates): void {
    this.#certificates = certificates;
    for (const listener of this.#listeners) listener();
  }
}

const asBuffer = (pem: string | Buffer): Buffer => (typeof pem === 'string' ? Buffer.from(pem) : pem);

export function clientCredentials(tls: PeerTls): grpc.ChannelCredentials {
  const { ca, cert, key } = tls.current();
  // A member's identity is its id, which the handshake of the stream checks; addresses come and go.
  return grpc.credentials.createSsl(asBuffer(ca), asBuffer(key), asBuffer(cert), {
    checkServerIdentity: () => undefined,
  });
}

export function serverCredentials(tls: PeerTls): grpc.ServerCredentials {
  return new ListenerCredentials(tls);
}

const contextOf = (certificates: PeerCertificates) => ({ ...LISTENER_CONTEXT, ...certificates });

/** Nobody without a certificate of the peers' CA gets past the handshake. */
class ListenerCredentials extends grpc.ServerCredentials {
  constructor(tls: PeerTls) {
    super(
      { requestCert: true, rejectUnauthorized: true, handshakeTimeout: HANDSHAKE_MS_MAX },
      contextOf(tls.current()),
    );
    tls.onChange?.(() => this.updateSecureContextOptions(contextOf(tls.current())));
  }

  override _equals(other: grpc.ServerCredentials): boolean {
    return this === other;
  }
}
