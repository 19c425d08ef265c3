/** Mutual TLS of the peer port. The peers' CA is a trust domain of its own: whoever it signed is a member. */
import * as grpc from '@grpc/grpc-js';

/** PEM. */
export interface PeerCertificates {
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface PeerTls {
  /** Asked whenever a connection is set up, so that certificates can be rotated without a restart. */
  current(): PeerCertificates;
}

const asBuffer = (pem: string | Buffer): Buffer => (typeof pem === 'string' ? Buffer.from(pem) : pem);

export function clientCredentials(tls: PeerTls): grpc.ChannelCredentials {
  const { ca, cert, key } = tls.current();
  // A member's identity is its id, which the handshake of the stream checks; addresses come and go.
  return grpc.credentials.createSsl(asBuffer(ca), asBuffer(key), asBuffer(cert), { checkServerIdentity: () => undefined });
}

export function serverCredentials(tls: PeerTls): grpc.ServerCredentials {
  const { ca, cert, key } = tls.current();
  return grpc.ServerCredentials.createSsl(asBuffer(ca), [{ cert_chain: asBuffer(cert), private_key: asBuffer(key) }], true);
}
