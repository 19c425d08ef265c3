/**
 * Secrets that a command is given: from a file or standard input, since everybody on the machine sees command lines.
 */
import { readFile, unlink } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { UserError } from '../../platform/user-error.js';

export interface SecretFlags {
  readonly token?: string;
  /** A path, or `-`: standard input. */
  readonly tokenFile?: string;
}

/** Undefined: no secret was given. The function reads it when it is needed. Throws UserError. */
export function secretOf({ token, tokenFile }: SecretFlags): (() => Promise<string>) | undefined {
  if (token !== undefined && tokenFile !== undefined) throw new UserError('give --token-file or --token, not both', 2);
  if (tokenFile === undefined) return token === undefined ? undefined : () => Promise.resolve(token);
  return async () => {
    const secret = (tokenFile === '-' ? await text(process.stdin) : await readToken(tokenFile)).trim();
    if (secret === '')
      throw new UserError(
        tokenFile === '-' ? 'standard input held no token' : `${tokenFile} is empty: write the token into it`,
        2,
      );
    return secret;
  };
}

/** As `secretOf`, now. Undefined also when the file is not there: it is deleted once it has served. */
export async function secretIfThere(flags: SecretFlags): Promise<string | undefined> {
  const ask = secretOf(flags);
  try {
    return await ask?.();
  } catch (error) {
    if (
      error instanceof UserError &&
      error.cause !== undefined &&
      (error.cause as NodeJS.ErrnoException).code === 'ENOENT'
    )
      return undefined;
    throw error;
  }
}

async function readToken(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw Object.assign(new UserError(`the token file cannot be read: ${(error as Error).message}`), { cause: error });
  }
}

/**
 * Deletes the file that the secret came from. Resolves with why it could not; a file that is gone is as good as
 * deleted.
 */
export async function forgetSecret({ tokenFile }: SecretFlags): Promise<string | undefined> {
  if (tokenFile === undefined || tokenFile === '-') return undefined;
  try {
    await unlink(tokenFile);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : (error as Error).message;
  }
}
