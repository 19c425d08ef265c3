/**
 * Flow control of SPDY/3.1: how much each end may send on a stream, and on the connection as a whole, before the other
 * has said that it has read some.
 *
 * moby/spdystream, which kubectl and all clients in Go use, does none of it: it sends no WINDOW_UPDATE, passes over
 * those that come, and relies on TCP. So a window binds us only from the moment the client has shown that it keeps
 * windows; what has been sent before counts. The other way round we always say what we have read: a client that keeps
 * windows could not go on without.
 */
export const WINDOW_BYTES_INITIAL = 64 * 1024;
export const WINDOW_BYTES_MAX = 2 ** 31 - 1;
/** Read bytes that are worth a WINDOW_UPDATE. */
const CREDIT_BYTES_MIN = WINDOW_BYTES_INITIAL / 2;

/** What may be sent. Negative after a window that was shrunk, or that was not kept at first. */
export class SendWindow {
  #bytes: number;

  constructor(bytes: number = WINDOW_BYTES_INITIAL) {
    this.#bytes = bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** False when the window would grow beyond what the protocol allows. */
  grow(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#bytes <= WINDOW_BYTES_MAX;
  }
}

/** What has been read and not yet been told. */
export class ReadCredit {
  #bytes = 0;

  /** The delta of the WINDOW_UPDATE that is due; 0 for none. */
  add(bytes: number): number {
    this.#bytes += bytes;
    if (this.#bytes < CREDIT_BYTES_MIN) return 0;
    const delta = this.#bytes;
    this.#bytes = 0;
    return delta;
  }
}
