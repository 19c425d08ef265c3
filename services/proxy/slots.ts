/**
 * Which backend sits in which slot of a frontend. The kernel picks a slot; what counts is that few slots change when
 * the backends do, since each changed slot is an element to write.
 */
import { createHash } from 'node:crypto';
import type { Backend } from './frontends.js';

/**
 * Slots that clients' addresses are hashed to: enough to be fair to a dozen backends, few enough to rewrite at once.
 */
export const CLIENT_SLOTS = 128;

export const backendKey = (backend: Backend): string => `${backend.address} . ${backend.port}`;

/**
 * One slot for each backend: an even chance each. Those that stay keep their slot; newcomers take over the slots of
 * those who left; what is still empty is filled from the end.
 */
export function randomSlots(before: readonly Backend[], backends: readonly Backend[]): Backend[] {
  const wanted = new Map(backends.map((backend) => [backendKey(backend), backend]));
  const slots: (Backend | undefined)[] = before.map((old) => {
    const kept = wanted.get(backendKey(old));
    if (kept !== undefined) wanted.delete(backendKey(old));
    return kept;
  });
  for (const newcomer of wanted.values()) {
    const hole = slots.indexOf(undefined);
    if (hole === -1) slots.push(newcomer);
    else slots[hole] = newcomer;
  }
  for (let hole = slots.indexOf(undefined); hole !== -1; hole = slots.indexOf(undefined)) {
    const last = slots.pop();
    if (hole < slots.length) slots[hole] = last;
  }
  return slots.filter((slot) => slot !== undefined);
}

/** Rendezvous hashing (Thaler and Ravishankar 1998): when a backend goes, only its own clients move. */
export function clientSlots(backends: readonly Backend[]): Backend[] {
  const slots: Backend[] = [];
  if (backends.length === 0) return slots;
  const digests = backends.map((backend) => createHash('sha256').update(backendKey(backend)).digest());
  for (let slot = 0; slot < CLIENT_SLOTS; slot++) {
    let best: Backend | undefined;
    let bestWeight = -1;
    for (const [index, backend] of backends.entries()) {
      const weight = mix((digests[index]?.readUInt32LE(0) ?? 0) ^ Math.imul(slot + 1, 0x9e3779b1));
      if (weight > bestWeight) [best, bestWeight] = [backend, weight];
    }
    if (best !== undefined) slots.push(best);
  }
  return slots;
}

/** The finalizer of MurmurHash3: every bit of the input moves about half of the output's. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
