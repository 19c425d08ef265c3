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

type Place = { readonly port: number; readonly host: string } | { readonly path: string };

function listen(place: Place): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(place, () => resolve(server));
  });
}

/**
 * Keeps a port for what this process starts, until it ends: a name of the kernel (an abstract socket) that only one
 * process may have. False when another has it. Elsewhere than on Linux there are no such names, and nothing is kept.
 */
async function claim(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const claimed = await listen({ path: `\0navarch-port-${port}` });
  claimed?.unref();
  return claimed !== undefined;
}

export interface PortRange {
  /** The first that may be given. */
  readonly low: number;
  /** The first beyond. */
  readonly high: number;
}

/**
 * Ports that are free now, and that nobody takes before somebody listens there: not a connection by chance, since the
 * system does not give them out, and not another process that asks here. None is given twice to a process and those
 * beside it.
 */
export async function freePorts(count: number, range?: PortRange): Promise<number[]> {
  const { low, high } = range ?? { low: LOW, high: Math.max(Math.min(HIGH, firstEphemeral()), LOW + 1000) };
  const held = new Map<number, Server>();
  for (let i = 0; i < ATTEMPTS && held.size < count; i++) {
    const port = low + systemRandom.int(high - low);
    const server = held.has(port) ? undefined : await listen({ port, host: HOST });
    if (server === undefined) continue;
    if (await claim(port)) held.set(port, server);
    else await closed(server);
  }
  await Promise.all([...held.values()].map(closed));
  if (held.size < count) throw new Error(`no ${count} ports between ${low} and ${high} are free on ${HOST}`);
  return [...held.keys()];
}

const closed = (server: Server) => new Promise((resolve) => server.close(resolve));
