/**
 * What really happened, revision by revision: a watch on everything, from the first revision on, through whatever
 * member answers. It fills the model that all histories are judged by. It is judged itself: a revision that is left
 * out, told twice or does not fit to what was before is a violation, and so is a state of a member, in the end, that
 * does not come out of it.
 */
import { systemClock } from '../../platform/clock.js';
import type { Random } from '../../platform/random.js';
import { Model } from '../../raft/sim/check/index.js';
import type { StoreEvent, WatchBatch } from '../../services/store/index.js';
import type { Fleet } from './fleet.js';
import { follow } from './follow.js';
import type { Verdict } from './verdict.js';

/** From the first key to the last. */
export const EVERYTHING = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) };

/** Another member is asked after so long, so that no one's account is the only one. */
const STAY_MS = 5000;

const revisionOf = (event: StoreEvent): number => (event.kind === 'put' ? event.kv.modRevision : event.modRevision);

export class Chronicle {
  readonly model = new Model();
  /** Value -> where it was written: key and revision. */
  readonly written = new Map<string, { readonly key: string; readonly revision: number }>();
  readonly #fleet: Fleet;
  readonly #random: Random;
  readonly #verdict: Verdict;
  readonly #over = new AbortController();
  readonly #done: Promise<void>;

  constructor(fleet: Fleet, random: Random, verdict: Verdict) {
    this.#fleet = fleet;
    this.#random = random;
    this.#verdict = verdict;
    this.#done = this.#run().catch(verdict.caught);
  }

  /** Everything up to it is known. */
  get revision(): number {
    return this.model.revision;
  }

  async stop(): Promise<void> {
    this.#over.abort();
    await this.#done;
  }

  async #run(): Promise<void> {
    const { members } = this.#fleet;
    while (!this.#over.signal.aborted) {
      const member = members[this.#random.int(members.length)];
      if (member === undefined || !member.isRunning || member.isPaused) {
        await systemClock.sleep(20);
        continue;
      }
      const turn = AbortSignal.any([this.#over.signal, AbortSignal.timeout(STAY_MS)]);
      const end = await follow(member.client, EVERYTHING, {
        from: this.revision + 1,
        signal: turn,
        onBatch: (batch) => this.#take(batch, member.name),
      });
      if (end.kind === 'compacted')
        this.#verdict.violated(
          `watch of everything: ${member.name} says that revision ${this.revision + 1} is compacted; only what is before ${this.model.compactRevision} was`,
        );
      await systemClock.sleep(20);
    }
  }

  #take({ events, revision }: WatchBatch, teller: string): void {
    if (events.length === 0) {
      if (revision > this.revision)
        this.#verdict.violated(
          `watch of everything: ${teller} says that all up to revision ${revision} was told, but ${this.revision} was the last`,
        );
      return;
    }
    for (let at = 0; at < events.length;) {
      const next = revisionOf(events[at] as StoreEvent);
      let end = at;
      while (end < events.length && revisionOf(events[end] as StoreEvent) === next) end++;
      const wrong = this.model.record(next, events.slice(at, end));
      if (wrong !== undefined) this.#verdict.violated(`watch of everything: ${teller} tells that ${wrong}`);
      for (const event of events.slice(at, end)) this.#note(event);
      at = end;
    }
  }

  #note(event: StoreEvent): void {
    if (event.kind === 'delete') return;
    const key = Buffer.from(event.kv.key).toString('latin1');
    const text = Buffer.from(event.kv.value).toString('latin1');
    const value = key.startsWith('/registry/configmaps/') ? /"value":"(w\d+)"/.exec(text)?.[1] : text;
    if (value === undefined || !/^w\d+$/.test(value)) return;
    const before = this.written.get(value);
    if (before !== undefined) {
      this.#verdict.violated(
        `"${value}" was written to ${before.key} at revision ${before.revision} and to ${key} at ${event.kv.modRevision}, though it was asked for once`,
      );
    }
    this.written.set(value, { key, revision: event.kv.modRevision });
  }
}
