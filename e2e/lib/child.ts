/** A command that runs beside the test: its output is gathered, and it is ended by its own process id. */
import { spawn, type ChildProcess } from 'node:child_process';
import { until } from './until.js';

export class Child {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #stdout = '';
  #stderr = '';
  #code: number | undefined;

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#child.stdin?.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#stderr += error.message;
        resolve((this.#code = -1));
      });
      this.#child.once('close', (code) => resolve((this.#code = code ?? -1)));
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Undefined while it runs; -1 when a signal ended it. */
  get code(): number | undefined {
    return this.#code;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  closeInput(): void {
    this.#child.stdin?.end();
  }

  /** Its exit code, when it ends by itself. */
  ended(): Promise<number> {
    return this.#ended;
  }

  prints(pattern: RegExp, timeout_ms = 30_000): Promise<true> {
    return until(`${pattern} in the output`, () => (pattern.test(this.#stdout) ? true : undefined), {
      timeout_ms,
      show: () => Promise.resolve(`stdout: ${this.#stdout.slice(-2000)}\nstderr: ${this.#stderr.slice(-2000)}`),
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.#code === undefined) this.#child.kill(signal);
    await this.#ended;
  }
}
