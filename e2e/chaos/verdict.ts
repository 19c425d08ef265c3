/** Where breaches of promises are gathered while a run goes on. The first ends it; all are told. */
import type { Court } from '../../raft/sim/check/index.js';

class Violation extends Error {
  override readonly name = 'Violation';
}

export class Verdict implements Court {
  readonly #found: string[] = [];
  readonly #abort = new AbortController();

  get found(): readonly string[] {
    return this.#found;
  }

  /** Aborts at the first violation. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  violated(what: string): never {
    const violation = new Violation(what);
    if (!this.#found.includes(what)) this.#found.push(what);
    this.#abort.abort(violation);
    throw violation;
  }

  /** Of work that runs beside: a violation is noted already; anything else is a fault of the suite itself. */
  caught = (error: unknown): void => {
    // Whoever stops because of the first is no second.
    if (error instanceof Violation || error === this.signal.reason) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#found.push(`the suite itself failed: ${text}`);
    this.#abort.abort(error);
  };
}
