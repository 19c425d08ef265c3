/** The worker's end of tunnels: opens the stream a member asked for and joins it to the pod. */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { PodStream, PodStreamInput, PodStreamOutput, PodStreamRequest } from '../../../apimachinery/pod-streams.js';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { Logger } from '../../../platform/log.js';
import type { NodeServiceClient, OpenTunnel, TunnelRequest, TunnelResponse } from '../../../proto/gen/navarch/node/v1/node.js';

type TunnelCall = ClientDuplexStream<TunnelRequest, TunnelResponse>;
export type StreamOpener = (request: PodStreamRequest, signal: AbortSignal) => Promise<PodStream>;

/** Serves one tunnel to its end. Never rejects. */
export async function serveTunnel(message: OpenTunnel, client: NodeServiceClient, open: StreamOpener, logger: Logger): Promise<void> {
  const call = client.tunnel();
  const abort = new AbortController();
  call.on('error', () => abort.abort(new Error('the member closed the tunnel')));
  call.on('end', () => abort.abort(new Error('the member closed the tunnel')));
  call.write({ frame: { $case: 'tunnelId', value: message.tunnelId } });
  // Input that comes before the pod is reached waits in the call.
  call.pause();
  try {
    const request = requestOf(message);
    if (request === undefined) throw apiErrors.badRequest('a tunnel of a kind this agent does not know');
    const stream = await open(request, abort.signal);
    abort.signal.addEventListener('abort', () => stream.close(), { once: true });
    await send(call, { $case: 'ready', value: {} });
    feed(call, stream);
    for await (const output of stream) await send(call, frameOf(output));
  } catch (error) {
    if (!abort.signal.aborted) {
      logger.debug({ error: String(error) }, 'a tunnel failed');
      const status = (error instanceof ApiError ? error : apiErrors.internal(error instanceof Error ? error.message : String(error))).status;
      await send(call, { $case: 'failure', value: Buffer.from(JSON.stringify(status)) });
    }
  } finally {
    call.end();
    call.resume();
  }
}

function feed(call: TunnelCall, stream: PodStream): void {
  call.on('data', (message: TunnelResponse) => {
    const input = inputOf(message.frame);
    if (input === undefined) return;
    call.pause();
    void stream.write(input).catch(() => undefined).finally(() => call.resume());
  });
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
    case 'stdin': return { kind: 'stdin', data: frame.value };
    case 'stdinEnd': return { kind: 'stdin-end' };
    case 'resize': return { kind: 'resize', columns: frame.value.columns, rows: frame.value.rows };
    default: return undefined;
  }
}

function requestOf(message: OpenTunnel): PodStreamRequest | undefined {
  const { request } = message;
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
        kind: 'log', namespace, pod, uid, container, follow, previous, timestamps,
        ...(tailLines === undefined ? {} : { tailLines: Number(tailLines) }),
        ...(limitBytes === undefined ? {} : { limitBytes: Number(limitBytes) }),
        ...(sinceSeconds === undefined ? {} : { sinceSeconds: Number(sinceSeconds) }),
        ...(sinceTime === undefined ? {} : { sinceTime }),
        ...(stream === 'All' || stream === 'Stdout' || stream === 'Stderr' ? { stream } : {}),
      };
    }
    case 'portForward': return { kind: 'port-forward', namespace, pod, uid, port: request.value.port };
  }
}
