/** Issue 6, row 32: one killed leader is one election, on fast and on slow disks and networks. */
import { expect, it } from 'vitest';
import { Ledger } from './check/ledger.js';
import { Cluster } from './cluster/cluster.js';
import { settingsOf } from './cluster/settings.js';
import type { SimSettings } from './cluster/settings.js';
import { FaultCounts } from './world/faults.js';
import { SimNetwork } from './world/network.js';
import { World } from './world/world.js';

const QUIET_NETWORK = { loss: 0, duplication: 0, reorder: 0, snapshotBreak: 0 };

/** How many terms each kill of the leader cost, one after the other in one cluster. */
async function killLeaders(seed: number, kills: number, changes: Partial<SimSettings>): Promise<number[]> {
  const world = new World(seed);
  const settings: SimSettings = {
    ...settingsOf(world.random, Infinity),
    members: 3,
    rotationLoss: 0,
    drift: 0,
    turn_ms: 4,
    faults: new Map(),
    ...changes,
    raft: {},
  };
  const faults = new FaultCounts();
  const network = new SimNetwork(world, settings.network, () => undefined);
  const ledger: Ledger = new Ledger({ world, holds: () => undefined, votedFor: () => undefined });
  const cluster = new Cluster({ world, network, ledger, faults, settings });
  world.onStep = () => cluster.observe();
  cluster.startAll();
  const settle = async () => {
    const end_ms = world.now_ms + 20_000;
    await world.run(end_ms, () => cluster.leader !== undefined);
    // The others hear of it, and catch up.
    await world.run(world.now_ms + 2000);
  };
  await settle();
  const terms: number[] = [];
  for (let i = 0; i < kills; i++) {
    const { leader } = cluster;
    const before = leader?.member?.status().term ?? 0;
    leader?.end(false);
    await settle();
    terms.push((cluster.leader?.member?.status().term ?? Infinity) - before);
    leader?.start();
    await world.run(world.now_ms + 3000);
  }
  return terms;
}

it.each([
  ['a fast disk and network', { diskLatency_ms: 0.3, network: { latency_ms: 0.2, jitter_ms: 0.1, ...QUIET_NETWORK } }],
  ['a busy disk', { diskLatency_ms: 12, network: { latency_ms: 0.2, jitter_ms: 2, ...QUIET_NETWORK } }],
  ['a slow disk', { diskLatency_ms: 60, network: { latency_ms: 0.2, jitter_ms: 2, ...QUIET_NETWORK } }],
  ['a slow network', { diskLatency_ms: 3, network: { latency_ms: 15, jitter_ms: 10, ...QUIET_NETWORK } }],
  ['a busy machine', { diskLatency_ms: 40, network: { latency_ms: 15, jitter_ms: 40, ...QUIET_NETWORK } }],
  [
    'five members on a busy machine',
    { members: 5, diskLatency_ms: 40, network: { latency_ms: 15, jitter_ms: 40, ...QUIET_NETWORK } },
  ],
] as const)(
  'one kill is one election in 95 of 100 at least: %s',
  async (name, changes) => {
    const terms = (await Promise.all([1, 2, 3, 4].map((seed) => killLeaders(seed, 25, changes)))).flat();
    const single = terms.filter((cost) => cost === 1).length;
    expect(single, `${name}: terms that each kill cost: ${terms.join(' ')}`).toBeGreaterThanOrEqual(95);
  },
  120_000,
);
