/** The worker's end of tunnels: opens the stream a member asked for and joins it to the pod. */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type {
  PodStream,
  PodStreamInput,
  PodStreamOutput,
  PodStreamRequest,
} from '../../../apimachinery/pod-streams.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { Part } from '../../../platform/containment.js';
import type { Logger } from '../../../platform/log.js';
import type {
  NodeServiceClient,
  OpenTunnel,
  TunnelRequest,
  TunnelResponse,
} from '../../../proto/gen/navarch/node/v1/node.js';

type TunnelCall = ClientDuplexStream<TunnelRequest, TunnelResponse>;
type StreamOpener = (request: PodStreamRequest, signal: AbortSignal) => Promise<PodStream>;

export interface TunnelOptions {
  readonly client: NodeServiceClient;
  readonly open: StreamOpener;
  readonly logger: Logger;
  /** A fault of a tunnel, or of what it opened, ends that tunnel. */
  readonly part: Part;
}

const CLOSED = new Error('the member closed the tunnel');

/** Serves one tunnel to its end. */
export function serveTunnel(message: OpenTunnel, options: TunnelOptions): void {
  const abort = new AbortController();
  const part = options.part.child('tunnel', (error) => abort.abort(error));
  part.contain(async () => {
    const call = options.client.tunnel();
    call.on(
      'error',
      part.guard(() => abort.abort(CLOSED)),
    );
    call.on(
      'end',
      part.guard(() => abort.abort(CLOSED)),
    );
    call.write({ frame: { $case: 'tunnelId', value: message.tunnelId } });
    // Input that comes before the pod is reached waits in the call.
    call.pause();
    try {
      await join(call, { message, part, open: options.open, signal: abort.signal });
      if (abort.signal.aborted && abort.signal.reason !== CLOSED) throw abort.signal.reason as Error;
    } catch (error) {
      if (abort.signal.reason !== CLOSED) await sendFailure(call, error, options.logger);
    } finally {
      call.end();
      call.resume();
    }
  });
}

async function join(
  call: TunnelCall,
  { message, part, open, signal }: { message: OpenTunnel; part: Part; open: StreamOpener; signal: AbortSignal },
): Promise<void> {
  const request = requestOf(message);
  if (request === undefined) throw apiErrors.badRequest('a tunnel of a kind this agent does not know');
  const stream = await open(request, signal);
  signal.addEventListener(
    'abort',
    part.guard(() => stream.close()),
    { once: true },
  );
  await send(call, { $case: 'ready', value: {} });
  call.on(
    'data',
    part.guard((frame: TunnelResponse) => feed(call, stream, frame)),
  );
  call.resume();
  for await (const output of stream) await send(call, frameOf(output));
}

async function sendFailure(call: TunnelCall, error: unknown, logger: Logger): Promise<void> {
  logger.debug({ error: String(error) }, 'a tunnel failed');
  const { status } =
    error instanceof ApiError ? error : apiErrors.internal(error instanceof Error ? error.message : String(error));
  await send(call, { $case: 'failure', value: Buffer.from(JSON.stringify(status)) });
}

async function feed(call: TunnelCall, stream: PodStream, message: TunnelResponse): Promise<void> {
  const input = inputOf(message.frame);
  if (input === undefined) return;
  call.pause();
  // A pod that takes no more input has ended: its output says how.
  await stream.write(input).catch(() => undefined);
  call.resume();
}

function send(call: TunnelCall, frame: NonNullable<TunnelRequest['frame']>): Promise<void> {
  if (call.write({ frame })) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done);
      call.off('close', done);
      call.off('error', done);
      resolve();
    };
    call.on('drain', done);
    call.on('close', done);
    call.on('error', done);
  });
}

function frameOf(output: PodStreamOutput): NonNullable<TunnelRequest['frame']> {
  if (output.kind === 'exit') return { $case: 'exit', value: { code: output.code, message: output.message ?? '' } };
  return { $case: output.kind, value: Buffer.from(output.data) };
}

function inputOf(frame: TunnelResponse['frame']): PodStreamInput | undefined {
  switch (frame?.$case) {
    case 'stdin':
      return { kind: 'stdin', data: frame.value };
    case 'stdinEnd':
      return { kind: 'stdin-end' };
    case 'resize':
      return { kind: 'resize', columns: frame.value.columns, rows: frame.value.rows };
    default:
      return undefined;
  }
}

function requestOf(message: OpenTunnel): PodStreamRequest | undefined {
  const { request } = message;
  if (request?.$case === 'nodePort') return { kind: 'node-port', port: request.value.port };
  const target = request?.value.target;
  if (request === undefined || target === undefined) return undefined;
  const { namespace, pod, uid, container } = target;
  switch (request.$case) {
    case 'exec': {
      const { attach, command, stdin, stdout, stderr, tty } = request.value;
      return { kind: attach ? 'attach' : 'exec', namespace, pod, uid, container, command, stdin, stdout, stderr, tty };
    }
    case 'log': {
      const { follow, previous, timestamps, tailLines, limitBytes, sinceSeconds, sinceTime, stream } = request.value;
      return {
        kind: 'log',
        namespace,
        pod,
        uid,
        container,
        follow,
        previous,
        timestamps,
        ...(tailLines === undefined ? {} : { tailLines: Number(tailLines) }),
        ...(limitBytes === undefined ? {} : { limitBytes: Number(limitBytes) }),
        ...(sinceSeconds === undefined ? {} : { sinceSeconds: Number(sinceSeconds) }),
        ...(sinceTime === undefined ? {} : { sinceTime }),
        ...(stream === 'All' || stream === 'Stdout' || stream === 'Stderr' ? { stream } : {}),
      };
    }
    case 'portForward': {
      const { port, address } = request.value;
      return { kind: 'port-forward', namespace, pod, uid, port, ...(address === '' ? {} : { address }) };
    }
  }
}
