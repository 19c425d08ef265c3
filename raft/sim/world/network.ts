/**
 * The network between members: packets with a fate. It may lose, delay, reorder and repeat them, one way or both, and
 * break the stream of a snapshot anywhere. Proposals are never repeated: the transport's contract is "at most once".
 */
import { RaftError } from '../../contract.js';
import type { NodeId, PeerInfo, SnapshotReader } from '../../contract.js';
import type { IncomingSnapshot, PeerMessage, Transport, TransportHandler } from '../../transport/transport.js';
import type { Process } from './process.js';
import type { World } from './world.js';

export interface NetworkSettings {
  readonly latency_ms: number;
  readonly jitter_ms: number;
  readonly loss: number;
  readonly duplication: number;
  readonly reorder: number;
  /** Of a chunk of a snapshot: that the stream breaks there. */
  readonly snapshotBreak: number;
}

interface Node {
  readonly process: Process;
  readonly handler: TransportHandler;
}

const SNAPSHOT_TIMEOUT_MS = 4000;
const LOST_STREAM_MS = 6000;
const PIECE_BYTES_MAX = 4096;

/** More members than a run ever has. */
const IDS = 1 << 12;
/** One way from a member to another, as a number. */
const linkOf = (from: number, to: number) => from * IDS + to;

export class SimNetwork {
  readonly #world: World;
  readonly #nodes = new Map<number, Node>();
  /** These by link. */
  readonly #cuts = new Set<number>();
  readonly #slow = new Map<number, number>();
  /** Links that hold everything back for a while, as a connection does whose packets are sent again and again. */
  readonly #stalled = new Map<number, (() => void)[]>();
  /** When the last packet of a link arrives: order is kept unless it is disturbed. */
  readonly #arrival = new Map<number, number>();
  readonly #onFault: (kind: string) => void;
  #healings = 0;
  settings: NetworkSettings;
  /** A snapshot is on its way. */
  onSnapshot: ((to: number) => void) | undefined;

  constructor(world: World, settings: NetworkSettings, onFault: (kind: string) => void) {
    this.#world = world;
    this.settings = settings;
    this.#onFault = onFault;
  }

  transport(process: Process, self: NodeId): Transport {
    return {
      start: (handler) => {
        this.#nodes.set(self, { process, handler });
        return Promise.resolve();
      },
      setPeers: () => undefined,
      send: (messages) => this.#send(process, self, messages),
      sendSnapshot: (message, peers, reader) => this.#sendSnapshot(process, self, { message, peers, reader }),
      stop: () => {
        this.leave(self, process, true);
        return Promise.resolve();
      },
    };
  }

  /** The process has ended. `isNoticed`: its streams are reset; after a loss of power nothing is heard any more. */
  leave(id: number, process: Process, isNoticed: boolean): void {
    if (this.#nodes.get(id)?.process !== process) return;
    this.#nodes.delete(id);
    if (!isNoticed) return;
    for (const [other, node] of this.#nodes) {
      if (this.isCut(id, other)) continue;
      node.process.after(this.#latency(id, other), () => node.handler.onPeerLost(id as NodeId));
    }
  }

  cut(from: number, to: number): void {
    this.#cuts.add(linkOf(from, to));
    const { random } = this.#world;
    // A stream that is silent for long is given up, on either side.
    for (const [here, there] of [
      [from, to],
      [to, from],
    ] as const) {
      if (random.int(2) === 0) continue;
      this.#world.after(LOST_STREAM_MS * (1 + random.next()), () => {
        const node = this.#nodes.get(here);
        if (node !== undefined && this.isCut(from, to))
          node.process.run(() => node.handler.onPeerLost(there as NodeId));
      });
    }
  }

  /** Every packet of the link takes so much longer. */
  slow(from: number, to: number, extra_ms: number): void {
    this.#slow.set(linkOf(from, to), extra_ms);
  }

