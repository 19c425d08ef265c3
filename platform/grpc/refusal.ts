/** Ends a gRPC stream with a status before, or instead of, what its handler would answer. */
import { constants, type ServerHttp2Stream } from 'node:http2';

/** The codes that are used here, as gRPC numbers them. */
export const CODES = {
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export interface Refusal {
  readonly code: (typeof CODES)[keyof typeof CODES];
  readonly message: string;
}

export function refuseStream(stream: ServerHttp2Stream, { code, message }: Refusal): void {
  // Nobody else listens: what breaks now is over anyhow.
  stream.on('error', () => undefined);
  if (stream.destroyed || stream.closed) return;
  if (stream.headersSent) {
    // Clients read this reset as RESOURCE_EXHAUSTED.
    stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  } else {
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc+proto',
        'grpc-status': code,
        'grpc-message': encodeURI(message),
      },
      { endStream: true },
    );
    stream.close(constants.NGHTTP2_NO_ERROR);
  }
  // What is left of the request is thrown away.
  stream.resume();
}
