/** The sockets: UDP and TCP on one address and port. What an answer says is `answer`'s business. */
import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket as UdpSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Part } from '../../platform/containment.js';
import { FrameReader, frame } from './framing.js';

export interface DnsServerOptions {
  readonly address: string;
  /** 0: any free one, the same for both. */
  readonly port: number;
  /** A socket that breaks is its fault; what fails about one question or one connection is not. */
  readonly part: Part;
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
  readonly #question: Part;
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;
  #port = 0;

  constructor(options: DnsServerOptions) {
    this.#options = options;
    this.#question = options.part.child('dns-question');
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const { address, port } = this.#options;
    const tcp = createServer(this.#question.guard((socket: Socket) => this.#serve(socket)));
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
    udp.on(
      'message',
      this.#question.guard((message: Buffer, from: RemoteInfo) => this.#reply(udp, message, from)),
    );
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject);
      udp.bind(this.#port, address, resolve);
    });
    for (const socket of [udp, tcp]) socket.on('error', (error: Error) => this.#options.part.fault(error));
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

  async #reply(udp: UdpSocket, message: Buffer, from: RemoteInfo): Promise<void> {
    const answer = await this.#options.answer(message, 'udp');
    // Port 0 cannot be sent to: only a forged packet comes from there. A client that has gone is no error of ours.
    if (answer !== undefined && this.#udp === udp && from.port !== 0)
      udp.send(answer, from.port, from.address, () => undefined);
  }

  #serve(socket: Socket): void {
    this.#connections.add(socket);
    // The events of an accepted connection belong to nobody: each callback is guarded, and a fault ends the connection.
    const part = this.#options.part.child('dns-question', () => socket.destroy());
    const reader = new FrameReader();
    let underWay = 0;
    const reply = async (message: Buffer) => {
      const answer = await this.#options.answer(message, 'tcp');
      underWay--;
      if (underWay < PIPELINE_MAX) socket.resume();
      // Whoever sends what is no query over a connection has no more to say.
      if (answer === undefined) socket.destroy();
      else if (socket.writable) socket.write(frame(answer));
    };
    socket.setTimeout(
      IDLE_MS_MAX,
      part.guard(() => socket.destroy()),
    );
    socket.on(
      'error',
      part.guard(() => socket.destroy()),
    );
    socket.on(
      'close',
      part.guard(() => this.#connections.delete(socket)),
    );
    socket.on(
      'data',
      part.guard((chunk: Buffer) => {
        for (const message of reader.push(chunk)) {
          underWay++;
          if (underWay >= PIPELINE_MAX) socket.pause();
          part.contain(() => reply(message));
        }
      }),
    );
  }
}
