/**
 * Snapshots out and in. Out: the core asks for one (`snap`); an image of the state is streamed beside the core, which
 * hears how it went. In: chunks are written next to the present state; once all are there the core decides whether it
 * takes the snapshot, and only then is the state switched.
 */
import type { Membership, NodeId, SnapshotReader, SnapshotWriter } from '../contract.js';
import { RaftError } from '../contract.js';
import type { RaftNode } from '../core/node.js';
import type { Message } from '../core/types/message.js';
import type { Snapshot } from '../core/types/state.js';
import type { IncomingSnapshot } from '../transport/transport.js';
import type { Applier } from './applier.js';
import { confStateOf } from './membership.js';
import type { MemberOptions } from './options.js';

/** A log that has grown by a part of its tail is cut. */
const STEPS = 4;

interface Received {
  readonly snapshot: Snapshot;
  readonly membership: Membership;
  readonly writer: SnapshotWriter;
  isInstalled: boolean;
}

export class SnapshotExchange {
  readonly #options: MemberOptions;
  readonly #node: RaftNode;
  readonly #applier: Applier;
  readonly #run: (work: () => void) => void;
  readonly #onFailure: (error: Error) => void;
  /** Indexes that snapshots under way stand at: the log is kept behind them, or they would be too old on arrival. */
  readonly #outgoing = new Map<number, number>();
  #received: Received | undefined;
  #isReceiving = false;

  /**
   * `run` steps the core: does the work, then what the core asks for; a broken invariant stops the member. `onFailure`:
   * the own state cannot be read.
   */
  constructor(
    options: MemberOptions,
    node: RaftNode,
    applier: Applier,
    hooks: { run(work: () => void): void; onFailure(error: Error): void },
  ) {
    this.#options = options;
    this.#node = node;
    this.#applier = applier;
    this.#run = (work) => hooks.run(work);
    this.#onFailure = (error) => hooks.onFailure(error);
  }

  /** Up to where the log may be dropped when the state is durable up to `durable`. 0: not at all. */
  compactionLimit(durable: number): number {
    const { view } = this.#options.log;
    let limit = Math.max(this.#limitByCount(durable), this.#limitByBytes(durable));
    for (const index of this.#outgoing.values()) limit = Math.min(limit, index);
    return limit >= view.firstIndex ? limit : 0;
  }

  /** In steps, so that not every few entries cost a write. */
  #limitByCount(durable: number): number {
    const { settings, log } = this.#options;
    const tail = Math.min(settings.logTail_entries, durable);
    const limit = durable - tail;
    return limit - log.view.firstIndex >= Math.max(tail / STEPS, 1) ? limit : 0;
  }

  /** A step of bytes, whatever the number of entries: ten of them may be as large as thousands. */
  #limitByBytes(durable: number): number {
    const { settings, log } = this.#options;
    const { view } = log;
    if (view.payload_bytes <= settings.logTail_bytes * (1 + 1 / STEPS)) return 0;
    let kept_bytes = 0;
    for (let index = durable; index >= view.firstIndex; index--) {
      kept_bytes += view.payloadOf(index);
      if (kept_bytes > settings.logTail_bytes) return index;
    }
    return 0;
  }

  /** Never waits; the core is told by reportSnapshot. */
  send(message: Message): void {
    if (this.#outgoing.has(message.to)) return;
    this.#outgoing.set(message.to, message.snapshot?.index ?? 0);
    this.#stream(message).then(
      () => this.#sent(message.to, false),
      (error: unknown) => {
        this.#options.logger.warn(
          { peer: message.to, error: String(error) },
          'sending a snapshot failed; it will be tried again',
        );
        this.#sent(message.to, true);
      },
    );
  }

  #sent(to: number, isFailed: boolean): void {
    this.#outgoing.delete(to);
    this.#run(() => this.#node.reportSnapshot(to, isFailed));
  }

  async #stream(message: Message): Promise<void> {
    const { stateMachine, transport } = this.#options;
    const reader = await stateMachine.openSnapshot();
    try {
      const { index, term, membership } = reader.meta;
      this.#outgoing.set(message.to, index);
      const snapshot = { index, term, confState: confStateOf(membership) };
      await transport.sendSnapshot({ ...message, snapshot }, membership.peers, {
        ...reader,
        chunks: () => this.#read(reader),
      });
    } finally {
      await reader.close();
    }
  }

  /** A member whose own state is spoiled must not lead on: it could never bring another one up to date. */
  async *#read(reader: SnapshotReader): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks = reader.chunks()[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await chunks.next().catch((error: unknown) => {
          this.#onFailure(error instanceof Error ? error : new Error(String(error)));
          throw error;
        });
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await chunks.return?.();
    }
  }

  async receive({ message, peers, removed = [], level, chunks }: IncomingSnapshot): Promise<void> {
    const { snapshot } = message;
    if (snapshot === undefined) throw new RaftError('invalid', 'a snapshot without a description');
    // Received and taken by the core, one waits until the log is ready for it: it must still be here then.
    if (this.#isReceiving || this.#received !== undefined)
      throw new RaftError('dropped', 'another snapshot is being received');
    this.#isReceiving = true;
    try {
      const membership = membershipOf(snapshot, { peers, removed, level });
      const meta = { index: membership.index, term: snapshot.term, membership } as Parameters<
        MemberOptions['stateMachine']['receiveSnapshot']
      >[0];
      const writer = await this.#options.stateMachine.receiveSnapshot(meta);
      const received: Received = { snapshot, membership, writer, isInstalled: false };
      try {
        for await (const chunk of chunks) await writer.write(chunk);
        this.#offer(received, message as Message);
      } finally {
        if (!received.isInstalled && this.#received !== received) await writer.abort();
      }
    } finally {
      this.#isReceiving = false;
    }
  }

  /** Lets the core decide. When it takes the snapshot, the log writer calls install(). */
  #offer(received: Received, message: Message): void {
    this.#received = received;
    const before = this.#node.status().firstIndex;
    this.#run(() => this.#node.step(message));
    const { firstIndex } = this.#node.status();
    // A log that began there already has no use for it.
    const isTaken = firstIndex !== before && firstIndex === received.snapshot.index + 1;
    if (!isTaken) this.#received = undefined;
  }

  /** Called by the log writer, before the log starts anew behind the snapshot. */
  async install(snapshot: Snapshot): Promise<void> {
    const received = this.#received;
    if (received === undefined || received.snapshot.index !== snapshot.index) {
      throw new RaftError('invalid', `the state of snapshot ${snapshot.index} is not here`);
    }
    await this.#options.log.prepareSnapshot({ index: snapshot.index, term: snapshot.term });
    await this.#applier.replace(snapshot, received.membership, () => received.writer.commit());
    received.isInstalled = true;
    this.#received = undefined;
  }
}

function membershipOf(
  snapshot: Snapshot,
  { peers, removed, level }: { peers: Membership['peers']; removed: readonly NodeId[]; level: number | undefined },
): Membership {
  const rest = { ...(removed.length === 0 ? {} : { removed }), ...(level === undefined ? {} : { level }) };
  return { ...snapshot.confState, index: snapshot.index, peers, ...rest } as unknown as Membership;
}
