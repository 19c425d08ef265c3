/**
 * The judge of Raft. It sees every durable write of a log, every applied entry and every leader, at the moment of each,
 * and knows what all members hold; so it can tell at once when a promise of the paper (figure 3) is broken:
 *
 * - election safety: one leader a term, and one time in office: a process that has ended does not come back into its
 * term
 * - a leader's own vote is on its own disk, as the votes of a quorum are
 * - leader append-only: a leader's log only grows within its term
 * - log matching: entries of equal index and term are equal, and so is all before them
 * - leader completeness: who leads has everything that was applied anywhere
 * - state-machine safety: no two members apply different entries at an index; each applies them in order, without a gap
 * - durability: what is applied lies on the disks of a quorum
 * - true acknowledgements: what a leader believes its followers hold, lies on their disks
 * - one vote a term: no disk takes back a vote, or gives it to another
 * - one membership: after the same entry all members have the same one, from the state or from a snapshot
 * - one change at a time, and none before the leader has committed an entry of its term (Ongaro, 2015)
 *
 * Every applied entry also runs through the model, and every member must give the model's answer.
 */
import type { LogIndex, Membership } from '../../contract.js';
import type { Entry } from '../../core/types/entry.js';
import type { LogWrite, MemberLog } from '../../log/log.js';
import { entryChecksum } from '../../log/checksum.js';
import type { World } from '../world/world.js';
import { answerOf, Model } from './model.js';

interface KnownEntry {
  readonly checksum: number;
  readonly previousTerm: number;
}

interface Applied {
  readonly term: number;
  readonly checksum: number;
  readonly answer: string;
  /** Revision of the model after it. */
  readonly revision: number;
  /** The newest term that anybody was known to lead in by then: it was not committed in a later one. */
  readonly committedIn: number;
  /** The configuration at that moment; undefined: nobody was told. */
  membership: Membership | undefined;
}

const textOf = ({ voters, votersOutgoing, learners, learnersNext, removed = [] }: Membership) =>
  `${voters.join(',')}/${votersOutgoing.join(',')}/${learners.join(',')}/${learnersNext.join(',')} without ${removed.join(',')}`;

const isSameList = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((id, i) => id === b[i]);

/** Since when, is another thing after a snapshot. */
const isSame = (a: Membership, b: Membership) =>
  isSameList(a.voters, b.voters) &&
  isSameList(a.votersOutgoing, b.votersOutgoing) &&
  isSameList(a.learners, b.learners) &&
  isSameList(a.learnersNext, b.learnersNext) &&
  isSameList(a.removed ?? [], b.removed ?? []);

/** Clocks drift by two percent at most (settings.ts). */
const CLOCK_TOLERANCE = 0.97;

export interface LedgerMember {
  readonly id: number;
  readonly name: string;
}

/** What a member says of itself, as far as it is judged. */
export interface LeaderView {
  readonly role: string;
  readonly term: number;
  readonly lastIndex: number;
  /** By member: what it believes of them. */
  readonly progress: ReadonlyMap<number, { readonly match: number }>;
}

export interface AppliedParts {
  readonly result: unknown;
  readonly membership: Membership;
  /** The member applies while it starts: its membership is the one that was durable. */
  readonly isStarting?: boolean;
}

export interface LedgerOptions {
  readonly world: World;
  /** Whether the disk of a member has promised to hold the entry. Undefined: it is nobody's to ask any more. */
  holds(id: number, index: number, term: number): boolean | undefined;
  /** Whether the disk of a member has promised to hold its vote for the candidate, or has moved on to later terms. */
  votedFor(id: number, term: number, candidate: number): boolean | undefined;
}

export class Ledger {
  readonly model = new Model();
  readonly #world: World;
  readonly #options: LedgerOptions;
  /** By index, then term. */
  readonly #known: Map<number, KnownEntry>[] = [];
  readonly #applied: Applied[] = [];
  /** By term. `isOver`: that process has ended. */
  readonly #leaders = new Map<number, { readonly id: number; isOver: boolean }>();
  readonly #lastIndexes = new Map<number, { term: number; last: number }>();
  /** Leaders' beliefs that were looked into. */
  readonly #matches = new Map<number, { readonly term: number; readonly seen: Map<number, number> }>();
  readonly #hashes = new Map<number, { readonly hash: number; readonly by: string }>();
  /** Values whose writers were told that nothing happened, and by which error. */
  readonly #refused = new Map<string, string>();
  /** The newest configuration that was applied anywhere, and the one before. */
  #memberships: readonly Membership[] = [];
  /** What each member's disk holds of term and vote. */
  readonly #votes = new Map<number, { readonly term: number; readonly vote: number }>();
  #lastApplied = 1;
  #newestTerm = 1;

