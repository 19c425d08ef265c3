/** One run: a cluster under load and faults, then whole again, with thirty seconds to show that it lives. */
import { COMMAND_LEVEL } from '../../services/store/mvcc/commands.js';
import { checkLinearizable, registerModel } from './check/linearizability.js';
import { Ledger } from './check/ledger.js';
import { Cluster } from './cluster/cluster.js';
import { settingsOf } from './cluster/settings.js';
import type { SimSettings } from './cluster/settings.js';
import { Injector } from './faults/injector.js';
import { Clients } from './workload/clients.js';
import { Keepers } from './workload/keepers.js';
import { Watchers } from './workload/watchers.js';
import { FaultCounts } from './world/faults.js';
import { SimNetwork } from './world/network.js';
import { World } from './world/world.js';

export interface RunOptions {
  readonly seed: number;
  /** Simulated time under faults. */
  readonly duration_ms?: number;
  readonly onLine?: (line: string) => void;
  /** Changes what the seed has decided; for tests of single faults. */
  readonly adjust?: (settings: SimSettings) => SimSettings;
}

export interface RunResult {
  readonly seed: number;
  readonly hash: string;
  readonly simulated_ms: number;
  readonly events: number;
  readonly entries: number;
  readonly acknowledged: number;
  readonly faults: FaultCounts;
  readonly failure: Error | undefined;
  readonly recentLines: readonly string[];
}

const DURATION_MS = 30_000;
/** Issue: heal a quorum, demand progress within so long. */
const LIVENESS_MS = 30_000;

export async function simulate(options: RunOptions): Promise<RunResult> {
  const world = new World(options.seed);
  if (options.onLine !== undefined) world.onLine = options.onLine;
  const faults = new FaultCounts();
  const wanted = settingsOf(world.random, options.duration_ms ?? DURATION_MS);
  const settings = options.adjust?.(wanted) ?? wanted;
  const run = new Run(world, settings, faults);
  let failure: Error | undefined;
  try {
    await run.safety();
    await run.liveness();
    run.finish();
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  return {
    seed: options.seed,
    hash: world.hash,
    simulated_ms: world.now_ms,
    events: world.events,
    entries: run.ledger.lastApplied,
    acknowledged: run.clients.acknowledged,
    faults,
    failure,
    recentLines: world.recentLines,
  };
}

class Run {
  readonly ledger: Ledger;
  readonly clients: Clients;
  readonly #world: World;
  readonly #settings: SimSettings;
  readonly #cluster: Cluster;
  readonly #watchers: Watchers;
  readonly #keepers: Keepers;
  readonly #injector: Injector;

  constructor(world: World, settings: SimSettings, faults: FaultCounts) {
    this.#world = world;
    this.#settings = settings;
    const network = new SimNetwork(world, settings.network, (kind) => {
      faults.count(kind);
      world.trace(kind);
    });
    const ledger: Ledger = new Ledger({
      world,
      holds: (id, index, term) => this.#cluster.machineOf(id)?.holds(index, term),
      votedFor: (id, term, candidate) => this.#cluster.machineOf(id)?.votedFor(term, candidate),
    });
    this.ledger = ledger;
    this.#cluster = new Cluster({ world, network, ledger, faults, settings });
    const parts = { world, cluster: this.#cluster, ledger, think_ms: settings.think_ms };
    this.clients = new Clients(parts);
    this.#watchers = new Watchers(parts);
    this.#keepers = new Keepers(parts);
    this.#injector = new Injector({ world, cluster: this.#cluster, network, faults, settings });
    world.onStep = () => this.#cluster.observe();
  }

  async safety(): Promise<void> {
    this.#world.trace(
      `seed ${this.#world.seed}: ${this.#settings.members} members, faults ${[...this.#settings.faults.keys()].join(', ')}`,
    );
    this.#cluster.startAll();
    this.clients.start(this.#settings.clients);
    this.#watchers.start(this.#settings.watchers);
    this.#keepers.start(this.#settings.keepers);
    this.#injector.start();
    await this.#world.run(this.#settings.duration_ms);
  }

  /** Everybody writes; all replicas, and all watches, come to the same end. */
  async liveness(): Promise<void> {
    const world = this.#world;
    world.trace('heal');
    this.#injector.stop();
    this.#watchers.isHurried = true;
    const end_ms = world.now_ms + LIVENESS_MS;
    const proven = { isDone: false, missing: 'a write' };
    this.#prove(proven).catch((error: unknown) => world.fail(error as Error));
    await world.run(end_ms, () => proven.isDone);
    if (!proven.isDone)
      world.violated(
        `liveness: ${LIVENESS_MS / 1000} s after everything was healed there is still missing: ${proven.missing}`,
      );
  }

  async #prove(proven: { isDone: boolean; missing: string }): Promise<void> {
    const world = this.#world;
    for (const machine of this.#voters()) {
      proven.missing = `a write through ${machine.name}`;
      while (machine.state !== 'removed' && machine.state !== 'refused' && !(await this.clients.probe(machine)))
        await world.sleep(100);
    }
    this.clients.stop();
    this.#keepers.stop();
    // Calls under way come to their end, and leases that are due.
    await world.sleep(1000);
    for (;;) {
      const missing = this.#missing();
      if (missing === undefined) break;
      proven.missing = missing;
      await world.sleep(100);
    }
    proven.isDone = true;
  }

  #voters() {
    return this.#cluster.present.filter(({ state }) => state !== 'refused');
  }

  #missing(): string | undefined {
    const { lastApplied, model } = this.ledger;
    for (const machine of this.#voters()) {
      if (machine.state !== 'running') return `${machine.name} is ${machine.state}`;
      if (machine.appliedIndex < lastApplied)
        return `${machine.name} has applied ${machine.appliedIndex} of ${lastApplied}`;
      machine.compare();
      const { level, peers } = machine.member?.status().membership ?? { peers: [] };
      if (level !== COMMAND_LEVEL)
        return `the agreement on level ${COMMAND_LEVEL} on ${machine.name}; told are ${peers.map((peer) => `${peer.name} ${peer.level ?? '-'}`).join(', ')}`;
    }
    const behind = this.#watchers.behind(model.revision);
    return behind.length === 0 ? undefined : `watches up to revision ${model.revision}: ${behind.join(', ')}`;
  }

  finish(): void {
    this.ledger.finish();
    for (const [key, history] of this.clients.history) {
      const verdict = checkLinearizable(registerModel, history);
      if (verdict === 'not-linearizable')
        this.#world.violated(
          `linearizability: the history of ${key} (${history.length} operations) is not linearizable`,
        );
    }
  }
}
