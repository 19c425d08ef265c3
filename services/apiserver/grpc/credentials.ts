/**
 * TLS for the gRPC port: asks every client for a certificate, lets those without one in as far as authentication (bearer
 * tokens, a worker that joins), and takes a rotated certificate without a restart.
 */
import { ServerCredentials } from '@grpc/grpc-js';
import type { TlsMaterial, TlsProvider } from '../ports.js';

export function rotatingServerCredentials(tls: TlsProvider): ServerCredentials {
  return new RotatingCredentials(tls);
}

class RotatingCredentials extends ServerCredentials {
  constructor(tls: TlsProvider) {
    super({ requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' }, contextOf(tls.current()));
    tls.onChange(() => this.updateSecureContextOptions(contextOf(tls.current())));
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

const contextOf = (material: TlsMaterial) => ({ ca: material.clientCa, cert: material.certificate, key: material.key });
