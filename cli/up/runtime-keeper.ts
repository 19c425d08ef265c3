/** Starts a worker's containerd again when it has died, as an init system would: its containers live on meanwhile. */
import type { Timer } from '../../platform/clock.js';
import type { Service } from '../../platform/service.js';
import { startContainerd, type HostsDeps } from '../hosts/containerd.js';
import type { Host } from '../hosts/plan.js';
import { runningProcess } from '../hosts/processes.js';

const LOOK_MS = 500;
/** A containerd that fails at its start is not tried in a tight loop. */
const RETRY_MS = 5_000;

export class RuntimeKeeper implements Service {
  readonly name = 'runtime keeper';
  readonly #hosts: readonly Host[];
  readonly #deps: HostsDeps;
  #timer: Timer | undefined;
  #looking: Promise<number> = Promise.resolve(LOOK_MS);
  #stopped = false;

  constructor(hosts: readonly Host[], deps: HostsDeps) {
    this.#hosts = hosts.filter((host) => host.containerd !== undefined);
    this.#deps = deps;
  }

  start(): Promise<void> {
    this.#schedule(LOOK_MS);
    return Promise.resolve();
  }

  /** Once it resolves, nothing is started any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  #schedule(delay_ms: number): void {
    if (this.#stopped) return;
    this.#timer = this.#deps.clock.after(delay_ms, () => {
      this.#looking = this.#look();
      void this.#looking.then((next_ms) => this.#schedule(next_ms));
    });
  }

  async #look(): Promise<number> {
    const outcomes = await Promise.all(this.#hosts.map((host) => this.#mend(host)));
    return outcomes.includes(false) ? RETRY_MS : LOOK_MS;
  }

  async #mend(host: Host): Promise<boolean> {
    const pidPath = host.containerd?.pidPath;
    if (pidPath === undefined || this.#stopped || (await runningProcess(pidPath)) !== undefined) return true;
    this.#deps.logger.warn({ host: host.name }, 'containerd has ended; starting it again');
    try {
      await startContainerd(host, this.#deps);
      return true;
    } catch (error) {
      this.#deps.logger.error({ host: host.name, error: String(error) }, 'containerd does not start');
      return false;
    }
  }
}
