/** What a gRPC listener lets callers hold. Before authentication little, afterwards what honest clients need. */
import { assert } from '../assert.js';
import type { RateOptions } from '../net/rate.js';
import type { AddressLimits } from '../net/address-count.js';

export interface GuardLimits {
  /** Connections, of whomever. */
  readonly connections: AddressLimits;
  /** Streams that are open in the process. */
  readonly streams: number;
  /** Bytes of unfinished messages in the process. */
  readonly unfinished_bytes: number;
  /** Connections and calls of callers that have not shown who they are. */
  readonly anonymous: {
    readonly connections: AddressLimits;
    readonly streams: number;
    /** Bytes of one request. */
    readonly request_bytes: number;
    /** Life of a call, request and answer together. */
    readonly call_ms: number;
    /** Life of a connection without an open stream. */
    readonly idle_ms: number;
    readonly newStreams: RateOptions;
    /** Streams that the client itself resets. */
    readonly resets: RateOptions;
  };
  readonly identified: {
    readonly streams: number;
    /** Bytes of unfinished messages on one connection. */
    readonly unfinished_bytes: number;
    /** Time from the first to the last byte of a message. */
    readonly message_ms: number;
    readonly newStreams: RateOptions;
    /** nghttp2 gives a connection up at 1,000 at once, without closing it. */
    readonly resets: RateOptions;
  };
}

const MIB = 2 ** 20;

export const GUARD_LIMITS: GuardLimits = {
  connections: { total: 20_000, perAddress: 2_000 },
  streams: 20_000,
  unfinished_bytes: 48 * MIB,
  anonymous: {
    connections: { total: 1_000, perAddress: 64 },
    streams: 8,
    request_bytes: 24 * 1024,
    call_ms: 30_000,
    idle_ms: 30_000,
    newStreams: { burst: 64, perSecond: 16 },
    resets: { burst: 32, perSecond: 4 },
  },
  identified: {
    streams: 4_096,
    unfinished_bytes: 24 * MIB,
    message_ms: 60_000,
    newStreams: { burst: 20_000, perSecond: 20_000 },
    resets: { burst: 900, perSecond: 30 },
  },
};

/** A limit that another makes void is a mistake. */
export function checkLimits(limits: GuardLimits, message_bytes_max: number): void {
  assert(
    limits.identified.unfinished_bytes >= message_bytes_max,
    'one connection may send the largest message that is taken',
  );
  assert(
    limits.unfinished_bytes >= limits.identified.unfinished_bytes,
    'the process bears what one connection may hold',
  );
  assert(
    limits.anonymous.streams <= limits.identified.streams && limits.identified.streams <= limits.streams,
    'streams: anonymous <= identified <= process',
  );
}
