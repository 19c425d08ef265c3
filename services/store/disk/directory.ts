/**
 * The directory of a state: `CURRENT` names the LevelDB beside it that counts. A snapshot is received into another one and
 * becomes current by one rename, synced with its directory (a rename alone may be lost: etcd #6368).
 */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

const CURRENT = 'CURRENT';
const NAME = /^state-(\d+)$/;

export class StateDirectory {
  readonly #path: string;
  #current: string;
  #last: number;

  private constructor(path: string, current: string, last: number) {
    this.#path = path;
    this.#current = current;
    this.#last = last;
  }

  /** Opens or makes the directory. What else lies in it may be another process's, until the current state is locked: see `tidy`. */
  static async open(path: string): Promise<StateDirectory> {
    await mkdir(path, { recursive: true });
    const current = await readCurrent(path);
    const names = (await readdir(path)).filter((name) => NAME.test(name));
    if (current === undefined && names.length > 0) {
      // CURRENT is written before the first state is used: what lies here without it was never counted on.
      for (const name of names) await rm(join(path, name), { recursive: true });
    }
    const directory = new StateDirectory(path, current ?? 'state-1', Math.max(1, ...names.map(numberOf)));
    if (current === undefined) await directory.#point('state-1');
    return directory;
  }

  /** Removes what an interrupted snapshot left. Only for the one process that has opened the current state. */
  async tidy(): Promise<void> {
    const names = (await readdir(this.#path)).filter((name) => NAME.test(name) && name !== this.#current);
    for (const name of names) await rm(join(this.#path, name), { recursive: true });
  }

  get current(): string {
    return join(this.#path, this.#current);
  }

  /** A path for a new state beside the current one. */
  next(): string {
    return join(this.#path, `state-${++this.#last}`);
  }

  /** Makes a path that `next` gave the current one, durably. */
  async switchTo(path: string): Promise<void> {
    await this.#point(path.slice(this.#path.length + 1));
  }

  async #point(name: string): Promise<void> {
    const temporary = join(this.#path, `${CURRENT}.tmp`);
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(`${name}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(this.#path, CURRENT));
    const directory = await open(this.#path, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
    this.#current = name;
  }
}

const numberOf = (name: string) => Number(NAME.exec(name)?.[1] ?? 0);

async function readCurrent(path: string): Promise<string | undefined> {
  try {
    const name = (await readFile(join(path, CURRENT), 'utf8')).trim();
    if (!NAME.test(name)) throw new Error(`${join(path, CURRENT)} names no state: ${JSON.stringify(name)}`);
    return name;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
