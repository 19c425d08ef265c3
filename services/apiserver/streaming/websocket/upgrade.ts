/**
 * Exec, attach and port-forward over WebSocket: frames whose first byte is a channel (v5, v4 and the older
 * channel.k8s.io, binary or base64). v5 adds `0xFF n`: the client has closed channel n (KEP-4006).
 */
import { WebSocketServer, type WebSocket } from 'ws';
import { ApiError, apiErrors } from '../../../apimachinery/status.js';
import type { PodStream } from '../../../apimachinery/pod-streams.js';
import type { UpgradeRequest } from '../ports.js';
import { CHANNEL, commandRequest, exitStatus, failureStatus, parseResize } from './remote-command.js';
import { refuse } from './refusal.js';

const V5 = 'v5.channel.k8s.io';
const BASE64 = new Set(['v4.base64.channel.k8s.io', 'base64.channel.k8s.io']);
/** In order of preference. */
const COMMAND_PROTOCOLS = [V5, 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];
const FORWARD_PROTOCOLS = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];
const CLOSE_SIGNAL = 0xff;
const MESSAGE_BYTES_MAX = 1024 * 1024;
/** Bytes waiting in the client's socket before the container's output is held back. */
const BACKLOG_BYTES_MAX = 256 * 1024;

export function isWebSocket(upgrade: UpgradeRequest): boolean {
  return upgrade.request.headers.upgrade?.toLowerCase() === 'websocket';
}

/** Protocols the client offers, in its order. */
export function offeredProtocols(upgrade: UpgradeRequest): string[] {
  return (upgrade.request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim()).filter((name) => name !== '');
}

function choose(upgrade: UpgradeRequest, known: readonly string[]): string {
  const offered = offeredProtocols(upgrade);
  const chosen = known.find((name) => offered.includes(name));
  // Clients of the first days offered none.
  if (chosen === undefined && offered.length === 0) return '';
  if (chosen === undefined) throw apiErrors.badRequest(`unable to upgrade: none of the offered protocols is supported: ${offered.join(', ')}; supported: ${known.join(', ')}`);
  return chosen;
}

/** Takes over the socket. Resolves with the connection once `101` has been sent. */
export function accept(upgrade: UpgradeRequest, protocol: string): Promise<WebSocket> {
  const server = new WebSocketServer({
    noServer: true, clientTracking: false, maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false,
    handleProtocols: () => (protocol === '' ? false : protocol),
  });
  return new Promise((resolve, reject) => {
    server.once('wsClientError', reject);
    server.handleUpgrade(upgrade.request, upgrade.socket, upgrade.head, resolve);
  });
}

/** One client: frames out with their channel in front, held back while the client reads slowly. */
class Channels {
  readonly #socket: WebSocket;
  readonly #base64: boolean;

  constructor(socket: WebSocket, protocol: string) {
    this.#socket = socket;
    this.#base64 = BASE64.has(protocol);
  }

  send(channel: number, data: Uint8Array | string): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const frame = this.#base64
      ? `${channel}${Buffer.from(bytes).toString('base64')}`
      : Buffer.concat([Buffer.of(channel), bytes]);
    return new Promise((resolve, reject) => {
      const slow = this.#socket.bufferedAmount > BACKLOG_BYTES_MAX;
      this.#socket.send(frame, (error) => {
        if (error !== undefined && error !== null) reject(error);
        else if (slow) resolve();
      });
      if (!slow) resolve();
    });
  }

  /** Channel and content of a frame from the client; undefined for an empty frame. */
  read(data: Buffer): { readonly channel: number; readonly data: Buffer } | undefined {
    if (data.length === 0) return undefined;
    const first = data[0] ?? 0;
    if (!this.#base64) return { channel: first, data: data.subarray(1) };
    return { channel: first - 0x30, data: Buffer.from(data.subarray(1).toString('latin1'), 'base64') };
  }
}

const toBuffer = (data: Buffer | ArrayBuffer | Buffer[]): Buffer =>
  Array.isArray(data) ? Buffer.concat(data) : Buffer.isBuffer(data) ? data : Buffer.from(data);

/** Hands frames on one after the other; a write that waits holds the socket back. */
function pump(socket: WebSocket, handle: (data: Buffer) => Promise<void>, onError: (error: Error) => void): void {
  let tail = Promise.resolve();
  let waiting = 0;
  socket.on('message', (data: Buffer | ArrayBuffer | Buffer[]) => {
    waiting++;
    if (waiting > 16) socket.pause();
    tail = tail.then(() => handle(toBuffer(data))).catch(onError).finally(() => {
      waiting--;
      if (waiting === 0 && socket.isPaused) socket.resume();
    });
  });
}

