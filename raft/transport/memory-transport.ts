/** A network inside one process: for clusters inside a test. Members can be cut off from each other. */
import type { Clock } from '../../platform/clock.js';
import { RaftError } from '../contract.js';
import type { NodeId, PeerInfo, SnapshotReader } from '../contract.js';
import type { PeerMessage, Transport, TransportHandler } from './transport.js';

export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #members = new Map<number, TransportHandler>();
  readonly #cuts = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  transport(self: NodeId): Transport {
    return {
      start: (handler) => {
        this.#members.set(self, handler);
        return Promise.resolve();
      },
      setPeers: () => undefined,
      send: (messages) => this.#send(self, messages),
      sendSnapshot: (message, peers, reader) => this.#sendSnapshot(self, { message, peers, reader }),
      stop: () => {
        this.#members.delete(self);
        for (const handler of this.#members.values()) this.#clock.immediate(() => handler.onPeerLost(self));
        return Promise.resolve();
      },
    };
  }

  /** From `from` to `to` only: a partition may be one-way. */
  cut(from: NodeId, to: NodeId): void {
    this.#cuts.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cuts.clear();
  }

  #send(self: NodeId, messages: readonly PeerMessage[]): void {
    this.#clock.immediate(() => {
      for (const message of messages) {
        const handler = this.#members.get(message.to);
        if (handler === undefined) this.#members.get(self)?.onUndelivered([message]);
        else if (!this.#cuts.has(`${self}>${message.to}`)) handler.onMessages([message]);
      }
    });
  }

  async #sendSnapshot(
    self: NodeId,
    parts: { message: PeerMessage; peers: readonly PeerInfo[]; reader: SnapshotReader },
  ): Promise<void> {
    const { message, peers, reader } = parts;
    const handler = this.#members.get(message.to);
    if (handler === undefined || this.#cuts.has(`${self}>${message.to}`))
      throw new RaftError('invalid', `member ${message.to} cannot be reached`);
    const { removed = [], level } = reader.meta.membership;
    await handler.onSnapshot({ from: self, message, peers, removed, level, chunks: reader.chunks() });
  }
}
