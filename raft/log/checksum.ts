/** Sums over the parts of a record. */
import { crc32 } from '../../platform/crc32.js';

const header = Buffer.alloc(16);

/**
 * Binds data to its place: a record that was moved to another index or term fails as surely as one with flipped bits.
 */
export function entryChecksum(index: number, term: number, data: Uint8Array): number {
  header.writeDoubleBE(index, 0);
  header.writeDoubleBE(term, 8);
  const seed = crc32(header);
  return crc32(data, seed);
}

const sealed = Buffer.alloc(24);

/**
 * Goes on from an entry's checksum over what else its record tells: a command that turned into a membership change is
 * no command.
 */
export function entrySeal(checksum: number, [kind, proposal, previousTerm]: readonly [number, number, number]): number {
  sealed.writeDoubleBE(kind, 0);
  sealed.writeDoubleBE(proposal, 8);
  sealed.writeDoubleBE(previousTerm, 16);
  return crc32(sealed, checksum);
}
