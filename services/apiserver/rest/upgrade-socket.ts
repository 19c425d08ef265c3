import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** A connection whose client asks to go on in another protocol, as Node hands it over. */
export interface UpgradeSocket {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}
