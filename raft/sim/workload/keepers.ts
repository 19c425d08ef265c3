/**
 * Keepers: each keeps a lease alive through one member, most often the leader, for as long as that one answers. Then it
 * gives the lease up, so that it ends by its time: a renewal through another member would hide that the last one was
 * worth nothing. A leader that was cut off or paused, and does not know that another has been elected, is thus asked
 * until it does.
 */
import type { Ledger } from '../check/ledger.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Machine } from '../cluster/machine.js';
import type { World } from '../world/world.js';
import { call } from './calls.js';

/** A lease that is short beside the time for which two may believe to lead. */
const TTL_S = 1;
const INTERVAL_MS = 100;
const PAUSE_MS = 1500;

export interface KeeperParts {
  readonly world: World;
  readonly cluster: Cluster;
  readonly ledger: Ledger;
}

export class Keepers {
  readonly #parts: KeeperParts;
  #isOver = false;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  start(count: number): void {
    for (let i = 0; i < count; i++) this.#run().catch((error: unknown) => this.#parts.world.fail(error as Error));
  }

  stop(): void {
    this.#isOver = true;
  }

  async #run(): Promise<void> {
    const { world } = this.#parts;
    while (!this.#isOver) {
      await world.sleep(PAUSE_MS * world.random.next());
      const machine = this.#choose();
      if (machine !== undefined) await this.#keep(machine);
    }
  }

  #choose(): Machine | undefined {
    const {
      world: { random },
      cluster,
    } = this.#parts;
    const { leader, running } = cluster;
    return leader !== undefined && random.int(4) > 0 ? leader : running[random.int(running.length)];
  }

  async #keep(machine: Machine): Promise<void> {
    const { world, ledger } = this.#parts;
    const granted = await call(world, machine, (core) => core.leaseGrant({ ttl_s: TTL_S }));
    if (granted.kind !== 'ok') return;
    const { id } = granted.value;
    while (!this.#isOver) {
      await world.sleep(INTERVAL_MS * (0.5 + world.random.next()));
      const asked_ms = world.now_ms;
      const outcome = await call(world, machine, (core) => core.leaseKeepAlive(id));
      if (outcome.kind !== 'ok') return;
      ledger.leaseRenewed(id, { ttl_s: outcome.value.ttl_s, asked_ms });
    }
  }
}
