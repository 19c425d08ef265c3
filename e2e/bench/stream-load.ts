/** Puts by the SDK's pipelined stream: one writer, to one member, with many under way. */
import { performance } from 'node:perf_hooks';
import { connectStoreWriter } from '../../sdk/index.js';
import type { Cluster } from './clusters.js';
import { KEYS, keyOf, value } from './load.js';

const UNDER_WAY = 4096;

export interface StreamResult {
  readonly operations: number;
  readonly failures: number;
  readonly seconds: number;
  /** Of all members together. */
  readonly cpu_us: number;
}

export async function streamLoad(cluster: Cluster, seconds: number): Promise<StreamResult> {
  const { ca, cert, key } = cluster.secrets.client;
  const writer = await connectStoreWriter({
    endpoints: cluster.endpoints,
    serverName: 'localhost',
    tls: { ca, certificate: cert, privateKey: key },
  });
  let operations = 0;
  let failures = 0;
  let next = 0;
  const cpu_us = cluster.cpu_us();
  const start_ms = performance.now();
  const end_ms = start_ms + seconds * 1000;
  await Promise.all(
    Array.from({ length: UNDER_WAY }, async () => {
      while (performance.now() < end_ms) {
        next = (next + 61_803) % KEYS;
        try {
          await writer.put(keyOf(next), value);
          operations++;
        } catch {
          failures++;
        }
      }
    }),
  );
  const elapsed_s = (performance.now() - start_ms) / 1000;
  await writer.close();
  return { operations, failures, seconds: elapsed_s, cpu_us: cluster.cpu_us() - cpu_us };
}
