/**
 * Port-forward over WebSocket. By channels: two for each port of the query, data and error, each opened by the server
 * with the port's number in two little-endian bytes; `@kubernetes/client-node` speaks this. By tunnel (KEP-4006):
 * binary messages hold the bytes of a SPDY connection, split anywhere; kubectl speaks this.
 */
import { createWebSocketStream } from 'ws';
import type { PodStream } from '../../../../apimachinery/pod-streams.js';
import { apiErrors } from '../../../../apimachinery/status.js';
import type { Clock } from '../../../../platform/clock.js';
import type { UpgradeRequest } from '../../ports.js';
import { openPort, runForward } from '../forward.js';
import { refuse } from '../../rest/raw-answer.js';
import { forwardOverSpdy } from '../spdy/forward.js';
import { WebSocketConnection } from './connection.js';
import { accept, choose, offeredProtocols } from './upgrade.js';

const TUNNEL = 'SPDY/3.1+portforward.k8s.io';
const CHANNEL_PROTOCOLS = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];
/** WebSocket close code: data of a kind that is not accepted. */
const UNSUPPORTED_DATA = 1003;

/** Resolves when the connection is over. Never rejects. */
export async function serveForward(upgrade: UpgradeRequest, clock: Clock): Promise<void> {
  await (offeredProtocols(upgrade).includes(TUNNEL) ? serveTunnel(upgrade, clock) : serveChannels(upgrade, clock));
}

async function serveTunnel(upgrade: UpgradeRequest, clock: Clock): Promise<void> {
  try {
    await upgrade.reach();
  } catch (error) {
    refuse(upgrade.socket, error);
    return;
  }
  try {
    const socket = await accept(upgrade, TUNNEL);
    socket.on('message', (_data, isBinary) => {
      if (!isBinary) socket.close(UNSUPPORTED_DATA, 'the tunnel takes binary messages');
    });
    await forwardOverSpdy(createWebSocketStream(socket), upgrade, clock);
  } catch {
    // No WebSocket came of it; that has been answered.
  }
}

async function serveChannels(upgrade: UpgradeRequest, clock: Clock): Promise<void> {
  const abort = new AbortController();
  const streams: PodStream[] = [];
  let protocol: string;
  try {
    protocol = choose(upgrade, CHANNEL_PROTOCOLS);
    if (upgrade.ports.length === 0) throw apiErrors.badRequest('query parameter "ports" is required');
    for (const port of upgrade.ports) streams.push(await openPort(upgrade, port, abort.signal));
  } catch (error) {
    for (const stream of streams) stream.close();
    refuse(upgrade.socket, error);
    return;
  }
  try {
    const connection = new WebSocketConnection(await accept(upgrade, protocol), protocol, clock);
    const { gone } = connection;
    const pairs = streams.map((stream, index) => ({
      stream,
      data: connection.channel(index * 2),
      error: connection.channel(index * 2 + 1),
    }));
    for (const [index, port] of upgrade.ports.entries()) {
      const number = Buffer.of(port & 0xff, port >> 8);
      await pairs[index]?.data.write(number);
      await pairs[index]?.error.write(number);
    }
    await Promise.all(pairs.map(({ stream, data, error }) => runForward(stream, { data, error, gone })));
    connection.close();
  } catch {
    // The client is gone, or no WebSocket came of it.
  } finally {
    for (const stream of streams) stream.close();
    abort.abort();
  }
}
