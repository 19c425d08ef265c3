/**
 * Exec and attach: the runtime's streaming server, by SPDY/3.1 with the remote command protocol v4: one stream each for
 * input, outputs, the terminal's size, and a Status at the end. Loopback only; no redirect is followed (CVE-2020-8559);
 * nothing is relayed before the server has said 101 (CVE-2018-1002105).
 */
import { request as httpRequest } from 'node:http';
import type { Duplex } from 'node:stream';
import type { PodStream, PodStreamInput } from '../../../../apimachinery/pod-streams.js';
import { ApiError, apiErrors, type StatusReason } from '../../../../apimachinery/status.js';
import type { Clock } from '../../../../platform/clock.js';
import type { ExecRequest } from '../runtime.js';
import { PipedStream } from '../piped-stream.js';
import { SpdyConnection } from './spdy.js';

const PROTOCOL = 'v4.channel.k8s.io';
type Channel = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

/** Throws when the URL does not lead to this machine. */
export function streamingUrl(text: string): URL {
  const url = new URL(text);
  const loopback =
    url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
  if (url.protocol !== 'http:' || !loopback)
    throw apiErrors.internal(`the runtime's streaming server is not on loopback: ${url.origin}`);
  return url;
}

export async function openStreaming(
  text: string,
  request: ExecRequest,
  signal: AbortSignal,
  clock: Clock,
): Promise<PodStream> {
  const { socket, head } = await upgrade(streamingUrl(text), signal);
  const channels = new Map<number, Channel>();
  const ids = new Map<Channel, number>();
  const pending = new Set<Channel>();
  let status: Buffer = Buffer.alloc(0);
  const finish = () => {
    if (pending.size > 0) return;
    const outcome = outcomeOf(status);
    if (outcome.kind === 'exit') void stream.push(outcome);
    stream.end(outcome.kind === 'failed' ? outcome.error : undefined);
  };
  const connection: SpdyConnection = new SpdyConnection(
    { socket, head, clock },
    {
      async data(id, bytes) {
        const channel = channels.get(id);
        if (channel === 'error') status = Buffer.concat([status, bytes]);
        else if (channel === 'stdout' || channel === 'stderr') await stream.push({ kind: channel, data: bytes });
      },
      end(id) {
        const channel = channels.get(id);
        if (channel !== undefined && pending.delete(channel)) finish();
      },
      close: (error) =>
        stream.end(
          error === undefined ? undefined : apiErrors.internal(`the stream to the container broke: ${error.message}`),
        ),
    },
  );
  const stream: PipedStream = new PipedStream({
    signal,
    onInput: (input) => send(connection, ids, input),
    onClose: () => connection.close(),
  });
  connection.start();
  for (const channel of channelsOf(request)) {
    const id = await connection.open({ streamtype: channel });
    channels.set(id, channel);
    ids.set(channel, id);
    if (channel !== 'stdin' && channel !== 'resize') pending.add(channel);
  }
  return stream;
}

function channelsOf(request: ExecRequest): Channel[] {
  return [
    'error',
    ...(request.stdin ? ['stdin' as const] : []),
    ...(request.stdout ? ['stdout' as const] : []),
    ...(request.stderr && !request.tty ? ['stderr' as const] : []),
    ...(request.tty ? ['resize' as const] : []),
  ];
}

function upgrade(url: URL, signal: AbortSignal): Promise<{ socket: Duplex; head: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      method: 'POST',
      agent: false,
      signal,
      headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', 'x-stream-protocol-version': PROTOCOL },
    });
    request.on('upgrade', (_response, socket, head) => resolve({ socket, head }));
    request.on('response', (response) => {
      response.destroy();
      reject(apiErrors.internal(`the runtime's streaming server answered ${response.statusCode ?? 0}`));
    });
    request.on('error', (error) => reject(apiErrors.internal(`the runtime's streaming server: ${error.message}`)));
    request.end();
  });
}

async function send(
  connection: SpdyConnection,
  ids: ReadonlyMap<Channel, number>,
  input: PodStreamInput,
): Promise<void> {
  const id = ids.get(input.kind === 'resize' ? 'resize' : 'stdin');
  if (id === undefined) return;
  if (input.kind === 'stdin') await connection.write(id, input.data);
  else if (input.kind === 'stdin-end') connection.end(id);
  else await connection.write(id, Buffer.from(JSON.stringify({ Width: input.columns, Height: input.rows })));
}

interface ExitStatus {
  readonly status?: string;
  readonly reason?: StatusReason;
  readonly code?: number;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

type Outcome =
  | { readonly kind: 'exit'; readonly code: number; readonly message?: string }
  | { readonly kind: 'failed'; readonly error: ApiError };

/**
 * No status at all is success: the process ended and nobody complained. A Status without an exit code: no process ran,
 * and it says why.
 */
function outcomeOf(body: Buffer): Outcome {
  const text = body.toString('utf8');
  if (text === '') return { kind: 'exit', code: 0 };
  try {
    const status = JSON.parse(text) as ExitStatus;
    if (status.status === 'Success') return { kind: 'exit', code: 0 };
    const message = status.message ?? '';
    const code = Number(status.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message ?? NaN);
    return Number.isInteger(code)
      ? { kind: 'exit', code, message }
      : failed(message, status.reason ?? 'InternalError', status.code ?? 500);
  } catch {
    return failed(text, 'InternalError', 500);
  }
}

function failed(message: string, reason: StatusReason, code: number): Outcome {
  return {
    kind: 'failed',
    error: new ApiError({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code }),
  };
}
