/** Exec and attach over WebSocket: channels 0 stdin, 1 stdout, 2 stderr, 3 how it ended, 4 terminal sizes. */
import type { PodStream } from '../../../../apimachinery/pod-streams.js';
import type { Clock } from '../../../../platform/clock.js';
import type { UpgradeRequest } from '../../ports.js';
import { openCommand, runCommand } from '../command.js';
import { refuse } from '../../rest/raw-answer.js';
import { V5, WebSocketConnection } from './connection.js';
import { accept, choose } from './upgrade.js';

const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;
/** In order of preference. */
const PROTOCOLS = [V5, 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io', 'channel.k8s.io', 'base64.channel.k8s.io'];

const WITH_STATUS: ReadonlySet<string> = new Set([V5, 'v4.channel.k8s.io', 'v4.base64.channel.k8s.io']);

/**
 * A far end that cannot be reached is answered before any 101. Resolves when the client has been told how the command
 * ended.
 */
export async function serveCommand(upgrade: UpgradeRequest, clock: Clock): Promise<void> {
  let stream: PodStream;
  let protocol: string;
  try {
    protocol = choose(upgrade, PROTOCOLS);
    stream = await openCommand(upgrade);
  } catch (error) {
    refuse(upgrade.socket, error);
    return;
  }
  try {
    const connection = new WebSocketConnection(await accept(upgrade, protocol), protocol, clock);
    // Tells the client that the command runs: upstream sends an empty message on the first channel that it may write.
    await connection
      .channel(upgrade.stdout ? CHANNEL.stdout : upgrade.stderr ? CHANNEL.stderr : CHANNEL.error)
      .write(Buffer.alloc(0));
    await runCommand(stream, {
      stdin: upgrade.stdin ? connection.channel(CHANNEL.stdin) : undefined,
      stdout: connection.channel(CHANNEL.stdout),
      stderr: connection.channel(CHANNEL.stderr),
      error: connection.channel(CHANNEL.error),
      resize: connection.channel(CHANNEL.resize),
      // Before v4 the error channel carries the text of a failure, and nothing for success.
      outcome: WITH_STATUS.has(protocol) ? 'status' : 'text',
      gone: connection.gone,
    });
    connection.close();
  } catch {
    // No WebSocket came of it; that has been answered.
  } finally {
    stream.close();
  }
}
