/**
 * Exec and attach: the runtime's streaming server, by WebSocket `v4.channel.k8s.io`. Each message begins with a channel:
 * 0 in, 1 out, 2 error, 3 a Status at the end, 4 the terminal's size. Loopback only, and no redirect is followed (CVE-2020-8559).
 */
import { WebSocket } from 'ws';
import type { RawData } from 'ws';
import type { PodStream, PodStreamInput } from '../../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../../apimachinery/status.js';
import { PipedStream } from '../piped-stream.js';

const PROTOCOL = 'v4.channel.k8s.io';
const MESSAGE_BYTES_MAX = 4 << 20;

/** Throws when the URL does not lead to this machine. */
export function streamingUrl(text: string): URL {
  const url = new URL(text);
  const loopback = url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
  if (url.protocol !== 'http:' || !loopback) throw apiErrors.internal(`the runtime's streaming server is not on loopback: ${url.origin}`);
  url.protocol = 'ws:';
  return url;
}

export function openStreaming(text: string, kind: 'exec' | 'attach', signal: AbortSignal): Promise<PodStream> {
  const socket = new WebSocket(streamingUrl(text), [PROTOCOL], { followRedirects: false, perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX });
  return new Promise((resolve, reject) => {
    const stream = new PipedStream({ signal, onInput: (input) => send(socket, input), onClose: () => close(socket) });
    let exited = false;
    socket.on('open', () => resolve(stream));
    socket.on('message', (data: RawData) => {
      const message = bytesOf(data);
      const [channel] = message;
      const body = message.subarray(1);
      if ((channel === 1 || channel === 2) && body.length > 0) {
        socket.pause();
        void stream.push({ kind: channel === 1 ? 'stdout' : 'stderr', data: body }).finally(() => {
          if (socket.readyState === WebSocket.OPEN) socket.resume();
        });
      } else if (channel === 3 && body.length > 0) {
        exited = true;
        void stream.push({ kind: 'exit', ...exitOf(body) });
      }
    });
    socket.on('error', (error) => {
      const failure = apiErrors.internal(`the stream to the container failed: ${error.message}`);
      reject(failure);
      stream.end(failure);
    });
    socket.on('close', () => {
      reject(apiErrors.internal('the runtime closed the stream'));
      if (!exited && kind === 'attach') void stream.push({ kind: 'exit', code: 0 });
      stream.end();
    });
  });
}

function bytesOf(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function close(socket: WebSocket): void {
  if (socket.readyState === WebSocket.CONNECTING) socket.terminate();
  else socket.close();
}

function send(socket: WebSocket, input: PodStreamInput): Promise<void> {
  if (socket.readyState !== WebSocket.OPEN) return Promise.resolve();
  const frame = frameOf(input);
  return new Promise((resolve, reject) => {
    socket.send(frame, (error) => (error == null ? resolve() : reject(error)));
  });
}

/** The v4 protocol has no half-close: the end of input cannot be told, and an empty message on channel 0 is nothing to the container. */
function frameOf(input: PodStreamInput): Buffer {
  switch (input.kind) {
    case 'stdin': return Buffer.concat([Buffer.from([0]), input.data]);
    case 'stdin-end': return Buffer.from([0]);
    case 'resize': return Buffer.concat([Buffer.from([4]), Buffer.from(JSON.stringify({ Width: input.columns, Height: input.rows }))]);
  }
}

interface ExitStatus {
  readonly status?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

function exitOf(body: Buffer): { code: number; message?: string } {
  const text = body.toString('utf8');
  try {
    const status = JSON.parse(text) as ExitStatus;
    if (status.status === 'Success') return { code: 0 };
    const code = Number(status.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message ?? 1);
    return { code: Number.isInteger(code) ? code : 1, message: status.message ?? '' };
  } catch {
    return { code: 1, message: text };
  }
}
