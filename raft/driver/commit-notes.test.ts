/**
 * What is only good to know soon waits for what must be said anyway, but never long, and not where somebody waits for
 * it.
 */
import { expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { message } from '../core/types/message.js';
import { NO_DATA } from '../core/types/entry.js';
import type { Message } from '../core/types/message.js';
import type { PeerMessage } from '../transport/transport.js';
import { CommitNotes } from './commit-notes.js';

function bench() {
  const clock = new VirtualClock();
  const late: PeerMessage[] = [];
  const probed = new Set<number>();
  const notes = new CommitNotes({
    clock,
    hold_ms: 2,
    canWait: (id) => !probed.has(id),
    onDue: (due) => late.push(...due),
  });
  const entry = (index: number) => ({ index, term: 1, kind: 'normal' as const, data: NO_DATA, proposal: 0 });
  const append = (to: number, commit: number, ...entries: number[]): Message =>
    message({ type: 'app', to, commit, entries: entries.map(entry) });
  /** A batch, decided and followed by another at once: what comes close together is then known to. */
  const closely = () => {
    notes.batchBegins();
    notes.sift([append(2, 1), append(3, 1)]);
    notes.batchBegins();
    notes.sift([append(2, 1, 2), append(3, 1, 2)]);
  };
  return { clock, late, probed, notes, append, closely };
}

it('holds nothing back while batches are far apart', async () => {
  const { clock, notes, append } = bench();
  for (let commit = 1; commit < 4; commit++) {
    notes.batchBegins();
    const told = [append(2, commit), append(3, commit)];
    expect(notes.sift(told)).toEqual(told);
    await clock.advance(3);
  }
});

it('lets the next batch tell it, when batches follow each other closely', async () => {
  const { clock, late, notes, append, closely } = bench();
  closely();
  const heartbeat = message({ type: 'heartbeat', to: 2 });
  expect(notes.sift([append(2, 2), heartbeat, append(3, 2)])).toEqual([heartbeat]);
  const batch = [append(2, 2, 3), append(3, 2, 3)];
  notes.batchBegins();
  expect(notes.sift(batch)).toEqual(batch);
  await clock.advance(10);
  expect(late).toEqual([]);
});

it('tells it after a while when no batch comes, and only the newest', async () => {
  const { clock, late, notes, append, closely } = bench();
  closely();
  expect(notes.sift([append(2, 2)])).toEqual([]);
  expect(notes.sift([append(2, 3)])).toEqual([]);
  await clock.advance(2);
  expect(late).toEqual([append(2, 3)]);
  // After the pause that this was, the next one does not wait.
  await clock.advance(5);
  notes.batchBegins();
  expect(notes.sift([append(2, 4)])).toEqual([append(2, 4)]);
});

it('does not let a follower wait for the outcome of what it forwarded', () => {
  const { notes, append, closely } = bench();
  closely();
  notes.owe(3, 5);
  notes.sift([append(2, 4), append(3, 4)]);
  expect(notes.takeUrgent()).toEqual([]);
  notes.sift([append(2, 5), append(3, 5)]);
  expect(notes.takeUrgent()).toEqual([append(3, 5)]);
  // It is told once.
  notes.sift([append(3, 6)]);
  expect(notes.takeUrgent()).toEqual([]);
});

it('never holds back a question to a follower that is being probed', () => {
  const { notes, append, closely, probed } = bench();
  closely();
  probed.add(2);
  expect(notes.sift([append(2, 2), append(3, 2)])).toEqual([append(2, 2)]);
});
