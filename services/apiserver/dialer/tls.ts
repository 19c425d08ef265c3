/** TLS on a connection that has been dialled: always verified, by the name of who was meant and not by an address. */
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import { apiErrors } from '../../../apimachinery/status.js';
import type { Clock } from '../../../platform/clock.js';
import { HANDSHAKE_MS_MAX } from '../../../platform/net/tls.js';

export interface SecureOptions {
  /** What the certificate must be for: `serviceServerName` of a Service, the host of a url, the name of a node. */
  readonly serverName: string;
  /** PEM of the authorities that count. Absent: those of the system, as for a webhook without caBundle. */
  readonly caBundle?: string;
  /** PEM: who this member is to the server. */
  readonly identity?: { readonly certificate: string; readonly key: string };
  readonly clock: Clock;
}

/** What the certificate of a Service's pods must name. */
export const serviceServerName = (namespace: string, name: string): string => `${name}.${namespace}.svc`;

/** Rejects with ServiceUnavailable, and destroys the connection, when the handshake fails. */
export function secured(
  connection: Duplex,
  { serverName, caBundle, identity, clock }: SecureOptions,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      socket: connection,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      ALPNProtocols: ['http/1.1'],
      // An address is not a name that SNI may carry (RFC 6066).
      servername: isIP(serverName) === 0 ? serverName : '',
      checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
      ...(caBundle === undefined ? {} : { ca: caBundle }),
      ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.key }),
    });
    const fail = (why: string) => {
      timer.cancel();
      reject(apiErrors.serviceUnavailable(`TLS with ${JSON.stringify(serverName)} failed: ${why}`));
      socket.destroy();
      connection.destroy();
    };
    const timer = clock.after(HANDSHAKE_MS_MAX, () => fail(`no handshake within ${HANDSHAKE_MS_MAX} ms`));
    const onError = (error: Error) => fail(error.message);
    const onClose = () => fail('the connection was closed');
    socket.once('error', onError);
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      timer.cancel();
      socket.off('error', onError);
      socket.off('close', onClose);
      resolve(socket);
    });
  });
}
