/** Exec and attach, once for all carriers: a client's channels joined to a pod's stream. */
import type { PodStream } from '../../../apimachinery/pod-streams.js';
import { ApiError } from '../../../apimachinery/status.js';
import type { Channel, CommandChannels } from './channels.js';
import type { UpgradeRequest } from '../ports.js';
import { commandRequest, exitMessage, exitStatus, failureStatus, SizeReader } from './remote-command.js';

/** Opens the far end. The client that leaves meanwhile is not waited for. */
export async function openCommand(upgrade: UpgradeRequest): Promise<PodStream> {
  const abort = new AbortController();
  const onClose = () => abort.abort(new Error('the client has gone'));
  upgrade.socket.once('close', onClose);
  try {
    return await upgrade.open(commandRequest(upgrade), { signal: abort.signal });
  } finally {
    upgrade.socket.off('close', onClose);
  }
}

/** Resolves when the command has ended and the client has been told how, or when the client is gone. Never rejects. */
export async function runCommand(stream: PodStream, channels: CommandChannels): Promise<void> {
  const { stdin, stdout, stderr, resize, error, gone } = channels;
  const leave = () => stream.close();
  gone.addEventListener('abort', leave, { once: true });
  if (gone.aborted) leave();
  if (stdin !== undefined) void feedInput(stream, stdin, gone);
  if (resize !== undefined) void feedSizes(stream, resize);
  try {
    const outcome = await sendOutput(stream, channels);
    stdout?.end();
    stderr?.end();
    if (outcome !== '') await error.write(Buffer.from(outcome));
    error.end();
  } catch {
    // The client is gone: nothing is left to tell it.
  } finally {
    gone.removeEventListener('abort', leave);
    stdin?.cancel();
    resize?.cancel();
    stream.close();
  }
}

/** Returns what the error channel carries. Rejects when the client takes no output. */
async function sendOutput(stream: PodStream, { stdout, stderr, outcome }: CommandChannels): Promise<string> {
  const output = stream[Symbol.asyncIterator]();
  for (;;) {
    let next;
    try {
      next = await output.next();
    } catch (error) {
      if (outcome === 'text') return (error as Error).message;
      return error instanceof ApiError ? JSON.stringify(error.status) : failureStatus((error as Error).message);
    }
    if (next.done === true) return outcome === 'text' ? '' : exitStatus(0);
    const frame = next.value;
    if (frame.kind === 'exit')
      return outcome === 'text' ? exitMessage(frame.code, frame.message) : exitStatus(frame.code, frame.message);
    await (frame.kind === 'stdout' ? stdout : stderr)?.write(frame.data);
  }
}

/**
 * A command that takes no more input may still have something to say: a failed write ends the input, not the stream. A
 * client that gives up its input alone has ended it.
 */
async function feedInput(stream: PodStream, stdin: Channel, gone: AbortSignal): Promise<void> {
  try {
    for await (const data of stdin) await stream.write({ kind: 'stdin', data });
  } catch {
    stdin.cancel();
  }
  if (gone.aborted) return;
  try {
    await stream.write({ kind: 'stdin-end' });
  } catch {
    // The far end is gone: its output says so.
  }
}

async function feedSizes(stream: PodStream, resize: Channel): Promise<void> {
  const reader = new SizeReader();
  try {
    for await (const data of resize) {
      for (const size of reader.read(data)) await stream.write({ kind: 'resize', ...size });
    }
  } catch {
    resize.cancel();
  }
}
