/**
 * Writes the messages of a server's stream, all that are made in one turn as one piece. gRPC's own stream writes one
 * message, waits for the socket, and writes the next: with a thousand watches that is a thousand turns and system calls
 * a change. So the frames go to the HTTP/2 stream below it; where gRPC's insides look different, its own way is taken.
 */
import { Metadata } from '@grpc/grpc-js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Writable } from 'node:stream';

/** Unsent bytes beyond which the stream counts as full. More than any stream's own mark, so that it will drain. */
const ROOM_BYTES = 256 * 1024;
const PREFIX_BYTES = 5;

type Stream<R> = Pick<
  ServerDuplexStream<unknown, R>,
  'write' | 'on' | 'end' | 'sendMetadata' | 'cancelled' | 'destroyed'
>;

export interface StreamWriterOptions<R> {
  readonly call: Stream<R>;
  readonly serialize: (response: R) => Buffer;
  readonly onDrain: () => void;
}

export class StreamWriter<R> {
  readonly #call: Stream<R>;
  readonly #serialize: (response: R) => Buffer;
  readonly #below: Writable | undefined;
  #frames: Buffer[] = [];
  #frames_bytes = 0;

  constructor({ call, serialize, onDrain }: StreamWriterOptions<R>) {
    this.#call = call;
    this.#serialize = serialize;
    this.#below = streamBelow(call);
    if (this.#below === undefined) call.on('drain', onDrain);
    else {
      call.sendMetadata(new Metadata());
      this.#below.on('drain', onDrain);
    }
  }

  /** False when the stream is full, or gone; `onDrain` tells when there is room again. */
  write(response: R): boolean {
    if (this.#call.cancelled || this.#call.destroyed) return false;
    const below = this.#below;
    if (below === undefined) return this.#call.write(response);
    if (below.destroyed) return false;
    const message = this.#serialize(response);
    const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
    prefix[0] = 0;
    prefix.writeUInt32BE(message.length, 1);
    if (this.#frames.length === 0) queueMicrotask(() => this.#flush());
    this.#frames.push(prefix, message);
    this.#frames_bytes += PREFIX_BYTES + message.length;
    return below.writableLength + this.#frames_bytes < ROOM_BYTES;
  }

  end(): void {
    this.#flush();
    this.#call.end();
  }

  #flush(): void {
    if (this.#frames.length === 0) return;
    const bytes = Buffer.concat(this.#frames, this.#frames_bytes);
    this.#frames = [];
    this.#frames_bytes = 0;
    if (this.#below?.destroyed === false && !this.#below.writableEnded) this.#below.write(bytes);
  }
}

export function streamBelow(call: object): Writable | undefined {
  const { stream } = (call as { call?: { stream?: Partial<Writable> & { respond?: unknown } } }).call ?? {};
  return typeof stream?.write === 'function' && typeof stream.respond === 'function' ? (stream as Writable) : undefined;
}
