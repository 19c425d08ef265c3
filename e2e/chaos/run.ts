/**
 * One run: members as processes, clients and watchers on them, faults for as long as asked, then a time of healing that
 * demands progress, then judgement. Times are bounds for what hangs, never promises.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../platform/clock.js';
import { seededRandom } from '../../platform/random.js';
import { answerOfRange } from '../../raft/sim/check/index.js';
import { until } from '../lib/until.js';
import { Chronicle, EVERYTHING } from './chronicle.js';
import { electionsOf } from './elections.js';
import { EtcdClients } from './etcd-clients.js';
import { Faults, possibleKinds } from './faults.js';
import { Fleet, PATIENCE_MS } from './fleet.js';
import { keyValueOf } from './follow.js';
import { Histories } from './histories.js';
import { describeEpisode, killings, schedule, type Episode, type FaultKind } from './schedule.js';
import { SdkClients } from './sdk-clients.js';
import { Verdict } from './verdict.js';
import { Watchers } from './watchers.js';

export interface ChaosOptions {
  readonly seed: number;
  /** No fault begins after so long. */
  readonly duration_ms?: number;
  /** Kills alone, and no further ones after so many. */
  readonly kills?: number;
  /** These kinds alone. */
  readonly only?: readonly FaultKind[];
  /** Own networks and disks for the members: needs root. */
  readonly isolated: boolean;
  readonly say: (line: string) => void;
  /** Ends the run before its time, with everything taken down. */
  readonly signal?: AbortSignal;
}

export interface ChaosResult {
  readonly seconds: number;
  readonly episodes: number;
  readonly kinds: ReadonlyMap<FaultKind, number>;
  readonly kills: number;
  readonly acknowledged: number;
  readonly answers: number;
  readonly unknown: number;
  readonly watched: number;
  readonly revision: number;
  readonly terms: number;
}

/** Says what was violated, how to do it again and where the logs are. */
export class ChaosFailure extends Error {
  override readonly name = 'ChaosFailure';
}

const ETCD_CLIENTS = 8;
const SDK_CLIENTS = 2;
const WATCHERS = 4;
const JUDGE_MS = 500;
/** More than what was under way before. */
const PROGRESS_WRITES = 20;

const replayCommand = ({ seed, duration_ms, kills }: ChaosOptions): string =>
  `make chaos SEED=${seed} ${kills === undefined ? `MINUTES=${Math.ceil((duration_ms ?? 0) / 6000) / 10}` : `KILLS=${kills}`}`;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, isolated, say } = options;
  const root = mkdtempSync(join(tmpdir(), 'navarch-chaos-'));
  say(`seed ${seed}; again with: ${replayCommand(options)}`);
  const fleet = await Fleet.start({ root, isolated });
  const run = new Run(fleet, options);
  try {
    const result = await run.run();
    await fleet.stop();
    fleet.forget();
    return result;
  } catch (error) {
    const state = await fleet.describe().catch(String);
    await fleet.stop();
    const found =
      run.verdict.found.length > 0
        ? run.verdict.found
        : [error instanceof Error ? (error.stack ?? error.message) : String(error)];
    throw new ChaosFailure(
      `${found.join('\n')}\nseed ${seed}; again with: ${replayCommand(options)}\nlogs: ${fleet.keepLogs()}\n${state}`,
      { cause: error },
    );
  }
}

class Run {
  readonly verdict = new Verdict();
  readonly #fleet: Fleet;
  readonly #options: ChaosOptions;
  readonly #chronicle: Chronicle;
  readonly #histories: Histories;
  readonly #watchers: Watchers;
  readonly #clients: EtcdClients;
  readonly #sdk: SdkClients;
  readonly #faults: Faults;
  readonly #kinds = new Map<FaultKind, number>();
  #episodes = 0;

