/** Streams of containers that run no process: the far end is code in this process. */
import type { PodStream, PodStreamInput } from '../../../apimachinery/pod-streams.js';
import { PipedStream } from './piped-stream.js';
import type { ExecRequest, ExecResult } from './runtime.js';

/** A command that has ended: its output, then its exit code. */
export async function resultStream(
  { exitCode, stdout, stderr }: ExecResult,
  request: ExecRequest,
  signal: AbortSignal,
): Promise<PodStream> {
  const stream = new PipedStream({ signal });
  if (request.stdout && stdout.length > 0) await stream.push({ kind: 'stdout', data: stdout });
  // With a terminal there is one output.
  const errors = request.tty ? 'stdout' : 'stderr';
  if (request[errors] && stderr.length > 0) await stream.push({ kind: errors, data: stderr });
  void stream.push({ kind: 'exit', code: exitCode });
  stream.end();
  return stream;
}

/** Sends everything back. `exit`: an exit code follows the end of the input, as from `cat`; a port has none. */
export function echoStream(signal: AbortSignal, { exit }: { readonly exit: boolean }): PodStream {
  const stream: PipedStream = new PipedStream({
    signal,
    async onInput(input: PodStreamInput) {
      if (input.kind === 'stdin') await stream.push({ kind: 'stdout', data: input.data });
      if (input.kind !== 'stdin-end') return;
      if (exit) void stream.push({ kind: 'exit', code: 0 });
      stream.end();
    },
  });
  return stream;
}
