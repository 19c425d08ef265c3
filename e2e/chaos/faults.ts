/**
 * Carries an episode out: brings its faults about, and heals what can be healed. Grave faults run to their end by
 * themselves (grave.ts).
 */
import { systemClock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import type { Fleet, Member } from './fleet.js';
import { corruptAndRepair, putBackOldDirectory, replaceMember } from './grave.js';
import type { Episode, Fault, FaultKind, TransientKind, Victims } from './schedule.js';
import { GRAVE, TRANSIENT } from './schedule.js';
import type { Verdict } from './verdict.js';

/** Less than the member's reserve: it notices before nothing fits any more. */
const LEFT_BYTES = 2 << 20;
/** A slow disk: frozen and not, by turns. A write waits for 30 ms on average. */
const FROZEN_MS = 90;
const THAWED_MS = 30;

/** Kinds that can be done here; and why the others cannot. */
export function possibleKinds(fleet: Fleet): {
  readonly kinds: readonly FaultKind[];
  readonly missing: readonly string[];
} {
  const network: readonly FaultKind[] = ['symmetric partition', 'one-way partition', 'isolation', 'unplugged'];
  const disk: readonly FaultKind[] = ['full disk', 'hung disk', 'slow disk'];
  const hasDisks = fleet.members.every((member) => member.disk !== undefined);
  const missing = [...(fleet.network === undefined ? network : []), ...(hasDisks ? [] : disk)];
  return { kinds: [...TRANSIENT, ...GRAVE].filter((kind) => !missing.includes(kind)), missing };
}

export class Faults {
  readonly #fleet: Fleet;
  readonly #random: Random;
  readonly #verdict: Verdict;
  /** What goes on while a fault lasts. */
  #running: Promise<void>[] = [];
  #healing = new AbortController();
  #kills = 0;

  constructor(fleet: Fleet, random: Random, verdict: Verdict) {
    this.#fleet = fleet;
    this.#random = random;
    this.#verdict = verdict;
  }

  /** Processes ended by SIGKILL. */
  get kills(): number {
    return this.#kills;
  }

  /** Brings the episode's faults about, holds them, and heals. Afterwards every member has been started. */
  async run({ faults, hold_ms }: Episode): Promise<void> {
    this.#healing = new AbortController();
    for (const fault of faults) await this.#begin(fault);
    await systemClock.sleep(hold_ms);
    await this.heal();
  }

  /** Whatever there was is over. */
  async heal(): Promise<void> {
    this.#healing.abort();
    await Promise.all(this.#running);
    this.#running = [];
    await this.#fleet.network?.heal();
    for (const member of this.#fleet.members) {
      await member.disk?.thaw();
      member.disk?.empty();
      if (member.isPaused) member.resume();
      await this.#start(member);
    }
  }

  /**
   * A member whose disk was full may end by itself, as documented; it must say why. Any other end of its own is a fault
   * of ours.
   */
  async #start(member: Member): Promise<void> {
    if (member.isRunning) return;
    const code = member.process?.code;
    if (code !== undefined && code >= 0 && !member.wasEnded) {
      const said = member.logSince(0).slice(-4000);
      if (code !== 1 || !/disk.*full|ENOSPC|no space/i.test(said))
        this.#verdict.violated(`${member.name} ended by itself with code ${code}: ${said.slice(-600)}`);
    }
    member.start();
  }

  async #victims({ who, pick }: Victims): Promise<readonly Member[]> {
    const { members } = this.#fleet;
    if (who === 'all') return members;
    const first = Math.floor(pick * members.length);
    if (who === 'two') return members.filter((_, index) => index !== first);
    const leader = await this.#fleet.leader();
    if (who === 'leader') return [leader ?? (members[first] as Member)];
    const followers = members.filter((member) => member !== leader);
    return [followers[Math.floor(pick * followers.length)] as Member];
  }

  async #begin({ kind, victims }: Fault): Promise<void> {
    const members = await this.#victims(victims);
    const first = members[0] as Member;
    for (const member of members) member.note(`fault: ${kind}`);
    switch (kind) {
      case 'corrupt files':
        return corruptAndRepair(this.#fleet, first, { random: this.#random, verdict: this.#verdict });
      case 'old data directory':
        return putBackOldDirectory(this.#fleet, first, this.#verdict);
      case 'replacement':
        return replaceMember(this.#fleet, first, { random: this.#random, verdict: this.#verdict });
      default:
        return this.#transient(kind, members, first);
    }
  }

  async #transient(kind: TransientKind, members: readonly Member[], first: Member): Promise<void> {
    const { network } = this.#fleet;
    const others = this.#fleet.members.filter((member) => member !== first);
    switch (kind) {
      case 'kill':
        return this.#kill(members);
      case 'kill while it starts':
        await this.#kill(members);
        for (const member of members) member.start();
        await systemClock.sleep(1200 * this.#random.next());
        return this.#kill(members);
      case 'graceful restart':
        return first.end('SIGTERM');
      case 'pause':
        for (const member of members) member.pause();
        return;
      case 'symmetric partition': {
        const other = others[this.#random.int(others.length)] as Member;
        await network?.cut(first.index, other.index);
        return network?.cut(other.index, first.index);
      }
      case 'one-way partition': {
        // To all others or from them, or one direction of one pair.
        const targets = this.#random.int(2) === 0 ? others : [others[this.#random.int(others.length)] as Member];
        const outward = this.#random.int(2) === 0;
        for (const { index } of targets)
          await (outward ? network?.cut(first.index, index) : network?.cut(index, first.index));
        return;
      }
      case 'isolation':
        for (const { index } of others) {
          await network?.cut(first.index, index);
          await network?.cut(index, first.index);
        }
        return;
      case 'unplugged':
        for (const { index } of members) await network?.unplug(index);
        return;
      case 'full disk':
        for (const { disk } of members) await disk?.fill(LEFT_BYTES);
        return;
      case 'hung disk':
        for (const { disk } of members) await disk?.freeze();
        return;
      case 'slow disk':
        this.#running.push(...members.map((member) => this.#slow(member).catch(this.#verdict.caught)));
        return;
      case 'leader transfer': {
        const leader = await this.#fleet.leader();
        const heir = others.find((member) => member !== leader);
        const id = (await heir?.status())?.header?.memberId;
        if (id !== undefined) await leader?.client.moveLeader(id);
        return;
      }
      default:
        kind satisfies never;
    }
  }

  async #slow({ disk }: Member): Promise<void> {
    if (disk === undefined) return;
    while (!this.#healing.signal.aborted) {
      await disk.freeze();
      await systemClock.sleep(FROZEN_MS * (0.5 + this.#random.next()));
      await disk.thaw();
      await systemClock.sleep(THAWED_MS * (0.5 + this.#random.next()));
    }
  }

  async #kill(members: readonly Member[]): Promise<void> {
    const living = members.filter((member) => member.isRunning);
    this.#kills += living.length;
    // A process that waits for a frozen disk ends when it thaws.
    const ended = Promise.all(living.map((member) => member.end('SIGKILL')));
    for (const { disk } of living) await disk?.thaw();
    await ended;
  }
}
