/** CRC-32 (IEEE 802.3), by zlib where Node has it (20.15 and later), else by table. */
import * as zlib from 'node:zlib';

const native = (zlib as { crc32?: (data: Uint8Array, seed?: number) => number }).crc32;

const TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = (c & 1) === 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** As `crc32`, without zlib. */
export function crc32Table(data: Uint8Array, seed = 0): number {
  let crc = ~seed;
  for (let i = 0; i < data.length; i++) crc = (TABLE[(crc ^ (data[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Below this, the way into native code costs more than the sum. */
const NATIVE_BYTES_MIN = 64;

/** `seed`: the sum of what stands before. An unsigned 32-bit integer. */
export const crc32: (data: Uint8Array, seed?: number) => number =
  native === undefined
    ? crc32Table
    : (data, seed = 0) => (data.length < NATIVE_BYTES_MIN ? crc32Table(data, seed) : native(data, seed));
