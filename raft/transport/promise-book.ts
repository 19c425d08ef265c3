/**
 * What the peers were heard to have on disk, kept over restarts of this process, so that a directory that was put back
 * to an older state is known even after the others were restarted. Written now and then, without waiting for the disk:
 * what is lost with a power failure is only knowledge about others, and an older entry is still true.
 */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { NodeId } from '../contract.js';
import type { Position } from './greeting.js';

const FILE = 'promises.json';

export class PromiseBook {
  readonly #path: string;
  #written = '';
  #writing: Promise<void> | undefined;

  constructor(directory: string) {
    this.#path = join(directory, FILE);
  }

  /** A book that cannot be read is an empty one. */
  read(): [NodeId, Position][] {
    try {
      const rows = JSON.parse(readFileSync(this.#path, 'utf8')) as unknown;
      if (!Array.isArray(rows)) return [];
      return (rows as unknown[]).flatMap((row): [NodeId, Position][] => {
        const [id, term, index] = Array.isArray(row) ? (row as unknown[]) : [];
        return isCount(id) && isCount(term) && isCount(index) ? [[id as NodeId, { term, index }]] : [];
      });
    } catch {
      return [];
    }
  }

  /** Never rejects, one write at a time: what comes while one runs is left to the next call. */
  write(positions: Iterable<readonly [NodeId, Position]>): Promise<void> {
    const text = JSON.stringify([...positions].map(([id, { term, index }]) => [id, term, index]));
    if (this.#writing !== undefined || text === this.#written) return this.#writing ?? Promise.resolve();
    this.#writing = this.#replace(text)
      .catch(() => undefined)
      .finally(() => {
        this.#writing = undefined;
      });
    return this.#writing;
  }

  async #replace(text: string): Promise<void> {
    await writeFile(`${this.#path}.new`, text, { mode: 0o600 });
    await rename(`${this.#path}.new`, this.#path);
    this.#written = text;
  }
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
