/**
 * What this machine allows at most: an empty gRPC call on Node's server, and a synchronous write. Printed beside the
 * results.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { until } from '../lib/until.js';
import type { Secrets } from './clusters.js';
import { Connection, frame } from './grpc-wire.js';
import { freePorts } from '../../platform/free-ports.js';
import { Process } from './processes.js';

const ECHO = '/bench.Echo/Echo';

/** fdatasync of 4 KiB appended, one after the other. */
export async function fsyncRate(directory: string, seconds: number): Promise<number> {
  const path = join(directory, 'fsync');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(4096, 1);
  const end_ms = performance.now() + seconds * 1000;
  const start_ms = performance.now();
  let count = 0;
  for (; performance.now() < end_ms; count++) {
    writeSync(file, block);
    fdatasyncSync(file);
  }
  const rate = (count * 1000) / (performance.now() - start_ms);
  closeSync(file);
  await rm(path);
  return rate;
}

/**
 * Calls a second that one Node process with @grpc/grpc-js and TLS answers with the same bytes; 64 clients, 300 bytes.
 */
export async function echoRate(
  secrets: Secrets,
  directory: string,
  seconds: number,
): Promise<{ rate: number; cpu_us: number }> {
  const [port = 0] = await freePorts(1);
  const server = new Process(
    process.execPath,
    [fileURLToPath(import.meta.url), 'echo', String(port), secrets.directory],
    { log: join(directory, 'echo.log') },
  );
  const connections: Connection[] = [];
  try {
    await until(
      'the echo server',
      async () => {
        const connection = new Connection(`127.0.0.1:${port}`, secrets.client);
        await connection.ready();
        connection.close();
        return true as const;
      },
      { timeout_ms: 10_000 },
    );
    for (let i = 0; i < 4; i++) connections.push(new Connection(`127.0.0.1:${port}`, secrets.client));
    await Promise.all(connections.map((connection) => connection.ready()));
    const body = frame(Buffer.alloc(300, 'e'));
    const cpu_us = server.cpu_us();
    const start_ms = performance.now();
    const end_ms = start_ms + seconds * 1000;
    let done = 0;
    await Promise.all(
      Array.from(
        { length: 64 },
        (_, i) =>
          new Promise<void>((resolve) => {
            const connection = connections[i % connections.length] as Connection;
            const next = () => {
              if (performance.now() >= end_ms) resolve();
              else
                connection.unary(ECHO, body, (error) => {
                  if (error === undefined) done++;
                  next();
                });
            };
            next();
          }),
      ),
    );
    return {
      rate: (done * 1000) / (performance.now() - start_ms),
      cpu_us: (server.cpu_us() - cpu_us) / Math.max(done, 1),
    };
  } finally {
    for (const connection of connections) connection.close();
    await server.end('SIGKILL');
  }
}

async function serveEcho(port: number, directory: string): Promise<void> {
  const { readFileSync } = await import('node:fs');
  const read = (name: string) => readFileSync(join(directory, name));
  const server = new Server({ 'grpc.enable_channelz': 0 });
  const same = (bytes: Buffer) => bytes;
  server.addService(
    {
      echo: {
        path: ECHO,
        requestStream: false,
        responseStream: false,
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      },
    },
    {
      echo: (call: { request: Buffer }, callback: (error: null, answer: Buffer) => void) =>
        callback(null, call.request),
    },
  );
  const credentials = ServerCredentials.createSsl(
    read('bench-ca.crt'),
    [{ cert_chain: read('bench-server.crt'), private_key: read('bench-server.key') }],
    true,
  );
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error) => (error === null ? resolve() : reject(error))),
  );
}

if (process.argv[2] === 'echo') await serveEcho(Number(process.argv[3]), process.argv[4] ?? '');
