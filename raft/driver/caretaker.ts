/**
 * What a leader does for the membership without being asked, one change at a time: it records which data directory
 * belongs to whom, gives joining learners a vote once they have caught up, takes those out that never came, and has the
 * cluster agree on a higher level of commands once all understand it. Every member tells its own level. In: the
 * leader's status, tick by tick, and greetings. Out: membership changes. A change that fails is looked at again;
 * nothing is remembered but who was silent since when, so that a new leader simply begins anew.
 */
import type { Clock } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Membership, MembershipChange, NodeId, PeerInfo, RaftStatus } from '../contract.js';
import { agreedLevel, commonLevel } from './levels.js';
import type { MemberSettings } from './options.js';

export interface CaretakerOptions {
  readonly id: NodeId;
  /** Of this member's program. */
  readonly level: number | undefined;
  readonly settings: MemberSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  change(change: MembershipChange): Promise<Membership>;
}

export class Caretaker {
  readonly #options: CaretakerOptions;
  readonly #instances = new Map<NodeId, string>();
  readonly #silentSince_ms = new Map<NodeId, number>();
  #isChanging = false;

  constructor(options: CaretakerOptions) {
    this.#options = options;
  }

  /** A member was heard, or is this one, with a data directory that may not be recorded yet. */
  heard(id: NodeId, instance: string): void {
    this.#instances.set(id, instance);
  }

  look(status: RaftStatus, isLeading: boolean): void {
    if (!isLeading) {
      this.#silentSince_ms.clear();
      if (!this.#isChanging && status.leader !== undefined) this.#tell(status.membership);
      return;
    }
    this.#watchJoining(status);
    if (this.#isChanging || status.membership.votersOutgoing.length > 0) return;
    const change = this.#identification(status.membership) ?? this.#promotion(status) ?? this.#expiry(status);
    if (change !== undefined) this.#propose(change);
    else if (!this.#tell(status.membership)) this.#raise(status.membership);
  }

  /** True when the cluster is told now what this member's program understands. */
  #tell({ peers }: Membership): boolean {
    const { id, level } = this.#options;
    const own = peers.find((peer) => peer.id === id);
    if (level === undefined || own === undefined || own.level === level) return false;
    this.#propose({ kind: 'tell-level', id, level });
    return true;
  }

  #raise(membership: Membership): void {
    const level = commonLevel(membership);
    if (this.#options.level !== undefined && level > agreedLevel(membership))
      this.#propose({ kind: 'raise-level', level });
  }

  #identification({ peers }: Membership): MembershipChange | undefined {
    for (const { id, instance } of peers) {
      const heard = this.#instances.get(id);
      if (instance === undefined && heard !== undefined) return { kind: 'identify', id, instance: heard };
      this.#instances.delete(id);
    }
    return undefined;
  }

  #promotion(status: RaftStatus): MembershipChange | undefined {
    const { promotionLag_entries } = this.#options.settings;
    const ready = joiningOf(status).find(({ id }) => {
      const progress = status.progress[id];
      return (
        progress?.active === true &&
        progress.state === 'replicate' &&
        progress.match + promotionLag_entries >= status.commitIndex
      );
    });
    return ready === undefined ? undefined : { kind: 'promote', id: ready.id };
  }

  #expiry(status: RaftStatus): MembershipChange | undefined {
    const { clock, settings } = this.#options;
    const lost = joiningOf(status).find(({ id }) => {
      const since_ms = this.#silentSince_ms.get(id);
      return since_ms !== undefined && clock.monotonic() - since_ms > settings.joinExpiry_ms;
    });
    return lost === undefined ? undefined : { kind: 'remove', id: lost.id };
  }

  #watchJoining(status: RaftStatus): void {
    const joining = joiningOf(status);
    for (const id of this.#silentSince_ms.keys()) {
      if (!joining.some((peer) => peer.id === id)) this.#silentSince_ms.delete(id);
    }
    for (const { id } of joining) {
      // Nothing acknowledged yet: it was added, but it never came.
      const isThere = status.progress[id]?.active === true && status.progress[id].match > 0;
      if (isThere) this.#silentSince_ms.delete(id);
      else if (!this.#silentSince_ms.has(id)) this.#silentSince_ms.set(id, this.#options.clock.monotonic());
    }
  }

  #propose(change: MembershipChange): void {
    const { logger } = this.#options;
    this.#isChanging = true;
    this.#options
      .change(change)
      .then(
        () => logger.info({ change }, 'membership changed by its leader'),
        (error: unknown) =>
          logger.debug({ change, error: String(error) }, 'a membership change by the leader failed; it looks again'),
      )
      .finally(() => {
        this.#isChanging = false;
      });
  }
}

const joiningOf = ({ membership }: RaftStatus): PeerInfo[] =>
  membership.peers.filter((peer) => peer.learner && peer.joining === true);
