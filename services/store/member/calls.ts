/** The rare calls between the threads, as JSON: numbers of 64 bits and bytes are marked as such. */
import type { Membership, MembershipChange, NodeId, RaftStatus } from '../../../raft/contract.js';
import type { Alarm } from '../mvcc/alarms.js';
import type { SaveOptions } from '../backend/backend.js';
import type { HashResult, LeaseInfo } from '../mvcc/operations.js';
import type { StoreStatus } from '../store.js';

/** Argument and answer of each. */
export interface Calls {
  status: [undefined, StoreStatus];
  raftStatus: [undefined, RaftStatus];
  transferLeadership: [NodeId, undefined];
  changeMembership: [MembershipChange, Membership];
  hash: [number, HashResult];
  /** Most of the keys come ahead of the answer. */
  leaseInfo: [{ readonly id: bigint; readonly keys: boolean }, LeaseInfo];
  /** Eight bytes each. */
  leases: [undefined, Uint8Array];
  alarms: [undefined, readonly Alarm[]];
  changeAlarm: [{ readonly action: 'raise' | 'clear'; readonly alarm: Alarm }, undefined];
  reclaim: [undefined, undefined];
  /** Begins to save; the answer names it. */
  saveBegin: [SaveOptions['format'] | undefined, number];
  /** The next chunk; null: that was the last. */
  saveNext: [number, Uint8Array | null];
  saveEnd: [number, undefined];
  close: [undefined, undefined];
}

export type CallName = keyof Calls;

export function packCall(value: unknown): string {
  return (
    JSON.stringify(value, (_key, item: unknown) => {
      if (typeof item === 'bigint') return { $int: item.toString() };
      // A Buffer has been through its own toJSON when it arrives here.
      if (item instanceof Uint8Array) return { $bytes: Buffer.from(item).toString('base64') };
      if (isBufferJson(item)) return { $bytes: Buffer.from(item.data).toString('base64') };
      return item;
    }) ?? 'null'
  );
}

export function unpackCall(text: string): unknown {
  return JSON.parse(text, (_key, item: unknown) => {
    if (typeof item !== 'object' || item === null) return item;
    const { $int, $bytes } = item as { $int?: unknown; $bytes?: unknown };
    if (typeof $int === 'string') return BigInt($int);
    if (typeof $bytes === 'string') return Buffer.from($bytes, 'base64');
    return item;
  });
}

export function packIds(ids: readonly bigint[]): Buffer {
  const packed = Buffer.allocUnsafe(8 * ids.length);
  for (const [i, id] of ids.entries()) packed.writeBigInt64LE(BigInt.asIntN(64, id), 8 * i);
  return packed;
}

export function unpackIds(packed: Uint8Array): bigint[] {
  const view = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  return Array.from({ length: packed.length / 8 }, (_, i) => view.readBigInt64LE(8 * i));
}

const isBufferJson = (item: unknown): item is { type: 'Buffer'; data: number[] } =>
  typeof item === 'object' &&
  item !== null &&
  (item as { type?: unknown }).type === 'Buffer' &&
  Array.isArray((item as { data?: unknown }).data);
