/**
 * Compact binary writing and reading: the form of commands in the log, of records on disk and of frames between
 * threads.
 */
import { StoreError } from './store.js';

const TWO_32 = 2 ** 32;

/** Bytes that `ByteWriter.varint` takes for it. */
export function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) count++;
  return count;
}

/** Appends to a buffer that grows. `take` hands the bytes out and starts anew. */
export class ByteWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity_bytes = 256) {
    this.#buffer = Buffer.allocUnsafeSlow(capacity_bytes);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#length = this.#buffer.writeUInt32LE(value >>> 0, this.#length);
    return this;
  }

  /** An integer from 0 to 2^53 - 1, seven bits a byte, low bits first. */
  varint(value: number): this {
    this.#reserve(8);
    const buffer = this.#buffer;
    let rest = value;
    while (rest >= TWO_32) {
      buffer[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    rest = rest >>> 0;
    while (rest >= 0x80) {
      buffer[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buffer[this.#length++] = rest;
    return this;
  }

  /** 64 bits as protobuf's int64 has them: seven a byte, low bits first, ten bytes when negative. */
  varint64(value: bigint): this {
    this.#reserve(10);
    let rest = BigInt.asUintN(64, value);
    for (; rest >= 0x80n; rest >>= 7n) this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
    this.#buffer[this.#length++] = Number(rest);
    return this;
  }

  i64(value: bigint): this {
    this.#reserve(8);
    this.#length = this.#buffer.writeBigInt64LE(BigInt.asIntN(64, value), this.#length);
    return this;
  }

  /** Length, then the bytes. */
  bytes(value: Uint8Array): this {
    this.varint(value.length);
    return this.raw(value);
  }

  raw(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** Length, then UTF-8. */
  text(value: string): this {
    return this.bytes(Buffer.from(value, 'utf8'));
  }

  /** Overwrites four bytes written earlier, for a length that is known only afterwards. */
  patch32(offset: number, value: number): void {
    this.#buffer.writeUInt32LE(value >>> 0, offset);
  }

  /** Forgets what was written after the first `length` bytes. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** The bytes so far, in memory of their own; the writer is empty afterwards. */
  take(): Buffer {
    const copy = Buffer.allocUnsafe(this.#length);
    this.#buffer.copy(copy, 0, 0, this.#length);
    this.#length = 0;
    return copy;
  }

  /** As `take`, as a string of one character a byte. */
  takeLatin1(): string {
    const text = this.#buffer.toString('latin1', 0, this.#length);
    this.#length = 0;
    return text;
  }

  /** As `take`, in an ArrayBuffer that holds nothing else and may be transferred to another thread. */
  takeTransferable(): ArrayBuffer {
    const copy = new ArrayBuffer(this.#length);
    new Uint8Array(copy).set(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return copy;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

/** Reads what ByteWriter wrote. Anything that does not fit fails with StoreError 'corrupt'. */
export class ByteReader {
  readonly #buffer: Buffer;
  #offset: number;

  constructor(data: Uint8Array, offset = 0) {
    this.#buffer = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    this.#offset = offset;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#buffer.length - this.#offset;
  }

  u8(): number {
    return this.#buffer[this.#advance(1)] ?? 0;
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#advance(4));
  }

  varint(): number {
    let result = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (result > Number.MAX_SAFE_INTEGER) break;
        return result;
      }
      scale *= 128;
    }
    throw new StoreError('corrupt', 'a number is longer than 53 bits');
  }

  varint64(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.u8();
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, result);
    }
    throw new StoreError('corrupt', 'a number is longer than 64 bits');
  }

  i64(): bigint {
    return this.#buffer.readBigInt64LE(this.#advance(8));
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    return this.raw(this.varint());
  }

  raw(length: number): Buffer {
    const start = this.#advance(length);
    return this.#buffer.subarray(start, start + length);
  }

  /** Length, then bytes, as a string of one character a byte: the order of such strings is the order of the bytes. */
  latin1(): string {
    const length = this.varint();
    const start = this.#advance(length);
    return this.#buffer.toString('latin1', start, start + length);
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  rest(): Buffer {
    return this.raw(this.remaining);
  }

  #advance(count: number): number {
    const start = this.#offset;
    if (start + count > this.#buffer.length)
      throw new StoreError('corrupt', `${count} bytes wanted at ${start}, ${this.remaining} left`);
    this.#offset = start + count;
    return start;
  }
}
