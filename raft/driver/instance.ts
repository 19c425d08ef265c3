/**
 * The random name of a data directory: made with it, never changed. Copying it makes no second member, wiping it ends
 * this one.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../../platform/random.js';

const FILE = 'instance';

/** Reads it, or makes one durably. */
export function openInstance(directory: string, random: Random): string {
  const path = join(directory, FILE);
  const found = read(path);
  if (found !== undefined) return found;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const instance = random.uuid();
  const file = openSync(`${path}.new`, 'w', 0o600);
  writeSync(file, instance);
  fsyncSync(file);
  closeSync(file);
  renameSync(`${path}.new`, path);
  const parent = openSync(directory, 'r');
  fsyncSync(parent);
  closeSync(parent);
  return instance;
}

/** A file that is empty or cut off is as good as none: nobody was told what it said. */
function read(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return /^[0-9a-f-]{36}$/.test(text) ? text : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
