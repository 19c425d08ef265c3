/**
 * A service that is restarted alone when it fails: its start rejects, or a callback of it throws. The others of the
 * process do not notice. Each life of the service is a part of its own, so that a late fault of an ended life does not
 * end the next.
 */
import type { Clock, Timer } from './clock.js';
import type { Containment, Part } from './containment.js';
import type { Service } from './service.js';

export interface ContainedOptions<T extends Service> {
  /** Labels logs and metrics. */
  readonly name: string;
  readonly containment: Containment;
  readonly clock: Clock;
  /** A new service, for the first start and after each fault. */
  readonly create: (part: Part) => T;
  /** Called after each successful start. */
  readonly onStarted?: (service: T) => void;
}

const RESTART_MS_MIN = 100;
const RESTART_MS_MAX = 30_000;
/** A life this long was a good one: the delay starts over. */
const HEALTHY_MS = 60_000;
/** A broken service may hang in its stop; its successor does not wait longer. */
const STOP_MS_MAX = 5_000;

type State<T> =
  | { readonly kind: 'starting' | 'running'; readonly service: T; readonly since_ms: number }
  | { readonly kind: 'waiting'; readonly timer: Timer | undefined }
  | { readonly kind: 'idle' | 'stopped' };

export class ContainedService<T extends Service> implements Service {
  readonly name: string;
  readonly #options: ContainedOptions<T>;
  #state: State<T> = { kind: 'idle' };
  #delay_ms = RESTART_MS_MIN;
  #ending: Promise<void> = Promise.resolve();

  constructor(options: ContainedOptions<T>) {
    this.#options = options;
    this.name = options.name;
  }

  /** Undefined while it waits for its next start. */
  get current(): T | undefined {
    return this.#state.kind === 'running' ? this.#state.service : undefined;
  }

  /** Resolves after the first attempt, whatever came of it: a failed one is repeated. */
  start(): Promise<void> {
    return this.#attempt();
  }

  async stop(): Promise<void> {
    const before = this.#state;
    this.#state = { kind: 'stopped' };
    if (before.kind === 'waiting') before.timer?.cancel();
    if (before.kind === 'starting' || before.kind === 'running') await before.service.stop();
    await this.#ending;
  }

  async #attempt(): Promise<void> {
    if (this.#state.kind === 'stopped') return;
    this.#state = { kind: 'idle' };
    const { clock, containment, create, onStarted } = this.#options;
    let service: T | undefined;
    const part = containment.part(this.name, () => this.#broken(service));
    try {
      service = part.run(() => create(part));
      const since_ms = clock.monotonic();
      this.#state = { kind: 'starting', service, since_ms };
      const starting = service;
      await part.run(() => starting.start());
      if (this.#service() !== starting) return;
      this.#state = { kind: 'running', service: starting, since_ms };
      onStarted?.(starting);
    } catch (error) {
      part.fault(error);
    }
  }

  #service(): T | undefined {
    return this.#state.kind === 'starting' || this.#state.kind === 'running' ? this.#state.service : undefined;
  }

  /** `service` undefined: it could not even be made. */
  #broken(service: T | undefined): void {
    const state = this.#state;
    if (state.kind === 'stopped' || state.kind === 'waiting' || this.#service() !== service) return;
    const { clock } = this.#options;
    if (state.kind === 'running' && clock.monotonic() - state.since_ms >= HEALTHY_MS) this.#delay_ms = RESTART_MS_MIN;
    this.#state = { kind: 'waiting', timer: undefined };
    this.#ending = this.#end(service).then(() => {
      if (this.#state.kind !== 'waiting') return;
      this.#state = { kind: 'waiting', timer: clock.after(this.#delay_ms, () => void this.#attempt()) };
      this.#delay_ms = Math.min(this.#delay_ms * 2, RESTART_MS_MAX);
    });
  }

  /** Never rejects. */
  async #end(service: T | undefined): Promise<void> {
    if (service === undefined) return;
    const timeout = new AbortController();
    const stopped = Promise.resolve()
      .then(() => service.stop())
      .catch(() => undefined);
    const late = this.#options.clock.sleep(STOP_MS_MAX, timeout.signal).catch(() => undefined);
    await Promise.race([stopped, late]);
    timeout.abort(new Error('the service has stopped'));
  }
}
