/**
 * Asks for votes before an election timeout: when the leader's stream broke, and when a cluster starts. If the others
 * noticed too, they grant a pre-vote; if not, nothing is disturbed. Somebody may notice later than we ask, or the vote
 * be split, so it asks again until there is a leader, a few times, ever less often; then it is left to the election
 * timeout.
 *
 * One death should be one election: candidates must not compete. They ask in the order of their ids; who has heard of a
 * campaign that can win gives it time; of two that campaign at once the one with the higher id withdraws, and the other
 * does not hear it. Who has asked for real votes waits for them: most second elections were those of a candidate whose
 * votes were on their way. A request that comes before this member has noticed the loss is heard when it does.
 */
import type { Clock, Timer } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import type { RaftNode } from '../core/node.js';
import type { Message } from '../core/types/message.js';
import type { PeerMessage } from '../transport/transport.js';
import type { MemberSettings } from './options.js';

const ATTEMPTS = 5;
/** In steps of `takeover_ms`: how long a campaign is given before somebody else asks, or its candidate asks again. */
const PATIENCE = 5;
/**
 * And how long a candidate waits for votes from when it is found to be one, which is later than it has asked for them.
 */
const CANDIDACY = 8;
/** A request that was heard longer ago than so many steps says nothing any more. */
const EARLY = 10;

export interface TakeoverOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: MemberSettings;
  readonly id: number;
  readonly node: Pick<RaftNode, 'role' | 'lead' | 'term' | 'compareLog' | 'withdraw' | 'step'>;
  /** Stands for election. */
  campaign(): void;
}

export class Takeover {
  readonly #options: TakeoverOptions;
  #timer: Timer | undefined;
  #askedAt_ms = -Infinity;
  /** The last term in which this member waited for votes for itself. */
  #awaitedTerm = 0;
  /** The last request for a pre-vote that came while this member had a leader. */
  #early: { readonly request: Message; readonly at_ms: number } | undefined;

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /** `rank`: how many who may ask too come before this member. One after the other, or they would split the vote. */
  leaderLost(rank: number): void {
    const { clock, random, settings, node } = this.#options;
    this.#askAfter((rank + random.next() / 4) * settings.takeover_ms, ATTEMPTS);
    const early = this.#early;
    this.#early = undefined;
    if (
      early !== undefined &&
      clock.monotonic() - early.at_ms < EARLY * settings.takeover_ms &&
      this.admits(early.request)
    )
      node.step(early.request);
  }

  /**
   * A cluster that starts need not wait for an election timeout. If there is a leader, it is heard before, or voters
   * ignore us.
   */
  started(voters: readonly number[]): void {
    const { random, settings, id, campaign } = this.#options;
    if (!voters.includes(id)) return;
    // Nobody competes with the only one: it waits for its own vote, however slow its disk is.
    if (voters.length === 1) return campaign();
    const rank = voters.filter((voter) => voter < id).length;
    this.#askAfter((1 + rank + random.next() / 4) * settings.heartbeat_ms, ATTEMPTS);
  }

  /** Whether a message should be stepped: all but requests of competitors who come after this member. */
  admits(message: PeerMessage): boolean {
    if (message.type === 'vote') this.#giveTime();
    if (message.type !== 'pre-vote') return true;
    const { node, id, clock } = this.#options;
    if (node.lead !== 0) {
      this.#early = { request: message as Message, at_ms: clock.monotonic() };
      return true;
    }
    const theirs = node.compareLog(message);
    // A log that is behind ours wins no vote here: there is no reason to wait for it.
    if (theirs < 0) return true;
    if (this.#isCampaigning && theirs === 0 && (node.role === 'candidate' || id < message.from)) return false;
    node.withdraw();
    this.#giveTime();
    return true;
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** This member has asked a moment ago and may yet be answered. */
  get #isCampaigning(): boolean {
    const { clock, node, settings } = this.#options;
    const isCandidate = node.role === 'candidate' || node.role === 'pre-candidate';
    return isCandidate && clock.monotonic() - this.#askedAt_ms < PATIENCE * settings.takeover_ms;
  }

  /** Another campaign is under way: the own one, if one is planned, waits. */
  #giveTime(): void {
    const { random, settings } = this.#options;
    if (this.#timer !== undefined) this.#askAfter((PATIENCE + 2 * random.next()) * settings.takeover_ms, ATTEMPTS - 1);
  }

  #askAfter(delay_ms: number, attempts: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delay_ms, () => this.#ask(attempts));
  }

  #ask(attempts: number): void {
    const { clock, random, settings, node, campaign } = this.#options;
    this.#timer = undefined;
    if (attempts === 0 || node.lead !== 0) return;
    // Votes that were given are on their way, perhaps by slow disks: another term would void them. Each candidacy has
    // one wait of its own.
    if (node.role === 'candidate' && node.term !== this.#awaitedTerm) {
      this.#awaitedTerm = node.term;
      this.#askAfter((CANDIDACY + 2 * random.next()) * settings.takeover_ms, attempts);
      return;
    }
    if (node.role !== 'candidate' || !this.#isCampaigning) {
      this.#askedAt_ms = clock.monotonic();
      campaign();
    }
    const steps = (2 + 2 * random.next()) * 2 ** (ATTEMPTS - attempts);
    this.#askAfter(Math.min(steps * settings.takeover_ms, settings.election_ms), attempts - 1);
  }
}
