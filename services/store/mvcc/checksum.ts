/** Sums as the state's records have them: signed 32-bit integers. */
import { crc32 as unsigned } from '../../../platform/crc32.js';

/** CRC-32. `seed`: the sum of what stands before. */
export const crc32 = (data: Uint8Array, seed = 0): number => unsigned(data, seed >>> 0) | 0;

/** Mixes one more 32-bit value into an order-dependent hash. */
export function mix32(hash: number, value: number): number {
  let h = Math.imul(hash ^ value, 0x9e3779b1);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca77);
  return (h ^ (h >>> 13)) | 0;
}
