/**
 * Applies what is committed, hands out results, and makes the state durable in the background. The log is compacted
 * behind what is durable. What takes long to apply is applied in turns, between which ticks, messages and reads have
 * theirs; nothing is persisted, and no snapshot takes the state's place, while a batch is half applied.
 */
import type { Timer } from '../../platform/clock.js';
import { finish } from '../../platform/slices.js';
import type { Slices } from '../../platform/slices.js';
import { RaftError } from '../contract.js';
import type { CommittedEntry, LogIndex, Membership, Term } from '../contract.js';
import { decodeConfChange } from '../core/confchange/change.js';
import { ConfChangeError } from '../core/confchange/changer.js';
import type { RaftNode } from '../core/node.js';
import { NO_DATA } from '../core/types/entry.js';
import type { Entry } from '../core/types/entry.js';
import { confStateOf, withConfState, withContext } from './membership.js';
import type { MemberOptions } from './options.js';

export interface ApplierHooks {
  /** Does work on the core, then what the core asks for; not once the member has ended. */
  run(work: () => void): void;
  /** Whether the proposer of `mark` waits on this member. */
  isAwaited(mark: number): boolean;
  onResult(mark: number, result: unknown): void;
  /** The first entry of a term is about to be applied. */
  onTerm(term: number): void;
  onApplied(index: number): void;
  onMembership(membership: Membership): void;
  /** The state is durable up to `index`. */
  onDurable(index: number): void;
  onFailure(error: Error): void;
}

interface Job {
  readonly entries: readonly Entry[];
  readonly onDone: () => void;
}

export class Applier {
  readonly #options: MemberOptions;
  readonly #node: RaftNode;
  readonly #hooks: ApplierHooks;
  #membership: Membership;
  #applied: number;
  #appliedTerm: number;
  #timer: Timer | undefined;
  #persisting: Promise<void> | undefined;
  /** While a snapshot is being switched to, the state must not be written. */
  #isHeld = false;
  /** A write failed. What it held is on no disk: one that came after it, at an orderly stop, would leave a gap. */
  #isBroken = false;
  /** What is being applied; undefined: nothing is. */
  #work: Slices<void> | undefined;
  #queue: Job[] = [];
  /** To be called when nothing is being applied any more. */
  #onIdle: (() => void)[] = [];
  #hasEnded = false;

  constructor(options: MemberOptions, node: RaftNode, membership: Membership, hooks: ApplierHooks) {
    this.#options = options;
    this.#node = node;
    this.#hooks = hooks;
    this.#membership = membership;
    this.#applied = options.stateMachine.durableIndex;
    this.#appliedTerm = options.log.view.term(this.#applied) ?? 0;
  }

  get membership(): Membership {
    return this.#membership;
  }

  get applied(): number {
    return this.#applied;
  }

  /** This member leads, and has applied an entry of its own term: it knows all that was committed before. */
  get isLeading(): boolean {
    const { role, term } = this.#node;
    return role === 'leader' && this.#appliedTerm === term;
  }

  start(): void {
    this.#timer = this.#options.clock.every(this.#options.settings.persist_ms, () => void this.persist());
  }

