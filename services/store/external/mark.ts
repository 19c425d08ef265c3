/**
 * Progress for watches on an etcd whose own cannot be trusted (before 3.4.25 and 3.5.8 it may overtake events, etcd
 * #15220): a key right behind the watched range, watched along with it. Its event comes after all events before it, on
 * the same watch. It is written when somebody waits for a revision that does not come, because others write elsewhere,
 * and at no other time.
 */
import { PutRequest } from '../../../proto/gen/etcd/etcdserverpb/rpc.js';
import type { StoreWatchRequest } from '../store.js';

const NUL = Buffer.of(0);
/** An object without anything, should somebody who reads all keys take it for one. */
const VALUE = Buffer.from('{"metadata":{}}');

/** Undefined for a range without an end. */
export function markBehind({ key, rangeEnd }: Pick<StoreWatchRequest, 'key' | 'rangeEnd'>): Buffer | undefined {
  if (rangeEnd === undefined || rangeEnd.length === 0) return Buffer.concat([key, NUL]);
  return rangeEnd.length === 1 && rangeEnd[0] === 0 ? undefined : Buffer.from(rangeEnd);
}

/** The end of a range that has the mark as its last key. */
export const endWith = (mark: Buffer): Buffer => Buffer.concat([mark, NUL]);

export const putMark = (mark: Buffer): PutRequest => PutRequest.fromPartial({ key: mark, value: VALUE });
