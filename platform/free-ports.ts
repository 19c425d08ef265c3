/** Ports of the loopback interface for processes that a test starts. */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { systemRandom } from './random.js';

const HOST = '127.0.0.1';
const LOW = 10_000;
/** From here on, a cluster's NodePorts. */
const HIGH = 30_000;
const ATTEMPTS = 1000;

/** The first port that the system gives to whoever opens a connection. */
function firstEphemeral(): number {
  try {
    return Number(/^(\d+)/.exec(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'))?.[1] ?? HIGH);
  } catch {
    return HIGH;
  }
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, HOST, () => resolve(server));
  });
}

/**
 * Ports that are free now, and that no connection takes by chance before somebody listens there: not those which the system itself
 * gives out. All are held until all are found, so that none is given twice.
 */
export async function freePorts(count: number): Promise<number[]> {
  const high = Math.max(Math.min(HIGH, firstEphemeral()), LOW + 1000);
  const held = new Map<number, Server>();
  for (let i = 0; i < ATTEMPTS && held.size < count; i++) {
    const port = LOW + systemRandom.int(high - LOW);
    const server = held.has(port) ? undefined : await listen(port);
    if (server !== undefined) held.set(port, server);
  }
  await Promise.all([...held.values()].map((server) => new Promise((resolve) => server.close(resolve))));
  if (held.size < count) throw new Error(`no ${count} ports between ${LOW} and ${high} are free on ${HOST}`);
  return [...held.keys()];
}
