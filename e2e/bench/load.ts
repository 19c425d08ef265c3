/** Load on etcd's API, the same for whoever answers it: closed loops of unary calls, watches, and the gap that a kill leaves. */
import { performance } from 'node:perf_hooks';
import { PutRequest, RangeRequest, TxnRequest, Compare_CompareResult, Compare_CompareTarget, WatchRequest } from '../../proto/gen/etcd/etcdserverpb/rpc.js';
import { sleep } from '../lib/until.js';
import type { Cluster } from './clusters.js';
import { Connection, Deframer, frame } from './grpc-wire.js';

export const KEYS = 100_000;
const VALUE_BYTES = 256;
const PUT = '/etcdserverpb.KV/Put';
const RANGE = '/etcdserverpb.KV/Range';
const TXN = '/etcdserverpb.KV/Txn';
const WATCH = '/etcdserverpb.Watch/Watch';
/** Beyond it, more connections measure TLS and not the store. */
const CONNECTIONS_MAX = 12;

export type Operation = 'put' | 'range' | 'serializable' | 'txn';

export interface LoadResult {
  readonly operations: number;
  readonly failures: number;
  readonly seconds: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Of all members together. */
  readonly cpu_us: number;
  /** Of this process. */
  readonly generatorCpu_us: number;
  readonly elections: number;
}

export const value = Buffer.alloc(VALUE_BYTES, 'v');
export const keyOf = (n: number) => Buffer.from(`bench/${String(n).padStart(8, '0')}`);

function encode(operation: Operation, n: number): Uint8Array {
  const key = keyOf(n);
  const put = PutRequest.fromPartial({ key, value });
  switch (operation) {
    case 'put': return PutRequest.encode(put).finish();
    case 'range': return RangeRequest.encode(RangeRequest.fromPartial({ key })).finish();
    case 'serializable': return RangeRequest.encode(RangeRequest.fromPartial({ key, serializable: true })).finish();
    case 'txn': return TxnRequest.encode(TxnRequest.fromPartial({
      compare: [{ key, target: Compare_CompareTarget.VERSION, result: Compare_CompareResult.GREATER, targetUnion: { $case: 'version', value: -1 } }],
      success: [{ request: { $case: 'requestPut', value: put } }],
    })).finish();
    default: return operation satisfies never;
  }
}

const PATHS: Readonly<Record<Operation, string>> = { put: PUT, range: RANGE, serializable: RANGE, txn: TXN };

/** Requests for all keys, made by overwriting the digits of one: the key's first bytes are found once. */
class Requests {
  readonly path: string;
  readonly #template: Buffer;
  readonly #places: number[] = [];
  #next = 0;

  constructor(operation: Operation) {
    this.path = PATHS[operation];
    this.#template = frame(encode(operation, 0));
    const key = keyOf(0);
    for (let at = this.#template.indexOf(key); at >= 0; at = this.#template.indexOf(key, at + 1)) this.#places.push(at + key.length - 8);
  }

  next(): Buffer {
    const bytes = Buffer.from(this.#template);
    // A stride that is prime to the number of keys: each comes once, none beside its neighbour.
    this.#next = (this.#next + 61_803) % KEYS;
    const digits = String(this.#next).padStart(8, '0');
    for (const place of this.#places) bytes.write(digits, place, 'latin1');
    return bytes;
  }
}

export async function connectAll(cluster: Cluster, count: number, endpoints = cluster.endpoints): Promise<Connection[]> {
  const connections = Array.from({ length: count }, (_, i) => new Connection(endpoints[i % endpoints.length] ?? '', cluster.secrets.client));
  await Promise.all(connections.map((connection) => connection.ready()));
  return connections;
}

export interface LoadOptions {
  readonly operation: Operation;
  readonly clients: number;
  /** Ends after so long... */
  readonly seconds: number;
  /** ...or after so many. */
  readonly count?: number;
}

export async function load(cluster: Cluster, { operation, clients, seconds, count = Infinity }: LoadOptions): Promise<LoadResult> {
  // One client alone asks the leader, as a client that balances would soon.
  const endpoints = clients === 1 ? [cluster.endpoints[await cluster.leader()] ?? ''] : cluster.endpoints;
  const connections = await connectAll(cluster, Math.min(clients, CONNECTIONS_MAX), endpoints);
  const requests = new Requests(operation);
  const latencies: number[] = [];
  let failures = 0;
  let started = 0;
  const term = await cluster.term();
  const own = process.cpuUsage();
  const cpu_us = cluster.cpu_us();
  const start_ms = performance.now();
  const end_ms = start_ms + seconds * 1000;
  await Promise.all(Array.from({ length: clients }, (_, i) => new Promise<void>((resolve) => {
    const connection = connections[i % connections.length] as Connection;
    const next = () => {
      const at_ms = performance.now();
      if (at_ms >= end_ms || started >= count || connection.closed) {
        resolve();
        return;
      }
      started++;
      connection.unary(requests.path, requests.next(), (error) => {
        if (error === undefined) latencies.push(performance.now() - at_ms);
        else failures++;
        next();
      });
    };
    next();
  })));
  const elapsed_s = (performance.now() - start_ms) / 1000;
  const used_us = cluster.cpu_us() - cpu_us;
  const { user, system } = process.cpuUsage(own);
  for (const connection of connections) connection.close();
  latencies.sort((a, b) => a - b);
  return {
    operations: latencies.length, failures, seconds: elapsed_s, p50_ms: quantile(latencies, 0.5), p99_ms: quantile(latencies, 0.99),
    cpu_us: used_us, generatorCpu_us: user + system, elections: (await cluster.term()) - term,
  };
}

export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
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
  const create = frame(WatchRequest.encode({
    requestUnion: { $case: 'createRequest', value: { key: prefix, rangeEnd: Buffer.from('watched0'), startRevision: 0, progressNotify: false, filters: [], prevKv: false, watchId: 0, fragment: false } },
  }).finish());
  const allCreated = new Promise<void>((resolve) => {
    connections.forEach((connection, c) => {
      const stream = connection.open(WATCH);
      const frames = new Deframer();
      stream.on('error', () => undefined);
      stream.on('data', (chunk: Buffer) => frames.take(chunk, (message) => {
        // An event carries the value; a confirmation does not.
        if (message.length < VALUE_BYTES) {
          if (++created === watchers) resolve();
          return;
        }
        events++;
        delays.push(performance.now() - put_ms);
        if (events === wanted) onAll();
      }));
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
  return { events, cpu_us: cluster.cpu_us() - cpu_us, seconds: elapsed_s, p50_ms: quantile(delays, 0.5), p99_ms: quantile(delays, 0.99) };
}

export type Loss = 'kill' | 'pause' | 'cut';

/**
 * The leader is gone (kill -9), hangs (SIGSTOP) or is not heard any more by its peers: milliseconds until a write that began
 * afterwards is acknowledged by another. Undefined when the machine has no means for it.
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
    case 'cut': return cluster.cut(leader) ? () => cluster.heal(leader) : undefined;
    default: return how satisfies never;
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
