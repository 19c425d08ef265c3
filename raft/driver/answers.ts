/**
 * Leaves out answers to appends that say the same as the last one: a follower that is told how far is committed, and
 * given nothing, would repeat itself. Not for longer than a heartbeat's interval: the leader may have lost what it was
 * told, or ask because it is unsure, and it asks again with each heartbeat.
 */
import type { Clock } from '../../platform/clock.js';
import type { Message } from '../core/types/message.js';

export class Answers {
  readonly #clock: Clock;
  readonly #silence_ms: number;
  #last: { readonly to: number; readonly term: number; readonly index: number; readonly at_ms: number } | undefined;

  constructor(clock: Clock, silence_ms: number) {
    this.#clock = clock;
    this.#silence_ms = silence_ms;
  }

  /** Those that tell something. */
  sift(messages: readonly Message[]): readonly Message[] {
    return messages.filter((message) => message.type !== 'app-resp' || this.#isNews(message));
  }

  #isNews({ to, term, index, reject }: Message): boolean {
    if (reject) {
      this.#last = undefined;
      return true;
    }
    const last = this.#last;
    const at_ms = this.#clock.monotonic();
    if (last?.to === to && last.term === term && last.index === index && at_ms - last.at_ms < this.#silence_ms)
      return false;
    this.#last = { to, term, index, at_ms };
    return true;
  }
}
