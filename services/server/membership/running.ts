/** Which process works in a data directory: what is stopped may be repaired, what runs must not be touched. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../../platform/pki/files.js';
import { isRunning, processIdOf, type ProcessId } from '../../../platform/process-id.js';
import { UserError } from '../../../platform/user-error.js';

const pathOf = (dataDir: string) => join(dataDir, 'server.pid');

async function ownerOf(dataDir: string): Promise<ProcessId | undefined> {
  const text = await readFile(pathOf(dataDir), 'utf8').catch(() => undefined);
  try {
    const found = JSON.parse(text ?? 'null') as ProcessId | null;
    return found !== null && found.pid !== process.pid && isRunning(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** Throws UserError while another process runs from the directory. */
export async function requireStopped(dataDir: string): Promise<void> {
  const owner = await ownerOf(dataDir);
  if (owner !== undefined)
    throw new UserError(`${dataDir} is in use by another process, the member ${owner.pid}; stop it first`);
}

/** Notes that this process works here. LevelDB's lock is what keeps two apart; this tells others before they try. */
export async function claimProcess(dataDir: string): Promise<void> {
  await requireStopped(dataDir);
  const self = processIdOf(process.pid);
  if (self !== undefined) await writeFileAtomic(pathOf(dataDir), `${JSON.stringify(self)}\n`, 0o600);
}
