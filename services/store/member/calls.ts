/** The rare calls between the threads, as JSON: numbers of 64 bits and bytes are marked as such. */
import type { Membership, MembershipChange, NodeId, RaftStatus } from '../../../raft/contract.js';
import type { Alarm } from '../mvcc/alarms.js';
import type { HashResult, LeaseInfo } from '../mvcc/operations.js';
import type { StoreStatus } from '../store.js';

/** Argument and answer of each. */
export interface Calls {
  status: [undefined, StoreStatus];
  raftStatus: [undefined, RaftStatus];
  transferLeadership: [NodeId, undefined];
  changeMembership: [MembershipChange, Membership];
  hash: [number, HashResult];
  leaseInfo: [bigint, LeaseInfo];
  leases: [undefined, readonly bigint[]];
  alarms: [undefined, readonly Alarm[]];
  changeAlarm: [{ readonly action: 'raise' | 'clear'; readonly alarm: Alarm }, undefined];
  reclaim: [undefined, undefined];
  close: [undefined, undefined];
}

export type CallName = keyof Calls;

export function packCall(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return { $int: item.toString() };
    // A Buffer has been through its own toJSON when it arrives here.
    if (item instanceof Uint8Array) return { $bytes: Buffer.from(item).toString('base64') };
    if (isBufferJson(item)) return { $bytes: Buffer.from(item.data).toString('base64') };
    return item;
  }) ?? 'null';
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

const isBufferJson = (item: unknown): item is { type: 'Buffer'; data: number[] } =>
  typeof item === 'object' && item !== null && (item as { type?: unknown }).type === 'Buffer' && Array.isArray((item as { data?: unknown }).data);
