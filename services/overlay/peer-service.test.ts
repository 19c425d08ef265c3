import { Server, ServerCredentials, credentials } from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { silentLogger } from '../../platform/log.js';
import { seededRandom } from '../../platform/random.js';
import { PeerServiceClient, PeerServiceService } from '../../proto/gen/navarch/overlay/v1/peers.js';
import { peerServer, streamPeerSource } from './peer-service.js';
import type { Peer, PeerListener, PeerSource } from './peers.js';

const peer = (n: number): Peer => ({ name: `n${n}`, address: `198.18.0.${n}`, podCIDR: `10.244.${n}.0/24` });

/** A source that a test speaks through. */
function talkative(peers: Map<string, Peer>) {
  const listeners = new Set<PeerListener>();
  const source: PeerSource = {
    run: (listener, signal) =>
      new Promise((resolve) => {
        listeners.add(listener);
        for (const known of peers.values()) listener.upsert(known);
        listener.synced();
        signal.addEventListener('abort', () => {
          listeners.delete(listener);
          resolve();
        });
      }),
  };
  return { source, listeners };
}

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

async function serve(source: PeerSource): Promise<number> {
  const server = new Server();
  server.addService(PeerServiceService, peerServer(source, silentLogger));
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  stops.push(() => server.forceShutdown());
  return port;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 10_000 && !condition(); i++) await systemClock.sleep(5);
  expect(condition()).toBe(true);
}

describe('PeerService', () => {
  it('tells what is there, then changes; over a reconnect what has gone is removed', async () => {
    const first = talkative(
      new Map([
        ['n1', peer(1)],
        ['n2', peer(2)],
      ]),
    );
    const second = talkative(
      new Map([
        ['n2', peer(2)],
        ['bad', { ...peer(9), name: 'bad', podCIDR: 'x; reboot' }],
      ]),
    );
    const ports = [await serve(first.source), await serve(second.source)];
    const clients: PeerServiceClient[] = [];
    const seen: string[] = [];
    const stop = new AbortController();
    const source = streamPeerSource({
      nodeName: 'n1',
      clock: systemClock,
      random: seededRandom(1),
      logger: silentLogger,
      connect: () => {
        const client = new PeerServiceClient(
          `127.0.0.1:${ports[Math.min(clients.length, 1)] ?? 0}`,
          credentials.createInsecure(),
        );
        clients.push(client);
        return client;
      },
    });
    const running = source.run(
      {
        upsert: ({ name }) => seen.push(`+${name}`),
        remove: (name) => seen.push(`-${name}`),
        synced: () => seen.push('synced'),
      },
      stop.signal,
    );
    stops.push(async () => {
      stop.abort();
      await running;
      for (const client of clients) client.close();
    });
    await until(() => seen.includes('synced'));
    expect(seen).toEqual(['+n1', '+n2', 'synced']);
    for (const listener of first.listeners) listener.upsert(peer(3));
    for (const listener of first.listeners) listener.remove('n3');
    await until(() => seen.includes('-n3'));
    seen.length = 0;
    clients[0]?.close();
    // The member goes: its end of the call breaks.
    await stops[0]?.();
    await until(() => seen.includes('synced'));
    expect(seen).toEqual(['+n2', '-n1', 'synced']);
  });
});
