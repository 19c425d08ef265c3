/**
 * Work that runs once at a time, and once more when it was requested while it ran: however many requests arrive
 * meanwhile, one further run serves them all, since it begins after the last of them.
 */
export interface CoalescedOptions {
  readonly run: () => Promise<void>;
  /**
   * A run has failed, and requests that arrived during it are dropped: what is to be retried is requested anew. Must
   * not throw.
   */
  readonly onFailure: (error: unknown) => void;
  /** The last run has ended and none is requested. Must not throw. */
  readonly onIdle?: () => void;
}

export class Coalesced {
  readonly #options: CoalescedOptions;
  #current: Promise<void> | undefined;
  #isRequested = false;
  #isStopped = false;

  constructor(options: CoalescedOptions) {
    this.#options = options;
  }

  /** Whether no run is under way or requested. */
  get isIdle(): boolean {
    return this.#current === undefined;
  }

  /** A run begins after this call. */
  request(): void {
    if (this.#isStopped) return;
    this.#isRequested = true;
    this.#current ??= Promise.resolve().then(() => this.#drain());
  }

  /** No further run begins. Resolves when the present one has ended; must not be awaited from within a run. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#isRequested = false;
    await this.#current;
  }

  async #drain(): Promise<void> {
    while (this.#isRequested) {
      this.#isRequested = false;
      try {
        await this.#options.run();
      } catch (error) {
        this.#isRequested = false;
        this.#options.onFailure(error);
      }
    }
    this.#current = undefined;
    if (!this.#isStopped) this.#options.onIdle?.();
  }
}