  readonly #renewed_ms = new Map<bigint, number>();
  readonly #ended_ms = new Map<bigint, number>();

  constructor(options: LedgerOptions) {
    this.#world = options.world;
    this.#options = options;
    this.model.onLease = (what, id, ttl_s) => this.#lease(what, id, ttl_s);
  }

  get lastApplied(): number {
    return this.#lastApplied;
  }

  /** Revision of the model once `index` was applied. */
  revisionAt(index: number): number {
    return this.#applied[index]?.revision ?? 1;
  }

  leaderOf(term: number): number | undefined {
    return this.#leaders.get(term)?.id;
  }

  /** After a write is durable and in the log's view. */
  written(member: LedgerMember, writes: readonly LogWrite[], log: MemberLog): void {
    for (const { entries, hardState } of writes) {
      for (const entry of entries) this.#know(member, entry, log);
      if (hardState !== undefined) this.#voted(member, hardState);
    }
  }

  #voted(member: LedgerMember, { term, vote }: { readonly term: number; readonly vote: number }): void {
    const before = this.#votes.get(member.id);
    if (before?.term === term && before.vote !== 0 && before.vote !== vote) {
      this.#world.violated(
        `one vote a term: ${member.name} had voted for ${before.vote} in term ${term}, and writes ${vote === 0 ? 'that it has not voted' : `a vote for ${vote}`}`,
      );
    }
    this.#votes.set(member.id, { term, vote });
  }

  #know(member: LedgerMember, entry: Entry, log: MemberLog): void {
    const { index, term } = entry;
    // A later write of the same batch has replaced it.
    if (log.view.term(index) !== term) return;
    const previousTerm = log.view.term(index - 1);
    if (previousTerm === undefined) return;
    const checksum = entryChecksum(index, term, entry.data);
    const terms = (this.#known[index] ??= new Map());
    const known = terms.get(term);
    if (known === undefined) {
      terms.set(term, { checksum, previousTerm });
      if (entry.kind !== 'normal') this.#checkChange(entry, log);
    } else if (known.checksum !== checksum || known.previousTerm !== previousTerm) {
      this.#world.violated(
        `log matching: ${member.name} holds another entry ${index} of term ${term} than a member before it`,
      );
    }
  }

  /** A change enters the log: those before it are decided, and so is something of its leader's term. */
  #checkChange({ index, term }: Entry, log: MemberLog): void {
    const from = Math.max(this.#lastApplied + 1, log.view.firstIndex);
    const undecided = from < index ? log.view.entries(from, index, Infinity) : [];
    const other = undecided.find(({ kind }) => kind !== 'normal');
    if (other !== undefined)
      this.#world.violated(
        `one change at a time: ${index} is a membership change, and ${other.index} another that is not decided yet`,
      );
    if ((this.#applied[this.#lastApplied]?.term ?? 0) < term) {
      this.#world.violated(
        `no change before the no-op: ${index} is a membership change of term ${term}, in which nothing was committed yet`,
      );
    }
  }

  /** After every step of a member. */
  observed(member: LedgerMember, status: LeaderView, log: MemberLog | undefined): void {
    if (status.role !== 'leader') {
      this.#lastIndexes.delete(member.id);
      this.#matches.delete(member.id);
      return;
    }
    if (log !== undefined) this.#checkMatches(member, status, log);
    const before = this.#lastIndexes.get(member.id);
    if (before?.term === status.term && status.lastIndex < before.last) {
      this.#world.violated(
        `leader append-only: ${member.name} shortened its log from ${before.last} to ${status.lastIndex} in term ${status.term}`,
      );
    }
    this.#lastIndexes.set(member.id, { term: status.term, last: status.lastIndex });
  }

  #checkMatches(member: LedgerMember, { term, progress }: LeaderView, log: MemberLog): void {
    let known = this.#matches.get(member.id);
    if (known?.term !== term) this.#matches.set(member.id, (known = { term, seen: new Map() }));
    for (const [id, { match }] of progress) {
      // What is not on the leader's own disk yet is looked at when it is.
      const entryTerm = match === known.seen.get(id) || id === member.id ? undefined : log.view.term(match);
      if (entryTerm === undefined) continue;
      known.seen.set(id, match);
      if (match > 0 && this.#options.holds(id, match, entryTerm) === false) {
        this.#world.violated(
          `true acknowledgements: ${member.name} believes in term ${term} that ${id} holds entry ${match} of term ${entryTerm}, and its disk does not`,
        );
      }
    }
  }

  /** A process is gone: what its leadership was about is over. */
  ended(member: LedgerMember): void {
    this.#lastIndexes.delete(member.id);
    this.#matches.delete(member.id);
    for (const office of this.#leaders.values()) if (office.id === member.id) office.isOver = true;
  }

  /** What a member found on its disk: it must be what was written. */
  loaded(member: LedgerMember, log: MemberLog): void {
    const { view } = log;
    this.#votes.set(member.id, view.hardState);
    if (view.firstIndex > view.lastIndex) return;
    for (const entry of view.entries(view.firstIndex, view.lastIndex + 1, Infinity)) this.#know(member, entry, log);
  }

  elected(
    member: LedgerMember,
    term: number,
    parts: { readonly log: MemberLog; readonly voters: readonly number[] },
  ): void {
    const { log, voters } = parts;
    const other = this.#leaders.get(term);
    if (other?.id === member.id && !other.isOver) return;
    if (other?.id === member.id)
      this.#world.violated(
        `election safety: ${member.name} leads in term ${term} again, after a restart that it should have forgotten nothing in`,
      );
    if (other !== undefined)
      this.#world.violated(`election safety: ${other.id} and ${member.id} both lead in term ${term}`);
    this.#leaders.set(term, { id: member.id, isOver: false });
    // Without it, it could be elected in this term once more, and write other entries into it (Raft paper, figure 2).
    if (this.#options.votedFor(member.id, term, member.id) === false)
      this.#world.violated(`election safety: ${member.name} leads in term ${term} before its own vote is on its disk`);
    const votes = voters.filter((id) => this.#options.votedFor(id, term, member.id) !== false);
    if (2 * votes.length <= voters.length) {
      this.#world.violated(
        `election safety: ${member.name} leads in term ${term} with votes on ${votes.length} of ${voters.length} disks`,
      );
    }
    this.#world.trace(`leader ${member.name} term ${term}`);
    // One that learns late of its election owes nothing that was committed since, be it of an older term (Raft paper,
    // figure 8).
    let last = this.#lastApplied;
    while ((this.#applied[last]?.committedIn ?? 0) >= term) last--;
    this.#newestTerm = Math.max(this.#newestTerm, term);
    const entry = this.#applied[last];
    if (entry === undefined || log.view.firstIndex > last) return;
    if (log.view.term(last) !== entry.term) {
      this.#world.violated(
        `leader completeness: ${member.name} leads in term ${term} without entry ${last} of term ${entry.term}, which was applied before`,
      );
    }
  }

  applied(
    member: LedgerMember,
    entry: { readonly index: LogIndex; readonly term: number; readonly data: Uint8Array },
    parts: AppliedParts,
  ): void {
    const { index, term, data } = entry;
    const checksum = entryChecksum(index, term, data);
    const answer = answerOf(parts.result);
    const known = this.#applied[index];
    if (known === undefined) {
      if (index !== this.#lastApplied + 1)
        this.#world.violated(
          `state-machine safety: ${member.name} applies ${index} when ${this.#lastApplied} was the newest anywhere`,
        );
      this.#first(member, entry, { parts, answer, checksum });
      return;
    }
    if (known.term !== term || known.checksum !== checksum) {
      this.#world.violated(
        `state-machine safety: ${member.name} applies another entry at ${index} (term ${term}) than was applied before (term ${known.term})`,
      );
    }
    if (parts.isStarting !== true) this.#compareMembership(member, known, { index, membership: parts.membership });
    if (known.answer !== answer)
      this.#world.violated(
        `equal answers: ${member.name} answers entry ${index} with "${answer}", others with "${known.answer}"`,
      );
  }

  #compareMembership(
    member: LedgerMember,
    known: Applied,
    found: { readonly index: number; readonly membership: Membership },
  ): void {
    known.membership ??= found.membership;
    if (known.membership === found.membership) return;
    if (isSame(found.membership, known.membership)) return;
    this.#world.violated(
      `one membership: after entry ${found.index} ${member.name} has ${textOf(found.membership)}, others ${textOf(known.membership)}`,
    );
  }

  #first(
    member: LedgerMember,
    entry: { readonly index: number; readonly term: number; readonly data: Uint8Array },
    found: { readonly parts: AppliedParts; readonly answer: string; readonly checksum: number },
  ): void {
    const { index, term, data } = entry;
    const { parts, answer, checksum } = found;
    const before = this.model.revision;
    const expected = this.model.apply(data, term);
    if (expected !== answer)
      this.#world.violated(`model: ${member.name} answers entry ${index} with "${answer}", it should be "${expected}"`);
    if (this.model.revision < before) this.#world.violated('monotonic revisions: the revision went back');
    this.#applied[index] = {
      term,
      checksum,
      answer,
      revision: this.model.revision,
      committedIn: Math.max(this.#newestTerm, term),
      membership: parts.isStarting === true ? undefined : parts.membership,
    };
    this.#lastApplied = index;
    this.#checkQuorum(member, entry, parts.membership);
  }

  /**
   * A change takes effect on the leader where the leader applies it, so entries right behind it may still be committed
   * by the configuration before; neighbours overlap, so either will do.
   */
  #checkQuorum(
    member: LedgerMember,
    entry: { readonly index: number; readonly term: number },
    membership: Membership,
  ): void {
    if (membership.index > (this.#memberships[0]?.index ?? 0))
      this.#memberships = [membership, ...this.#memberships.slice(0, 1)];
    const isHeld = (voters: readonly number[]) => {
      const holders = voters.filter((id) => this.#options.holds(id, entry.index, entry.term) !== false);
      return voters.length === 0 || 2 * holders.length > voters.length;
    };
    if (this.#memberships.some(({ voters, votersOutgoing }) => isHeld(voters) && isHeld(votersOutgoing))) return;
    this.#world.violated(
      `durability: ${member.name} applies entry ${entry.index}, which does not lie on the disks of a quorum of ${membership.voters.join(', ')}`,
    );
  }

  /** A lease lasts its time at least, whoever's clock counts it. */
  #lease(what: 'renewed' | 'expired', id: bigint, ttl_s: number): void {
    const { now_ms } = this.#world;
    if (what === 'renewed') {
      this.#renewed_ms.set(id, now_ms);
      return;
    }
    this.#ended_ms.set(id, now_ms);
    this.#checkLease(id, ttl_s);
  }

  /**
   * A client was told that a lease was renewed, some time after it asked: whether that went through the log or not, it
   * has its time from then on.
   */
  leaseRenewed(id: bigint, { ttl_s, asked_ms }: { readonly ttl_s: number; readonly asked_ms: number }): void {
    this.#renewed_ms.set(id, Math.max(asked_ms, this.#renewed_ms.get(id) ?? 0));
    this.#checkLease(id, ttl_s);
  }

  #checkLease(id: bigint, ttl_s: number): void {
    const lasted_s = ((this.#ended_ms.get(id) ?? Infinity) - (this.#renewed_ms.get(id) ?? 0)) / 1000;
    if (lasted_s < ttl_s * CLOCK_TOLERANCE)
      this.#world.violated(`leases: one of ${ttl_s} s ended ${lasted_s.toFixed(3)} s after it was granted or renewed`);
  }

  /** The state of a member that has applied up to `index`. */
  hashed(member: LedgerMember, index: number, hash: number): void {
    const known = this.#hashes.get(index);
    if (known === undefined) this.#hashes.set(index, { hash, by: member.name });
    else if (known.hash !== hash)
      this.#world.violated(`equal hashes: ${member.name} and ${known.by} differ after entry ${index}`);
  }

  /** A client was told that its write of this value did not happen. */
  refused(value: string, why: string): void {
    if ((this.model.values.get(value) ?? 0) > 0)
      this.#world.violated(`"${value}" happened although its client was told "${why}"`);
    this.#refused.set(value, why);
  }

  /** At the end: nothing that was refused happened later, nothing happened twice. */
  finish(): void {
    for (const [value, count] of this.model.values) {
      if (count > 1) this.#world.violated(`"${value}" was written ${count} times, though it was asked for once`);
      const why = this.#refused.get(value);
      if (why !== undefined) this.#world.violated(`"${value}" happened although its client was told "${why}"`);
    }
  }
}