  /** What arrives on the link from now on waits until `release`, and comes then, all of it and late. */
  stall(from: number, to: number): void {
    const link = linkOf(from, to);
    if (!this.#stalled.has(link)) this.#stalled.set(link, []);
  }

  release(from: number, to: number): void {
    const link = linkOf(from, to);
    const held = this.#stalled.get(link) ?? [];
    this.#stalled.delete(link);
    for (const deliver of held) deliver();
  }

  isCut(from: number, to: number): boolean {
    return this.#cuts.has(linkOf(from, to));
  }

  get isWhole(): boolean {
    return this.#cuts.size === 0 && this.#stalled.size === 0;
  }

  /** How often everything was healed: a cut seen twice with the same count has lasted all the while. */
  get healings(): number {
    return this.#healings;
  }

  heal(): void {
    this.#healings++;
    this.#cuts.clear();
    this.#slow.clear();
  }

  /** Lets go what stalled links hold. */
  releaseAll(): void {
    for (const link of [...this.#stalled.keys()]) {
      this.release(Math.floor(link / IDS), link % IDS);
    }
  }

  #latency(from: number, to: number): number {
    const { latency_ms, jitter_ms } = this.settings;
    return latency_ms + this.#world.random.next() * jitter_ms + (this.#slow.get(linkOf(from, to)) ?? 0);
  }

  #send(process: Process, self: NodeId, messages: readonly PeerMessage[]): void {
    if (!process.isAlive) return;
    const [only] = messages;
    if (only !== undefined && messages.length === 1) {
      this.#post(process, { from: self, to: only.to, packet: [only] });
      return;
    }
    const packets = new Map<number, PeerMessage[]>();
    for (const message of messages) {
      const packet = packets.get(message.to);
      if (packet === undefined) packets.set(message.to, [message]);
      else packet.push(message);
    }
    for (const [to, packet] of packets) this.#post(process, { from: self, to, packet });
  }

