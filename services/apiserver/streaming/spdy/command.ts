/**
 * Exec and attach over SPDY/3.1, as kubectl before 1.30 and many libraries speak them: the client opens one stream for
 * each of stdin, stdout, stderr, error and (from v3 on, for terminals) resize, and names it by the header `streamType`.
 */
import type { PodStream } from '../../../../apimachinery/pod-streams.js';
import type { Clock } from '../../../../platform/clock.js';
import type { CommandChannels } from '../channels.js';
import type { UpgradeRequest } from '../../ports.js';
import { openCommand, runCommand } from '../command.js';
import { STREAMS_TIMEOUT_MS } from '../limits.js';
import { refuse } from '../../rest/raw-answer.js';
import { SpdyConnection } from './connection.js';
import type { SpdyStream } from './stream.js';
import { negotiate, switchToSpdy } from './upgrade.js';

const V4 = 'v4.channel.k8s.io';
const V3 = 'v3.channel.k8s.io';
const V1 = 'channel.k8s.io';
const PROTOCOLS = [V4, V3, 'v2.channel.k8s.io', V1];

/**
 * A far end that cannot be reached is answered before any 101. Resolves when the client has been told how the command
 * ended.
 */
export async function serveSpdyCommand(upgrade: UpgradeRequest, clock: Clock): Promise<void> {
  let stream: PodStream;
  let protocol: string;
  try {
    protocol = negotiate(upgrade, PROTOCOLS, V1);
    stream = await openCommand(upgrade);
  } catch (error) {
    refuse(upgrade.socket, error);
    return;
  }
  const streams = new CommandStreams(expectedTypes(upgrade, protocol));
  switchToSpdy(upgrade, protocol);
  const connection = new SpdyConnection({ carrier: upgrade.socket, clock, onStream: (opened) => streams.take(opened) });
  const { gone } = connection;
  const late = clock.after(STREAMS_TIMEOUT_MS, () => connection.close());
  try {
    const open = await streams.complete(gone);
    late.cancel();
    const error = open.get('error');
    if (error === undefined) return;
    const channels: CommandChannels = {
      stdin: open.get('stdin'),
      stdout: open.get('stdout'),
      stderr: open.get('stderr'),
      resize: open.get('resize'),
      error,
      outcome: protocol === V4 ? 'status' : 'text',
      gone,
    };
    await runCommand(stream, channels);
  } catch {
    // The client left before it had opened its streams.
  } finally {
    late.cancel();
    stream.close();
    connection.close();
  }
}

function expectedTypes({ stdin, stdout, stderr, tty }: UpgradeRequest, protocol: string): Set<string> {
  const types = new Set(['error']);
  if (stdin) types.add('stdin');
  if (stdout) types.add('stdout');
  // A terminal has one output.
  if (stderr && !tty) types.add('stderr');
  if (tty && (protocol === V4 || protocol === V3)) types.add('resize');
  return types;
}

/** Waits for the streams that were announced by the request. Any other is refused. */
class CommandStreams {
  readonly #expected: ReadonlySet<string>;
  readonly #open = new Map<string, SpdyStream>();
  #onComplete: (() => void) | undefined;

  constructor(expected: ReadonlySet<string>) {
    this.#expected = expected;
  }

  take(stream: SpdyStream): void {
    const type = stream.headers.get('streamtype')?.toLowerCase() ?? '';
    if (!this.#expected.has(type) || this.#open.has(type)) return stream.refuse();
    stream.accept();
    this.#open.set(type, stream);
    if (this.#open.size === this.#expected.size) this.#onComplete?.();
  }

  complete(gone: AbortSignal): Promise<ReadonlyMap<string, SpdyStream>> {
    return new Promise((resolve, reject) => {
      const onGone = () => reject(gone.reason as Error);
      this.#onComplete = () => {
        gone.removeEventListener('abort', onGone);
        resolve(this.#open);
      };
      gone.addEventListener('abort', onGone, { once: true });
      if (gone.aborted) onGone();
      if (this.#open.size === this.#expected.size) this.#onComplete();
    });
  }
}
