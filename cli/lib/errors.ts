/**
 * How a command fails: one message that says what was wrong, where, and what to do; a stack only for our own mistakes.
 */
import type { ServiceError } from '@grpc/grpc-js';
import { EXIT_FENCED, UserError } from '../../platform/user-error.js';
import { RaftError } from '../../raft/contract.js';

/** Raft's word for a member that the cluster does not take back as it is. */
export const isShutOut = (error: unknown): boolean =>
  error instanceof RaftError && (error.code === 'removed' || error.code === 'fenced' || error.code === 'outdated');

/** System errors in words; undefined for an error that has none. */
function explainSystemError(error: NodeJS.ErrnoException): string | undefined {
  switch (error.code) {
    case 'EADDRINUSE':
      return `port ${(error as { port?: number }).port ?? ''} on ${(error as { address?: string }).address ?? 'this host'} is in use; stop what listens there (ss -ltnp shows it), or choose another port`;
    case 'EADDRNOTAVAIL':
      return `${(error as { address?: string }).address ?? 'the address'} is no address of this host; check --advertise-address and --listen-address`;
    case 'EACCES':
    case 'EPERM':
      return `no permission for ${error.path ?? 'the operation'} (${error.syscall ?? ''}); run as the user that owns it, or as root`;
    case 'ENOSPC':
      return `the disk of ${error.path ?? 'the data directory'} is full; free space and start again: nothing acknowledged is lost`;
    case 'EROFS':
      return `${error.path ?? 'the data directory'} is on a read-only file system`;
    default:
      return undefined;
  }
}

/** The text for standard error, and the exit code. */
export function describeFailure(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof UserError) return { text: error.message, exitCode: error.exitCode };
  if (error instanceof Error) {
    const plain = explainSystemError(error) ?? answerIn(error) ?? (isOperating(error) ? error.message : undefined);
    return { text: plain ?? error.stack ?? error.message, exitCode: isShutOut(error) ? EXIT_FENCED : 1 };
  }
  return { text: String(error), exitCode: 1 };
}

/** What a server answered over gRPC, or why none did: whose mistake it was, the stack in this process does not tell. */
function answerIn(error: Partial<ServiceError>): string | undefined {
  return typeof error.code === 'number' && typeof error.details === 'string' && error.details !== ''
    ? error.details
    : undefined;
}

/** Errors of our own rooms that are made to be read by people. */
function isOperating(error: Error): boolean {
  return ['ApiError', 'RaftError', 'StoreError', 'SigningRequestError', 'CommandError'].includes(error.name);
}
