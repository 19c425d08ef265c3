/**
 * Faults, at random times, within what any replicated store can bear: a loss of promised data (bit rot, a lost sync, a
 * disk from yesterday) strikes only while the others keep a majority whole. Everything else may strike anybody,
 * together.
 */
import { COMMAND_LEVEL } from '../../../services/store/mvcc/commands.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Machine } from '../cluster/machine.js';
import type { FaultName, SimSettings } from '../cluster/settings.js';
import type { SimStorage } from '../world/disk.js';
import type { FaultCounts } from '../world/faults.js';
import type { SimNetwork } from '../world/network.js';
import type { World } from '../world/world.js';

export interface InjectorParts {
  readonly world: World;
  readonly cluster: Cluster;
  readonly network: SimNetwork;
  readonly faults: FaultCounts;
  readonly settings: SimSettings;
}

const IMPOSTOR_MS = 8000;
const CHECK_MS = 50;
/** Some election timeouts. */
const HUNG_LEADER_MS = 4000;
const DEAF_LEADER_MS = 2500;
/** Of the program that a member goes back to: it lacks commands, not only questions. */
const LACKING_LEVEL = 1;

export class Injector {
  readonly #parts: InjectorParts;
  #isOver = false;
  /** A member with an old disk must be found out in peace: nothing else strikes then. */
  #isQuiet = false;

  constructor(parts: InjectorParts) {
    this.#parts = parts;
  }

  start(): void {
    const { network, settings, cluster, world } = this.#parts;
    network.onSnapshot = (to) => {
      // While a snapshot is taken in there is most to get wrong.
      const machine = cluster.machineOf(to);
      if (
        this.#isOver ||
        this.#isQuiet ||
        machine === undefined ||
        !settings.faults.has('crash at a write') ||
        world.random.int(2) === 0
      )
        return;
      machine.storage.trouble.endAfter = 1 + world.random.int(6);
    };
    this.#strike().catch((error: unknown) => this.#parts.world.fail(error as Error));
    this.#attend().catch((error: unknown) => this.#parts.world.fail(error as Error));
  }

  /** No further faults; what is broken is made whole again, as far as it can be. */
  stop(): void {
    this.#isOver = true;
    const { network, cluster } = this.#parts;
    network.heal();
    network.releaseAll();
    network.settings = { ...network.settings, loss: 0, reorder: 0, duplication: 0, snapshotBreak: 0 };
    cluster.isUpgraded = true;
    for (const machine of cluster.machines) {
      if (machine.level < COMMAND_LEVEL) this.#exchangeProgram(machine, COMMAND_LEVEL);
      const { trouble } = machine.storage;
      trouble.isFull = false;
      trouble.endAfter = undefined;
      trouble.failNext = undefined;
      trouble.loseNextSync = undefined;
      trouble.misdirectNext = undefined;
      machine.storage.unhang();
      machine.slowness = 1;
      machine.process?.resume();
    }
  }

  /** The operator: starts what is down, replaces what has refused. */
  async #attend(): Promise<void> {
    const { world, cluster } = this.#parts;
    const patience = new Map<Machine, number>();
    const replaced = new Set<Machine>();
    for (;;) {
      await world.sleep(CHECK_MS);
      for (const machine of cluster.machines) {
        if (machine.state === 'refused' && !machine.isNewcomer && !replaced.has(machine)) {
          replaced.add(machine);
          void cluster.replace(machine);
        }
        if (machine.state !== 'down') {
          patience.delete(machine);
          continue;
        }
        const since = patience.get(machine) ?? world.now_ms + (this.#isOver ? 0 : world.random.next() * 4000);
        patience.set(machine, since);
        if (world.now_ms < since) continue;
        patience.delete(machine);
        machine.storage.trouble.isFull = false;
        machine.start();
        if (!this.#isOver && world.random.int(6) === 0) {
          this.#count('crash during start');
          world.after(world.random.next() * 20, () => machine.end(world.random.int(2) === 0));
        }
      }
    }
  }

