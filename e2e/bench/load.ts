/**
 * Load on etcd's API, the same for whoever answers it: closed loops of unary calls, watches, and the gap that a kill
 * leaves.
 */
import { performance } from 'node:perf_hooks';
import type { RequestOp } from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import {
  PutRequest,
  RangeRequest,
  TxnRequest,
  Compare_CompareResult,
  Compare_CompareTarget,
  WatchRequest,
} from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { sleep } from '../lib/until.js';
import type { Cluster } from './clusters.js';
import { Deframer, frame } from './grpc-wire.js';
import type { Connection } from './grpc-wire.js';
import { connectAll, loop, quantile } from './loop.js';
import type { LoadResult, Step } from './loop.js';

export const KEYS = 100_000;
const VALUE_BYTES = 256;
export const PUT = '/etcdserverpb.KV/Put';
export const RANGE = '/etcdserverpb.KV/Range';
export const TXN = '/etcdserverpb.KV/Txn';
export const WATCH = '/etcdserverpb.Watch/Watch';
/** Beyond it, more connections measure TLS and not the store. */
const CONNECTIONS_MAX = 12;

/** `txn`: a put under a guard. `txn4`: four puts. `mixed`: a range and a put by turns, each a transaction. */
export type Operation = 'put' | 'range' | 'serializable' | 'txn' | 'txn4' | 'mixed';

const EMPTY = Buffer.alloc(0);
export const value = Buffer.alloc(VALUE_BYTES, 'v');
export const keyOf = (n: number) => Buffer.from(`bench/${String(n).padStart(8, '0')}`);

const txnOf = (txn: Partial<TxnRequest>) =>
  TxnRequest.encode({ compare: [], success: [], failure: [], ...txn }).finish();

/** What a client sends by turns. */
function encode(operation: Operation): Uint8Array[] {
  const key = keyOf(0);
  const put = PutRequest.fromPartial({ key, value });
  const putOp: RequestOp = { request: { $case: 'requestPut', value: put } };
  switch (operation) {
    case 'put':
      return [PutRequest.encode(put).finish()];
    case 'range':
      return [RangeRequest.encode(RangeRequest.fromPartial({ key })).finish()];
    case 'serializable':
      return [RangeRequest.encode(RangeRequest.fromPartial({ key, serializable: true })).finish()];
    case 'txn':
      return [
        txnOf({
          compare: [
            {
              key,
              target: Compare_CompareTarget.VERSION,
              result: Compare_CompareResult.GREATER,
              targetUnion: { $case: 'version', value: -1n },
              rangeEnd: EMPTY,
            },
          ],
          success: [putOp],
        }),
      ];
    case 'txn4':
      return [txnOf({ success: [putOp, putOp, putOp, putOp] })];
    case 'mixed':
      return [
        txnOf({ success: [{ request: { $case: 'requestRange', value: RangeRequest.fromPartial({ key }) } }] }),
        txnOf({ success: [putOp] }),
      ];
    default:
      return operation satisfies never;
  }
}

const PATHS: Readonly<Record<Operation, string>> = {
  put: PUT,
  range: RANGE,
  serializable: RANGE,
  txn: TXN,
  txn4: TXN,
  mixed: TXN,
};

/** Operations that touch several keys, so that each place of a key gets one of its own. */
const isSeveral = (operation: Operation) => operation === 'txn4';

/** Requests for all keys, made by overwriting the digits of one: the key's first bytes are found once. */
class Requests {
  readonly path: string;
  readonly #templates: readonly { readonly bytes: Buffer; readonly places: readonly number[] }[];
  readonly #several: boolean;
  #next = 0;
  #turn = 0;

  constructor(operation: Operation) {
    this.path = PATHS[operation];
    this.#several = isSeveral(operation);
    const key = keyOf(0);
    this.#templates = encode(operation).map((message) => {
      const bytes = frame(message);
      const places: number[] = [];
      for (let at = bytes.indexOf(key); at >= 0; at = bytes.indexOf(key, at + 1)) places.push(at + key.length - 8);
      return { bytes, places };
    });
  }

  next(): Buffer {
    const template = this.#templates[this.#turn++ % this.#templates.length];
    const bytes = Buffer.from(template?.bytes ?? []);
    let digits = this.#digits();
    for (const [i, place] of (template?.places ?? []).entries()) {
      if (i > 0 && this.#several) digits = this.#digits();
      bytes.write(digits, place, 'latin1');
    }
    return bytes;
  }

  #digits(): string {
    // A stride that is prime to the number of keys: each comes once, none beside its neighbour.
    this.#next = (this.#next + 61_803) % KEYS;
    return String(this.#next).padStart(8, '0');
  }
}

export interface LoadOptions {
  readonly operation: Operation;
  readonly clients: number;
  /** Default: as many as show the store and not TLS. */
  readonly connections?: number;
  readonly seconds: number;
  readonly count?: number;
}

