/** The sockets: UDP and TCP on one address and port. What an answer says is `answer`'s business. */
import { createSocket } from 'node:dgram';
import type { Socket as UdpSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Logger } from '../../platform/log.js';
import { FrameReader, frame } from './framing.js';

export interface DnsServerOptions {
  readonly address: string;
  /** 0: any free one, the same for both. */
  readonly port: number;
  readonly logger: Logger;
  /** Undefined: say nothing. Never rejects. */
  readonly answer: (message: Buffer, transport: 'udp' | 'tcp') => Promise<Buffer | undefined>;
}

const CONNECTIONS_MAX = 256;
/** A client that says nothing for so long is cut off. */
const IDLE_MS_MAX = 10_000;
/** Questions of one connection under way; its socket is not read meanwhile. */
const PIPELINE_MAX = 16;

export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #connections = new Set<Socket>();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  #port = 0;

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const { address, port } = this.#options;
    const tcp = createServer((socket) => this.#serve(socket));
    tcp.maxConnections = CONNECTIONS_MAX;
    this.#tcp = tcp;
    await new Promise<void>((resolve, reject) => {
      tcp.once('error', reject);
      tcp.listen(port, address, resolve);
    });
    const bound = tcp.address();
    this.#port = typeof bound === 'object' && bound !== null ? bound.port : port;
    const udp = createSocket('udp4');
    this.#udp = udp;
    udp.on('message', (message, from) => {
      void this.#options.answer(message, 'udp').then((answer) => {
        // A client that has gone is no error of ours.
        if (answer !== undefined && this.#udp === udp) udp.send(answer, from.port, from.address, () => undefined);
      });
    });
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind(this.#port, address, resolve);
    });
    for (const socket of [udp, tcp]) socket.on('error', (error: Error) => this.#options.logger.warn({ error: error.message }, 'a DNS socket failed'));
  }

  async stop(): Promise<void> {
    const udp = this.#udp;
    const tcp = this.#tcp;
    this.#udp = undefined;
    this.#tcp = undefined;
    for (const socket of this.#connections) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => (udp === undefined ? resolve() : udp.close(() => resolve()))),
      new Promise<void>((resolve) => (tcp === undefined ? resolve() : tcp.close(() => resolve()))),
    ]);
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    const reader = new FrameReader();
    let underWay = 0;
    socket.setTimeout(IDLE_MS_MAX, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (chunk) => {
      for (const message of reader.push(chunk)) {
        underWay++;
        if (underWay >= PIPELINE_MAX) socket.pause();
        void this.#options.answer(message, 'tcp').then((answer) => {
          underWay--;
          if (underWay < PIPELINE_MAX) socket.resume();
          // Whoever sends what is no query over a connection has no more to say.
          if (answer === undefined) socket.destroy();
          else if (socket.writable) socket.write(frame(answer));
        });
      }
    });
  }
}
