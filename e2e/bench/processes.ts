/** Processes under test: started, measured by /proc, ended by their own ids. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream, readFileSync } from 'node:fs';

/** Of /proc/<pid>/stat: one tick is 10 ms on every Linux there is. */
const TICK_US = 10_000;

export class Process {
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;

  constructor(
    command: string,
    args: readonly string[],
    options: { readonly log: string; readonly env?: Readonly<Record<string, string>> },
  ) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } });
    const log = createWriteStream(options.log, { flags: 'a' });
    this.#child.stdout?.pipe(log, { end: false });
    this.#child.stderr?.pipe(log, { end: false });
    this.#gone = new Promise((resolve) => {
      this.#child.once('exit', () => {
        log.end();
        resolve();
      });
      this.#child.once('error', () => resolve());
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined;
  }

  /** Undefined while it runs; -1 when a signal ended it. */
  get code(): number | undefined {
    return this.isRunning ? undefined : (this.#child.exitCode ?? -1);
  }

  /** User and system time of all its threads so far. */
  cpu_us(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_US;
  }

  /** Resident memory without what is only mapped files: those pages are the page cache's. */
  memory(): { readonly resident_bytes: number; readonly anonymous_bytes: number } {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const field = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024;
    return { resident_bytes: field('VmRSS'), anonymous_bytes: field('RssAnon') };
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.isRunning) this.#child.kill(signal);
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await this.#gone;
    clearTimeout(patience);
  }
}
