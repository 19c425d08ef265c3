/**
 * Port-forward over SPDY/3.1, on a socket of its own or inside a WebSocket: for each connection it has accepted the
 * client opens a pair of streams, data and error, that name the same `requestID` and the `port`.
 */
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../../../platform/clock.js';
import type { UpgradeRequest } from '../../ports.js';
import { forwardPort } from '../forward.js';
import { STREAMS_TIMEOUT_MS } from '../limits.js';
import { refuse } from '../../rest/raw-answer.js';
import { SpdyConnection } from './connection.js';
import type { SpdyStream } from './stream.js';
import { negotiate, switchToSpdy } from './upgrade.js';

const PROTOCOL = 'portforward.k8s.io';
const REQUEST_ID_CHARACTERS_MAX = 64;

/** A node that cannot be reached is answered before any 101; ports are opened one by one later. */
export async function serveSpdyForward(upgrade: UpgradeRequest, clock: Clock): Promise<void> {
  let protocol: string;
  try {
    protocol = negotiate(upgrade, [PROTOCOL], PROTOCOL);
    await upgrade.reach();
  } catch (error) {
    refuse(upgrade.socket, error);
    return;
  }
  switchToSpdy(upgrade, protocol);
  await forwardOverSpdy(upgrade.socket, upgrade, clock);
}

/** Resolves when the connection is over. Never rejects. */
export function forwardOverSpdy(carrier: Duplex, upgrade: UpgradeRequest, clock: Clock): Promise<void> {
  const pairs = new StreamPairs(
    clock,
    (port, pair) => void forwardPort(upgrade, port, { ...pair, gone: pair.data.gone }),
  );
  const { gone } = new SpdyConnection({ carrier, clock, onStream: (stream) => pairs.take(stream) });
  return new Promise((resolve) => {
    const onGone = () => {
      pairs.clear();
      resolve();
    };
    gone.addEventListener('abort', onGone, { once: true });
    if (gone.aborted) onGone();
  });
}

interface StreamPair {
  readonly data: SpdyStream;
  readonly error: SpdyStream;
}

type StreamType = keyof StreamPair;

interface HalfPair {
  readonly type: StreamType;
  readonly port: number;
  readonly stream: SpdyStream;
  readonly timeout: Timer;
}

/** Streams whose other half has not been opened yet, by request id. */
class StreamPairs {
  readonly #clock: Clock;
  readonly #onPair: (port: number, pair: StreamPair) => void;
  readonly #halves = new Map<string, HalfPair>();

  constructor(clock: Clock, onPair: (port: number, pair: StreamPair) => void) {
    this.#clock = clock;
    this.#onPair = onPair;
  }

  take(stream: SpdyStream): void {
    const type = stream.headers.get('streamtype')?.toLowerCase();
    const port = portOf(stream.headers.get('port'));
    if ((type !== 'data' && type !== 'error') || port === undefined) return stream.refuse();
    const id = requestIdOf(stream, type);
    const other = this.#halves.get(id);
    if (other !== undefined && (other.type === type || other.port !== port)) return stream.refuse();
    stream.accept();
    if (other === undefined) {
      const timeout = this.#clock.after(STREAMS_TIMEOUT_MS, () => {
        this.#halves.delete(id);
        stream.refuse();
      });
      this.#halves.set(id, { type, port, stream, timeout });
      return;
    }
    other.timeout.cancel();
    this.#halves.delete(id);
    this.#onPair(port, type === 'data' ? { data: stream, error: other.stream } : { data: other.stream, error: stream });
  }

  clear(): void {
    for (const { timeout } of this.#halves.values()) timeout.cancel();
    this.#halves.clear();
  }
}

/** Clients of the first days sent no id: they opened the error stream and right after it the data stream. */
function requestIdOf(stream: SpdyStream, type: StreamType): string {
  const id = stream.headers.get('requestid')?.slice(0, REQUEST_ID_CHARACTERS_MAX) ?? '';
  return id === '' ? `stream ${type === 'error' ? stream.id : stream.id - 2}` : id;
}

function portOf(text: string | undefined): number | undefined {
  const port = Number(text);
  return text !== undefined && /^\d{1,5}$/.test(text) && port >= 1 && port <= 65535 ? port : undefined;
}
