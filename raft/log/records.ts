/** Bytes of the log's records in LevelDB. Every record carries a checksum of its own; LevelDB's are not relied upon. */
import { Packr } from 'msgpackr';
import { crc32 } from '../../platform/crc32.js';
import { RaftError } from '../contract.js';
import type { Entry, EntryKind } from '../core/types/entry.js';
import type { HardState } from '../core/types/state.js';
import type { LogIndex, Term } from '../core/types/ids.js';
import { entryChecksum, entrySeal } from './checksum.js';

/** Arrays only, no shared structures: a record can be read without any other. */
const packr = new Packr({ useRecords: false, int64AsType: 'number' });
const KINDS: readonly EntryKind[] = ['normal', 'conf-change', 'conf-change-v2'];

const ENTRY_PREFIX = 0x65;
export const HARD_STATE_KEY = Buffer.from('mh');
export const BASE_KEY = Buffer.from('mb');
export const PREPARED_KEY = Buffer.from('mp');
export const END_KEY = Buffer.from('me');
/** All entry keys lie in [entryKey(0), ENTRIES_END). */
export const ENTRIES_END = Buffer.from([ENTRY_PREFIX + 1]);

export interface Base {
  /** The entry before the first of the log. */
  readonly index: LogIndex;
  readonly term: Term;
}

/** Big-endian, so that LevelDB's order is the log's. */
export function entryKey(index: LogIndex): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = ENTRY_PREFIX;
  key.writeUInt32BE(Math.floor(index / 2 ** 32), 1);
  key.writeUInt32BE(index >>> 0, 5);
  return key;
}

export function indexOfKey(key: Buffer): LogIndex {
  return key.readUInt32BE(1) * 2 ** 32 + key.readUInt32BE(5);
}

/**
 * Binds an entry to its place and to what it follows. `previousTerm`: of the entry before it; undefined: not known
 * here.
 */
export function encodeEntry(entry: Entry, previousTerm: Term | undefined): Buffer {
  const { index, term } = entry;
  // msgpack writes a Buffer as plain bytes, but other views with a type around them.
  const data = Buffer.isBuffer(entry.data)
    ? entry.data
    : Buffer.from(entry.data.buffer, entry.data.byteOffset, entry.data.byteLength);
  const kind = KINDS.indexOf(entry.kind);
  const checksum = entryChecksum(index, term, data);
  const behind = previousTerm ?? UNKNOWN;
  return packr.pack([
    index,
    term,
    kind,
    entry.proposal,
    data,
    checksum,
    behind,
    entrySeal(checksum, [kind, entry.proposal, behind]),
  ]);
}

/** A term that was not known when the record was written. */
const UNKNOWN = -1;

export interface EntryRecord {
  readonly entry: Entry;
  /** Of the entry that it was written behind. Undefined: the record is from before that was told. */
  readonly previousTerm: Term | undefined;
}

export function decodeEntry(bytes: Buffer, index: LogIndex): EntryRecord {
  const fields = unpack(bytes, `log entry ${index}`);
  const [storedIndex, term, kind, proposal, data, checksum, behind = UNKNOWN, seal] = fields as [
    number,
    number,
    number,
    number,
    Uint8Array,
    number,
    number | undefined,
    number | undefined,
  ];
  const kindName = KINDS[kind];
  // Records from before there was a seal have none.
  const isSealed = seal === undefined || seal === entrySeal(checksum, [kind, proposal, behind]);
  if (
    storedIndex !== index ||
    kindName === undefined ||
    !(data instanceof Uint8Array) ||
    checksum !== entryChecksum(index, term, data) ||
    !isSealed
  ) {
    throw corrupt(`log entry ${index} fails its checksum`);
  }
  return {
    entry: { index, term, kind: kindName, proposal, data },
    previousTerm: behind === UNKNOWN ? undefined : behind,
  };
}

export function encodeHardState(state: HardState): Buffer {
  return packMeta([state.term, state.vote, state.commit]);
}

export function decodeHardState(bytes: Buffer): HardState {
  const [term = 0, vote = 0, commit = 0] = unpackMeta(bytes, 'the hard state');
  return { term, vote, commit };
}

export function encodeBase(base: Base): Buffer {
  return packMeta([base.index, base.term]);
}

export function decodeBase(bytes: Buffer): Base {
  const [index = 0, term = 0] = unpackMeta(bytes, "the log's start");
  return { index, term };
}

/** What the last write left: so the last record, which no other follows, cannot be an old one. */
export interface End {
  /** How many there were; see witness.ts. */
  readonly writes: number;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
}

export function encodeEnd({ writes, lastIndex, lastTerm }: End): Buffer {
  return packMeta([writes, lastIndex, lastTerm]);
}

export function decodeEnd(bytes: Buffer): End {
  const [writes = 0, lastIndex = 0, lastTerm = 0] = unpackMeta(bytes, "the log's end");
  return { writes, lastIndex, lastTerm };
}

export function corrupt(what: string): RaftError {
  return new RaftError(
    'corrupt',
    `${what}: this member's disk lost or changed what it had promised to keep. ` +
      'Nothing was removed. Rebuild this member from its peers with `navarch member repair`; do not put an older copy of the directory back.',
  );
}

function packMeta(values: readonly number[]): Buffer {
  const body = packr.pack(values);
  const bytes = Buffer.allocUnsafe(body.length + 4);
  bytes.writeUInt32BE(crc32(body), 0);
  body.copy(bytes, 4);
  return bytes;
}

function unpackMeta(bytes: Buffer, what: string): number[] {
  if (bytes.length < 5 || bytes.readUInt32BE(0) !== crc32(bytes.subarray(4)))
    throw corrupt(`${what} fails its checksum`);
  return unpack(bytes.subarray(4), what) as number[];
}

function unpack(bytes: Buffer, what: string): unknown[] {
  try {
    const value: unknown = packr.unpack(bytes);
    if (Array.isArray(value)) return value;
  } catch {
    // Falls through: unreadable is corrupt.
  }
  throw corrupt(`${what} cannot be read`);
}
