/** The real kubectl, unmodified: the newest there is on this machine. */
import { existsSync, mkdtempSync, readdirSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { mustRun, systemExecutor, type CommandOptions, type CommandResult } from '../../platform/exec.js';
import { Child } from './child.js';

/**
 * Versions beside the one on the path (as `kubectl.1.33`) are preferred: plain `kubectl` may pick by the server's
 * version.
 */
export function findKubectl(): string | undefined {
  const plain = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((directory) => join(directory, 'kubectl'))
    .find((path) => existsSync(path));
  if (plain === undefined) return undefined;
  const directory = dirname(realpathSync(plain));
  const minor = (name: string) => Number(/^kubectl\.1\.(\d+)$/.exec(name)?.[1] ?? 0);
  const [newest] = readdirSync(directory)
    .filter((name) => minor(name) > 0)
    .toSorted((a, b) => minor(b) - minor(a));
  return newest === undefined ? plain : join(directory, newest);
}

export class Kubectl {
  readonly #path: string;
  readonly #kubeconfig: string;
  readonly #home = mkdtempSync(join(tmpdir(), 'navarch-kubectl-'));
  readonly #global: readonly string[];

  constructor(path: string, kubeconfig: string, global: readonly string[] = []) {
    this.#path = path;
    this.#kubeconfig = kubeconfig;
    this.#global = global;
  }

  #args(args: readonly string[]): string[] {
    // Discovery is cached on disk: clusters of different runs must not meet there.
    return ['--kubeconfig', this.#kubeconfig, '--cache-dir', join(this.#home, 'cache'), ...this.#global, ...args];
  }

  run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return systemExecutor.run(this.#path, this.#args(args), options);
  }

  /** Standard output; throws with kubectl's own message unless it exits 0. */
  ok(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return mustRun(systemExecutor, this.#path, this.#args(args), options);
  }

  async json<T>(args: readonly string[]): Promise<T> {
    return JSON.parse(await this.ok([...args, '-o', 'json'])) as T;
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
    return new Child(this.#path, this.#args(args), env);
  }

  /** With a terminal on standard input and output, as a person has one: by script(1). */
  startOnTerminal(args: readonly string[]): Child {
    const quoted = [this.#path, ...this.#args(args)]
      .map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`)
      .join(' ');
    return new Child('script', ['-qec', quoted, '/dev/null']);
  }

  async close(): Promise<void> {
    await rm(this.#home, { recursive: true, force: true });
  }
}
