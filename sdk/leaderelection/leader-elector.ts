/**
 * Leader election by a Lease, with the semantics of client-go: of several processes one leads, and the others wait.
 *
 * A leader that could not renew for `renewDeadline_ms` stops leading, before anybody else may take the lease
 * (`leaseDuration_ms` after its last renewal). Both are measured on the monotonic clock, from before the renewal was
 * sent. This is no fence: a process that was paused may act for a moment after it woke. What leads must bear that, as
 * controllers do by optimistic concurrency.
 */
import { assert } from '../../platform/assert.js';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import type { Random } from '../../platform/random.js';
import type { Service } from '../../platform/service.js';
import { leases } from '../../apimachinery/gen/resources.js';
import type { Lease } from '../../apimachinery/gen/types.js';
import { isApiError } from '../../apimachinery/status.js';
import type { Client } from '../client.js';
import { claimed, holderOf, isFree, observe, released } from './lease-record.js';
import type { Observation } from './lease-record.js';

export interface LeaderElectorOptions {
  readonly client: Client;
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Who we are; must differ between processes. */
  readonly identity: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** 15,000 when absent. */
  readonly leaseDuration_ms?: number;
  /** 10,000 when absent; less than leaseDuration_ms. */
  readonly renewDeadline_ms?: number;
  /** 2,000 when absent; well below renewDeadline_ms. */
  readonly retryPeriod_ms?: number;
  /**
   * What the leader does: runs until its signal aborts, and ends soon after. When it ends by itself, the office is
   * given up.
   */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  /** Called when another identity is seen to lead; '' when nobody does. */
  readonly onNewLeader?: (identity: string) => void;
}

/** Waiting periods are spread by this factor so that candidates do not write at once. */
const JITTER = 1.2;

/**
 * The call's answer, unless the signal aborts first: a server without a quorum may hold a call long after nobody wants
 * it any more.
 */
