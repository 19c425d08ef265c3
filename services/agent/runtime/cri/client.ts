/** CRI's two services on one socket, as promises. Errors keep gRPC's code and lose the noise before the message. */
import { Metadata, credentials } from '@grpc/grpc-js';
import type { CallOptions, Client, ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../../platform/clock.js';
import { ImageServiceClient, RuntimeServiceClient } from '../../../../proto/gen/cri/runtime/v1/api.js';

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => unknown;

/** For calls that are quick by nature; starting, stopping and pulling name their own. */
export const CALL_TIMEOUT_MS = 30_000;

export class CriError extends Error {
  override readonly name = 'CriError';
  /** A gRPC status code. */
  readonly code: number;

  constructor(error: ServiceError) {
    super(error.details === '' ? error.message : error.details);
    this.code = error.code;
  }
}

export class CriClient {
  readonly runtime: RuntimeServiceClient;
  readonly images: ImageServiceClient;
  readonly #clock: Clock;

  /** `socket`: path of a Unix socket, never an abstract one (CVE-2020-15257). */
  constructor(socket: string, clock: Clock) {
    if (!socket.startsWith('/'))
      throw new Error(`the container runtime's socket must be an absolute path: "${socket}"`);
    const address = `unix://${socket}`;
    const options = {
      'grpc.max_receive_message_length': 16 << 20,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
    };
    this.#clock = clock;
    this.runtime = new RuntimeServiceClient(address, credentials.createInsecure(), options);
    this.images = new ImageServiceClient(address, credentials.createInsecure(), options);
  }

  call<Request, Response>(
    service: Client,
    method: Unary<Request, Response>,
    request: Request,
    timeout_ms = CALL_TIMEOUT_MS,
  ): Promise<Response> {
    const deadline = new Date(this.#clock.now() + timeout_ms);
    return new Promise((resolve, reject) => {
      method.call(service, request, new Metadata(), { deadline }, (error, response) =>
        error === null ? resolve(response) : reject(new CriError(error)),
      );
    });
  }

  close(): void {
    this.runtime.close();
    this.images.close();
  }
}
