/**
 * systemd's watchdog (WatchdogSec, sd_notify(3)): it hears from this process as long as its main thread turns, and
 * starts it again when it does not. Node has no datagram sockets of the Unix kind, so systemd's own command sends the
 * message: the unit needs NotifyAccess=all.
 */
import type { Clock, Timer } from './clock.js';
import type { Executor } from './exec.js';
import type { Logger } from './log.js';
import type { Service } from './service.js';

export interface SystemdWatchdogOptions {
  readonly executor: Executor;
  readonly clock: Pick<Clock, 'every'>;
  readonly logger: Logger;
  /** NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as systemd sets them. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly pid: number;
}

/** A message that is lost, or late, must not cost the process its life. */
const MESSAGES_IN_TIME = 3;

export class SystemdWatchdog implements Service {
  readonly name = 'systemd watchdog';
  readonly #options: SystemdWatchdogOptions;
  #timer: Timer | undefined;

  constructor(options: SystemdWatchdogOptions) {
    this.#options = options;
  }

  /** Does nothing unless systemd watches this very process. */
  start(): Promise<void> {
    const { NOTIFY_SOCKET: socket = '', WATCHDOG_USEC: time = '', WATCHDOG_PID: pid = '' } = this.#options.environment;
    const interval_ms = Number(time) / 1000 / MESSAGES_IN_TIME;
    if (socket === '' || !(interval_ms > 0) || (pid !== '' && Number(pid) !== this.#options.pid))
      return Promise.resolve();
    this.#timer = this.#options.clock.every(interval_ms, () => void this.#notify());
    return this.#notify();
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    return Promise.resolve();
  }

  async #notify(): Promise<void> {
    const { executor, logger } = this.#options;
    const { code, stderr } = await executor.run('systemd-notify', ['WATCHDOG=1'], { timeout_ms: 5000 });
    if (code !== 0)
      logger.warn(
        { code, stderr: stderr.slice(0, 200) },
        'systemd could not be told that this process is alive; its unit needs NotifyAccess=all',
      );
  }
}
