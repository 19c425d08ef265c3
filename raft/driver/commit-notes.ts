/**
 * Holds back empty appends, which only tell a follower how far is committed. The next batch tells the same, and where
 * batches follow each other closely, half of all messages between members would be such notes and their answers. So a
 * note waits for the next batch if the last one came soon after the one before it was decided; it goes out at once to a
 * follower that forwarded something which is decided by it, and after `hold_ms` in any case. Nothing depends on it: a
 * message may always be late.
 */
import type { Clock, Timer } from '../../platform/clock.js';
import type { PeerMessage } from '../transport/transport.js';

export interface CommitNotesOptions {
  readonly clock: Clock;
  readonly hold_ms: number;
  /**
   * Whether the follower takes appends as they come: to one that is being probed, an empty append is a question. And
   * whether it will be told later: to one that is being removed, this may be the last word.
   */
  canWait(id: number): boolean;
  /** `hold_ms` are over. */
  onDue(notes: readonly PeerMessage[]): void;
}

export class CommitNotes {
  readonly #options: CommitNotesOptions;
  readonly #held = new Map<number, PeerMessage>();
  /** The last entry that each follower forwarded and does not know to be decided. */
  readonly #owed = new Map<number, number>();
  /** The highest commit index that was to be told, and when it came up. */
  #told = 0;
  #toldAt_ms: number | undefined;
  /** From the last decision to the batch after it. */
  #pause_ms = Infinity;
  #timer: Timer | undefined;

  constructor(options: CommitNotesOptions) {
    this.#options = options;
  }

  get hasHeld(): boolean {
    return this.#held.size > 0;
  }

  /**
   * Of messages that are about to leave, those that cannot wait. Any append to a follower takes the place of a note to
   * it.
   */
  sift(messages: readonly PeerMessage[]): readonly PeerMessage[] {
    if (!messages.some(({ type }) => type === 'app')) return messages;
    return messages.filter((message) => message.type !== 'app' || !this.#holds(message));
  }

  /** This member, leading, appends a batch. */
  batchBegins(): void {
    if (this.#toldAt_ms === undefined) return;
    this.#pause_ms = this.#options.clock.monotonic() - this.#toldAt_ms;
    this.#toldAt_ms = undefined;
  }

  /** The entry at `index`, or one before it, is the follower's own: somebody waits there for its outcome. */
  owe(follower: number, index: number): void {
    this.#owed.set(follower, index);
  }

  /** Notes whose followers should not wait any longer, now that no batch came at once. */
  takeUrgent(): readonly PeerMessage[] {
    const urgent = [...this.#held.values()].filter((note) => note.commit >= (this.#owed.get(note.to) ?? Infinity));
    for (const { to } of urgent) {
      this.#held.delete(to);
      this.#owed.delete(to);
    }
    return urgent;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#held.clear();
  }

  #holds(append: PeerMessage): boolean {
    const { clock, hold_ms, canWait } = this.#options;
    const { to, commit } = append;
    if (commit > this.#told) {
      this.#told = commit;
      this.#toldAt_ms ??= clock.monotonic();
    }
    this.#held.delete(to);
    if (append.entries.length > 0 || this.#pause_ms > hold_ms || !canWait(to)) {
      if (commit >= (this.#owed.get(to) ?? Infinity)) this.#owed.delete(to);
      return false;
    }
    this.#held.set(to, append);
    this.#timer ??= clock.after(hold_ms, () => this.#due());
    return true;
  }

  #due(): void {
    this.#timer = undefined;
    const notes = [...this.#held.values()];
    this.#held.clear();
    if (notes.length > 0) this.#options.onDue(notes);
  }
}
