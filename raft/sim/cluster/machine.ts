/**
 * A machine with a disk, on which a member is started, killed and started again. The member is the real one: core,
 * driver, log and its records, state machine, versions, watches, leases; only what it stands on is simulated. Log and
 * state machine are handed to it through observers that tell the ledger what was written and applied.
 */
import { silentLogger } from '../../../platform/log.js';
import { InvariantError } from '../../../platform/assert.js';
import { seededRandom } from '../../../platform/random.js';
import type { Slices } from '../../../platform/slices.js';
import { KvStateMachine } from '../../../services/store/disk/state-machine.js';
import { MemberCore } from '../../../services/store/member/core.js';
import { COMMAND_LEVEL, decodeCommand, levelOf } from '../../../services/store/mvcc/commands.js';
import type { CommittedEntry, Membership, NodeId, PeerInfo, RaftEvents, StateMachine } from '../../contract.js';
import { Member } from '../../driver/member.js';
import { DEFAULT_SETTINGS } from '../../driver/options.js';
import { LOG_DISK, openDurableLog } from '../../log/durable-log.js';
import type { MemberLog } from '../../log/log.js';
import { BASE_KEY, decodeBase, decodeEntry, decodeHardState, entryKey, HARD_STATE_KEY } from '../../log/records.js';
import type { Ledger } from '../check/ledger.js';
import { SimStorage } from '../world/disk.js';
import type { FaultCounts } from '../world/faults.js';
import type { SimNetwork } from '../world/network.js';
import { Process } from '../world/process.js';
import type { World } from '../world/world.js';
import type { SimSettings } from './settings.js';

export interface MachineParts {
  readonly world: World;
  readonly network: SimNetwork;
  readonly ledger: Ledger;
  readonly faults: FaultCounts;
  readonly settings: SimSettings;
}

export interface MachineOptions {
  readonly id: NodeId;
  readonly peers: readonly PeerInfo[];
  readonly join: boolean;
}

/** `refused`: it says that its disk has lost what it promised to keep; only another member can take its place. */
export type MachineState = 'down' | 'starting' | 'running' | 'refused' | 'removed';

const HASH_EVERY_ENTRIES = 32;
const CLUSTER_ID = 'simulated';

export const peerOf = (id: NodeId, learner = false): PeerInfo => ({
  id,
  name: `m${id}`,
  peerAddress: `m${id}:2380`,
  clientAddresses: [],
  learner,
});

export class Machine {
  readonly id: NodeId;
  readonly name: string;
  readonly #parts: MachineParts;
  readonly #options: MachineOptions;
  storage: SimStorage;
  state: MachineState = 'down';
  #stopping: Process | undefined;
  process: Process | undefined;
  core: MemberCore | undefined;
  /** Its disk was made to lose or change what it had promised: it may refuse to start, and must not be counted on. */
  isDamaged = false;
  /** Its disk has lost a sync: it finds out at the next start, or it is none the worse for it. */
  mayRefuse = false;
  /** Its disk has lost what another file on it tells of: it must find out when it starts. */
  mustRefuse = false;
  /** A learner on its way: whoever added it looks after it. */
  isNewcomer = false;
  /** Of the program that runs from the next start on. */
  level: number;
  /** It was given an old disk, or an empty one: it must stop rather than take part. */
  isImpostor = false;
  #member: Member | undefined;
  #machine: KvStateMachine | undefined;
  #log: MemberLog | undefined;
  #onEnd = new Set<() => void>();
  #isWatched = false;
  readonly #rate: number;
  readonly #logDisk: string;
  slowness = 1;

