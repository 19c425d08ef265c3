/**
 * For tests: the front behind a plain HTTP server, with far ends that record what they are sent and say what the test
 * pushes.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type {
  PodStream,
  PodStreamInput,
  PodStreamOutput,
  PodStreamRequest,
} from '../../../../apimachinery/pod-streams.js';
import { systemClock, VirtualClock } from '../../../../platform/clock.js';
import { PushStream } from '../../../../platform/stream.js';
import type { UpgradeRequest } from '../../ports.js';
import { createStreamingFront } from '../index.js';

class FarEnd implements PodStream {
  readonly output = new PushStream<PodStreamOutput>({ limit: 1000, onOverflow: () => new Error('overflow') });
  readonly input: PodStreamInput[] = [];
  closed = false;

  write(input: PodStreamInput): Promise<void> {
    this.input.push(input);
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
    this.output.end();
  }

  /** The bytes of standard input so far. */
  get text(): string {
    return this.input.map((input) => (input.kind === 'stdin' ? Buffer.from(input.data).toString() : '')).join('');
  }

  [Symbol.asyncIterator](): AsyncIterator<PodStreamOutput> {
    return this.output;
  }
}

export interface FrontServerOptions {
  readonly upgrade?: Partial<UpgradeRequest>;
  readonly open?: (request: PodStreamRequest) => Promise<PodStream>;
}

export interface FrontServer {
  readonly port: number;
  readonly clock: VirtualClock;
  readonly far: FarEnd[];
  readonly asked: PodStreamRequest[];
  /** Upgrades that the front has resolved. */
  readonly served: { count: number };
  stop(): void;
}

export async function startFront({ upgrade = {}, open }: FrontServerOptions): Promise<FrontServer> {
  const far: FarEnd[] = [];
  const asked: PodStreamRequest[] = [];
  const served = { count: 0 };
  const sockets = new Set<Duplex>();
  const clock = new VirtualClock();
  const front = createStreamingFront({ clock });
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.add(socket);
    void front
      .serve({
        kind: 'exec',
        user: { name: 'u', groups: [] },
        namespace: 'd',
        pod: 'p',
        uid: 'x',
        container: 'c',
        command: ['sh'],
        stdin: true,
        stdout: true,
        stderr: true,
        tty: false,
        ports: [],
        request,
        socket,
        head,
        reach: () => Promise.resolve(),
        open(wanted) {
          asked.push(wanted);
          if (open !== undefined) return open(wanted);
          const end = new FarEnd();
          far.push(end);
          return Promise.resolve(end);
        },
        ...upgrade,
      })
      .then(() => served.count++);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    clock,
    far,
    asked,
    served,
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Waits for what happens by itself. Throws when it does not. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 15_000 && !condition(); i++) await systemClock.sleep(2);
  if (!condition()) throw new Error('what was waited for has not happened');
}
