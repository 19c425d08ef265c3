/**
 * One child of the supervisor: started, watched, started again when it dies (with a growing pause while it keeps
 * dying), ended gently and then not.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../../platform/clock.js';
import type { Logger } from '../../platform/log.js';
import { EXIT_FENCED } from '../../platform/user-error.js';
import { processIdOf, type ProcessId } from '../../platform/process-id.js';

export interface ProcessSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Standard output and error go here, appended. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ManagedProcessOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called on every start and end. */
  readonly onChange: () => void;
}

const RESTART_DELAY_MS_MIN = 100;
const RESTART_DELAY_MS_MAX = 10_000;
/** One that would end the same way again is looked at now and then: somebody may have repaired it. */
const FENCED_DELAY_MS = 30_000;
/** A process that lived this long is taken to be well again. */
const STABLE_MS = 10_000;
const TERMINATION_MS = 15_000;

export class ManagedProcess {
  readonly spec: ProcessSpec;
  readonly #options: ManagedProcessOptions;
  #child: ChildProcess | undefined;
  #id: ProcessId | undefined;
  #restarts = 0;
  #failures = 0;
  #lastExit = '';
  #timer: Timer | undefined;
  #stopping = false;

  constructor(spec: ProcessSpec, options: ManagedProcessOptions) {
    this.spec = spec;
    this.#options = options;
  }

  get id(): ProcessId | undefined {
    return this.#id;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** How it last ended: `exit code 1`, `killed by SIGKILL`; '' while it never did. */
  get lastExit(): string {
    return this.#lastExit;
  }

  start(): void {
    if (this.#stopping || this.#child !== undefined) return;
    mkdirSync(dirname(this.spec.logFile), { recursive: true, mode: 0o700 });
    const log = openSync(this.spec.logFile, 'a', 0o600);
    const started_ms = this.#options.clock.monotonic();
    // A process group of its own: a Ctrl-C meant for somebody else does not reach it.
    const child = spawn(this.spec.command, this.spec.args, {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, ...this.spec.env },
    });
    closeSync(log);
    this.#child = child;
    this.#id = child.pid === undefined ? undefined : processIdOf(child.pid);
    this.#options.onChange();
    child.once('error', (error) =>
      this.#ended({ how: `could not be started: ${error.message}`, started_ms, isFenced: false }),
    );
    child.once('exit', (code, signal) =>
      this.#ended({
        how: signal === null ? `exit code ${code ?? 0}` : `killed by ${signal}`,
        started_ms,
        isFenced: code === EXIT_FENCED,
      }),
    );
  }

  /** Ends it at once; it is started again like one that died. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** SIGTERM, then SIGKILL for one that does not go. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#timer?.cancel();
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGTERM');
    const force = this.#options.clock.after(TERMINATION_MS, () => child.kill('SIGKILL'));
    await gone;
    force.cancel();
  }

  #ended({
    how,
    started_ms,
    isFenced,
  }: {
    readonly how: string;
    readonly started_ms: number;
    readonly isFenced: boolean;
  }): void {
    if (this.#child === undefined) return;
    this.#child = undefined;
    this.#id = undefined;
    this.#lastExit = how;
    if (!this.#stopping) {
      const lived_ms = this.#options.clock.monotonic() - started_ms;
      this.#failures = lived_ms >= STABLE_MS ? 0 : this.#failures + 1;
      const delay_ms = isFenced
        ? FENCED_DELAY_MS
        : Math.min(RESTART_DELAY_MS_MIN * 2 ** this.#failures, RESTART_DELAY_MS_MAX);
      this.#restarts++;
      this.#options.logger.warn({ process: this.spec.name, how, delay_ms }, 'process ended; starting it again');
      this.#timer = this.#options.clock.after(delay_ms, () => this.start());
    }
    this.#options.onChange();
  }
}