  constructor(parts: MachineParts, options: MachineOptions) {
    const { world, settings } = parts;
    this.id = options.id;
    this.name = `m${options.id}`;
    this.#logDisk = `${this.name}/raft/${LOG_DISK}`;
    this.#parts = parts;
    this.#options = options;
    this.level = settings.level;
    this.#rate = 1 + (2 * world.random.next() - 1) * settings.drift;
    this.storage = new SimStorage(
      world.random,
      {
        latency_ms: () => settings.diskLatency_ms * this.slowness * (0.5 + world.random.next()),
        isHung: false,
        endAfter: undefined,
        end: () => this.end(world.random.int(2) === 0),
        isFull: false,
        failNext: undefined,
        loseNextSync: undefined,
        misdirectNext: undefined,
        rotationLoss: settings.rotationLoss,
      },
      { onFault: (kind) => this.#fault(kind), onLoss: () => (this.mayRefuse = true) },
    );
  }

  get member(): Member | undefined {
    return this.state === 'running' ? this.#member : undefined;
  }

  get machine(): KvStateMachine | undefined {
    return this.#machine;
  }

  get isUp(): boolean {
    return this.state === 'running' && this.process?.isPaused === false;
  }

  /** Calls back once, when the process that runs now ends, unless it is told not to by what this returns. */
  onEnd(callback: () => void): () => void {
    this.#onEnd.add(callback);
    return () => void this.#onEnd.delete(callback);
  }

  start(): void {
    if (this.state !== 'down') return;
    const { world } = this.#parts;
    this.state = 'starting';
    const process = new Process(world, this.name, { rate: this.#rate, wallOffset_ms: 0 });
    this.process = process;
    if (this.#rate !== 1) this.#parts.faults.count('clock drift');
    world.trace(`start ${this.name}`);
    this.#start(process).catch((error: unknown) =>
      process.run(() => this.#stopped(error instanceof Error ? error : new Error(String(error)))),
    );
  }

  async #start(process: Process): Promise<void> {
    const { settings, world } = this.#parts;
    const { level } = this;
    const folder = this.storage.folder(process, this.name);
    const { clock } = process;
    const { hotValues_bytes, slice_keys, part_records, turn_ms } = settings;
    const machine: KvStateMachine = await KvStateMachine.open({
      directory: folder.folder('state'),
      clock,
      hotValues_bytes,
      slice_keys,
      part_records,
      onEntry: (entry, result) => {
        if (process.isAlive)
          this.#parts.ledger.applied(this, entry, {
            result,
            membership: this.#membership(machine),
            isStarting: this.#member === undefined,
          });
      },
    });
    const random = seededRandom(world.random.int(2 ** 32));
    const core = await MemberCore.start({
      machine,
      clock,
      random,
      turn_ms,
      startRaft: async (_, events) => {
        const log = await openDurableLog({
          directory: folder.folder('raft'),
          clusterId: CLUSTER_ID,
          nodeId: this.id,
          clock,
        });
        this.#log = log;
        this.#parts.ledger.loaded(this, log);
        this.#machine = machine;
        const { peers, join, id } = this.#options;
        this.#member = await Member.start({
          clusterId: CLUSTER_ID,
          id,
          peers,
          join,
          clock,
          random,
          logger: silentLogger,
          level,
          stateMachine: this.#observedMachine(machine, level),
          log: this.#observedLog(process, log),
          transport: this.#parts.network.transport(process, id),
          events: this.#observedEvents(process, events, log),
          settings: { ...DEFAULT_SETTINGS, ...settings.raft, turn_ms },
        });
        return this.#member;
      },
      onFatal: (error) => this.#stopped(error),
    });
    if (!process.isAlive) return;
    if (this.mustRefuse) world.fail(new Error(`${this.name} starts although the end of its log is gone`));
    this.core = core;
    this.state = 'running';
    this.mayRefuse = false;
    world.trace(`running ${this.name}`);
  }

  /** The process ends by itself: for good if it says that its disk is broken. */
  #stopped(error: Error): void {
    const { world } = this.#parts;
    const message = error.message.split('\n')[0] ?? '';
    world.trace(`stopped ${this.name}: ${message}`);
    const isDiskFailure = /EIO|ENOSPC/.test(message);
    const code = (error as { code?: string }).code;
    const isRefusal = code === 'corrupt' || error instanceof InvariantError;
    const isOutdated = code === 'outdated' && this.level < COMMAND_LEVEL;
    // A member that learns of its removal ends by itself.
    const wasRemoved = code === 'removed';
    if (
      !isDiskFailure &&
      !wasRemoved &&
      !isOutdated &&
      !(isRefusal && (this.isDamaged || this.isImpostor || this.mayRefuse))
    ) {
      world.fail(new Error(`${this.name} stops without a reason: ${error.stack ?? message}`));
    }
    this.end(false);
    // A disk that is full cannot even be opened; when there is room again, it can.
    if (isRefusal && !isDiskFailure) this.state = 'refused';
    if (wasRemoved) this.state = 'removed';
    if (!isOutdated) return;
    this.#fault('outdated program refused');
    this.level = COMMAND_LEVEL;
  }

  /** Kill, or loss of power: at this very step, whatever was under way. */
  end(power: boolean): void {
    const { process } = this;
    if (process === undefined || !process.isAlive) return;
    this.#parts.world.trace(`end ${this.name}${power ? ' by loss of power' : ''}`);
    process.kill();
    this.#parts.network.leave(this.id, process, !power);
    this.#parts.ledger.ended(this);
    this.storage.crash(power);
    this.storage.unhang();
    this.state = 'down';
    this.core = undefined;
    this.#member = undefined;
    this.#machine = undefined;
    this.#log = undefined;
    const callbacks = this.#onEnd;
    this.#onEnd = new Set();
    for (const callback of callbacks) callback();
  }

  /** An orderly stop. Resolves when it is over, one way or the other. */
  /** It was told to stop, and takes its time: it holds no office any more, whatever it says. */
  get isStopping(): boolean {
    return this.#stopping !== undefined && this.#stopping === this.process;
  }

  async stop(): Promise<void> {
    const { core, process } = this;
    if (core === undefined || process === undefined) return;
    this.#stopping = process;
    let isOver = false;
    this.onEnd(() => (isOver = true));
    process.run(
      () =>
        void core.close().then(
          () => process.run(() => this.end(false)),
          (error: unknown) =>
            process.run(() => this.#stopped(error instanceof Error ? error : new Error(String(error)))),
        ),
    );
    for (let i = 0; i < 200 && !isOver; i++) await this.#parts.world.sleep(50);
    if (!isOver) this.end(false);
  }

  /** Between the events of the world. */
  observe(): void {
    if (!this.#isWatched) return;
    const { member, process } = this;
    if (member === undefined || process === undefined || !process.takeTouched()) return;
    const { glance } = member;
    this.#parts.ledger.observed(this, glance, this.#log);
    // Once more when it leads no longer, and then only when it leads again: that it announces.
    this.#isWatched = glance.role === 'leader';
  }

  /** What it had promised is gone, or is nobody's to ask any more. */
  get #isLost(): boolean {
    return this.isDamaged || this.isImpostor || this.mayRefuse || this.state === 'removed' || this.state === 'refused';
  }

  /** Whether the disk has promised to hold the vote; later terms leave no trace of it. */
  votedFor(term: number, candidate: number): boolean | undefined {
    if (this.#isLost) return undefined;
    const bytes = this.storage.promised(this.#logDisk, HARD_STATE_KEY);
    const found = bytes === undefined ? undefined : decodeHardState(bytes);
    return found !== undefined && (found.term > term || (found.term === term && found.vote === candidate));
  }

  /** Whether the disk has promised to hold the entry. */
  holds(index: number, term: number): boolean | undefined {
    if (this.#isLost) return undefined;
    const disk = this.#logDisk;
    const bytes = this.storage.promised(disk, entryKey(index));
    if (bytes !== undefined) return decodeEntry(bytes, index).entry.term === term;
    const base = this.storage.promised(disk, BASE_KEY);
    return base !== undefined && decodeBase(base).index >= index;
  }

  #fault(kind: string): void {
    this.#parts.faults.count(kind);
    this.#parts.world.trace(`fault ${kind} ${this.name}`);
  }

  #observedEvents(process: Process, events: RaftEvents, log: MemberLog): RaftEvents {
    return {
      ...events,
      onLeadership: (status) => {
        if (!process.isAlive) return;
        if (status.leader === this.id) this.#isWatched = true;
        if (status.leader === this.id)
          this.#parts.ledger.elected(this, status.term, {
            log,
            voters: this.#machine === undefined ? [] : this.#membership(this.#machine).voters,
          });
        events.onLeadership?.(status);
      },
    };
  }

  #observedLog(process: Process, log: MemberLog): MemberLog {
    const { ledger } = this.#parts;
    return {
      get view() {
        return log.view;
      },
      get isFresh() {
        return log.isFresh;
      },
      get preparedSnapshot() {
        return log.preparedSnapshot;
      },
      write: async (writes) => {
        await log.write(writes);
        if (process.isAlive) ledger.written(this, writes, log);
      },
      prepareSnapshot: (id) => log.prepareSnapshot(id),
      compact: (index) => log.compact(index),
      close: () => log.close(),
    };
  }

  #observedMachine(machine: KvStateMachine, level: number): StateMachine {
    return {
      get durableIndex() {
        return machine.durableIndex;
      },
      get durableMembership() {
        return machine.durableMembership;
      },
      applySlices: (entries) => this.#observedApply(entries, machine, level),
      persist: (applied, membership) => machine.persist(applied, membership),
      openSnapshot: () => machine.openSnapshot(),
      receiveSnapshot: (meta) => machine.receiveSnapshot(meta),
      close: () => machine.close(),
    };
  }

  *#observedApply(
    entries: readonly CommittedEntry[],
    machine: KvStateMachine,
    level: number,
  ): Slices<readonly unknown[]> {
    const results: unknown[] = [];
    for (const entry of entries) {
      if (level < COMMAND_LEVEL && entry.data.length > 0 && levelOf(decodeCommand(entry.data).kind) > level) {
        this.#parts.world.violated(
          `levels: ${this.name} understands level ${level}, and entry ${entry.index} is beyond it`,
        );
      }
      // All members read what a command asks for, so that the ledger can compare.
      results.push(...(yield* machine.applySlices([entry], () => true)));
      if (entry.index % HASH_EVERY_ENTRIES === 0 && this.#machine === machine) this.#hash(machine);
    }
    return results;
  }

  #membership(machine: KvStateMachine): Membership {
    const membership = this.#member?.membership ?? machine.durableMembership;
    if (membership === undefined) throw new Error('a member that applies has a membership');
    return membership;
  }

  #hash(machine: KvStateMachine): void {
    const { hash } = machine.state.hash(0);
    this.#parts.ledger.hashed(this, machine.appliedIndex, hash);
  }

  /** Compares the state as it is now. */
  compare(): void {
    if (this.#machine !== undefined) this.#hash(this.#machine);
  }

  get appliedIndex(): number {
    return this.#machine?.appliedIndex ?? 0;
  }

  get log(): MemberLog | undefined {
    return this.#log;
  }
}