  async #strike(): Promise<void> {
    const { world, settings } = this.#parts;
    const names = [...settings.faults].flatMap(([name, weight]) => Array.from({ length: weight }, () => name));
    while (!this.#isOver) {
      await world.sleep(-Math.log(1 - world.random.next()) * settings.faultInterval_ms);
      const name = names[world.random.int(names.length)];
      if (name !== undefined && !this.#isOver && !this.#isQuiet) this.#inject(name);
    }
  }

  #count(kind: string, machine?: Machine): void {
    this.#parts.faults.count(kind);
    this.#parts.world.trace(`fault ${kind} ${machine?.name ?? ''}`);
  }

  #someone(): Machine | undefined {
    const { cluster, world } = this.#parts;
    const { running } = cluster;
    // Leaders have more to lose.
    if (world.random.int(3) === 0 && cluster.leader !== undefined) return cluster.leader;
    return running[world.random.int(running.length)];
  }

  #inject(name: FaultName): void {
    const { world, cluster } = this.#parts;
    const machine = this.#someone();
    if (machine === undefined) return;
    switch (name) {
      case 'crash':
        this.#count(name, machine);
        machine.end(false);
        break;
      case 'power loss':
        this.#count(name, machine);
        machine.end(true);
        break;
      case 'power loss of all':
        this.#count(name);
        for (const each of cluster.present) if (each.process?.isAlive === true) each.end(true);
        break;
      case 'crash at a write':
        machine.storage.trouble.endAfter = 1 + world.random.int(6);
        break;
      case 'crash in a row':
        this.#count(name, machine);
        for (let i = 0; i < 3; i++)
          world.after(i * 300 * world.random.next(), () => machine.end(world.random.int(2) === 0));
        break;
      case 'graceful restart':
        this.#count(name, machine);
        void machine.stop();
        break;
      case 'pause': {
        const { process } = machine;
        this.#count(name, machine);
        process?.pause();
        world.after(5000 * world.random.next(), () => process?.resume());
        break;
      }
      case 'clock jump':
        this.#count(name, machine);
        machine.process?.clock.jump((world.random.next() - 0.5) * 7_200_000);
        break;
      case 'upgrade':
        this.#upgrade(machine);
        break;
      case 'leadership transfer':
        this.#transfer(machine);
        break;
      case 'membership change':
        if (cluster.isChanging || cluster.expendable < 1 || cluster.present.length < 3) break;
        this.#count(name, machine);
        void cluster.exchange(machine);
        break;
      case 'symmetric partition':
      case 'one-way partition':
      case 'isolation':
      case 'split':
      case 'deafness':
      case 'slow link':
      case 'stalled link':
        this.#network(name, machine);
        break;
      default:
        this.#disk(name, machine);
    }
  }

  /**
   * One member at a time, or none too carefully, and now and then back again: what was agreed meanwhile must be refused
   * then.
   */
  #upgrade(machine: Machine): void {
    const { world } = this.#parts;
    const isBack = machine.level === COMMAND_LEVEL;
    if (isBack && world.random.int(3) !== 0) return;
    this.#count(isBack ? 'upgrade taken back' : 'upgrade', machine);
    this.#exchangeProgram(machine, isBack ? LACKING_LEVEL : COMMAND_LEVEL);
  }

  #exchangeProgram(machine: Machine, level: number): void {
    machine.level = level;
    if (machine.core === undefined || this.#parts.world.random.int(2) === 0) machine.end(false);
    else void machine.stop();
  }

  #transfer(machine: Machine): void {
    const { cluster, world } = this.#parts;
    const { member, process } = cluster.leader ?? {};
    if (member === undefined || process === undefined || machine.state !== 'running') return;
    this.#count('leadership transfer', machine);
    process.run(() => void member.transferLeadership(machine.id).catch(() => world.trace('transfer failed')));
  }

  #network(name: FaultName, machine: Machine): void {
    const { world, cluster, network } = this.#parts;
    this.#count(name, machine);
    const others = cluster.present.filter((other) => other !== machine);
    const other = others[world.random.int(others.length)];
    if (name === 'slow link' && other !== undefined) network.slow(machine.id, other.id, 300 * world.random.next());
    else if (name === 'stalled link' && other !== undefined) this.#stall(machine, other);
    else if (name === 'split') this.#split(machine);
    else if (name === 'deafness') this.#deafen(machine, others);
    else if (name === 'isolation') {
      const isOneWay = world.random.int(3) === 0;
      for (const each of others) {
        network.cut(machine.id, each.id);
        if (!isOneWay) network.cut(each.id, machine.id);
      }
    } else if (other !== undefined) {
      network.cut(machine.id, other.id);
      if (name === 'symmetric partition') network.cut(other.id, machine.id);
    }
    world.after(8000 * world.random.next(), () => network.heal());
  }

  /** For some seconds nothing arrives, one way or both; then everything does. */
  #stall(machine: Machine, other: Machine): void {
    const { world, network } = this.#parts;
    const links =
      world.random.int(2) === 0
        ? ([[machine.id, other.id]] as const)
        : ([
            [machine.id, other.id],
            [other.id, machine.id],
          ] as const);
    for (const [from, to] of links) {
      network.stall(from, to);
      world.after(4000 * world.random.next(), () => network.release(from, to));
    }
  }

  /**
   * Two sides, of which one has the member and is no majority. Its uncommitted entries, and what was said about them,
   * come to light when all is healed, or later: now and then by way of stalled links, when who said it is gone and the
   * operator has given a leader that was there its office back.
   */
  #split(machine: Machine): void {
    const { world, cluster, network } = this.#parts;
    const { present } = cluster;
    const side = new Set([machine]);
    while (side.size < Math.floor((present.length - 1) / 2))
      side.add(present[world.random.int(present.length)] ?? machine);
    for (const here of side) {
      for (const there of present) {
        if (side.has(there)) continue;
        network.cut(here.id, there.id);
        network.cut(there.id, here.id);
      }
    }
    const followers = [...side].filter((other) => other !== machine);
    const isStalled = world.random.int(2) === 0;
    if (isStalled) for (const { id } of followers) network.stall(id, machine.id);
    world.after(500 + 2500 * world.random.next(), () => {
      network.heal();
      for (const { id } of followers) world.after(4000 * world.random.next(), () => network.release(id, machine.id));
      for (const other of followers) if (isStalled && world.random.int(2) === 0) other.end(world.random.int(2) === 0);
      if (world.random.int(4) !== 0) world.after(200 + 800 * world.random.next(), () => this.#transfer(machine));
    });
  }

  /**
   * One that speaks and does not hear must not keep its office: its heartbeats would hold everybody back (Cloudflare,
   * 2020).
   */
  #deafen(machine: Machine, others: readonly Machine[]): void {
    const { world, network } = this.#parts;
    if (others.length === 0) return;
    for (const other of others) network.cut(other.id, machine.id);
    const { healings } = network;
    const term = machine.member?.status().term;
    world.after(DEAF_LEADER_MS, () => {
      const status = machine.member?.status();
      const wasUp = machine.isUp && (machine.process?.runningSince_ms ?? Infinity) <= world.now_ms - DEAF_LEADER_MS;
      const wasDeaf =
        network.healings === healings &&
        this.#parts.cluster.present.every((other) => other === machine || network.isCut(other.id, machine.id));
      if (wasUp && wasDeaf && status?.role === 'leader' && status.term === term)
        world.fail(new Error(`${machine.name} leads on although it hears nobody`));
    });
  }

  #disk(name: FaultName, machine: Machine): void {
    const { world, cluster } = this.#parts;
    const { storage } = machine;
    const { trouble } = storage;
    const isRisky =
      name === 'lost sync' ||
      name === 'bit rot' ||
      name === 'misdirected write' ||
      name === 'truncated log' ||
      name === 'old disk' ||
      name === 'wiped disk';
    if (
      isRisky &&
      (cluster.expendable -
        cluster.present.filter((each) => each.storage.hasLimbo || each.storage.trouble.loseNextSync !== undefined)
          .length <
        1 ||
        cluster.isChanging ||
        machine.isDamaged ||
        !cluster.canSpare(machine))
    )
      return;
    if (name !== 'old disk' && name !== 'wiped disk' && name !== 'truncated log') this.#count(name, machine);
    switch (name) {
      case 'slow disk':
        machine.slowness = 2 + 60 * world.random.next();
        world.after(6000 * world.random.next(), () => (machine.slowness = 1));
        break;
      case 'hung disk':
        this.#hang(machine);
        break;
      case 'failed write':
        trouble.failNext = 'write';
        break;
      case 'failed sync':
        trouble.failNext = 'sync';
        break;
      case 'full disk':
        trouble.isFull = true;
        world.after(4000 * world.random.next(), () => (trouble.isFull = false));
        break;
      case 'lost sync':
        // Only of the state: the log has what it needs to be built up again. Of the log it would be amnesia, which no
        // quorum bears.
        trouble.loseNextSync = '/state/';
        world.after(3000, () => {
          trouble.loseNextSync = undefined;
          storage.flushLimbo();
        });
        if (world.random.int(2) === 0) world.after(3000 * world.random.next(), () => machine.end(true));
        break;
      case 'bit rot':
        machine.isDamaged = storage.rot(world.random.int(2) === 0 ? '/raft/log' : '/state/state-');
        // It shows at the next start at the latest.
        if (world.random.int(2) === 0)
          world.after(2000 * world.random.next(), () => machine.end(world.random.int(2) === 0));
        break;
      case 'misdirected write':
        trouble.misdirectNext = world.random.int(2) === 0 ? 'elsewhere' : 'nowhere';
        machine.isDamaged = true;
        break;
      case 'truncated log':
        machine.end(false);
        machine.mustRefuse = storage.truncate('/raft/log');
        machine.isDamaged = machine.mustRefuse;
        if (machine.mustRefuse) this.#count(name, machine);
        break;
      case 'old disk':
      case 'wiped disk':
        this.#impostor(machine, name);
        break;
      default:
    }
  }

  /** A leader whose disk hangs can promise nothing: it must not hold office for long (hashicorp/raft #503). */
  #hang(machine: Machine): void {
    const { world } = this.#parts;
    const { storage, process } = machine;
    storage.trouble.isHung = true;
    world.after(6000 * world.random.next(), () => storage.unhang());
    const term = machine.member?.status().term;
    world.after(HUNG_LEADER_MS, () => {
      const status = machine.member?.status();
      const isSame =
        machine.process === process &&
        machine.isUp &&
        !machine.isStopping &&
        status?.role === 'leader' &&
        status.term === term;
      // After a pause it needs a moment.
      const isAwake = (process?.runningSince_ms ?? Infinity) < world.now_ms - HUNG_LEADER_MS / 4;
      if (isSame && isAwake && storage.heldFor_ms(world.now_ms) > HUNG_LEADER_MS / 2)
        world.fail(new Error(`${machine.name} leads on although its disk hangs`));
    });
  }

  /**
   * The machine comes back with the disk of some seconds ago, or with none. Whoever leads knows what it had
   * acknowledged: it must stop at once and take no part. This can be known only while that leader lasts, so nothing
   * else happens meanwhile.
   */
  #impostor(machine: Machine, name: 'old disk' | 'wiped disk'): void {
    const { cluster, network, world } = this.#parts;
    const { leader } = cluster;
    const isWhole =
      network.isWhole &&
      cluster.present.every(
        (each) =>
          each.isUp && !each.isDamaged && !each.storage.trouble.isHung && each.storage.trouble.endAfter === undefined,
      );
    if (!isWhole || leader === undefined || leader === machine || cluster.present.length < 3) return;
    this.#isQuiet = true;
    const image = machine.storage.copy();
    const acknowledged = () => leader.member?.status().progress[machine.id]?.match ?? 0;
    const before = acknowledged();
    const finish = () => (this.#isQuiet = false);
    world.after(1500, () => {
      const isSame = cluster.leader === leader && machine.isUp && leader.isUp;
      if (!isSame || acknowledged() <= before + 2 || before === 0) {
        finish();
        return;
      }
      this.#count(name, machine);
      machine.isImpostor = true;
      machine.end(true);
      machine.storage = name === 'old disk' ? image : emptied(image, machine.name);
      machine.start();
      world.after(IMPOSTOR_MS, () => {
        if (machine.state === 'running' && cluster.leader === leader)
          world.fail(new Error(`${machine.name} takes part with an ${name}`));
        finish();
      });
    });
  }
}

function emptied(storage: SimStorage, name: string): SimStorage {
  storage.remove(name);
  return storage;
}
