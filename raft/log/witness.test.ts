/** LevelDB drops a damaged end of its journal without a word (google/leveldb #251); TRAPS, row 24: detect, refuse. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import type { NodeId } from '../contract.js';
import type { HardState } from '../core/types/state.js';
import { openDurableLog } from './durable-log.js';
import type { MemberLog } from './log.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'navarch-witness-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const openLog = () => openDurableLog({ directory, clusterId: 'c', nodeId: 1 as NodeId, clock: systemClock });

async function append(
  log: MemberLog,
  range: { from: number; to: number; term?: number },
  hardState?: HardState,
): Promise<void> {
  const { from, to, term = 1 } = range;
  const entries = Array.from({ length: to - from + 1 }, (_, i) => ({
    term,
    index: from + i,
    kind: 'normal' as const,
    proposal: 0,
    data: Buffer.alloc(100, from + i),
  }));
  for (const entry of entries)
    await log.write([{ entries: [entry], hardState: hardState ?? { term, vote: 1, commit: 0 }, snapshot: undefined }]);
}

async function withLog(work: (log: MemberLog) => Promise<void>): Promise<void> {
  const log = await openLog();
  try {
    await work(log);
  } finally {
    await log.close();
  }
}

const journal = () => {
  const folder = join(directory, 'log');
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.log')) ?? '');
};
const cut = (bytes: number) => truncateSync(journal(), statSync(journal()).size - bytes);

describe('a log whose end is gone', () => {
  it('is refused, with what to do', async () => {
    await withLog((log) => append(log, { from: 1, to: 10 }));
    cut(1);
    await expect(openLog()).rejects.toMatchObject({ code: 'corrupt' });
    await expect(openLog()).rejects.toThrow(
      /ends with entry 9 of term 1, but entry 10 of term 1 was durable.*navarch member repair/,
    );
  });

  it('is refused when nothing is left of it', async () => {
    await withLog((log) => append(log, { from: 1, to: 3 }));
    rmSync(join(directory, 'log'), { recursive: true });
    await expect(openLog()).rejects.toThrow(/ends with entry 0 of term 0, but entry 3/);
  });

  it('is refused when a vote is gone with it (tikv #8381)', async () => {
    await withLog(async (log) => {
      await append(log, { from: 1, to: 2 });
      await log.write([{ entries: [], hardState: { term: 2, vote: 3, commit: 0 }, snapshot: undefined }]);
    });
    cut(1);
    await expect(openLog()).rejects.toThrow('the hard state is of term 1, but term 2 was durable');
  });

  it('is accepted when it ends earlier in a later term: a new leader replaced the end', async () => {
    await withLog(async (log) => {
      await append(log, { from: 1, to: 5 });
      await append(log, { from: 3, to: 3, term: 2 });
    });
    await withLog((log) => Promise.resolve(expect(log.view.lastIndex).toBe(3)));
  });

  it('is accepted when a later leader put older entries in the place of its end, and the note is from before', async () => {
    await withLog(async (log) => {
      await append(log, { from: 1, to: 2 });
      await append(log, { from: 3, to: 6, term: 3 });
    });
    const note = readFileSync(join(directory, 'synced'));
    // The leader of term 4 has entries of term 2 there; those of its own come with the next message.
    await withLog((log) => append(log, { from: 3, to: 4, term: 2 }, { term: 4, vote: 2, commit: 2 }));
    writeFileSync(join(directory, 'synced'), note);
    await withLog((log) => Promise.resolve(expect(log.view.lastIndex).toBe(4)));
    rmSync(join(directory, 'synced'));
  });

  it('is refused when old entries that a later leader sent are gone', async () => {
    await withLog(async (log) => {
      await append(log, { from: 1, to: 2 });
      await append(log, { from: 3, to: 4, term: 2 }, { term: 4, vote: 2, commit: 2 });
      await append(log, { from: 5, to: 5, term: 3 }, { term: 4, vote: 2, commit: 2 });
    });
    cut(1);
    await expect(openLog()).rejects.toThrow('ends with entry 4 of term 2, but entry 5 of term 3 was durable');
  });

  it('is accepted when it goes on behind its note, or the note was torn: power went away', async () => {
    await withLog((log) => append(log, { from: 1, to: 3 }));
    writeFileSync(join(directory, 'synced'), 'torn');
    await withLog((log) => append(log, { from: 4, to: 4 }));
    rmSync(join(directory, 'synced'));
    await withLog((log) => Promise.resolve(expect(log.view.lastIndex).toBe(4)));
  });
});

it('a log whose note cannot be opened is closed again: opened once more in the same process, it is there', async () => {
  await withLog((log) => append(log, { from: 1, to: 3 }));
  const note = join(directory, 'synced');
  rmSync(note);
  mkdirSync(note);
  await expect(openLog()).rejects.toMatchObject({ code: 'EISDIR' });
  rmSync(note, { recursive: true });
  await withLog((log) => Promise.resolve(expect(log.view.lastIndex).toBe(3)));
});

it('a log whose files LevelDB finds damaged is refused, with what to do', async () => {
  await withLog((log) => append(log, { from: 1, to: 200 }));
  // The next start turns the journal of the last one into a table.
  await withLog(() => Promise.resolve());
  const folder = join(directory, 'log');
  const table = join(folder, readdirSync(folder).find((name) => name.endsWith('.ldb')) ?? '');
  const bytes = readFileSync(table);
  bytes.fill(0xa5, bytes.length >> 2, bytes.length >> 1);
  writeFileSync(table, bytes);
  await expect(openLog()).rejects.toThrow(/log cannot be read .*navarch member repair/);
});
