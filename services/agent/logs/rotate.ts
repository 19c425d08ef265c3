/** Keeps container logs within bounds: renames a file that has grown too large and has the runtime open a fresh one. */
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ContainerRecord, Runtime } from '../runtime/runtime.js';

const LOG_BYTES_MAX = 10 << 20;
const OLD_FILES_MAX = 4;

/**
 * Rotates `path` to `path.1`, `path.1` to `path.2` and so on, when it is larger than `limit_bytes`. True when it was.
 */
export async function rotateLog(
  runtime: Runtime,
  record: ContainerRecord,
  limit_bytes = LOG_BYTES_MAX,
): Promise<boolean> {
  const { logPath } = record;
  const size = logPath === '' ? 0 : ((await stat(logPath).catch(() => undefined))?.size ?? 0);
  if (size <= limit_bytes) return false;
  const present = new Set(await readdir(dirname(logPath)));
  for (let i = OLD_FILES_MAX; i >= 1; i--) {
    const name = `${basename(logPath)}.${i}`;
    if (!present.has(name)) continue;
    if (i === OLD_FILES_MAX) await rm(join(dirname(logPath), name));
    else await rename(join(dirname(logPath), name), `${logPath}.${i + 1}`);
  }
  await rename(logPath, `${logPath}.1`);
  await runtime.reopenLog(record.id);
  return true;
}
