/**
 * Closed loops: so many clients, each with one operation under way, until the time is over; their rate, delays and
 * cost.
 */
import { performance } from 'node:perf_hooks';
import type { Cluster } from './clusters.js';
import { Connection } from './grpc-wire.js';

export type Done = (error?: Error) => void;

/** Makes the client's next operation. */
export type Step = (done: Done) => void;

export interface LoopOptions {
  readonly clients: number;
  /** Shared by the clients in turn. */
  readonly connections: number;
  /** Ends after so long... */
  readonly seconds: number;
  /** ...or after so many. */
  readonly count?: number;
  /** `place`: the client's, from 0. */
  readonly client: (connection: Connection, place: number) => Step;
}

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

export async function connectAll(
  cluster: Cluster,
  count: number,
  endpoints = cluster.endpoints,
): Promise<Connection[]> {
  const connections = Array.from(
    { length: count },
    (_, i) => new Connection(endpoints[i % endpoints.length] ?? '', cluster.secrets.client),
  );
  await Promise.all(connections.map((connection) => connection.ready()));
  return connections;
}

export async function loop(
  cluster: Cluster,
  { clients, connections: count, seconds, count: max = Infinity, client }: LoopOptions,
): Promise<LoadResult> {
  // One client alone asks the leader, as a client that balances would soon.
  const endpoints = clients === 1 ? [cluster.endpoints[await cluster.leader()] ?? ''] : cluster.endpoints;
  const connections = await connectAll(cluster, Math.min(clients, count), endpoints);
  const latencies: number[] = [];
  let failures = 0;
  let started = 0;
  const term = await cluster.term();
  const own = process.cpuUsage();
  const cpu_us = cluster.cpu_us();
  const start_ms = performance.now();
  const end_ms = start_ms + seconds * 1000;
  await Promise.all(
    Array.from(
      { length: clients },
      (_, place) =>
        new Promise<void>((resolve) => {
          const connection = connections[place % connections.length] as Connection;
          const step = client(connection, place);
          const next = () => {
            const at_ms = performance.now();
            if (at_ms >= end_ms || started >= max || connection.closed) {
              resolve();
              return;
            }
            started++;
            step((error) => {
              if (error === undefined) latencies.push(performance.now() - at_ms);
              else failures++;
              next();
            });
          };
          next();
        }),
    ),
  );
  const elapsed_s = (performance.now() - start_ms) / 1000;
  const used_us = cluster.cpu_us() - cpu_us;
  const { user, system } = process.cpuUsage(own);
  for (const connection of connections) connection.close();
  latencies.sort((a, b) => a - b);
  return {
    operations: latencies.length,
    failures,
    seconds: elapsed_s,
    p50_ms: quantile(latencies, 0.5),
    p99_ms: quantile(latencies, 0.99),
    cpu_us: used_us,
    generatorCpu_us: user + system,
    elections: (await cluster.term()) - term,
  };
}

export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? NaN;
}
