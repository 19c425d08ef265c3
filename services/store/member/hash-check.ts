/**
 * Compares the members' states in the background. Every so often the leader asks, through the log, for the hash at a
 * revision; each member works it out from its own state, a little at a time, and tells it through the log; the leader
 * raises an alarm against those who differ from what most voters have. Who is told of the alarm serves nobody any more
 * (member/core.ts), and a leader that is the odd one lets another lead.
 */
import type { Clock, Timer } from '../../../platform/clock.js';
import type { KvState } from '../mvcc/kv-state.js';
import type { Command } from '../mvcc/operations.js';

export type HashCommand = Extract<Command, { kind: 'hash-ask' | 'hash-tell' }>;

export interface HashCheckOptions {
  /** 0: never. */
  readonly interval_ms: number;
  readonly clock: Clock;
  readonly state: () => KvState;
  readonly self: () => bigint;
  /** Members whose agreement counts. */
  readonly voters: () => readonly bigint[];
  readonly propose: (command: Command) => Promise<unknown>;
  readonly stepAside: () => void;
}

interface Round {
  readonly revision: number;
  readonly compactRevision: number;
  readonly told: Map<bigint, number>;
}

export class HashCheck {
  readonly #options: HashCheckOptions;
  #timer: Timer | undefined;
  #term: number | undefined;
  #round: Round | undefined;

  constructor(options: HashCheckOptions) {
    this.#options = options;
  }

  lead(term: number): void {
    this.stop();
    this.#term = term;
    const { interval_ms, clock } = this.#options;
    if (interval_ms > 0) this.#timer = clock.every(interval_ms, () => this.#ask(term));
    this.#asideIfOdd();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#term = undefined;
    this.#round = undefined;
  }

  /** A command of ours was applied; `term` is its entry's. */
  applied(command: HashCommand, term: number): void {
    if (command.kind === 'hash-tell') {
      this.#told(command);
      return;
    }
    // A leader that was replaced while it asked waits for nobody.
    if (command.term !== term) return;
    const { revision, compactRevision } = command;
    if (this.#term === term) this.#round = { revision, compactRevision, told: new Map() };
    void this.#answer(revision, compactRevision);
  }

  #ask(term: number): void {
    const { mvcc } = this.#options.state();
    const { revision, compactRevision } = mvcc;
    // Lost with the leader, or to a timeout: the next round comes.
    this.#options.propose({ kind: 'hash-ask', term, revision, compactRevision }).catch(() => undefined);
    this.#asideIfOdd();
  }

  async #answer(revision: number, compactRevision: number): Promise<void> {
    const { state, clock, self, propose } = this.#options;
    const { mvcc, alarms } = state();
    // Other entries may have followed in the same turn.
    if (mvcc.compactRevision !== compactRevision || mvcc.revision < revision || alarms.has('corrupt', self())) return;
    const pages = mvcc.hashSlices(revision);
    for (let page = pages.next(); ; page = pages.next()) {
      // What was compacted or replaced meanwhile is compared in another round.
      if (mvcc.compactRevision !== compactRevision || mvcc !== state().mvcc) return;
      if (page.done === true) {
        await propose({ kind: 'hash-tell', member: self(), revision, compactRevision, hash: page.value }).catch(
          () => undefined,
        );
        return;
      }
      await new Promise<void>((resolve) => clock.immediate(resolve));
    }
  }

  #told({ member, revision, compactRevision, hash }: Extract<HashCommand, { kind: 'hash-tell' }>): void {
    const round = this.#round;
    if (round === undefined || round.revision !== revision || round.compactRevision !== compactRevision) return;
    round.told.set(member, hash);
    const right = this.#agreed(round);
    if (right === undefined) return;
    const { state, propose } = this.#options;
    for (const [odd, its] of round.told) {
      if (its === right || state().alarms.has('corrupt', odd)) continue;
      propose({ kind: 'alarm', action: 'raise', alarm: { kind: 'corrupt', member: odd } }).then(
        () => this.#asideIfOdd(),
        () => undefined,
      );
    }
  }

  /** The hash that more than half of the voters told. */
  #agreed({ told }: Round): number | undefined {
    const voters = this.#options.voters();
    const counts = new Map<number, number>();
    for (const voter of voters) {
      const hash = told.get(voter);
      if (hash !== undefined) counts.set(hash, (counts.get(hash) ?? 0) + 1);
    }
    return [...counts].find(([, count]) => count > voters.length / 2)?.[0];
  }

  #asideIfOdd(): void {
    const { state, self, stepAside } = this.#options;
    if (this.#term !== undefined && state().alarms.has('corrupt', self())) stepAside();
  }
}