export function load(
  cluster: Cluster,
  { operation, connections = CONNECTIONS_MAX, ...options }: LoadOptions,
): Promise<LoadResult> {
  const requests = new Requests(operation);
  const client =
    (connection: Connection): Step =>
    (done) =>
      connection.unary(requests.path, requests.next(), done);
  return loop(cluster, { ...options, connections, client });
}

export interface WatchResult {
  readonly events: number;
  /** Of all members together. */
  readonly cpu_us: number;
  readonly seconds: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

/** `watchers` on one prefix, ten streams; a put is made when everybody has heard of the one before. */
export async function watchLoad(cluster: Cluster, watchers: number, seconds: number): Promise<WatchResult> {
  const STREAMS = 9;
  const connections = await connectAll(cluster, STREAMS);
  let created = 0;
  let events = 0;
  let put_ms = 0;
  const delays: number[] = [];
  let onAll: () => void = () => undefined;
  let wanted = 0;
  const prefix = Buffer.from('watched/');
  const create = frame(
    WatchRequest.encode({
      requestUnion: {
        $case: 'createRequest',
        value: {
          key: prefix,
          rangeEnd: Buffer.from('watched0'),
          startRevision: 0n,
          progressNotify: false,
          filters: [],
          prevKv: false,
          watchId: 0n,
          fragment: false,
        },
      },
    }).finish(),
  );
  const allCreated = new Promise<void>((resolve) => {
    connections.forEach((connection, c) => {
      const stream = connection.open(WATCH);
      const frames = new Deframer();
      stream.on('error', () => undefined);
      stream.on('data', (chunk: Buffer) =>
        frames.take(chunk, (message) => {
          // An event carries the value; a confirmation does not.
          if (message.length < VALUE_BYTES) {
            if (++created === watchers) resolve();
            return;
          }
          events++;
          delays.push(performance.now() - put_ms);
          if (events === wanted) onAll();
        }),
      );
      for (let i = c; i < watchers; i += STREAMS) stream.write(create);
    });
  });
  await allCreated;
  const [writer] = await connectAll(cluster, 1);
  const put = PutRequest.encode(PutRequest.fromPartial({ key: Buffer.from('watched/key'), value })).finish();
  const cpu_us = cluster.cpu_us();
  const start_ms = performance.now();
  while (performance.now() < start_ms + seconds * 1000) {
    wanted += watchers;
    const all = new Promise<void>((resolve) => (onAll = resolve));
    put_ms = performance.now();
    await Promise.all([writer?.call(PUT, put), all]);
  }
  const elapsed_s = (performance.now() - start_ms) / 1000;
  for (const connection of [...connections, ...(writer === undefined ? [] : [writer])]) connection.close();
  delays.sort((a, b) => a - b);
  return {
    events,
    cpu_us: cluster.cpu_us() - cpu_us,
    seconds: elapsed_s,
    p50_ms: quantile(delays, 0.5),
    p99_ms: quantile(delays, 0.99),
  };
}

export type Loss = 'kill' | 'pause' | 'cut';

/**
 * The leader is gone (kill -9), hangs (SIGSTOP) or is not heard any more by its peers: milliseconds until a write that
 * began afterwards is acknowledged by another. Undefined when the machine has no means for it.
 */
export async function loseLeader(cluster: Cluster, how: Loss): Promise<number | undefined> {
  const leader = await cluster.leader();
  const survivors = cluster.endpoints.filter((_, i) => i !== leader);
  const connections = await connectAll(cluster, survivors.length, survivors);
  const put = PutRequest.encode(PutRequest.fromPartial({ key: keyOf(0), value })).finish();
  await Promise.all(connections.map((connection) => connection.call(PUT, put)));
  const start_ms = performance.now();
  const end = lose(cluster, leader, how);
  if (end === undefined) return undefined;
  try {
    return await Promise.any(connections.map((connection) => firstWrite(connection, put, start_ms)));
  } finally {
    for (const connection of connections) connection.close();
    await end();
  }
}

/** Returns what brings it back. */
function lose(cluster: Cluster, leader: number, how: Loss): (() => Promise<unknown>) | undefined {
  switch (how) {
    case 'kill': {
      const gone = cluster.kill(leader);
      return () => gone.then(() => cluster.restart(leader));
    }
    case 'pause':
      cluster.pause(leader);
      return () => cluster.resume(leader);
    case 'cut':
      return cluster.cut(leader) ? () => cluster.heal(leader) : undefined;
    default:
      return how satisfies never;
  }
}

async function firstWrite(connection: Connection, put: Uint8Array, start_ms: number): Promise<number> {
  for (;;) {
    try {
      await connection.call(PUT, put, 500);
      return performance.now() - start_ms;
    } catch (error) {
      if (performance.now() - start_ms > 20_000) throw error;
      await sleep(5);
    }
  }
}
