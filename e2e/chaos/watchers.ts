/**
 * Watchers: each follows a part of the keys from member to member, resuming where it was; the simulator's judge
 * compares what it is told.
 */
import { systemClock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { WatchJudge } from '../../raft/sim/check/index.js';
import type { WatchBatch } from '../../services/store/index.js';
import type { Chronicle } from './chronicle.js';
import type { Fleet } from './fleet.js';
import { follow, type Watched } from './follow.js';
import type { Verdict } from './verdict.js';

const PREFIXES = ['/chaos/r/', '/chaos/t/', '/chaos/', '/registry/'];
const STAY_MS = 4000;

const bytes = (text: string) => Buffer.from(text, 'latin1');
const endOf = (prefix: string) =>
  bytes(prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1));

interface Watcher {
  readonly name: string;
  readonly watched: Watched;
  readonly judge: WatchJudge;
  /** The first revision that it was not told yet: ahead of the judge's, who waits for the chronicle. */
  next: number;
  pending: WatchBatch[];
}

export class Watchers {
  readonly #fleet: Fleet;
  readonly #chronicle: Chronicle;
  readonly #verdict: Verdict;
  readonly #over = new AbortController();
  readonly #watchers: Watcher[] = [];
  readonly #running: Promise<void>[] = [];
  #events = 0;

  constructor(fleet: Fleet, chronicle: Chronicle, verdict: Verdict) {
    this.#fleet = fleet;
    this.#chronicle = chronicle;
    this.#verdict = verdict;
  }

  get events(): number {
    return this.#events;
  }

  /** The oldest revision that one of them still asks for. */
  get readFrom(): number {
    return Math.min(...this.#watchers.map(({ next }) => next));
  }

  start(count: number, randomFor: (watcher: number) => Random): void {
    for (let i = 0; i < count; i++) {
      const random = randomFor(i);
      const prefix = PREFIXES[i % PREFIXES.length] ?? '/chaos/';
      const watched = {
        key: bytes(prefix),
        rangeEnd: endOf(prefix),
        prevKv: random.int(2) === 0,
        noPut: random.int(6) === 0,
        noDelete: random.int(6) === 0,
      };
      const name = `${i} on ${prefix}`;
      const next = this.#chronicle.revision + 1;
      const judge = new WatchJudge({ court: this.#verdict, model: this.#chronicle.model, name }, watched, next);
      const watcher = { name, watched, judge, next, pending: [] };
      this.#watchers.push(watcher);
      this.#running.push(this.#run(watcher, random).catch(this.#verdict.caught));
    }
  }

  /** Names of those that have not been told everything up to the revision. */
  behind(revision: number): string[] {
    return this.#watchers
      .filter(({ next }) => next <= revision)
      .map(({ name, next }) => `watcher ${name} is at ${next - 1}`);
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#running);
  }

  /** What the chronicle knows by now. */
  judge(): void {
    for (const watcher of this.#watchers) {
      const known = watcher.pending.findIndex(({ revision }) => revision > this.#chronicle.revision);
      const ready = known === -1 ? watcher.pending : watcher.pending.slice(0, known);
      watcher.pending = known === -1 ? [] : watcher.pending.slice(known);
      for (const batch of ready) watcher.judge.batch(batch);
    }
  }

  async #run(watcher: Watcher, random: Random): Promise<void> {
    const { members } = this.#fleet;
    const { signal } = this.#over;
    while (!signal.aborted) {
      await systemClock.sleep(20 + 100 * random.next());
      const member = members[random.int(members.length)];
      if (member === undefined || !member.isRunning || member.isPaused) continue;
      const turn = AbortSignal.any([signal, AbortSignal.timeout(STAY_MS / 2 + random.int(STAY_MS))]);
      const from = watcher.next;
      const end = await follow(member.client, watcher.watched, {
        from,
        signal: turn,
        onBatch: (batch) => {
          // A member that is behind answers a question about progress with where it is itself, as etcd does; what it
          // sends counts.
          if (batch.events.length > 0 || batch.revision >= from - 1) this.#take(watcher, batch);
        },
      });
      if (end.kind === 'compacted')
        this.#verdict.violated(
          `watch ${watcher.name}: ${member.name} says that revision ${watcher.next} is compacted; only what is before ${this.#chronicle.model.compactRevision} was`,
        );
    }
  }

  #take(watcher: Watcher, batch: WatchBatch): void {
    this.#events += batch.events.length;
    // A bookmark that goes back is for the judge to see; one that is resumed from must not.
    watcher.next = Math.max(watcher.next, batch.revision + 1);
    watcher.pending.push(batch);
  }
}
