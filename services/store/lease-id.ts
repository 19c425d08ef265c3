/** Lease ids that the store chooses: 63 random bits, never zero. */
import type { Random } from '../../platform/random.js';

export function newLeaseId(random: Random): bigint {
  const id = random.bytes(8).readBigUInt64BE() & 0x7fff_ffff_ffff_ffffn;
  return id === 0n ? 1n : id;
}