  constructor(fleet: Fleet, options: ChaosOptions) {
    this.#fleet = fleet;
    this.#options = options;
    const { verdict } = this;
    this.#chronicle = new Chronicle(fleet, this.#random(1), verdict);
    this.#histories = new Histories(this.#chronicle, verdict);
    this.#watchers = new Watchers(fleet, this.#chronicle, verdict);
    const readFrom = (): number => Math.min(this.#chronicle.revision, this.#watchers.readFrom, this.#sdk.readFrom);
    const parts = { fleet, histories: this.#histories, chronicle: this.#chronicle, verdict, readFrom };
    this.#clients = new EtcdClients(parts);
    this.#sdk = new SdkClients(parts);
    this.#faults = new Faults(fleet, this.#random(2), verdict);
  }

  /** Each who draws has a sequence of its own: what one meets does not move another's. */
  #random(who: number) {
    return seededRandom(this.#options.seed * 1000 + who);
  }

  async run(): Promise<ChaosResult> {
    const began_ms = systemClock.monotonic();
    this.#options.signal?.addEventListener('abort', () => this.verdict.caught(new Error('the run was interrupted')));
    const judging = systemClock.every(JUDGE_MS, () => this.#judge());
    try {
      await this.#sdk.start(SDK_CLIENTS, (i) => this.#random(300 + i));
      this.#watchers.start(WATCHERS, (i) => this.#random(200 + i));
      this.#clients.start(ETCD_CLIENTS, (i) => this.#random(100 + i));
      await this.#suffer(began_ms);
      await this.#heal();
      await this.#finish();
    } catch (error) {
      this.verdict.caught(error);
    }
    judging.cancel();
    await Promise.allSettled([
      this.#clients.stop(),
      this.#sdk.stop(),
      this.#watchers.stop(),
      this.#chronicle.stop(),
      this.#sdk.close(),
    ]);
    if (this.verdict.found.length > 0) throw this.verdict.signal.reason;
    return {
      seconds: Math.round((systemClock.monotonic() - began_ms) / 1000),
      episodes: this.#episodes,
      kinds: this.#kinds,
      kills: this.#faults.kills,
      acknowledged: this.#histories.acknowledged,
      answers: this.#histories.answers,
      unknown: this.#histories.unknown,
      watched: this.#watchers.events + this.#sdk.events,
      revision: this.#chronicle.revision,
      terms: electionsOf(this.#fleet.members).terms,
    };
  }

  #judge(): void {
    try {
      this.#watchers.judge();
      this.#histories.judgeReads();
    } catch (error) {
      this.verdict.caught(error);
    }
  }

  #episodesToCome(): Generator<Episode, never> {
    const { seed, kills, only } = this.#options;
    if (kills !== undefined) return killings(seed);
    const { kinds, missing } = possibleKinds(this.#fleet);
    if (missing.length > 0)
      this.#options.say(`not on this machine, without root or without loop devices: ${missing.join(', ')}`);
    return schedule({ seed, kinds: only ?? kinds });
  }

  async #suffer(began_ms: number): Promise<void> {
    const { kills = Infinity, duration_ms = Infinity, say } = this.#options;
    for (const episode of this.#episodesToCome()) {
      if (this.#faults.kills >= kills || systemClock.monotonic() - began_ms > duration_ms) return;
      this.verdict.signal.throwIfAborted();
      const before = this.#histories.acknowledged;
      const from_ms = systemClock.monotonic();
      await this.#faults.run(episode);
      for (const { kind } of episode.faults) this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
      this.#episodes++;
      if (!episode.hurried) await this.#progress();
      await systemClock.sleep(episode.rest_ms);
      say(
        `${describeEpisode(episode)}: ${this.#histories.acknowledged - before} writes in ${((systemClock.monotonic() - from_ms) / 1000).toFixed(1)} s`,
      );
    }
  }

  /** After the faults something must get on, whatever the time: beyond all patience it hangs. */
  async #progress(): Promise<void> {
    const before = this.#histories.acknowledged;
    const { signal } = this.verdict;
    await until(
      'writes to be acknowledged after the faults',
      () => signal.aborted || this.#histories.acknowledged >= before + PROGRESS_WRITES,
      { timeout_ms: PATIENCE_MS, interval_ms: 20 },
    );
    signal.throwIfAborted();
  }

  async #heal(): Promise<void> {
    await this.#faults.heal();
    await this.#fleet.whole();
    const random = this.#random(3);
    for (const member of this.#fleet.members) {
      await until(`a write through ${member.name}`, () => this.#clients.probe(member.client, random), {
        timeout_ms: PATIENCE_MS,
      });
    }
    await this.#clients.stop();
    await this.#sdk.stop();
  }

  async #finish(): Promise<void> {
    const { members } = this.#fleet;
    const first = members[0];
    const revision = await until(
      'the newest revision',
      async () => {
        const answer = await first?.client.range({ key: Buffer.from('/chaos/') });
        return answer?.kind === 'ok' ? answer.value.header?.revision : undefined;
      },
      { timeout_ms: PATIENCE_MS },
    );
    const { signal } = this.verdict;
    const behind = () => [
      ...(this.#chronicle.revision < revision ? [`the chronicle is at ${this.#chronicle.revision}`] : []),
      ...this.#watchers.behind(revision),
      ...this.#sdk.behind(revision),
    ];
    await until(`everybody to know revision ${revision}`, () => signal.aborted || behind().length === 0, {
      timeout_ms: PATIENCE_MS,
      show: () => Promise.resolve(behind().join('\n')),
    });
    signal.throwIfAborted();
    this.#judge();
    this.#histories.finish();
    this.#sdk.finish();
    await this.#sameState(revision);
    const { breaches } = electionsOf(members);
    if (breaches.length > 0) this.verdict.violated(breaches.join('\n'));
  }

  /** At one revision every member has one and the same state: the chronicle's. */
  async #sameState(revision: number): Promise<void> {
    const hashes = new Set<string>();
    for (const { name, client } of this.#fleet.members) {
      const answer = await until(
        `the hash of ${name}`,
        async () => {
          const outcome = await client.hash(revision);
          return outcome.kind === 'ok' ? outcome.value : undefined;
        },
        { timeout_ms: PATIENCE_MS },
      );
      hashes.add(`${answer.hash} (compacted at ${answer.compactRevision})`);
      const range = await client.range({ ...EVERYTHING, revision: BigInt(revision), serializable: true });
      if (range.kind !== 'ok')
        return this.verdict.violated(`${name} does not list everything at revision ${revision}: ${range.why}`);
      const actual = answerOfRange({ count: range.value.count, kvs: range.value.kvs.map(keyValueOf) });
      if (actual !== this.#chronicle.model.rangeAt(EVERYTHING, revision))
        this.verdict.violated(`${name} holds another state at revision ${revision} than its history tells`);
    }
    if (hashes.size > 1)
      this.verdict.violated(`equal hashes: members differ at revision ${revision}: ${[...hashes].join(', ')}`);
  }
}

export const summaryOf = (result: ChaosResult): string =>
  [
    `${result.seconds} s, ${result.episodes} episodes, ${result.kills} kills, ${result.terms} terms with a leader, revision ${result.revision}`,
    `${result.acknowledged} acknowledged writes, 0 lost; ${result.answers} answers, ${result.unknown} of unknown outcome; ${result.watched} watched events`,
    [...result.kinds].map(([kind, count]) => `${kind} ${count}`).join(', '),
  ].join('\n');
