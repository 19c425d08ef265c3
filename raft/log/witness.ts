/**
 * A second opinion on where the log ends. LevelDB drops a damaged end of its journal without a word, and what is left
 * looks like a log that is merely shorter. So, beside it, the last durable position is noted after each write: never
 * synced, since it costs nothing then, and since any older note is still true: writes are counted, in the log itself,
 * and their number only grows. (Where a log ends does not: a later leader may put older entries in the place of its
 * end.) A log of fewer writes than its note has lost what it had promised.
 */
import type { Clock, Timer } from '../../platform/clock.js';
import { crc32 } from '../../platform/crc32.js';
import type { DiskFolder, DiskNote } from '../../platform/disk/disk.js';
import type { RaftError } from '../contract.js';
import { corrupt } from './records.js';

const FILE = 'synced';
/** Notes are at least this far apart. */
const NOTE_MS = 5;
const FIELDS = 5;
const BYTES = 4 + 8 * FIELDS;

/** What was durable at some moment. */
export interface Witnessed {
  /** How many writes the log has seen. */
  readonly writes: number;
  /** Of the hard state, with the vote in that term. */
  readonly term: number;
  readonly vote: number;
  /** Of the log's last entry, or of the snapshot that it begins behind. */
  readonly lastTerm: number;
  readonly lastIndex: number;
}

export class Witness {
  readonly #note: DiskNote;
  readonly #clock: Clock;
  #latest: Witnessed | undefined;
  #writing: Promise<void> | undefined;
  #pause: Timer | undefined;

  private constructor(note: DiskNote, clock: Clock) {
    this.#note = note;
    this.#clock = clock;
  }

  static async open(folder: DiskFolder, clock: Clock): Promise<Witness> {
    return new Witness(await folder.openNote(FILE), clock);
  }

  /** RaftError `corrupt` when the log that was found ends before the one that was noted. */
  async judge(found: Witnessed): Promise<RaftError | undefined> {
    const noted = decode(await this.#note.read());
    if (noted === undefined) return undefined;
    if (found.writes >= noted.writes) return undefined;
    return corrupt(`${lossOf(found, noted)} (${found.writes} of ${noted.writes} writes are there)`);
  }

  /** Never waits for the disk. */
  durable(position: Witnessed): void {
    this.#latest = position;
    if (this.#writing === undefined && this.#pause === undefined) this.#write();
  }

  #write(): void {
    const position = this.#latest;
    if (position === undefined) return;
    this.#latest = undefined;
    // What cannot be noted is not known later; that is all.
    this.#writing = this.#note
      .write(encode(position))
      .catch(() => undefined)
      .then(() => {
        this.#writing = undefined;
        this.#pause = this.#clock.after(NOTE_MS, () => {
          this.#pause = undefined;
          this.#write();
        });
      });
  }

  async close(): Promise<void> {
    await this.#writing;
    this.#pause?.cancel();
    this.#write();
    await this.#writing;
    this.#pause?.cancel();
    await this.#note.close();
  }
}

function lossOf(found: Witnessed, { term, vote, lastTerm, lastIndex }: Witnessed): string {
  if (found.lastTerm !== lastTerm || found.lastIndex !== lastIndex) {
    return `the log ends with entry ${found.lastIndex} of term ${found.lastTerm}, but entry ${lastIndex} of term ${lastTerm} was durable`;
  }
  if (found.term !== term) return `the hard state is of term ${found.term}, but term ${term} was durable`;
  if (found.vote !== vote) return `the vote of term ${term}, which was durable, is not there`;
  return 'the last writes to the log, which were durable, are not there';
}

function encode({ writes, term, vote, lastTerm, lastIndex }: Witnessed): Buffer {
  const bytes = Buffer.alloc(BYTES);
  for (const [i, value] of [writes, term, vote, lastTerm, lastIndex].entries()) bytes.writeDoubleBE(value, 4 + 8 * i);
  bytes.writeUInt32BE(crc32(bytes.subarray(4)), 0);
  return bytes;
}

/** Undefined: there is none, or it was torn. */
function decode(bytes: Buffer): Witnessed | undefined {
  if (bytes.length !== BYTES || bytes.readUInt32BE(0) !== crc32(bytes.subarray(4))) return undefined;
  const [writes = 0, term = 0, vote = 0, lastTerm = 0, lastIndex = 0] = Array.from({ length: FIELDS }, (_, i) =>
    bytes.readDoubleBE(4 + 8 * i),
  );
  return { writes, term, vote, lastTerm, lastIndex };
}
