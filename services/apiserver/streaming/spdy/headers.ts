/**
 * Header blocks of SPDY/3: a count, then names and values with their lengths, through one zlib stream for the whole
 * connection that is flushed after each block (SPDY draft 3, section 2.6.10).
 *
 * A block that ends with a flush ends on a byte and between two deflate blocks, so all that ties it to those before is
 * the window they left behind. That makes each block one synchronous call on raw deflate, with the window for a
 * dictionary; an upper bound of what comes out is the call's own, and there is no stream object that could be left
 * half-read.
 */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { adler32, DICTIONARY } from './dictionary.js';
import { SpdyError } from './error.js';

/** One block, inflated. Clients of Kubernetes need a hundred bytes. */
export const HEADER_BLOCK_BYTES_MAX = 16 * 1024;
const HEADERS_MAX = 64;

const WINDOW_BYTES = 32 * 1024;
/** What a sync flush ends with: an empty stored block. */
const FLUSH_MARK = Buffer.of(0x00, 0x00, 0xff, 0xff);
const DICTIONARY_ID = adler32(DICTIONARY);
/** Deflate, 32 KiB window, default level, preset dictionary; the last five bits make it a multiple of 31 (RFC 1950). */
const ZLIB_HEADER = Buffer.of(0x78, 0xbb);
const ZLIB_HEADER_BYTES = 6;
const METHOD_MASK = 0x0f;
const DEFLATE = 8;
const HAS_DICTIONARY = 0x20;

/** Names in lower case. */
export type Headers = ReadonlyMap<string, string>;

/** The last 32 KiB that went through a stream, beginning with the dictionary. */
class Window {
  #bytes: Buffer = DICTIONARY;

  get bytes(): Buffer {
    return this.#bytes;
  }

  slide(data: Buffer): void {
    const all = Buffer.concat([this.#bytes, data]);
    this.#bytes = all.subarray(Math.max(0, all.length - WINDOW_BYTES));
  }
}

export class HeaderDecoder {
  readonly #window = new Window();
  #begun = false;

  /** Throws a SpdyError when the block is broken; then the stream cannot be read any further. */
  decode(block: Buffer): Headers {
    const compressed = this.#begun ? block : this.#begin(block);
    if (!compressed.subarray(-FLUSH_MARK.length).equals(FLUSH_MARK))
      throw new SpdyError('a header block does not end with a flush');
    let plain: Buffer;
    try {
      plain = inflateRawSync(compressed, {
        dictionary: this.#window.bytes,
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: HEADER_BLOCK_BYTES_MAX,
      });
    } catch {
      throw new SpdyError(`a header block cannot be inflated, or to more than ${HEADER_BLOCK_BYTES_MAX} bytes`);
    }
    this.#window.slide(plain);
    return parseHeaders(plain);
  }

  #begin(block: Buffer): Buffer {
    const [method = 0, flags = 0] = block;
    const valid =
      block.length >= ZLIB_HEADER_BYTES &&
      (method & METHOD_MASK) === DEFLATE &&
      (method * 256 + flags) % 31 === 0 &&
      (flags & HAS_DICTIONARY) !== 0 &&
      block.readUInt32BE(2) === DICTIONARY_ID;
    if (!valid) throw new SpdyError('the headers are no zlib stream with the dictionary of SPDY/3');
    this.#begun = true;
    return block.subarray(ZLIB_HEADER_BYTES);
  }
}

export class HeaderEncoder {
  readonly #window = new Window();
  #begun = false;

  encode(headers: Headers): Buffer {
    const plain = serializeHeaders(headers);
    const compressed = deflateRawSync(plain, { dictionary: this.#window.bytes, finishFlush: constants.Z_SYNC_FLUSH });
    this.#window.slide(plain);
    if (this.#begun) return compressed;
    this.#begun = true;
    const id = Buffer.alloc(4);
    id.writeUInt32BE(DICTIONARY_ID);
    return Buffer.concat([ZLIB_HEADER, id, compressed]);
  }
}

function parseHeaders(plain: Buffer): Headers {
  let offset = 0;
  const number = (): number => {
    if (offset + 4 > plain.length) throw new SpdyError('a header block is cut short');
    offset += 4;
    return plain.readUInt32BE(offset - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > plain.length - offset) throw new SpdyError('a header block is cut short');
    offset += length;
    return plain.toString('latin1', offset - length, offset);
  };
  const count = number();
  if (count > HEADERS_MAX) throw new SpdyError(`more than ${HEADERS_MAX} headers`);
  const headers = new Map<string, string>();
  for (let i = 0; i < count; i++) {
    const [name, value] = [text(), text()];
    if (name === '' || name !== name.toLowerCase()) throw new SpdyError('a header name is empty or not in lower case');
    if (headers.has(name)) throw new SpdyError('a header comes twice');
    headers.set(name, value);
  }
  if (offset !== plain.length) throw new SpdyError('bytes follow the headers of a block');
  return headers;
}

function serializeHeaders(headers: Headers): Buffer {
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const parts = [number(headers.size)];
  for (const text of [...headers].flat()) {
    const bytes = Buffer.from(text, 'latin1');
    parts.push(number(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}
