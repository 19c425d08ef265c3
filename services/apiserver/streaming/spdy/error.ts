/** What ends a SPDY connection: the client broke the protocol. */
export class SpdyError extends Error {
  override readonly name = 'SpdyError';
}
