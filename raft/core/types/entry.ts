import type { LogIndex, Term } from './ids.js';

/**
 * `conf-change` holds exactly one change; `conf-change-v2` holds any number and how to pass through the joint state.
 */
export type EntryKind = 'normal' | 'conf-change' | 'conf-change-v2';

export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly kind: EntryKind;
  readonly data: Uint8Array;
  /** The proposer's mark, by which it recognizes its own entry when it applies; 0: nobody waits. Opaque to the core. */
  readonly proposal: number;
}

/** What a proposer hands in: the leader adds term and index. */
export type ProposedEntry = Omit<Entry, 'term' | 'index'>;

export const NO_DATA = new Uint8Array(0);

/** Bytes that an entry costs beside its data, in memory and on the wire; an estimate that limits are counted in. */
export const ENTRY_OVERHEAD_BYTES = 12;

function entrySize(entry: Entry): number {
  return ENTRY_OVERHEAD_BYTES + entry.data.length;
}

export function entriesSize(entries: readonly Entry[]): number {
  let size = 0;
  for (const entry of entries) size += entrySize(entry);
  return size;
}

/**
 * Bytes of user data alone. The no-op of a term and the leaving of a joint state count nothing and are never refused.
 */
export function payloadSize(entries: readonly { readonly data: Uint8Array }[]): number {
  let size = 0;
  for (const entry of entries) size += entry.data.length;
  return size;
}

/** The longest prefix of at most `bytes_max`, but at least one entry, so that a large one cannot block the log. */
export function limitSize(entries: readonly Entry[], bytes_max: number): readonly Entry[] {
  let size = 0;
  for (const [i, entry] of entries.entries()) {
    size += entrySize(entry);
    if (size > bytes_max && i > 0) return entries.slice(0, i);
  }
  return entries;
}