function answered<T>(call: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    call.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

export class LeaderElector implements Service {
  readonly name: string;
  readonly #options: LeaderElectorOptions;
  readonly #leaseDuration_ms: number;
  readonly #renewDeadline_ms: number;
  readonly #retryPeriod_ms: number;
  readonly #stop = new AbortController();
  readonly #logger: Logger;
  #observation: Observation | undefined;
  /** Leading is allowed until then (monotonic). */
  #leadUntil_ms = -Infinity;
  #reported = '';
  #running: Promise<void> | undefined;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.name = `leader election ${options.lease.name}`;
    this.#logger = options.logger.child({ lease: options.lease.name, identity: options.identity });
    this.#leaseDuration_ms = options.leaseDuration_ms ?? 15_000;
    this.#renewDeadline_ms = options.renewDeadline_ms ?? 10_000;
    this.#retryPeriod_ms = options.retryPeriod_ms ?? 2000;
    assert(this.#leaseDuration_ms > this.#renewDeadline_ms, 'leaseDuration_ms must be greater than renewDeadline_ms');
    assert(
      this.#renewDeadline_ms > this.#retryPeriod_ms * JITTER,
      'renewDeadline_ms must be greater than retryPeriod_ms x 1.2',
    );
  }

  get isLeader(): boolean {
    return this.#options.clock.monotonic() < this.#leadUntil_ms;
  }

  /** Who holds the lease as far as we saw; '' for nobody. */
  get leader(): string {
    return holderOf(this.#observation?.lease);
  }

  /** Becomes a candidate; does not wait for the office. */
  start(): Promise<void> {
    this.#running ??= this.#run();
    return Promise.resolve();
  }

  /** Ends what the leader does, waits for it, and gives the lease up. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('leader election was stopped'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (await this.#attempt(signal)) await this.#term();
      await this.#wait(signal);
    }
  }

  /** One term of office. */
  async #term(): Promise<void> {
    const { clock, lead } = this.#options;
    const term = new AbortController();
    const end = (reason: string) => {
      this.#leadUntil_ms = -Infinity;
      term.abort(new Error(reason));
    };
    const onStop = () => end('leader election was stopped');
    this.#stop.signal.addEventListener('abort', onStop, { once: true });
    if (this.#stop.signal.aborted) onStop();
    this.#logger.info({}, 'leading');
    const work = lead(term.signal).then(
      () => end('the leader ended by itself'),
      (error: unknown) => {
        if (!term.signal.aborted) this.#logger.error({ error: String(error) }, 'the leader failed');
        end('the leader failed');
      },
    );
    const watchdog = this.#watch(() => end('the lease could not be renewed in time'));
    while (!term.signal.aborted) {
      await clock.sleep(this.#retryPeriod_ms, term.signal).catch(() => undefined);
      if (!term.signal.aborted && !(await this.#attempt(term.signal)) && !this.isLeader) end('the lease was lost');
    }
    watchdog.cancel();
    this.#stop.signal.removeEventListener('abort', onStop);
    this.#logger.info({ reason: String(term.signal.reason) }, 'no longer leading');
    await work;
    await this.#release();
  }

  /** Calls `onLate` once leading is not allowed any more, however often it was prolonged. */
  #watch(onLate: () => void): Timer {
    const { clock } = this.#options;
    let timer: Timer;
    const arm = () => {
      timer = clock.after(Math.max(0, this.#leadUntil_ms - clock.monotonic()), () => {
        if (clock.monotonic() >= this.#leadUntil_ms) onLate();
        else arm();
      });
    };
    arm();
    return { cancel: () => timer.cancel() };
  }

  /** Takes or renews the lease. False when somebody else holds it, or when it is not known. */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    const { clock, identity } = this.#options;
    const started_ms = clock.monotonic();
    const limit = new AbortController();
    const timer = clock.after(this.#renewDeadline_ms, () =>
      limit.abort(new Error('no answer before the renew deadline')),
    );
    try {
      const either = AbortSignal.any([signal, limit.signal]);
      const held = await answered(this.#claim(either), either);
      if (held) this.#leadUntil_ms = started_ms + this.#renewDeadline_ms;
      else if (this.leader !== identity) this.#leadUntil_ms = -Infinity;
      return held;
    } catch (error) {
      if (!signal.aborted && !isApiError(error, 'Conflict') && !isApiError(error, 'AlreadyExists')) {
        this.#logger.warn({ error: String(error) }, 'the lease could not be read or written');
      }
      return false;
    } finally {
      timer.cancel();
      this.#report();
    }
  }

  async #claim(signal: AbortSignal): Promise<boolean> {
    const { client, lease: ref, identity, clock } = this.#options;
    const claim = { identity, leaseDuration_ms: this.#leaseDuration_ms, now_ms: clock.now() };
    const found = await client.get(leases, ref, { signal }).catch((error: unknown) => {
      if (isApiError(error, 'NotFound')) return undefined;
      throw error;
    });
    if (found === undefined) {
      this.#see(
        await client.create<Lease>(leases, { metadata: { ...ref }, spec: claimed(undefined, claim) }, { signal }),
      );
      return true;
    }
    this.#see(found);
    if (this.#observation === undefined || !isFree(this.#observation, identity, clock.monotonic())) return false;
    this.#see(await client.update<Lease>(leases, { ...found, spec: claimed(found.spec, claim) }, { signal }));
    return true;
  }

  async #release(): Promise<void> {
    const { client, identity, clock } = this.#options;
    const held = this.#observation?.lease;
    if (held === undefined || holderOf(held) !== identity) return;
    const limit = new AbortController();
    const timer = clock.after(this.#retryPeriod_ms, () => limit.abort(new Error('no answer in time')));
    try {
      const { signal } = limit;
      this.#see(
        await answered(
          client.update<Lease>(leases, { ...held, spec: released(held.spec, clock.now()) }, { signal }),
          signal,
        ),
      );
    } catch (error) {
      this.#logger.info({ error: String(error) }, 'the lease was not given up; it will run out');
    } finally {
      timer.cancel();
    }
  }

  #see(lease: Lease): void {
    this.#observation = observe(this.#observation, lease, this.#options.clock.monotonic());
  }

  #report(): void {
    if (this.leader === this.#reported) return;
    this.#reported = this.leader;
    this.#options.onNewLeader?.(this.leader);
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#options;
    await clock.sleep(this.#retryPeriod_ms * (1 + random.next() * (JITTER - 1)), signal).catch(() => undefined);
  }
}
