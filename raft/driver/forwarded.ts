/**
 * Proposals that followers forwarded. A follower names the term that it believes in, in `logTerm`: only that term's
 * leader may append, or a proposal could happen twice. A refusal carries the term back, since it speaks of that attempt
 * alone.
 */
import { NO_DATA } from '../core/types/entry.js';
import type { PeerMessage } from '../transport/transport.js';

export class Forwarded {
  #messages: PeerMessage[] = [];

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  add(message: PeerMessage): void {
    this.#messages.push(message);
  }

  /** All of them, parted by whether this member may append them. */
  take(isForUs: (message: PeerMessage) => boolean): {
    readonly ours: readonly PeerMessage[];
    readonly others: readonly PeerMessage[];
  } {
    const messages = this.#messages;
    this.#messages = [];
    return { ours: messages.filter(isForUs), others: messages.filter((message) => !isForUs(message)) };
  }
}

export function refusalOf(message: PeerMessage): PeerMessage {
  const entries = message.entries.map(({ kind, proposal }) => ({ kind, proposal, data: NO_DATA }));
  return { ...message, type: 'prop-refused', to: message.from, from: message.to, entries };
}