  /** Calls `onDone` once all of them are applied: before this returns, or in a later turn. */
  apply(entries: readonly Entry[], onDone: () => void): void {
    this.#queue.push({ entries, onDone });
    if (this.#work !== undefined) return;
    this.#work = this.#applyQueued();
    this.#turn();
  }

  #turn(): void {
    const { clock, settings } = this.#options;
    const end_ms = clock.monotonic() + settings.turn_ms;
    do {
      if (this.#work?.next().done !== false) {
        this.#rest();
        return;
      }
    } while (clock.monotonic() < end_ms);
    clock.immediate(() => this.#hooks.run(() => this.#turn()));
  }

  #rest(): void {
    this.#work = undefined;
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const callback of waiting) callback();
  }

  *#applyQueued(): Slices<void> {
    try {
      for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
        yield* this.#applyAll(job.entries);
        job.onDone();
      }
    } catch (error) {
      // What is half applied is never written.
      this.#isBroken = true;
      throw error;
    }
  }

  *#applyAll(entries: readonly Entry[]): Slices<void> {
    let batch: Entry[] = [];
    let { term } = entries[0] ?? { term: 0 };
    if (term !== this.#appliedTerm) this.#hooks.onTerm(term);
    for (const entry of entries) {
      if (entry.term !== term) {
        yield* this.#applyBatch(batch);
        batch = [];
        term = entry.term;
        this.#hooks.onTerm(term);
      }
      if (entry.kind === 'normal') {
        batch.push(entry);
      } else {
        yield* this.#applyBatch(batch);
        batch = [];
        yield* this.#applyConfChange(entry);
      }
    }
    yield* this.#applyBatch(batch);
    this.#hooks.onApplied(this.#applied);
  }

  *#applyBatch(entries: readonly Entry[]): Slices<void> {
    const last = entries.at(-1);
    if (last === undefined) return;
    const results = yield* this.#options.stateMachine.applySlices(
      entries as unknown as readonly CommittedEntry[],
      this.#isAwaited,
    );
    this.#applied = last.index;
    this.#appliedTerm = last.term;
    for (const [i, entry] of entries.entries()) {
      if (entry.proposal !== 0) this.#hooks.onResult(entry.proposal, entry.data.length === 0 ? undefined : results[i]);
    }
  }

  readonly #isAwaited = (entry: CommittedEntry): boolean => this.#hooks.isAwaited((entry as unknown as Entry).proposal);

  *#applyConfChange(entry: Entry): Slices<void> {
    const change = decodeConfChange(entry.data);
    let result: Membership | undefined;
    try {
      const state = this.#node.applyConfChange(change);
      this.#membership = withConfState(withContext(this.#membership, change), state, entry.index);
      result = this.#membership;
    } catch (error) {
      // A change that the rules forbid is void on every member alike.
      if (!(error instanceof ConfChangeError)) throw error;
      this.#options.logger.warn({ index: entry.index, reason: error.message }, 'membership change is void');
    }
    // The state machine sees the entry too, without data: its applied index advances.
    const empty = { index: entry.index as LogIndex, term: entry.term as Term, data: NO_DATA };
    yield* this.#options.stateMachine.applySlices([empty], this.#isAwaited);
    this.#applied = entry.index;
    this.#appliedTerm = entry.term;
    if (result !== undefined) this.#hooks.onMembership(result);
    if (entry.proposal !== 0) this.#hooks.onResult(entry.proposal, result);
  }

  /** Makes durable what is applied now, unless it is being applied: then it waits for the next time. One at a time. */
  persist(): Promise<void> {
    if (this.#work !== undefined) return this.#persisting ?? Promise.resolve();
    const isDone = this.#applied <= this.#options.stateMachine.durableIndex;
    if (this.#persisting !== undefined || this.#isHeld || this.#isBroken || isDone)
      return this.#persisting ?? Promise.resolve();
    this.#persisting = this.#persist().finally(() => {
      this.#persisting = undefined;
    });
    return this.#persisting;
  }

  async #persist(): Promise<void> {
    const { stateMachine, log } = this.#options;
    const index = this.#applied;
    const membership = this.#membership;
    try {
      await stateMachine.persist(index as LogIndex, membership);
    } catch (error) {
      this.#isBroken = true;
      this.#hooks.onFailure(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const term = log.view.term(index);
    if (term !== undefined) log.view.setSnapshot({ index, term, confState: confStateOf(membership) });
    this.#hooks.onDurable(index);
  }

  /** Runs `switchState` while nothing else touches the state; afterwards it stands at the snapshot. */
  async replace(
    snapshot: { readonly index: number; readonly term: number },
    membership: Membership,
    switchState: () => Promise<void>,
  ): Promise<void> {
    await this.#idle();
    this.#isHeld = true;
    try {
      await this.#persisting;
      await switchState();
    } finally {
      this.#isHeld = false;
    }
    this.#membership = membership;
    this.#applied = snapshot.index;
    this.#appliedTerm = snapshot.term;
    this.#hooks.onMembership(membership);
    this.#hooks.onApplied(snapshot.index);
  }

  /** Resolves when nothing is being applied; rejects when the member ends before that. */
  #idle(): Promise<void> {
    if (this.#work === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#onIdle.push(() =>
        this.#hasEnded ? reject(new RaftError('stopped', 'this member was stopped')) : resolve(),
      );
    });
  }

  /** No turns from now on. */
  end(): void {
    this.#hasEnded = true;
    this.#timer?.cancel();
    const waiting = this.#onIdle;
    this.#onIdle = [];
    for (const callback of waiting) callback();
  }

  /** After `end`. With `persist`, what was begun is applied to its end, and made durable. */
  async stop(options: { readonly persist: boolean }): Promise<void> {
    await this.#persisting;
    if (!options.persist) return;
    this.#queue = [];
    if (this.#work !== undefined) finish(this.#work);
    this.#work = undefined;
    await this.persist();
  }
}
