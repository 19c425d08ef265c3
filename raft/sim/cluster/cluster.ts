/**
 * The machines of a run, and the operator who looks after them: starts what is down, replaces what refuses to start.
 */
import { RaftError } from '../../contract.js';
import type { MembershipChange, NodeId } from '../../contract.js';
import { COMMAND_LEVEL } from '../../../services/store/mvcc/commands.js';
import type { World } from '../world/world.js';
import { Machine, peerOf } from './machine.js';
import type { MachineParts } from './machine.js';

const CHANGE_ATTEMPTS = 60;

export class Cluster {
  readonly machines: Machine[] = [];
  readonly #parts: MachineParts;
  #nextId: number;
  /** One change of the membership at a time is hard enough. */
  #operation: Promise<void> = Promise.resolve();
  #operations = 0;
  /** No old programs any more. */
  isUpgraded = false;

  constructor(parts: MachineParts) {
    this.#parts = parts;
    const ids = Array.from({ length: parts.settings.members }, (_, i) => (i + 1) as NodeId);
    this.#nextId = ids.length + 1;
    for (const id of ids)
      this.machines.push(new Machine(parts, { id, peers: ids.map((peer) => peerOf(peer)), join: false }));
  }

  get world(): World {
    return this.#parts.world;
  }

  get isChanging(): boolean {
    return this.#operations > 0;
  }

  /** Those that are meant to be members. */
  get present(): Machine[] {
    return this.machines.filter(({ state }) => state !== 'removed');
  }

  get running(): Machine[] {
    return this.machines.filter(({ state }) => state === 'running');
  }

  machineOf(id: number): Machine | undefined {
    return this.machines.find((machine) => machine.id === id);
  }

  get leader(): Machine | undefined {
    const leaders = this.running.filter(({ member }) => member?.status().role === 'leader');
    return leaders.sort((a, b) => (b.member?.status().term ?? 0) - (a.member?.status().term ?? 0))[0];
  }

  /** How many more machines could lose their disks and leave a majority of the voters whole. */
  get expendable(): number {
    const voters = this.present.length;
    const broken = this.present.filter(
      ({ isDamaged, isImpostor, mayRefuse, state }) => isDamaged || isImpostor || mayRefuse || state === 'refused',
    ).length;
    return Math.floor((voters - 1) / 2) - broken;
  }

  /**
   * Whether a majority of those that are meant to be members runs without this one, and has it on disk who they are. A
   * removal that only this one and the removed had heard of dies with its disk: the others go on asking for the
   * majority that was.
   */
  canSpare(machine: Machine): boolean {
    const ids = this.present
      .map(({ id }) => id)
      .toSorted((a, b) => a - b)
      .join();
    const knows = (other: Machine) =>
      [...(other.machine?.durableMembership?.voters ?? [])].toSorted((a, b) => a - b).join() === ids;
    return this.running.filter((other) => other !== machine && knows(other)).length * 2 > this.present.length;
  }

  startAll(): void {
    for (const machine of this.machines) machine.start();
  }

  observe(): void {
    for (const machine of this.machines) machine.observe();
  }

  /** Another member takes the place of this one. Ends when it does, or when the run does. */
  replace(machine: Machine): Promise<void> {
    return this.#operate(async () => {
      this.#parts.faults.count('member replaced');
      await this.#change({ kind: 'remove', id: machine.id }, (voters) => !voters.includes(machine.id));
      // It may linger on for a while, as machines do that nobody told (etcd #20967).
      await this.world.sleep(this.world.random.int(3000));
      machine.end(false);
      machine.state = 'removed';
      this.world.trace(`removed ${machine.name}`);
      await this.#add();
    });
  }

  /** A learner comes, and goes again or is promoted while the other is removed. */
  exchange(machine: Machine): Promise<void> {
    return this.#operate(async () => {
      await this.#add();
      await this.#change({ kind: 'remove', id: machine.id }, (voters) => !voters.includes(machine.id));
      await this.world.sleep(this.world.random.int(2000));
      machine.end(false);
      machine.state = 'removed';
      this.world.trace(`removed ${machine.name}`);
    });
  }

  #operate(work: () => Promise<void>): Promise<void> {
    this.#operations++;
    this.#operation = this.#operation.then(work).finally(() => this.#operations--);
    return this.#operation;
  }

  async #add(): Promise<void> {
    const id = this.#nextId++ as NodeId;
    const peers = this.present.map((machine) => peerOf(machine.id));
    const machine = new Machine(this.#parts, { id, peers, join: true });
    if (this.isUpgraded || this.world.random.int(2) === 0) machine.level = COMMAND_LEVEL;
    machine.isNewcomer = true;
    this.machines.push(machine);
    machine.start();
    this.#parts.faults.count('learner added');
    await this.#change(
      { kind: 'add-learner', peer: peerOf(id, true) },
      (voters, learners) => voters.includes(id) || learners.includes(id),
    );
    if (!(await this.#caughtUp(machine))) {
      await this.#change({ kind: 'remove', id }, (voters, learners) => !voters.includes(id) && !learners.includes(id));
      machine.state = 'removed';
      return this.#add();
    }
    await this.#change({ kind: 'promote', id }, (voters) => voters.includes(id));
    machine.isNewcomer = false;
    this.#parts.faults.count('learner promoted');
    this.world.trace(`promoted ${machine.name}`);
  }

  /** False: its disk has failed it, and it never will. */
  async #caughtUp(machine: Machine): Promise<boolean> {
    const wanted = this.#parts.ledger.lastApplied;
    while (machine.appliedIndex < wanted) {
      if (machine.state === 'refused') return false;
      machine.start();
      await this.world.sleep(100);
    }
    return true;
  }

  /** Asks one member after the other until the change is made, by this call or by an earlier one of unknown outcome. */
  async #change(
    change: MembershipChange,
    isMade: (voters: readonly number[], learners: readonly number[]) => boolean,
  ): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const machine = this.leader ?? this.running[0];
      const membership = machine?.member?.status().membership;
      // Only what the leader has applied is known to be so.
      if (
        machine !== undefined &&
        machine === this.leader &&
        membership !== undefined &&
        isMade(membership.voters, membership.learners)
      )
        return;
      if (machine !== undefined) await this.#propose(machine, change);
      await this.world.sleep(Math.min(100 * (attempt + 1), 1000));
      if (attempt === CHANGE_ATTEMPTS) this.world.trace(`membership change ${change.kind} takes long`);
    }
  }

  async #propose(machine: Machine, change: MembershipChange): Promise<void> {
    const { member, process } = machine;
    if (member === undefined || process === undefined) return;
    await new Promise<void>((resolve) => {
      machine.onEnd(resolve);
      process.run(
        () =>
          void member.changeMembership(change).then(
            () => resolve(),
            (error: unknown) => {
              if (!(error instanceof RaftError))
                this.world.fail(error instanceof Error ? error : new Error(String(error)));
              resolve();
            },
          ),
      );
    });
  }
}
