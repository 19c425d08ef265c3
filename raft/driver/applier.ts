/**
 * Applies what is committed, hands out results, and makes the state durable in the background. The log is compacted behind
 * what is durable.
 */
import type { Timer } from '../../platform/clock.js';
import type { CommittedEntry, LogIndex, Membership, Term } from '../contract.js';
import { decodeConfChange } from '../core/confchange/change.js';
import { ConfChangeError } from '../core/confchange/changer.js';
import type { RaftNode } from '../core/node.js';
import { NO_DATA } from '../core/types.js';
import type { Entry } from '../core/types.js';
import { confStateOf, withConfState, withContext } from './membership.js';
import type { MemberOptions } from './options.js';

export interface ApplierHooks {
  onResult(mark: number, result: unknown): void;
  /** The first entry of a term is about to be applied. */
  onTerm(term: number): void;
  onApplied(index: number): void;
  onMembership(membership: Membership): void;
  /** The state is durable up to `index`. */
  onDurable(index: number): void;
  onFailure(error: Error): void;
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

  apply(entries: readonly Entry[]): void {
    let batch: Entry[] = [];
    for (const entry of entries) {
      if (entry.term !== this.#appliedTerm) {
        this.#applyBatch(batch);
        batch = [];
        this.#appliedTerm = entry.term;
        this.#hooks.onTerm(entry.term);
      }
      if (entry.kind === 'normal') {
        batch.push(entry);
      } else {
        this.#applyBatch(batch);
        batch = [];
        this.#applyConfChange(entry);
      }
    }
    this.#applyBatch(batch);
    this.#hooks.onApplied(this.#applied);
  }

  #applyBatch(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    const results = this.#options.stateMachine.apply(entries as unknown as readonly CommittedEntry[]);
    this.#applied = last.index;
    for (const [i, entry] of entries.entries()) {
      if (entry.proposal !== 0) this.#hooks.onResult(entry.proposal, entry.data.length === 0 ? undefined : results[i]);
    }
  }

  #applyConfChange(entry: Entry): void {
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
    this.#options.stateMachine.apply([empty]);
    this.#applied = entry.index;
    if (result !== undefined) this.#hooks.onMembership(result);
    if (entry.proposal !== 0) this.#hooks.onResult(entry.proposal, result);
  }

  /** Makes durable what is applied now. One at a time. */
  persist(): Promise<void> {
    const isDone = this.#applied <= this.#options.stateMachine.durableIndex;
    if (this.#persisting !== undefined || this.#isHeld || this.#isBroken || isDone) return this.#persisting ?? Promise.resolve();
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
  async replace(snapshot: { readonly index: number; readonly term: number }, membership: Membership, switchState: () => Promise<void>): Promise<void> {
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

  async stop(options: { readonly persist: boolean }): Promise<void> {
    this.#timer?.cancel();
    await this.#persisting;
    if (options.persist) await this.persist();
  }
}
