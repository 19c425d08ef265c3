/**
 * Renewals of leases without the log: in the memory of the leader, which ends them (lease-expiry.ts). Those that arrive
 * while others are under way travel together, to the leader and through one ReadIndex there: it proves that no other
 * leader counted while they were under way, so the next one begins to count after them. Whatever does not go this way
 * goes through the log.
 */
import { ByteReader, ByteWriter } from '../bytes.js';
import type { LeaseExpiry } from '../backend/lease-expiry.js';
import type { Leases } from '../mvcc/leases.js';
import { StoreError } from '../store.js';

export interface RenewalsOptions {
  readonly expiry: LeaseExpiry;
  readonly leases: () => Leases;
  /** Whether all members understand the question. */
  readonly isAgreed: () => boolean;
  /** Confirms the leader, whoever it is, and that this member has applied everything committed before. */
  readonly confirm: () => Promise<unknown>;
  /** Asks the leader, this member included, for its `answer`. */
  readonly ask: (question: Uint8Array) => Promise<Uint8Array>;
}

/** `log`: renew it through the log. */
type Renewal =
  | { readonly kind: 'renewed'; readonly ttl_s: number }
  | { readonly kind: 'gone' }
  | { readonly kind: 'log' };

interface Batch {
  readonly ids: bigint[];
  readonly renewals: Promise<readonly Renewal[]>;
}

const QUESTION = { renew: 1, remaining: 2 } as const;
/** Beyond them, a time to live. */
const OUTCOME = { gone: 0, log: 1, renewed: 2 } as const;
const BATCH_MAX = 10_000;
const THROUGH_LOG: Renewal = { kind: 'log' };

export class Renewals {
  readonly #options: RenewalsOptions;
  /** Takes more; until it is sent, and it is sent when the one before has its answer. */
  #batch: Batch | undefined;
  #sent: Promise<unknown> = Promise.resolve();

  constructor(options: RenewalsOptions) {
    this.#options = options;
  }

  async renew(id: bigint): Promise<Renewal> {
    const batch = this.#batch !== undefined && this.#batch.ids.length < BATCH_MAX ? this.#batch : this.#begin();
    const place = batch.ids.push(id) - 1;
    return (await batch.renewals)[place] ?? THROUGH_LOG;
  }

  /** Seconds left by the leader's clock; 0 when the lease should have ended. */
  async remaining_s(id: bigint): Promise<number> {
    // Through the log, renewals reach the clocks of all.
    if (!this.#options.isAgreed()) return this.#options.expiry.remaining_s(id);
    return new ByteReader(await this.#options.ask(new ByteWriter().u8(QUESTION.remaining).i64(id).take())).varint();
  }

  /** The leader's part. Rejects when this member is not known to lead. */
  async answer(question: Uint8Array): Promise<Uint8Array> {
    const reader = new ByteReader(question);
    const kind = reader.u8();
    await this.#options.confirm();
    const { expiry } = this.#options;
    if (!expiry.isLeading) throw new StoreError('unavailable', 'this member does not lead');
    const writer = new ByteWriter();
    if (kind === QUESTION.remaining) return writer.varint(expiry.remaining_s(reader.i64())).take();
    if (kind !== QUESTION.renew) throw new StoreError('invalid', `a question of the unknown kind ${kind}`);
    while (reader.remaining > 0) writer.varint(this.#outcomeOf(reader.i64()));
    return writer.take();
  }

  #outcomeOf(id: bigint): number {
    const lease = this.#options.leases().get(id);
    if (lease === undefined) return OUTCOME.gone;
    const ttl_s = this.#options.expiry.renew(lease);
    return ttl_s === undefined ? OUTCOME.log : OUTCOME.renewed + ttl_s;
  }

  #begin(): Batch {
    const ids: bigint[] = [];
    const batch: Batch = { ids, renewals: this.#sent.then(() => this.#send(batch)) };
    this.#batch = batch;
    this.#sent = batch.renewals;
    return batch;
  }

  /** Never rejects: those that come next wait for it. */
  async #send(batch: Batch): Promise<readonly Renewal[]> {
    if (this.#batch === batch) this.#batch = undefined;
    const { isAgreed, ask } = this.#options;
    try {
      if (!isAgreed()) return [];
      const writer = new ByteWriter(1 + 8 * batch.ids.length).u8(QUESTION.renew);
      for (const id of batch.ids) writer.i64(id);
      return renewalsOf(await ask(writer.take()));
    } catch {
      // Whether the leader was reached or not: a renewal too many does no harm.
      return [];
    }
  }
}

function renewalsOf(answer: Uint8Array): Renewal[] {
  const reader = new ByteReader(answer);
  const renewals: Renewal[] = [];
  while (reader.remaining > 0) renewals.push(renewalOf(reader.varint()));
  return renewals;
}

function renewalOf(outcome: number): Renewal {
  switch (outcome) {
    case OUTCOME.gone:
      return { kind: 'gone' };
    case OUTCOME.log:
      return THROUGH_LOG;
    default:
      return { kind: 'renewed', ttl_s: outcome - OUTCOME.renewed };
  }
}
