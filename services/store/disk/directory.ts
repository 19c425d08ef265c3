/**
 * The directory of a state: `CURRENT` names the disk beside it that counts. A snapshot is received into another one and
 * becomes current by replacing that one file, atomically and durably.
 */
import type { DiskFolder, KeyValueDisk } from '../../../platform/disk/disk.js';

const CURRENT = 'CURRENT';
const NAME = /^state-(\d+)$/;
/**
 * Rows come in the order of revisions, so LevelDB has little to merge and a small buffer serves. Files are mapped while
 * they are open, two MiB each: all of them would make the whole state resident after a start.
 */
const TUNING = { writeBuffer_bytes: 4 * 1024 * 1024, cache_bytes: 8 * 1024 * 1024, openFiles_max: 128 };

export class StateDirectory {
  readonly #folder: DiskFolder;
  #current: string;
  #last: number;

  private constructor(folder: DiskFolder, current: string, last: number) {
    this.#folder = folder;
    this.#current = current;
    this.#last = last;
  }

  /**
   * Opens or makes the directory. What else lies in it may be another process's, until the current state is locked: see
   * `tidy`.
   */
  static async open(folder: DiskFolder): Promise<StateDirectory> {
    const current = await readCurrent(folder);
    const names = (await folder.list()).filter((name) => NAME.test(name));
    // CURRENT is written before the first state is used: what lies here without it was never counted on.
    if (current === undefined) for (const name of names) await folder.remove(name);
    const directory = new StateDirectory(folder, current ?? 'state-1', Math.max(1, ...names.map(numberOf)));
    if (current === undefined) await directory.switchTo('state-1');
    return directory;
  }

  /** Removes what an interrupted snapshot left. Only for the one process that has opened the current state. */
  async tidy(): Promise<void> {
    const names = (await this.#folder.list()).filter((name) => NAME.test(name) && name !== this.#current);
    for (const name of names) await this.#folder.remove(name);
  }

  /** The name of the state that counts. */
  get current(): string {
    return this.#current;
  }

  /** A name for a new state beside the current one. */
  next(): string {
    return `state-${++this.#last}`;
  }

  openDisk(name: string): Promise<KeyValueDisk> {
    return this.#folder.openDisk(name, TUNING);
  }

  /** Makes a state that `next` named the current one, durably. */
  async switchTo(name: string): Promise<void> {
    await this.#folder.replaceText(CURRENT, `${name}\n`);
    this.#current = name;
  }

  async remove(name: string): Promise<void> {
    await this.#folder.remove(name);
  }
}

const numberOf = (name: string) => Number(NAME.exec(name)?.[1] ?? 0);

async function readCurrent(folder: DiskFolder): Promise<string | undefined> {
  const name = (await folder.readText(CURRENT))?.trim();
  if (name !== undefined && !NAME.test(name))
    throw new Error(`${folder.path}/${CURRENT} names no state: ${JSON.stringify(name)}`);
  return name;
}
