/**
 * Questions to the leader outside of the log: asked once, answered once or not at all. Messages may be lost, so each
 * has its time; a change of leader ends all. A question that arrives twice is answered twice, and the second answer is
 * not heard.
 */
import type { Clock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { RaftError } from '../contract.js';
import type { NodeId, RaftEvents } from '../contract.js';
import { NO_DATA } from '../core/types/entry.js';
import type { PeerMessage } from '../transport/transport.js';
import { randomMark } from './proposals.js';

export interface QuestionsOptions {
  readonly id: NodeId;
  readonly clock: Clock;
  readonly random: Random;
  /** Longest wait for an answer. */
  readonly wait_ms: number;
  readonly events: RaftEvents;
  readonly send: (messages: readonly PeerMessage[]) => void;
}

interface Pending {
  readonly deadline_ms: number;
  resolve(answer: Uint8Array): void;
  reject(error: Error): void;
}

export class Questions {
  readonly #options: QuestionsOptions;
  readonly #pending = new Map<number, Pending>();
  /**
   * Random at first, so that an answer to what was asked before a restart is not taken for another; drawn when it is
   * needed.
   */
  #nextMark: number | undefined;
  #isOver = false;

  constructor(options: QuestionsOptions) {
    this.#options = options;
  }

  /** `lead`: 0 when none is known. */
  async ask(
    question: Uint8Array,
    { lead, term }: { readonly lead: number; readonly term: number },
  ): Promise<Uint8Array> {
    const { id, clock, random, wait_ms, send } = this.#options;
    if (this.#isOver) throw new RaftError('stopped', 'this member was stopped');
    if (lead === 0) throw new RaftError('not-leader', 'no leader is known');
    if (lead === id) return this.#answer(question);
    const mark = this.#nextMark ?? randomMark(random);
    this.#nextMark = mark + 1;
    const answer = new Promise<Uint8Array>((resolve, reject) =>
      this.#pending.set(mark, { deadline_ms: clock.monotonic() + wait_ms, resolve, reject }),
    );
    send([messageOf('ask', { from: id, to: lead, term }, { mark, data: question })]);
    return answer;
  }

  asked(ask: PeerMessage): void {
    const { id, send } = this.#options;
    const reply = (answer?: Uint8Array) => {
      if (this.#isOver) return;
      const message = messageOf(
        'ask-resp',
        { from: id, to: ask.from, term: ask.term },
        { mark: ask.context, data: answer ?? NO_DATA },
      );
      send([{ ...message, reject: answer === undefined }]);
    };
    this.#answer(ask.entries[0]?.data ?? NO_DATA).then(reply, () => reply());
  }

  answered({ context, reject, entries }: PeerMessage): void {
    const pending = this.#take(context);
    if (reject) pending?.reject(new RaftError('not-leader', 'the member that was asked has no answer'));
    else pending?.resolve(entries[0]?.data ?? NO_DATA);
  }

  /** A message that never left this process. */
  lost({ type, context }: PeerMessage): void {
    if (type === 'ask') this.#take(context)?.reject(new RaftError('not-leader', 'the leader cannot be reached'));
  }

  expire(now_ms: number): void {
    for (const [mark, { deadline_ms }] of this.#pending) {
      if (deadline_ms <= now_ms)
        this.#take(mark)?.reject(new RaftError('timeout', 'the leader did not answer in time'));
    }
  }

  leaderChanged(): void {
    this.#abandon(new RaftError('not-leader', 'the leader has changed'));
  }

  stop(): void {
    this.#isOver = true;
    this.#abandon(new RaftError('stopped', 'this member was stopped'));
  }

  #abandon(error: RaftError): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  async #answer(question: Uint8Array): Promise<Uint8Array> {
    const answer = await this.#options.events.onQuestion?.(question);
    if (answer === undefined) throw new RaftError('not-leader', 'this member answers no questions');
    return answer;
  }

  #take(mark: number): Pending | undefined {
    const pending = this.#pending.get(mark);
    this.#pending.delete(mark);
    return pending;
  }
}

type Route = Pick<PeerMessage, 'from' | 'to' | 'term'>;

function messageOf(
  type: 'ask' | 'ask-resp',
  route: Route,
  { mark, data }: { readonly mark: number; readonly data: Uint8Array },
): PeerMessage {
  return {
    ...route,
    type,
    logTerm: 0,
    index: 0,
    commit: 0,
    vote: 0,
    reject: false,
    rejectHint: 0,
    context: mark,
    force: false,
    entries: [{ kind: 'normal', data, proposal: 0 }],
    snapshot: undefined,
    responses: [],
  };
}