  #post(process: Process, route: { from: number; to: number; packet: PeerMessage[] }): void {
    const { from, to, packet } = route;
    const { random } = this.#world;
    const { loss, duplication, reorder } = this.settings;
    const isDisturbed = random.next();
    if (isDisturbed < loss) {
      this.#onFault('message loss');
      return;
    }
    const link = linkOf(from, to);
    let at_ms = this.#world.now_ms + this.#latency(from, to);
    if (random.next() < reorder) {
      this.#onFault('message reorder');
      at_ms += random.next() * 20 * this.settings.latency_ms;
    } else {
      at_ms = Math.max(at_ms, this.#arrival.get(link) ?? 0);
      this.#arrival.set(link, at_ms);
    }
    this.#world.after(at_ms - this.#world.now_ms, () => this.#deliver(process, { from, to, packet }));
    if (random.next() < duplication) {
      const again = packet.filter(({ type }) => type !== 'prop' && type !== 'prop-refused');
      if (again.length === 0) return;
      this.#onFault('message duplication');
      // Some only after the next elections.
      const late_ms = random.int(4) === 0 ? 4000 : 200;
      this.#world.after(at_ms - this.#world.now_ms + random.next() * late_ms, () =>
        this.#deliver(process, { from, to, packet: again }),
      );
    }
  }

  #deliver(sender: Process, route: { from: number; to: number; packet: PeerMessage[] }): void {
    const { from, to, packet } = route;
    if (this.isCut(from, to)) return;
    const stalled = this.#stalled.get(linkOf(from, to));
    if (stalled !== undefined) {
      stalled.push(() => this.#deliver(sender, route));
      return;
    }
    const node = this.#nodes.get(to);
    if (node !== undefined) {
      node.process.run(() => node.handler.onMessages(packet));
      return;
    }
    // Refused connections are noticed, now and then.
    const own = this.#nodes.get(from);
    if (own?.process === sender && this.#world.random.int(2) === 0) sender.run(() => own.handler.onUndelivered(packet));
  }

  async #sendSnapshot(
    process: Process,
    self: NodeId,
    parts: { message: PeerMessage; peers: readonly PeerInfo[]; reader: SnapshotReader },
  ): Promise<void> {
    const { message, peers, reader } = parts;
    const { to } = message;
    await process.clock.sleep(this.#latency(self, to));
    const node = this.#nodes.get(to);
    if (node === undefined || this.isCut(self, to) || this.isCut(to, self))
      throw new RaftError('invalid', `member ${to} cannot be reached`);
    this.#onFault('snapshot sent');
    this.onSnapshot?.(to);
    const stream = new ChunkStream();
    const { removed = [], level } = reader.meta.membership;
    const incoming: IncomingSnapshot = { from: self, message, peers, removed, level, chunks: stream.chunks() };
    let outcome: 'taken' | Error | undefined;
    node.process.run(
      () =>
        void node.handler.onSnapshot(incoming).then(
          () => (outcome = 'taken'),
          (error: unknown) => (outcome = error instanceof Error ? error : new Error(String(error))),
        ),
    );
    const isBroken = () => !node.process.isAlive || this.isCut(self, to) || this.isCut(to, self);
    const breakOff = () => node.process.run(() => stream.fail(new RaftError('invalid', 'the snapshot broke off')));
    // Whoever waits for the next chunk of a sender that is dead or cut off hears so in the end: streams are kept alive
    // by pings.
    const watch = () => {
      if (stream.isOver) return;
      if (!process.isAlive || isBroken()) this.#world.after(SNAPSHOT_TIMEOUT_MS, breakOff);
      else this.#world.after(SNAPSHOT_TIMEOUT_MS / 4, watch);
    };
    watch();
    try {
      await this.#pass(process, { self, to, reader, stream, isBroken });
    } catch (error) {
      breakOff();
      throw error;
    }
    node.process.run(() => stream.end());
    await this.#answer(process, () => outcome, isBroken);
  }

  async #pass(
    process: Process,
    parts: { self: number; to: number; reader: SnapshotReader; stream: ChunkStream; isBroken: () => boolean },
  ): Promise<void> {
    const { self, to, reader, stream, isBroken } = parts;
    const { random } = this.#world;
    for await (const chunk of reader.chunks()) {
      // Cut anywhere: a stream of bytes has no memory of how it was written.
      for (let at = 0; at < chunk.length;) {
        const end = Math.min(chunk.length, at + 1 + random.int(PIECE_BYTES_MAX));
        await process.clock.sleep(this.#latency(self, to) / 4);
        if (random.next() < this.settings.snapshotBreak || isBroken()) {
          this.#onFault('snapshot stream broken');
          throw new RaftError('invalid', 'the snapshot broke off');
        }
        const piece = Buffer.from(chunk.subarray(at, end));
        this.#nodes.get(to)?.process.run(() => stream.push(piece));
        at = end;
      }
    }
  }

  async #answer(process: Process, outcome: () => 'taken' | Error | undefined, isBroken: () => boolean): Promise<void> {
    const end_ms = this.#world.now_ms + SNAPSHOT_TIMEOUT_MS;
    for (;;) {
      const answer = outcome();
      if (isBroken() || (answer === undefined && this.#world.now_ms > end_ms))
        throw new RaftError('invalid', 'the snapshot was not acknowledged');
      if (answer === 'taken') return;
      // What travels is a text, not the receiver's error.
      if (answer !== undefined) throw new RaftError('invalid', answer.message);
      await process.clock.sleep(5);
    }
  }
}

/** Chunks on their way into a process. */
class ChunkStream {
  #chunks: Uint8Array[] = [];
  #isEnded = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  get isOver(): boolean {
    return this.#isEnded || this.#error !== undefined;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#wake?.();
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#error !== undefined) throw this.#error;
      else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
