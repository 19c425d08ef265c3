/**
 * Commands of the machine as something that is handed in: whoever talks to the kernel through `ip`, `nft` and their
 * like takes an Executor, so that unit tests see exact commands. No shell is ever involved: arguments are a list.
 */
import { spawn } from 'node:child_process';

export interface CommandOptions {
  /** Written to standard input, which is then closed. */
  readonly stdin?: string;
  /** The command is killed after this time; 30 s unless told. */
  readonly timeout_ms?: number;
  readonly signal?: AbortSignal;
}

export interface CommandResult {
  /** Exit code; -1 when the command could not be started, was killed, or ran into its time limit. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. Never rejects: a command that cannot be started is a result too. */
export interface Executor {
  run(command: string, args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
}

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly result: CommandResult;

  constructor(command: string, args: readonly string[], result: CommandResult) {
    const why = result.stderr.trim().slice(0, 2000) || `exit code ${result.code}`;
    super(`${[command, ...args].join(' ')}: ${why}`);
    this.result = result;
  }
}

/** Standard output of a command that must succeed; throws CommandError otherwise. */
export async function mustRun(
  executor: Executor,
  command: string,
  args: readonly string[],
  options?: CommandOptions,
): Promise<string> {
  const result = await executor.run(command, args, options);
  if (result.code !== 0) throw new CommandError(command, args, result);
  return result.stdout;
}

const TIMEOUT_MS_DEFAULT = 30_000;
/** What a command may print before it is killed: listings of a large node fit, a runaway does not. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

export const systemExecutor: Executor = {
  run: (command, args, options = {}) =>
    new Promise((resolve) => {
      const child = spawn(command, args, {
        stdio: ['pipe', 'pipe', 'pipe'],
        ...(options.signal === undefined ? {} : { signal: options.signal }),
        timeout: options.timeout_ms ?? TIMEOUT_MS_DEFAULT,
        killSignal: 'SIGKILL',
      });
      const stdout: Buffer[] = [];
      const stderr: Buffer[] = [];
      let bytes = 0;
      let failure = '';
      const take = (into: Buffer[]) => (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > OUTPUT_BYTES_MAX) {
          failure = `printed more than ${OUTPUT_BYTES_MAX} bytes`;
          child.kill('SIGKILL');
          return;
        }
        into.push(chunk);
      };
      child.stdout.on('data', take(stdout));
      child.stderr.on('data', take(stderr));
      child.on('error', (error) => (failure = error.message));
      // A command that does not read its input closes the pipe early: its exit code tells what came of it.
      child.stdin.on('error', () => undefined);
      child.on('close', (code, signal) => {
        if (failure === '' && signal !== null) failure = `ended by ${signal}`;
        const text = Buffer.concat(stderr).toString();
        resolve({
          code: failure === '' ? (code ?? -1) : -1,
          stdout: Buffer.concat(stdout).toString(),
          stderr: failure === '' ? text : `${text}${failure}`,
        });
      });
      child.stdin.end(options.stdin ?? '');
    }),
};

/** Runs every command inside a named network namespace. By `nsenter`: `ip netns exec` would remount /sys as well. */
export function inNetworkNamespace(executor: Executor, name: string): Executor {
  return {
    run: (command, args, options) =>
      executor.run('nsenter', [`--net=/run/netns/${name}`, '--', command, ...args], options),
  };
}
