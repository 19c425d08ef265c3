/** Who is in the configuration, how far each is, and who has voted. */
import { jointCommitted, jointVote } from '../quorum/joint.js';
import type { VoteResult } from '../quorum/majority.js';
import type { LogIndex, NodeId } from '../types/ids.js';
import { EMPTY_CONFIGURATION } from './configuration.js';
import type { Configuration } from './configuration.js';
import { Progress } from './progress.js';
import type { InflightLimits } from './progress.js';

export class Tracker {
  readonly limits: InflightLimits;
  #configuration: Configuration = EMPTY_CONFIGURATION;
  /** By ascending id, so that messages leave in an order that is always the same. */
  #progress = new Map<NodeId, Progress>();
  #votes = new Map<NodeId, boolean>();
  readonly #acked = (id: NodeId): LogIndex => this.#progress.get(id)?.match ?? 0;

  constructor(limits: InflightLimits) {
    this.limits = limits;
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  get progress(): ReadonlyMap<NodeId, Progress> {
    return this.#progress;
  }

  switchTo(configuration: Configuration, progress: ReadonlyMap<NodeId, Progress>): void {
    this.#configuration = configuration;
    this.#progress = new Map([...progress].sort(([a], [b]) => a - b));
  }

  /** Starts everybody's progress anew behind `last`: a new term, or a new leader. */
  resetProgress(self: NodeId, last: LogIndex): void {
    for (const [id, old] of this.#progress) {
      const fresh = new Progress(last + 1, old.isLearner, this.limits);
      if (id === self) fresh.match = last;
      this.#progress.set(id, fresh);
    }
  }

  committed(): LogIndex {
    return jointCommitted(this.#configuration.voters, this.#acked);
  }

  isSingleton(): boolean {
    return this.#configuration.voters.incoming.size === 1 && this.#configuration.voters.outgoing.size === 0;
  }

  isVoter(id: NodeId): boolean {
    return this.#configuration.voters.incoming.has(id) || this.#configuration.voters.outgoing.has(id);
  }

  /** Whether a quorum was heard from since the last call of `startActivityRound`. */
  quorumActive(): boolean {
    const active = new Map<NodeId, boolean>();
    for (const [id, progress] of this.#progress) {
      if (!progress.isLearner) active.set(id, progress.recentActive);
    }
    return jointVote(this.#configuration.voters, active) === 'won';
  }

  startActivityRound(self: NodeId): void {
    for (const [id, progress] of this.#progress) {
      if (id !== self) progress.recentActive = false;
    }
  }

  resetVotes(): void {
    this.#votes.clear();
  }

  /** The first answer of a node counts. */
  recordVote(id: NodeId, granted: boolean): void {
    if (!this.#votes.has(id)) this.#votes.set(id, granted);
  }

  hasVoted(id: NodeId): boolean {
    return this.#votes.has(id);
  }

  voteResult(): VoteResult {
    return jointVote(this.#configuration.voters, this.#votes);
  }
}
