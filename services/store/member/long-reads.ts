/**
 * Reads that visit many keys, on the thread where Raft runs: in turns with everything else there, always on one state
 * and one revision. When that is lost under way, because a snapshot took the state's place or history was compacted,
 * they begin again.
 */
import type { Clock } from '../../../platform/clock.js';
import { Turns } from '../../../platform/slices.js';
import type { Slices } from '../../../platform/slices.js';
import type { KvState } from '../mvcc/kv-state.js';
import type { KeyValue, StoreCallOptions } from '../store.js';

/** Takes the first keys and values of a long result; those of an earlier attempt are void. */
export interface SpillOptions extends StoreCallOptions {
  readonly spill?: (kvs: readonly KeyValue[], attempt: number) => void;
  /** Whether a read waits now before it spills more, and until when. */
  readonly pace?: { isFull(): boolean; room(): Promise<void> };
}

export interface LongReadsOptions {
  readonly clock: Clock;
  readonly turn_ms: number;
  readonly state: () => KvState;
  /** Throws when nothing may be read any more, or the call is over. */
  readonly check: (options: StoreCallOptions) => void;
}

class Overtaken extends Error {}

export class LongReads {
  readonly #options: LongReadsOptions;
  readonly #turns: Turns;

  constructor(options: LongReadsOptions) {
    this.#options = options;
    this.#turns = new Turns(options);
  }

  /** Other work of the kind, in the same turns. */
  do<T>(slices: Slices<T>): Promise<T> {
    return this.#turns.do(slices);
  }

  async read<T>(
    begin: (state: KvState, spill: ((kvs: readonly KeyValue[]) => void) | undefined) => Slices<T>,
    options: SpillOptions = {},
  ): Promise<T> {
    const { state: present, check } = this.#options;
    for (let attempt = 0; ; attempt++) {
      const state = present();
      const { compactRevision } = state.mvcc;
      const spill =
        options.spill === undefined ? undefined : (kvs: readonly KeyValue[]) => options.spill?.(kvs, attempt);
      const checkState = () => {
        check(options);
        if (state !== present() || state.mvcc.compactRevision !== compactRevision) throw new Overtaken();
      };
      const slices = begin(state, spill);
      try {
        for (;;) {
          const step = await this.#turns.do(untilFull(slices, options), checkState);
          if (step.kind === 'done') return step.value;
          await options.pace?.room();
          checkState();
        }
      } catch (error) {
        slices.return(undefined as T);
        if (!(error instanceof Overtaken)) throw error;
      }
    }
  }
}

type Step<T> = { readonly kind: 'done'; readonly value: T } | { readonly kind: 'full' };

/** As much of it as there is room for; what is left goes on where this stopped. */
function* untilFull<T>(slices: Slices<T>, { pace }: SpillOptions): Slices<Step<T>> {
  for (;;) {
    const slice = slices.next();
    if (slice.done === true) return { kind: 'done', value: slice.value };
    if (pace?.isFull() === true) return { kind: 'full' };
    yield;
  }
}
