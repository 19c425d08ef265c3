/**
 * The words of exec and attach, whatever carries them (k8s.io/apimachinery/pkg/util/remotecommand): what is asked of
 * the pod, how a command ended, and terminal sizes.
 */
import type { PodStreamRequest } from '../../../apimachinery/pod-streams.js';
import type { UpgradeRequest } from '../ports.js';

/** Terminal sizes beyond this are nonsense, and the window of a terminal has 16 bits for them. */
const TERMINAL_SIZE_MAX = 0xffff;
/** A size is some 30 characters of JSON. */
const SIZE_CHARACTERS_MAX = 256;

export function commandRequest(upgrade: UpgradeRequest): PodStreamRequest {
  const { namespace, pod, uid, container, command, stdin, stdout, stderr, tty } = upgrade;
  const kind = upgrade.kind === 'attach' ? 'attach' : 'exec';
  // A terminal has one output.
  return { kind, namespace, pod, uid, container, command, stdin, stdout, stderr: stderr && !tty, tty };
}

/** How the command ended, from v4 on. Clients read the exit code from the cause. */
export function exitStatus(code: number, message?: string): string {
  if (code === 0) return JSON.stringify({ metadata: {}, status: 'Success' });
  return JSON.stringify({
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: exitMessage(code, message),
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  });
}

/** The same before v4: '' is success. */
export function exitMessage(code: number, message?: string): string {
  if (code === 0) return '';
  return message ?? `command terminated with non-zero exit code: exit status ${code}`;
}

export function failureStatus(message: string): string {
  return JSON.stringify({ metadata: {}, status: 'Failure', reason: 'InternalError', message, code: 500 });
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** `{"Width":80,"Height":24}`; undefined when it is no size. */
function parseSize(text: string): TerminalSize | undefined {
  try {
    const size = JSON.parse(text) as { Width?: unknown; Height?: unknown } | null;
    const valid = (value: unknown): value is number =>
      Number.isInteger(value) && (value as number) >= 0 && (value as number) <= TERMINAL_SIZE_MAX;
    return valid(size?.Width) && valid(size.Height) ? { columns: size.Width, rows: size.Height } : undefined;
  } catch {
    return undefined;
  }
}

/** Sizes out of a stream of JSON objects, one after the other. What is none is skipped. */
export class SizeReader {
  #text = '';

  read(data: Buffer): TerminalSize[] {
    this.#text += data.toString('latin1');
    const objects = this.#text.split('}');
    const rest = objects.pop() ?? '';
    this.#text = rest.length > SIZE_CHARACTERS_MAX ? '' : rest;
    return objects.flatMap((text) => (text.length > SIZE_CHARACTERS_MAX ? [] : (parseSize(`${text}}`) ?? [])));
  }
}
