/** Closes the connections of a listener that are beyond its limits, before a byte of them is read. */
import { AddressCount, type AddressLimits } from './address-count.js';

/** The part of net.Socket that is needed. */
export interface CountedSocket {
  readonly remoteAddress?: string | undefined;
  once(event: 'close', listener: () => void): unknown;
  on(event: 'error', listener: () => void): unknown;
  destroy(): unknown;
}

export class ConnectionGate {
  readonly #count: AddressCount;

  constructor(limits: AddressLimits) {
    this.#count = new AddressCount(limits);
  }

  get open(): number {
    return this.#count.total;
  }

  /** Counts the socket until it closes. False: it was beyond a limit, and has been destroyed. */
  admit(socket: CountedSocket): boolean {
    const leave = this.#count.enter(socket.remoteAddress ?? '');
    if (leave === undefined) {
      socket.on('error', () => undefined);
      socket.destroy();
      return false;
    }
    socket.once('close', leave);
    return true;
  }
}
