/** Bytes, split anywhere, to frames. Pure: no socket, no promise. */
import { SpdyError } from './error.js';
import { FLAG_FIN, FLAG_UNIDIRECTIONAL, HEADER_BYTES, TYPE, VERSION, type Frame } from './frames.js';
import { HeaderDecoder } from './headers.js';

/** Payload of one data frame. Clients of Kubernetes copy in pieces of 32 KiB; the protocol would allow 16 MiB. */
export const DATA_BYTES_MAX = 1 << 20;
/** Payload of any other frame. */
const CONTROL_BYTES_MAX = 64 * 1024;
const STREAM_MASK = 0x7fffffff;
const SETTINGS_MAX = 64;

export class FrameParser {
  readonly #decoder = new HeaderDecoder();
  #chunks: Buffer[] = [];
  #buffered = 0;
  #needed = HEADER_BYTES;

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
  }

  /** The next whole frame. Throws a SpdyError when the bytes are none; then the parser is of no more use. */
  next(): Frame | undefined {
    while (this.#buffered >= this.#needed) {
      const bytes = this.#join();
      const first = bytes.readUInt32BE(0);
      const length = bytes.readUIntBE(5, 3);
      const isControl = first > STREAM_MASK;
      if (length > (isControl ? CONTROL_BYTES_MAX : DATA_BYTES_MAX))
        throw new SpdyError(`a frame of ${length} bytes is too large`);
      this.#needed = HEADER_BYTES + length;
      if (bytes.length < this.#needed) return undefined;
      this.#consume(bytes);
      const payload = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length);
      const flags = bytes.readUInt8(4);
      const frame = isControl ? this.#control(first, flags, payload) : dataFrame(first, flags, payload);
      if (frame !== undefined) return frame;
    }
    return undefined;
  }

  #join(): Buffer {
    const [only] = this.#chunks;
    if (this.#chunks.length === 1 && only !== undefined) return only;
    const bytes = Buffer.concat(this.#chunks);
    this.#chunks = [bytes];
    return bytes;
  }

  #consume(bytes: Buffer): void {
    const rest = bytes.subarray(this.#needed);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#buffered = rest.length;
    this.#needed = HEADER_BYTES;
  }

  /** Undefined for a type that is not known: the protocol says to pass over it. */
  #control(first: number, flags: number, payload: Buffer): Frame | undefined {
    const version = (first >>> 16) & 0x7fff;
    if (version !== VERSION) throw new SpdyError(`version ${version} of SPDY is not spoken here`);
    const fin = (flags & FLAG_FIN) !== 0;
    switch (first & 0xffff) {
      case TYPE.synStream: {
        atLeast(payload, 10);
        return {
          kind: 'syn-stream',
          stream: streamOf(payload),
          associated: payload.readUInt32BE(4) & STREAM_MASK,
          priority: payload.readUInt8(8) >> 5,
          fin,
          unidirectional: (flags & FLAG_UNIDIRECTIONAL) !== 0,
          headers: this.#decoder.decode(payload.subarray(10)),
        };
      }
      case TYPE.synReply:
      case TYPE.headers: {
        atLeast(payload, 4);
        const kind = (first & 0xffff) === TYPE.synReply ? 'syn-reply' : 'headers';
        return { kind, stream: streamOf(payload), fin, headers: this.#decoder.decode(payload.subarray(4)) };
      }
      case TYPE.rstStream:
        return { kind: 'rst-stream', stream: streamOf(exactly(payload, 8)), status: payload.readUInt32BE(4) };
      case TYPE.settings:
        return settingsFrame(payload);
      case TYPE.ping:
        return { kind: 'ping', id: exactly(payload, 4).readUInt32BE(0) };
      case TYPE.goaway:
        return {
          kind: 'goaway',
          lastStream: exactly(payload, 8).readUInt32BE(0) & STREAM_MASK,
          status: payload.readUInt32BE(4),
        };
      case TYPE.windowUpdate:
        return windowUpdate(exactly(payload, 8));
      default:
        return undefined;
    }
  }
}

function dataFrame(first: number, flags: number, data: Buffer): Frame {
  if (first === 0) throw new SpdyError('data on stream 0');
  return { kind: 'data', stream: first, fin: (flags & FLAG_FIN) !== 0, data };
}

function windowUpdate(payload: Buffer): Frame {
  const delta = payload.readUInt32BE(4) & STREAM_MASK;
  if (delta === 0) throw new SpdyError('a window update of 0');
  return { kind: 'window-update', stream: payload.readUInt32BE(0) & STREAM_MASK, delta };
}

function settingsFrame(payload: Buffer): Frame {
  atLeast(payload, 4);
  const count = payload.readUInt32BE(0);
  if (count > SETTINGS_MAX) throw new SpdyError(`more than ${SETTINGS_MAX} settings`);
  exactly(payload, 4 + count * 8);
  const settings = Array.from({ length: count }, (_, index) => {
    const offset = 4 + index * 8;
    return {
      flags: payload.readUInt8(offset),
      id: payload.readUIntBE(offset + 1, 3),
      value: payload.readUInt32BE(offset + 4),
    };
  });
  return { kind: 'settings', settings };
}

function streamOf(payload: Buffer): number {
  const stream = payload.readUInt32BE(0) & STREAM_MASK;
  if (stream === 0) throw new SpdyError('a stream has the id 0');
  return stream;
}

function atLeast(payload: Buffer, bytes: number): void {
  if (payload.length < bytes) throw new SpdyError('a control frame is cut short');
}

function exactly(payload: Buffer, bytes: number): Buffer {
  if (payload.length !== bytes) throw new SpdyError('a control frame has the wrong length');
  return payload;
}
