/** Names and connections outside of the pod network. */
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { apiErrors } from '../../../apimachinery/status.js';
import { dialable } from './address.js';

export interface Network {
  /** All addresses of a name; of an address, that address. */
  lookup(host: string): Promise<readonly string[]>;
  /** `host` is an address: nothing is resolved again. */
  connect(target: Connection): Promise<Duplex>;
}

export interface Connection {
  readonly host: string;
  readonly port: number;
  readonly signal: AbortSignal;
  /** Without a byte in either direction, also under TLS, the connection is destroyed. */
  readonly idle_ms: number;
}

export const systemNetwork: Network = {
  async lookup(host) {
    return (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);
  },
  connect: ({ host, port, signal, idle_ms }) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port, timeout: idle_ms });
      socket.once('timeout', () => socket.destroy(apiErrors.timeout(`no byte has passed for ${idle_ms} ms`)));
      const onAbort = () => void socket.destroy(signal.reason as Error);
      const done = () => signal.removeEventListener('abort', onAbort);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      socket.once('error', reject);
      socket.once('close', done);
      socket.once('connect', () => {
        done();
        socket.off('error', reject);
        resolve(socket);
      });
    }),
};

/**
 * The addresses to dial, each of them checked. One that is refused refuses the name: whoever answers for it may not
 * be trusted with the rest.
 */
export async function addressesOf(host: string, network: Network): Promise<readonly string[]> {
  const found = await network.lookup(host.replace(/^\[(.*)\]$/, '$1')).catch((error: unknown) => {
    throw apiErrors.serviceUnavailable(
      `${JSON.stringify(host)} was not resolved: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  if (found.length === 0) throw apiErrors.serviceUnavailable(`no addresses for hostname ${JSON.stringify(host)}`);
  return found.map((text) => {
    const address = dialable(text);
    if (address === undefined) throw apiErrors.badRequest('address not allowed');
    return address;
  });
}
