/**
 * Whom a member talks to. A member's identity is its id together with its data directory: one that was wiped has
 * forgotten what it voted and acknowledged, and one that was put back to an older state too. Either could help to elect
 * a leader that lacks committed entries, so neither is let in under the old id. In: the membership, greetings,
 * messages. Out: verdicts.
 *
 * The directory is known from the membership; until the leader has recorded it there, from the first greeting. How far
 * a member had come is known from what it answered.
 */
import type { NodeId, PeerInfo } from '../contract.js';
import type { Greeting, Position, Refusal, RefusalCode } from './greeting.js';
import type { PeerMessage } from './transport.js';

export type Verdict = { readonly kind: 'member'; readonly id: NodeId } | Refusal;

export interface FenceOptions {
  readonly clusterId: string;
  readonly self: NodeId;
  readonly instance: string | undefined;
  /** What peers were heard to have on disk before this process began. */
  readonly positions?: Iterable<readonly [NodeId, Position]>;
}

const refused = (code: RefusalCode, reason: string): Refusal => ({ kind: 'refused', code, reason });

const ANEW =
  'Remove the member on a healthy one (`navarch member remove`), then let it join anew with an empty data directory ' +
  '(`navarch server --join`), or do both with `navarch member repair`.';

export class Fence {
  readonly #options: FenceOptions;
  #recorded = new Map<NodeId, PeerInfo>();
  #removed: ReadonlySet<NodeId> = new Set();
  readonly #heard = new Map<NodeId, string>();
  readonly #positions: Map<NodeId, Position>;

  constructor(options: FenceOptions) {
    this.#options = options;
    this.#positions = new Map(options.positions);
  }

  /** Of all peers that were heard. */
  get positions(): ReadonlyMap<NodeId, Position> {
    return this.#positions;
  }

  update(peers: readonly PeerInfo[], removed: readonly NodeId[]): void {
    this.#recorded = new Map(peers.map((peer) => [peer.id, peer]));
    this.#removed = new Set(removed);
    for (const id of removed) {
      this.#heard.delete(id);
      this.#positions.delete(id);
    }
  }

  recordedInstance(id: NodeId): string | undefined {
    return this.#recorded.get(id)?.instance;
  }

  /**
   * Judges who calls. `position` counts only on the stream that also carries acknowledgements: others may be overtaken
   * by them.
   */
  admit(greeting: Greeting, options: { readonly withPosition: boolean }): Verdict {
    const { clusterId, self } = this.#options;
    const { member: id } = greeting;
    if (greeting.clusterId !== clusterId) {
      return refused('wrong-cluster', `this is cluster ${clusterId}, not ${greeting.clusterId}`);
    }
    if (!Number.isSafeInteger(id) || id <= 0 || id === self) return refused('wrong-member', `${id} is no peer's id`);
    if (greeting.target !== self) return refused('wrong-member', `this is member ${self}, not ${greeting.target}`);
    const refusal =
      this.removal(id) ??
      this.#judgeInstance(id, greeting.instance) ??
      (options.withPosition ? judgePosition(id, greeting.position, this.#positions.get(id)) : undefined);
    return refusal ?? { kind: 'member', id };
  }

  /** Judges who answered a call to `id`. `known`: what it had promised when the call was made. */
  checkAnswer(greeting: Greeting, id: NodeId, known?: Position): Refusal | undefined {
    if (greeting.clusterId !== this.#options.clusterId)
      return refused('wrong-cluster', `its address is answered by cluster ${greeting.clusterId}`);
    if (greeting.member !== id) return refused('wrong-member', `its address is answered by member ${greeting.member}`);
    return this.#judgeInstance(id, greeting.instance) ?? judgePosition(id, greeting.position, known);
  }

  positionOf(id: NodeId): Position | undefined {
    return this.#positions.get(id);
  }

  /** The caller expects another data directory than ours: the cluster does not take us for who we were. */
  checkSelf(greeting: Greeting): Refusal | undefined {
    const { instance, self } = this.#options;
    const { targetInstance } = greeting;
    return instance === undefined || targetInstance === undefined || targetInstance === instance
      ? undefined
      : wiped(self, targetInstance, instance);
  }

  removal(id: NodeId): Refusal | undefined {
    if (!this.#removed.has(id)) return undefined;
    return refused(
      'removed',
      `member ${id} was removed from cluster ${this.#options.clusterId}; it does not come back under this identity. ` +
        'To make it a member again, empty its data directory and start it with `navarch server --join`.',
    );
  }

  /** A greeting was accepted. Returns the instance when the membership does not record one yet. */
  accepted(greeting: Greeting): string | undefined {
    if (greeting.instance === undefined || this.recordedInstance(greeting.member) !== undefined) return undefined;
    this.#heard.set(greeting.member, greeting.instance);
    return greeting.instance;
  }

  /** Answers tell what the peer has made durable: it may not come back with less. */
  heard(message: PeerMessage): void {
    const isVote = message.type === 'vote-resp';
    if ((!isVote && message.type !== 'app-resp') || message.reject || message.term === 0) return;
    const id = message.from as NodeId;
    const known = this.#positions.get(id) ?? { term: 0, index: 0 };
    if (message.term < known.term) return;
    const index = isVote ? 0 : message.index;
    this.#positions.set(id, {
      term: message.term,
      index: message.term === known.term ? Math.max(index, known.index) : index,
    });
  }

  #judgeInstance(id: NodeId, instance: string | undefined): Refusal | undefined {
    const known = this.recordedInstance(id) ?? this.#heard.get(id);
    return known === undefined || known === instance ? undefined : wiped(id, known, instance ?? 'none');
  }
}

/** Within a term a log only grows, and terms only rise. */
function judgePosition(id: NodeId, position: Position | undefined, known: Position | undefined): Refusal | undefined {
  if (known === undefined || position === undefined) return undefined;
  const isOlder = position.term < known.term || (position.term === known.term && position.index < known.index);
  if (!isOlder) return undefined;
  return refused(
    'fenced',
    `member ${id} comes back at term ${position.term}, entry ${position.index}, but had term ${known.term}, entry ${known.index} ` +
      `on disk: its data directory was put back to an older state, or its disk lost what it had promised. ${ANEW}`,
  );
}

function wiped(id: NodeId, known: string, found: string): Refusal {
  return refused(
    'fenced',
    `member ${id} comes with data directory ${found}, but the cluster knows it with ${known}: ` +
      `it was wiped or replaced, and has forgotten what it promised. ${ANEW}`,
  );
}
