/**
 * Vitest's global setup, and the first thing that a benchmark or `make chaos` does: a run's temporary files stand in
 * one folder, which goes with the run, whatever failed in it. What runs that were killed have left goes first. With
 * NAVARCH_KEEP set files stay where a test made them.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeLeftovers, runFolderName } from './leftovers.js';

/** Where what is kept beyond the run belongs, as the logs of a failure; also says that a run is inside another. */
export const OUTER_FOLDER = 'NAVARCH_TEST_OUTER_TMPDIR';

/** Returns what takes the folder away. */
export async function setup(): Promise<(() => void) | undefined> {
  if (process.env[OUTER_FOLDER] !== undefined) return undefined;
  const outer = tmpdir();
  for (const line of await removeLeftovers(outer)) process.stderr.write(`left by a run that was killed: ${line}\n`);
  if (process.env['NAVARCH_KEEP'] !== undefined) return undefined;
  const folder = join(outer, runFolderName());
  mkdirSync(folder, { recursive: true });
  process.env[OUTER_FOLDER] = outer;
  process.env['TMPDIR'] = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}
