/** Which members the front may send a client to, and which first. Pure: what was seen goes in, an order comes out. */
export interface Target {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/**
 * `refused`: nobody listens, or the connection broke. `silent`: no answer in time, or one that says it is not ready.
 */
export type Sight = 'well' | 'refused' | 'silent';

/** On a busy machine an answer may be late; a member that has lost its quorum stays so. */
const SILENCES_MAX = 2;

interface Entry {
  readonly target: Target;
  health: 'unknown' | 'well' | 'ill';
  silences: number;
  connections: number;
}

const RANK = { well: 0, unknown: 1, ill: 2 } as const;

export class TargetTable {
  readonly #entries: readonly Entry[];

  constructor(targets: readonly Target[]) {
    this.#entries = targets.map((target) => ({ target, health: 'unknown', silences: 0, connections: 0 }));
  }

  get targets(): readonly Target[] {
    return this.#entries.map(({ target }) => target);
  }

  saw(target: Target, sight: Sight): void {
    const entry = this.#entryOf(target);
    entry.silences = sight === 'silent' ? entry.silences + 1 : 0;
    if (sight === 'well') entry.health = 'well';
    else if (sight === 'refused' || entry.silences >= SILENCES_MAX) entry.health = 'ill';
  }

  opened(target: Target): void {
    this.#entryOf(target).connections++;
  }

  closed(target: Target): void {
    this.#entryOf(target).connections--;
  }

  /** Members that are well come first, of these the one with the fewest connections; the others may have recovered. */
  order(): readonly Target[] {
    return this.#entries
      .toSorted((a, b) => RANK[a.health] - RANK[b.health] || a.connections - b.connections)
      .map(({ target }) => target);
  }

  /** Whether its clients are better off elsewhere: it is ill, and another is well. */
  isToBeLeft(target: Target): boolean {
    return this.#entryOf(target).health === 'ill' && this.#entries.some(({ health }) => health === 'well');
  }

  #entryOf(target: Target): Entry {
    const found = this.#entries.find((entry) => entry.target === target);
    if (found === undefined) throw new Error(`${target.name} is not in the table`);
    return found;
  }
}
