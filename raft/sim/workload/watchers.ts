/** Watchers: each follows a range of keys from member to member, resuming where it was, and lets a judge compare. */
import type { KvWatch } from '../../../services/store/watch/sink.js';
import { StoreError } from '../../../services/store/store.js';
import type { Revision, WatchBatch } from '../../../services/store/store.js';
import type { WatchJudge } from '../check/watches.js';
import { WatchJudge as Judge } from '../check/watches.js';
import type { Machine } from '../cluster/machine.js';
import type { WorkloadParts } from './clients.js';

const PREFIXES = ['r', 't', 'l'];
const bytes = (text: string) => Buffer.from(text, 'latin1');

export class Watchers {
  readonly #parts: WorkloadParts;
  readonly #judges: { readonly judge: WatchJudge; readonly name: string }[] = [];
  /** In the liveness phase nobody dawdles. */
  isHurried = false;
  #count = 0;

  constructor(parts: WorkloadParts) {
    this.#parts = parts;
  }

  start(count: number): void {
    for (let i = 0; i < count; i++) {
      const name = `w${++this.#count}`;
      this.#run(name).catch((error: unknown) => this.#parts.world.fail(error as Error));
    }
  }

  /** Names of those that have not been told everything up to the revision. */
  behind(revision: number): string[] {
    return this.#judges
      .filter(({ judge }) => judge.next <= revision)
      .map(({ name, judge }) => `${name} at ${judge.next - 1}`);
  }

  async #run(name: string): Promise<void> {
    const { world, cluster, ledger } = this.#parts;
    const { random } = world;
    const prefix = PREFIXES[random.int(PREFIXES.length)] ?? 'r';
    const single = random.int(3) === 0;
    const request: KvWatch = {
      key: bytes(single ? `${prefix}1` : prefix),
      ...(single ? {} : { rangeEnd: bytes(String.fromCharCode(prefix.charCodeAt(0) + 1)) }),
      prevKv: random.int(2) === 0,
      noPut: random.int(6) === 0,
      noDelete: random.int(6) === 0,
      progressInterval_ms: 200 + random.int(1000),
    };
    const dawdle_ms = random.int(2) === 0 ? 0 : 400 * random.next();
    const place: { judge: WatchJudge | undefined } = { judge: undefined };
    for (;;) {
      await world.sleep(50 + 200 * random.next());
      const machine = cluster.machines[random.int(cluster.machines.length)];
      if (machine?.state !== 'running' || machine.core === undefined) continue;
      if (place.judge === undefined) {
        // From now on, from the past, or from the future (etcd #20221).
        const { revision } = machine.core;
        const oldest = Math.max(1, ledger.model.compactRevision);
        const start =
          [revision + 1, oldest, Math.max(oldest, revision - random.int(20)), revision + random.int(10)][
            random.int(4)
          ] ?? 1;
        place.judge = new Judge({ court: world, model: ledger.model, name }, request, start);
        this.#judges.push({ judge: place.judge, name });
      }
      const lost = await this.#follow(
        machine,
        { ...request, startRevision: place.judge.next as Revision },
        { judge: place.judge, dawdle_ms },
      );
      if (random.int(3) === 0 && !this.isHurried) {
        // A new watch in the place of the old one.
        this.#judges.splice(
          this.#judges.findIndex(({ judge }) => judge === place.judge),
          1,
        );
        place.judge = undefined;
      } else if (lost === 'compacted') {
        // What is gone cannot be watched: on from where history begins.
        place.judge.next = Math.max(place.judge.next, ledger.model.compactRevision);
      }
    }
  }

  /** Until the member ends, the watcher has had enough of it, or the watch breaks off. */
  async #follow(
    machine: Machine,
    request: KvWatch,
    reader: { judge: WatchJudge; dawdle_ms: number },
  ): Promise<'compacted' | 'over'> {
    const { world, ledger } = this.#parts;
    const { core, process } = machine;
    if (core === undefined || process === undefined) return 'over';
    const abort = new AbortController();
    const isTired = world.after(2000 + 8000 * world.random.next(), () => process.run(() => abort.abort()));
    return new Promise((resolve) => {
      machine.onEnd(() => resolve('over'));
      const read = async () => {
        for await (const batch of core.watch(request, { signal: abort.signal })) {
          if (!process.isAlive) return;
          this.#judge(reader.judge, batch);
          if (reader.dawdle_ms > 0 && !this.isHurried) await process.clock.sleep(reader.dawdle_ms);
        }
      };
      process.run(
        () =>
          void read().then(
            () => resolve('over'),
            (error: unknown) => {
              if (!(error instanceof StoreError)) world.fail(error as Error);
              const isCompacted = error instanceof StoreError && error.code === 'compacted';
              if (
                isCompacted &&
                (request.startRevision ?? 0) >= ledger.model.compactRevision &&
                reader.judge.next >= ledger.model.compactRevision
              ) {
                world.fail(
                  new Error(
                    `a watch from revision ${reader.judge.next} was told it is compacted, but only what is before ${ledger.model.compactRevision} is`,
                  ),
                );
              }
              resolve(isCompacted ? 'compacted' : 'over');
            },
          ),
      );
    }).finally(() => world.cancel(isTired)) as Promise<'compacted' | 'over'>;
  }

  #judge(judge: WatchJudge, batch: WatchBatch): void {
    judge.batch(batch);
  }
}