/** Exec and attach. Resolves when both ends are done; a far end that cannot be reached is answered before any 101. */
export async function serveCommand(upgrade: UpgradeRequest): Promise<void> {
  const abort = new AbortController();
  let stream: PodStream;
  let protocol: string;
  try {
    protocol = choose(upgrade, COMMAND_PROTOCOLS);
    stream = await upgrade.open(commandRequest(upgrade), { signal: abort.signal });
  } catch (error) {
    refuse(upgrade.socket, error);
    return;
  }
  try {
    const socket = await accept(upgrade, protocol);
    const channels = new Channels(socket, protocol);
    socket.on('close', () => stream.close());
    socket.on('error', () => stream.close());
    pump(socket, (data) => onCommandFrame(stream, channels, protocol, data), () => stream.close());
    await sendOutput(stream, channels);
    socket.close(1000);
  } catch {
    // The client is gone: nothing is left to tell it.
  } finally {
    stream.close();
    abort.abort();
  }
}

async function sendOutput(stream: PodStream, channels: Channels): Promise<void> {
  try {
    for await (const output of stream) {
      if (output.kind === 'exit') {
        await channels.send(CHANNEL.error, exitStatus(output.code, output.message));
        return;
      }
      await channels.send(output.kind === 'stdout' ? CHANNEL.stdout : CHANNEL.stderr, output.data);
    }
    await channels.send(CHANNEL.error, exitStatus(0));
  } catch (error) {
    const text = error instanceof ApiError ? JSON.stringify(error.status) : failureStatus((error as Error).message);
    await channels.send(CHANNEL.error, text);
  }
}

async function onCommandFrame(stream: PodStream, channels: Channels, protocol: string, raw: Buffer): Promise<void> {
  const frame = channels.read(raw);
  if (frame === undefined) return;
  if (frame.channel === CHANNEL.stdin && frame.data.length > 0) await stream.write({ kind: 'stdin', data: frame.data });
  else if (frame.channel === CHANNEL.resize) {
    const size = parseResize(frame.data);
    if (size !== undefined) await stream.write({ kind: 'resize', ...size });
  } else if (frame.channel === CLOSE_SIGNAL && protocol === V5 && frame.data[0] === CHANNEL.stdin) {
    await stream.write({ kind: 'stdin-end' });
  }
}

/**
 * Port-forward by channels: two for each port, data and error, each opened by the server with the port's number in two
 * little-endian bytes. `@kubernetes/client-node` speaks this.
 */
export async function serveForwardChannels(upgrade: UpgradeRequest): Promise<void> {
  const abort = new AbortController();
  const streams: PodStream[] = [];
  let protocol: string;
  try {
    protocol = choose(upgrade, FORWARD_PROTOCOLS);
    if (upgrade.ports.length === 0) throw apiErrors.badRequest('query parameter "ports" is required');
    const { namespace, pod, uid } = upgrade;
    for (const port of upgrade.ports) {
      streams.push(await upgrade.open({ kind: 'port-forward', namespace, pod, uid, port }, { signal: abort.signal }));
    }
  } catch (error) {
    for (const stream of streams) stream.close();
    refuse(upgrade.socket, error);
    return;
  }
  try {
    const socket = await accept(upgrade, protocol);
    const channels = new Channels(socket, protocol);
    const closeAll = () => {
      for (const stream of streams) stream.close();
    };
    socket.on('close', closeAll);
    socket.on('error', closeAll);
    pump(socket, async (raw) => {
      const frame = channels.read(raw);
      const stream = frame === undefined || frame.channel % 2 === 1 ? undefined : streams[frame.channel / 2];
      if (frame !== undefined && frame.data.length > 0) await stream?.write({ kind: 'stdin', data: frame.data });
    }, closeAll);
    for (const [index, port] of upgrade.ports.entries()) {
      const number = Buffer.of(port & 0xff, port >> 8);
      await channels.send(index * 2, number);
      await channels.send(index * 2 + 1, number);
    }
    await Promise.all(streams.map((stream, index) => forwardOutput(stream, channels, index)));
    socket.close(1000);
  } catch {
    // The client is gone.
  } finally {
    for (const stream of streams) stream.close();
    abort.abort();
  }
}

async function forwardOutput(stream: PodStream, channels: Channels, index: number): Promise<void> {
  try {
    for await (const output of stream) {
      if (output.kind === 'stdout') await channels.send(index * 2, output.data);
    }
  } catch (error) {
    await channels.send(index * 2 + 1, (error as Error).message);
  }
}
