/** CRC-32 (IEEE 802.3) over the parts of a record. */
import * as zlib from 'node:zlib';

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = (c & 1) === 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32Table(data: Uint8Array, seed: number): number {
  let crc = ~seed >>> 0;
  for (let i = 0; i < data.length; i++) crc = ((TABLE[(crc ^ (data[i] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8)) >>> 0;
  return ~crc >>> 0;
}

/** Below this, the way into native code costs more than the sum. */
const NATIVE_BYTES_MIN = 64;

/** Node has it built in from 20.15 on. */
export const crc32: (data: Uint8Array, seed?: number) => number =
  typeof zlib.crc32 === 'function'
    ? (data, seed = 0) => (data.length < NATIVE_BYTES_MIN ? crc32Table(data, seed) : zlib.crc32(data, seed))
    : (data, seed = 0) => crc32Table(data, seed);

export { crc32Table };

const header = Buffer.alloc(16);

/** Binds data to its place: a record that was moved to another index or term fails as surely as one with flipped bits. */
export function entryChecksum(index: number, term: number, data: Uint8Array): number {
  header.writeDoubleBE(index, 0);
  header.writeDoubleBE(term, 8);
  const seed = crc32(header);
  return crc32(data, seed);
}

const sealed = Buffer.alloc(24);

/** Goes on from an entry's checksum over what else its record tells: a command that turned into a membership change is no command. */
export function entrySeal(checksum: number, [kind, proposal, previousTerm]: readonly [number, number, number]): number {
  sealed.writeDoubleBE(kind, 0);
  sealed.writeDoubleBE(proposal, 8);
  sealed.writeDoubleBE(previousTerm, 16);
  return crc32(sealed, checksum);
}
