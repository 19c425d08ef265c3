/** The protobuf wire format: bounds-checked reading, growing writing (protobuf.dev, "Encoding"). */
import type { ValueBudget } from '../limits.js';

import type { Int64 } from '../../int64.js';

export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

export const WIRE_VARINT = 0;
export const WIRE_FIXED64 = 1;
export const WIRE_BYTES = 2;
const WIRE_FIXED32 = 5;

/**
 * Reads one buffer front to back; a message inside it is a narrower window on the same bytes, and on the same budget.
 */
export class WireReader {
  /** What values of the whole body are counted against. */
  readonly budget: ValueBudget;
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(
    bytes: Uint8Array,
    budget: ValueBudget,
    window: { readonly start: number; readonly end: number } = { start: 0, end: bytes.length },
  ) {
    this.budget = budget;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = window.start;
    this.#end = window.end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** Field number and wire type. */
  tag(): { readonly number: number; readonly wire: number } {
    const tag = this.uint32();
    const number = tag >>> 3;
    if (number === 0) throw new ProtobufError('field number 0');
    return { number, wire: tag & 7 };
  }

  /** The low 32 bits of a varint, unsigned. */
  uint32(): number {
    return Number(this.varint() & 0xffff_ffffn);
  }

  int32(): number {
    return Number(BigInt.asIntN(32, this.varint()));
  }

  int64(): Int64 {
    const value = BigInt.asIntN(64, this.varint());
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  varint(): bigint {
    // Nearly all are short: take those without BigInt arithmetic.
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError('varint longer than 10 bytes');
  }

  double(): number {
    const value = this.#bytes.readDoubleLE(this.#take(8));
    return value;
  }

  bytes(): Buffer {
    const length = this.uint32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  string(): string {
    const length = this.uint32();
    const start = this.#take(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  message(): WireReader {
    const length = this.uint32();
    const start = this.#take(length);
    return new WireReader(this.#bytes, this.budget, { start, end: start + length });
  }

  skip(wire: number): void {
    switch (wire) {
      case WIRE_VARINT:
        this.varint();
        return;
      case WIRE_FIXED64:
        this.#take(8);
        return;
      case WIRE_BYTES:
        this.#take(this.uint32());
        return;
      case WIRE_FIXED32:
        this.#take(4);
        return;
      default:
        throw new ProtobufError(`wire type ${wire}`);
    }
  }

  #byte(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  /** Position of the next `length` bytes, which are then consumed. */
  #take(length: number): number {
    const start = this.#at;
    if (length > this.#end - start) throw new ProtobufError('unexpected end of data');
    this.#at = start + length;
    return start;
  }
}

const FIRST_CAPACITY = 256;

export class WireWriter {
  #bytes = Buffer.allocUnsafe(FIRST_CAPACITY);
  #length = 0;

  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#length));
  }

  tag(number: number, wire: number): void {
    this.varint(number * 8 + wire);
  }

  /** Negative integers take ten bytes, as protobuf's int32 and int64 do. */
  varint(value: Int64): void {
    if (typeof value === 'bigint' || value < 0 || value > 0x7fff_ffff) {
      this.#bigVarint(BigInt.asUintN(64, BigInt(value)));
      return;
    }
    this.#grow(5);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  double(value: number): void {
    this.#grow(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  string(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#grow(length);
    this.#length += this.#bytes.write(value, this.#length);
  }

  raw(value: Uint8Array): void {
    this.#grow(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  #bigVarint(value: bigint): void {
    this.#grow(10);
    let rest = value;
    while (rest > 0x7fn) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#length++] = Number(rest);
  }

  #grow(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const bytes = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(bytes, 0, 0, this.#length);
    this.#bytes = bytes;
  }
}
