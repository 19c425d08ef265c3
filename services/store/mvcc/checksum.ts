/** CRC-32 (IEEE 802.3), by zlib where Node has it (20.15 and later), else by table. Returned as a signed 32-bit integer. */
import * as zlib from 'node:zlib';

const native = (zlib as { crc32?: (data: Uint8Array, seed?: number) => number }).crc32;

let table: Int32Array | undefined;

export function crc32Table(data: Uint8Array, seed = 0): number {
  table ??= Int32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = (c & 1) === 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    return c;
  });
  let crc = ~seed;
  for (const byte of data) crc = (table[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return ~crc | 0;
}

export const crc32: (data: Uint8Array, seed?: number) => number =
  native === undefined ? crc32Table : (data, seed) => native(data, seed === undefined ? 0 : seed >>> 0) | 0;

/** Mixes one more 32-bit value into an order-dependent hash. */
export function mix32(hash: number, value: number): number {
  let h = Math.imul(hash ^ value, 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca77);
  return (h ^ (h >>> 13)) | 0;
}
