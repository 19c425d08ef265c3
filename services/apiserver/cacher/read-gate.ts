import type { Revision, Store } from '../../store/store.js';

/**
 * Linearizable reads from a cache ask the store what revision they must wait for. Reads that arrive while a question is
 * under way share the next one: an answer to a question asked before a read began would be too old for it.
 */
export class ReadGate {
  readonly #store: Pick<Store, 'readRevision'>;
  #running: Promise<Revision> | undefined;
  #next: Promise<Revision> | undefined;

  constructor(store: Pick<Store, 'readRevision'>) {
    this.#store = store;
  }

  /** A revision that covers every write acknowledged before the call. Fails with StoreError. */
  revision(): Promise<Revision> {
    if (this.#running === undefined) return this.#ask();
    this.#next ??= this.#running.then(
      () => this.#ask(),
      () => this.#ask(),
    );
    return this.#next;
  }

  #ask(): Promise<Revision> {
    this.#next = undefined;
    const asked = this.#store.readRevision().finally(() => {
      if (this.#running === asked) this.#running = undefined;
    });
    this.#running = asked;
    return asked;
  }
}
