/**
 * `navarch.overlay.v1.PeerService`: a member's end, which tells peers from any source, and a worker's end, which is
 * one.
 */
import { Metadata, status } from '@grpc/grpc-js';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type {
  Peer as WirePeer,
  PeerServiceClient,
  PeerServiceServer,
  WatchPeersRequest,
  WatchPeersResponse,
} from '../../proto/gen/navarch/overlay/v1/peers.js';
import { isIPv4 } from 'node:net';
import { parseCidr } from './address.js';
import type { Peer, PeerListener, PeerSource } from './peers.js';

type Call = ServerWritableStream<WatchPeersRequest, WatchPeersResponse>;
type Event = NonNullable<WatchPeersResponse['event']>;

/** Serves `source` to any number of workers. A slow one costs at most one pending event for each node. */
export function peerServer(source: PeerSource, logger: Logger): PeerServiceServer {
  return {
    watchPeers(call: Call) {
      const stop = new AbortController();
      const pending = new Map<string, Event>();
      let synced: Event | undefined;
      let blocked = false;
      const flush = () => {
        while (!blocked && !stop.signal.aborted) {
          // `synced` comes when everything before it has gone out.
          const [name, event] = pending.entries().next().value ?? ['', synced];
          if (event === undefined) return;
          if (event === synced) synced = undefined;
          else pending.delete(name);
          blocked = !call.write({ event });
        }
      };
      const tell = (name: string, event: Event) => {
        pending.delete(name);
        pending.set(name, event);
        flush();
      };
      call.on('drain', () => {
        blocked = false;
        flush();
      });
      call.on('cancelled', () => stop.abort());
      call.on('error', () => stop.abort());
      source
        .run(
          {
            upsert: (peer) =>
              tell(peer.name, {
                $case: 'upsert',
                value: { name: peer.name, address: peer.address, podCidr: peer.podCIDR },
              }),
            remove: (name) => tell(name, { $case: 'removed', value: name }),
            synced: () => {
              synced = { $case: 'synced', value: {} };
              flush();
            },
          },
          stop.signal,
        )
        .then(
          () => call.end(),
          (error: unknown) => {
            logger.warn({ error, node: call.request.nodeName }, 'a stream of peers broke');
            call.emit('error', Object.assign(new Error('peers cannot be told now'), { code: status.UNAVAILABLE }));
          },
        );
    },
  };
}

export interface PeerStreamOptions {
  /** A client for the next attempt: to another member when the last one failed. */
  readonly connect: () => PeerServiceClient;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5000;

/** Peers from a member's stream. What a member sends is checked like anything from outside. */
export function streamPeerSource(options: PeerStreamOptions): PeerSource {
  return {
    async run(listener: PeerListener, signal: AbortSignal): Promise<void> {
      const known = new Set<string>();
      let retry_ms = RETRY_MS_MIN;
      while (!signal.aborted) {
        try {
          if (await follow(options, { listener, known, signal })) retry_ms = RETRY_MS_MIN;
        } catch (error) {
          if (signal.aborted) return;
          options.logger.warn({ error }, 'the stream of peers broke; calling again');
        }
        // Half of it at random, so that a member's death does not bring all workers to the next one at once.
        await options.clock.sleep(retry_ms * (0.5 + options.random.next() / 2), signal).catch(() => undefined);
        retry_ms = Math.min(retry_ms * 2, RETRY_MS_MAX);
      }
    },
  };
}

function checkedPeer({ name, address, podCidr: podCIDR }: WirePeer): Peer | undefined {
  return name !== '' && isIPv4(address) && parseCidr(podCIDR) !== undefined ? { name, address, podCIDR } : undefined;
}

/** One call; true when it came as far as `synced`. */
async function follow(
  options: PeerStreamOptions,
  to: { listener: PeerListener; known: Set<string>; signal: AbortSignal },
): Promise<boolean> {
  const call = options.connect().watchPeers({ nodeName: options.nodeName }, new Metadata());
  const cancel = () => call.cancel();
  to.signal.addEventListener('abort', cancel, { once: true });
  const stale = new Set(to.known);
  let synced = false;
  try {
    for await (const { event } of call as AsyncIterable<WatchPeersResponse>) {
      if (event?.$case === 'upsert') {
        const peer = checkedPeer(event.value);
        if (peer === undefined) continue;
        stale.delete(peer.name);
        to.known.add(peer.name);
        to.listener.upsert(peer);
      } else if (event?.$case === 'removed') {
        to.known.delete(event.value);
        to.listener.remove(event.value);
      } else if (event?.$case === 'synced') {
        for (const name of stale) {
          to.known.delete(name);
          to.listener.remove(name);
        }
        stale.clear();
        synced = true;
        to.listener.synced();
      }
    }
  } finally {
    to.signal.removeEventListener('abort', cancel);
    call.cancel();
  }
  return synced;
}
