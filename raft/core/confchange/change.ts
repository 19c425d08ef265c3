/** Membership changes as data, and their bytes in the log. */
import { assert } from '../../../platform/assert.js';
import { NO_DATA } from '../types/entry.js';
import type { NodeId } from '../types/ids.js';

export type ChangeKind = 'add-voter' | 'add-learner' | 'remove' | 'update';

export interface Change {
  readonly kind: ChangeKind;
  readonly id: NodeId;
}

/**
 * `auto`: joint only if more than one change, left by itself. `implicit`, `explicit`: joint, left by itself or by
 * request.
 */
export type Transition = 'auto' | 'implicit' | 'explicit';

/** No changes and `auto`: leave the joint state. */
export interface ConfChange {
  readonly transition: Transition;
  readonly changes: readonly Change[];
  /** Opaque to the core; the driver keeps addresses here. */
  readonly context: Uint8Array;
}

export type Passage =
  | { readonly kind: 'simple' }
  | { readonly kind: 'leave-joint' }
  | { readonly kind: 'enter-joint'; readonly autoLeave: boolean };

/** Which way a change takes through the protocol. */
export function passage(change: ConfChange): Passage {
  if (change.transition === 'auto' && change.changes.length === 0) return { kind: 'leave-joint' };
  if (change.transition === 'auto' && change.changes.length === 1) return { kind: 'simple' };
  return { kind: 'enter-joint', autoLeave: change.transition !== 'explicit' };
}

const KINDS: readonly ChangeKind[] = ['add-voter', 'add-learner', 'remove', 'update'];
const TRANSITIONS: readonly Transition[] = ['auto', 'implicit', 'explicit'];
const HEADER_BYTES = 2;
const CHANGE_BYTES = 9;

/** [transition u8][count u8]([kind u8][id u64])*[context]. Leaving the joint state without a context takes no byte. */
export function encodeConfChange(change: ConfChange): Uint8Array {
  if (passage(change).kind === 'leave-joint' && change.context.length === 0) return NO_DATA;
  assert(change.changes.length <= 255, 'a membership change has at most 255 parts');
  const bytes = new Uint8Array(HEADER_BYTES + change.changes.length * CHANGE_BYTES + change.context.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = TRANSITIONS.indexOf(change.transition);
  bytes[1] = change.changes.length;
  let at = HEADER_BYTES;
  for (const { kind, id } of change.changes) {
    bytes[at] = KINDS.indexOf(kind);
    view.setBigUint64(at + 1, BigInt(id));
    at += CHANGE_BYTES;
  }
  bytes.set(change.context, at);
  return bytes;
}

export function decodeConfChange(bytes: Uint8Array): ConfChange {
  if (bytes.length === 0) return { transition: 'auto', changes: [], context: NO_DATA };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const transition = TRANSITIONS[bytes[0] ?? 0];
  const count = bytes[1] ?? 0;
  const end = HEADER_BYTES + count * CHANGE_BYTES;
  assert(transition !== undefined && end <= bytes.length, 'a membership change in the log has a known shape');
  const changes: Change[] = [];
  for (let at = HEADER_BYTES; at < end; at += CHANGE_BYTES) {
    const kind = KINDS[bytes[at] ?? 0];
    assert(kind !== undefined, 'a membership change in the log is of a known kind');
    changes.push({ kind, id: Number(view.getBigUint64(at + 1)) });
  }
  return { transition, changes, context: bytes.subarray(end) };
}
