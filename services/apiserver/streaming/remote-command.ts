/**
 * The channels of exec and attach as clients see them, whatever carries them (k8s.io/apimachinery/pkg/util/remotecommand): 0
 * stdin, 1 stdout, 2 stderr, 3 a Status at the end, 4 terminal sizes.
 */
import type { PodStreamRequest } from '../../../apimachinery/pod-streams.js';
import type { UpgradeRequest } from '../ports.js';

export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** Terminal sizes beyond this are nonsense, and the window of a terminal has 16 bits for them. */
const TERMINAL_SIZE_MAX = 0xffff;

export function commandRequest(upgrade: UpgradeRequest): PodStreamRequest {
  const { namespace, pod, uid, container, command, stdin, stdout, stderr, tty } = upgrade;
  const kind = upgrade.kind === 'attach' ? 'attach' : 'exec';
  // A terminal has one output.
  return { kind, namespace, pod, uid, container, command, stdin, stdout, stderr: stderr && !tty, tty };
}

/** What channel 3 carries: how the command ended. Clients read the exit code from the cause. */
export function exitStatus(code: number, message?: string): string {
  if (code === 0) return JSON.stringify({ metadata: {}, status: 'Success' });
  return JSON.stringify({
    metadata: {}, status: 'Failure', reason: 'NonZeroExitCode',
    message: message ?? `command terminated with non-zero exit code: exit status ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  });
}

export function failureStatus(message: string): string {
  return JSON.stringify({ metadata: {}, status: 'Failure', reason: 'InternalError', message, code: 500 });
}

/** `{"Width":80,"Height":24}`; undefined when it is no size. */
export function parseResize(data: Uint8Array): { columns: number; rows: number } | undefined {
  try {
    const size = JSON.parse(Buffer.from(data).toString('utf8')) as { Width?: unknown; Height?: unknown };
    const valid = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0 && (value as number) <= TERMINAL_SIZE_MAX;
    return valid(size.Width) && valid(size.Height) ? { columns: size.Width, rows: size.Height } : undefined;
  } catch {
    return undefined;
  }
}
