/**
 * A flood of large and broken requests at the gRPC and the REST port of every member, as many as this machine sends,
 * and what it does to the heartbeats: the members' own histograms tell (navarch_raft_heartbeat_interval_seconds on
 * /metrics, taken on the Raft thread).
 */
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../platform/clock.js';
import { removeLeftovers, runFolderName } from '../../testing/leftovers.js';
import { until } from '../lib/until.js';
import { ELECTION_MS_MAX, electionsAfter } from './elections.js';
import { Fleet } from './fleet.js';
import { BODIES } from './flood-bodies.js';
import { BROKEN } from './flood-broken.js';
import { callersOf, type Caller } from './flood-callers.js';
import { describeMeasures, get, type MemberMeasure } from './flood-measures.js';
import { startProbe } from './flood-probe.js';
import { fillStore, storeAttacks } from './flood-store.js';
import { tcp, type Attack, type Target } from './flood-tools.js';
import { watchProcessors, withheld_ms } from './withheld.js';

const IDLE_CONNECTIONS = 50;

/** Heartbeats that one member worked on: cumulative counts by upper bound in seconds. */
export interface Heartbeats {
  readonly buckets: ReadonlyMap<number, number>;
  readonly sum_s: number;
  readonly count: number;
}

async function heartbeatsOf(target: Target): Promise<Heartbeats> {
  const text = await get(
    { host: target.member.place.host, port: target.member.place.api, tls: target.tls },
    '/metrics',
  );
  const name = 'navarch_raft_heartbeat_interval_seconds';
  const buckets = new Map(
    [...text.matchAll(new RegExp(`${name}_bucket\\{le="([^"]+)"\\} (\\d+)`, 'g'))].map(([, le, count]) => [
      le === '+Inf' ? Infinity : Number(le),
      Number(count),
    ]),
  );
  if (buckets.size === 0) throw new Error(`${target.member.name} tells nothing of its heartbeats`);
  const field = (suffix: string) => Number(new RegExp(`^${name}_${suffix} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return { buckets, sum_s: field('sum'), count: field('count') };
}

export function since(before: Heartbeats, after: Heartbeats): Heartbeats {
  return {
    buckets: new Map([...after.buckets].map(([bound, count]) => [bound, count - (before.buckets.get(bound) ?? 0)])),
    sum_s: after.sum_s - before.sum_s,
    count: after.count - before.count,
  };
}

const HEARTBEAT_S = 0.05;

/**
 * The smallest bound that no more than one in a hundred heartbeats exceeds. Confirming a read sends further heartbeats,
 * which would make long intervals look rare: so they are set against as many as are due in that time, one every 50 ms.
 */
export function p99_ms({ buckets, sum_s, count }: Heartbeats): number {
  const due = Math.min(count, sum_s / HEARTBEAT_S);
  return 1000 * ([...buckets].find(([, below]) => count - below <= due / 100)?.[0] ?? Infinity);
}

export interface Election {
  readonly term: number;
  /** A leader whose disk did not finish a write gave way. */
  readonly forDisk: boolean;
  /**
   * Before it, for how long the machine had withheld processors from the threads that send and hear heartbeats.
   * Undefined: not known.
   */
  readonly withheld_ms: number | undefined;
}

/**
 * Half an election timeout. With less withheld, whoever heard no heartbeat in time would not have heard one on a
 * machine of its own either.
 */
const WITHHELD_MS_MAX = 300;

/** The members had what they need, a disk and processors, and still another one was elected. */
export const isDueToFlood = ({ forDisk, withheld_ms: ms }: Election): boolean =>
  !forDisk && ms !== undefined && ms < WITHHELD_MS_MAX;

export interface FloodResult {
  readonly seconds: number;
  /** Attempts by kind. */
  readonly attempts: ReadonlyMap<string, number>;
  /** While it lasted. */
  readonly elections: readonly Election[];
  readonly measures: readonly MemberMeasure[];
  /** Of those who followed all the time. */
  readonly followers: readonly { readonly name: string; readonly heartbeats: Heartbeats }[];
}

const termOf = async (fleet: Fleet) =>
  Math.max(
    ...(await Promise.all(fleet.members.map((member) => member.status()))).map((status) => status?.raftTerm ?? 0),
  );

/**
 * A fleet with its data in memory, where there is room for that: a disk that others keep busy is not what the flood is
 * about.
 */
export async function floodFleet(): Promise<Fleet> {
  const memory = '/dev/shm';
  if (!existsSync(memory)) return Fleet.start({ root: mkdtempSync(join(tmpdir(), 'navarch-flood-')), isolated: false });
  // Named so that the next flood takes it away if this one is killed: nobody else looks here.
  await removeLeftovers(memory);
  return Fleet.start({ root: join(memory, runFolderName()), isolated: false });
}

/** The same measure with nobody asking anything: what this machine makes of it by itself. */
export async function quiet(fleet: Fleet, seconds: number): Promise<FloodResult['followers']> {
  const tls = fleet.secrets.client;
  const leader = await fleet.leader();
  const followers = fleet.members.filter((member) => member !== leader);
  const before = await Promise.all(followers.map((member) => heartbeatsOf({ member, tls })));
  await systemClock.sleep(1000 * seconds);
  return Promise.all(
    followers.map(async (member, i) => ({
      name: member.name,
      heartbeats: since(before[i] as Heartbeats, await heartbeatsOf({ member, tls })),
    })),
  );
}

export interface FloodOptions {
  readonly seconds: number;
  /** That ranges look at. */
  readonly keys: number;
  /** That a removal takes away. */
  readonly removedKeys: number;
  /** What members get to give memory back before it is looked at. */
  readonly settle_ms: number;
}

/** New attempts until the time is over, each by the next of the callers. */
async function keepAttacking(
  attack: Attack,
  by: readonly Target[],
  { end_ms, count }: { readonly end_ms: number; readonly count: () => void },
): Promise<void> {
  for (let turn = 0; systemClock.monotonic() < end_ms; turn++) {
    const target = by[turn % by.length];
    if (target !== undefined) await attack(target, count);
    // One that does nothing for this caller must not keep the others waiting.
    await systemClock.sleep(1);
  }
}

/** Floods all members for so long, and waits until they answer again. */
export async function flood(
  fleet: Fleet,
  { seconds, keys, removedKeys, settle_ms }: FloodOptions,
): Promise<FloodResult> {
  const tls = fleet.secrets.client;
  const callers = await callersOf(fleet);
  const [first] = fleet.members;
  if (first !== undefined) await fillStore({ member: first, tls }, keys);
  const targets = fleet.members.map((member) => ({ member, tls }));
  const store = storeAttacks(removedKeys);
  for (const target of targets) await store.prepare(target);
  const leader = await fleet.leader();
  const [term, before] = [await termOf(fleet), await Promise.all(targets.map(heartbeatsOf))];
  const logEnds = fleet.members.map((member) => member.logEnd());
  const processors = watchProcessors(fleet.members.map((member) => member.process?.pid ?? 0));
  const end_ms = systemClock.monotonic() + 1000 * seconds;
  const idle = targets.flatMap((target) =>
    Array.from({ length: IDLE_CONNECTIONS }, (_, i) =>
      tcp(i % 2 === 0 ? 'grpc' : 'api')(target).on('error', () => undefined),
    ),
  );
  const attempts = new Map<string, number>();
  const probe = startProbe(
    targets.map(({ member: { name, place, process } }) => ({
      name,
      host: place.host,
      port: place.api,
      pid: process?.pid ?? 0,
      tls,
    })),
    settle_ms,
  );
  const started = ([name, attack]: [string, Attack], by: readonly Target[]) =>
    keepAttacking(attack, by, { end_ms, count: () => void attempts.set(name, (attempts.get(name) ?? 0) + 1) });
  await Promise.all(
    targets.flatMap((target) => [
      ...Object.entries(BROKEN).map((one) => started(one, [target])),
      ...Object.entries({ ...BODIES, ...store.attacks }).map((one) =>
        started(
          one,
          callers.map((caller: Caller): Target => ({ ...target, tls: caller.tls })),
        ),
      ),
    ]),
  );
  for (const socket of idle) socket.destroy();
  const measured = await probe.stop();
  const after = await Promise.all(targets.map(heartbeatsOf));
  await fleet.whole();
  const looks = processors.stop();
  const found = () =>
    electionsAfter(
      fleet.members.map((member, i) => member.logSince(logEnds[i] ?? 0)),
      term,
    );
  const newest = await termOf(fleet);
  if (newest > term)
    await until("the members' logs to tell of the last election", () =>
      found().some((election) => election.term >= newest),
    );
  const elections = found().map(({ at_ms, ...election }): Election => ({
    ...election,
    withheld_ms: withheld_ms(looks, at_ms - ELECTION_MS_MAX, at_ms),
  }));
  const followers = targets.flatMap(({ member }, i) => {
    const [first, last] = [before[i], after[i]];
    return member === leader || first === undefined || last === undefined
      ? []
      : [{ name: member.name, heartbeats: since(first, last) }];
  });
  return { seconds, attempts, elections, measures: measured, followers };
}

export function describeHeartbeats(followers: FloodResult['followers']): string {
  const share = ({ buckets, count }: Heartbeats, bound_s: number) =>
    `${count - (buckets.get(bound_s) ?? 0)} above ${bound_s * 1000} ms`;
  return followers
    .map(
      ({ name, heartbeats }) =>
        `  ${name}: ${heartbeats.count} heartbeat intervals, mean ${((1000 * heartbeats.sum_s) / heartbeats.count).toFixed(1)} ms, p99 at most ${p99_ms(heartbeats)} ms; ` +
        `${share(heartbeats, 0.065)}, ${share(heartbeats, 0.1)}, ${share(heartbeats, 0.3)}`,
    )
    .join('\n');
}

export function describeFlood({ seconds, attempts, elections, measures, followers }: FloodResult): string {
  return [
    `${[...attempts.values()].reduce((sum, count) => sum + count, 0)} attempts of ${attempts.size} kinds in ${seconds} s; ${elections.length} elections`,
    ...elections.map(
      ({ term, forDisk, withheld_ms: ms }) =>
        `  term ${term}: ${forDisk ? 'the leader gave way to its disk' : `processors had been withheld from heartbeats for ${ms?.toFixed(0) ?? '?'} ms`}`,
    ),
    describeMeasures(measures),
    describeHeartbeats(followers),
    `  ${[...attempts].map(([name, count]) => `${name} ${count}`).join(', ')}`,
  ].join('\n');
}
