/**
 * Checks a state row by row, as it passes by: every row against its own checksum, all of them against the digests in
 * the head. So neither does a member send a state that its disk has spoiled, nor take one in (PAR, FAST 2018).
 */
import { digestOf } from '../mvcc/mvcc.js';
import { decodeRecord } from '../mvcc/record.js';
import { StoreError } from '../store.js';
import { decodeLease, decodeMeta, leaseChecksum, leaseIdOf, LEASES, META_KEY, recordPlace, RECORDS } from './layout.js';
import type { Meta } from './layout.js';

export class RowCheck {
  #meta: Meta | undefined;
  #records = 0;
  #leases = 0;

  /** Throws StoreError `corrupt`. */
  row(key: Buffer, value: Buffer): void {
    if (key[0] === RECORDS.gte[0]) {
      const { main, sub } = recordPlace(key);
      this.#records = (this.#records + digestOf(decodeRecord(main, sub, value))) | 0;
    } else if (key[0] === LEASES.gte[0]) {
      decodeLease(value);
      this.#leases = (this.#leases + leaseChecksum(leaseIdOf(key), value)) | 0;
    } else if (key.equals(META_KEY)) {
      this.#meta = decodeMeta(value);
    } else {
      throw new StoreError('corrupt', `a state has no row ${key.toString('hex')}`);
    }
  }

  /** Throws unless what passed by was a whole state. */
  finish(): Meta {
    const meta = this.#meta;
    if (
      meta === undefined ||
      meta.digests.records !== this.#records >>> 0 ||
      meta.digests.leases !== this.#leases >>> 0
    ) {
      throw new StoreError(
        'corrupt',
        'the state is not whole: something that was written is missing, or something that was removed is back; repair this member from its peers',
      );
    }
    return meta;
  }
}
