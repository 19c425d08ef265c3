/** A record that was right once, in its right place: its own checksum cannot tell that it is old (TRAPS, row 24). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Packr } from 'msgpackr';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import type { KeyValueDisk } from '../../platform/disk/disk.js';
import { systemFolder } from '../../platform/disk/system-disk.js';
import type { NodeId } from '../contract.js';
import { LOG_DISK, openDurableLog } from './durable-log.js';
import type { MemberLog } from './log.js';
import { decodeEntry, encodeEntry, entryKey } from './records.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'navarch-records-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const openLog = () => openDurableLog({ directory, clusterId: 'c', nodeId: 1 as NodeId, clock: systemClock });
const entryOf = (index: number, term: number) => ({
  term,
  index,
  kind: 'normal' as const,
  proposal: 0,
  data: Buffer.from(`${index} of ${term}`),
});

const packr = new Packr({ useRecords: false, int64AsType: 'number' });
/** As it was written before records knew what they follow. */
const oldRecord = (index: number, term: number) =>
  packr.pack((packr.unpack(encodeEntry(entryOf(index, term), undefined)) as unknown[]).slice(0, 6));

async function write(log: MemberLog, terms: readonly number[], from = 1): Promise<void> {
  const entries = terms.map((term, i) => entryOf(from + i, term));
  await log.write([{ entries, hardState: { term: terms.at(-1) ?? 1, vote: 1, commit: 0 }, snapshot: undefined }]);
}

async function withLog(work: (log: MemberLog) => Promise<void>): Promise<void> {
  const log = await openLog();
  try {
    await work(log);
  } finally {
    await log.close();
  }
}

async function withDisk(work: (disk: KeyValueDisk) => Promise<void>): Promise<void> {
  const disk = await systemFolder(directory).openDisk(LOG_DISK);
  try {
    await work(disk);
  } finally {
    await disk.close();
  }
}

const recordAt = async (disk: KeyValueDisk, index: number) =>
  (await disk.get(entryKey(index))) ?? expect.fail(`entry ${index} is missing`);
const terms = (log: MemberLog) =>
  log.view.entries(log.view.firstIndex, log.view.lastIndex + 1, Infinity).map(({ term }) => term);

describe('a record of an older term in its old place', () => {
  it.each([2, 3])('is refused (entry %d)', async (index) => {
    let stale: Buffer = Buffer.alloc(0);
    await withLog((log) => write(log, [1, 1, 1, 1]));
    await withDisk(async (disk) => void (stale = await recordAt(disk, index)));
    await withLog((log) => write(log, [2, 2, 2], 2));
    await withLog((log) => Promise.resolve(expect(terms(log)).toEqual([1, 2, 2, 2])));
    await withDisk((disk) => disk.write([{ type: 'put', key: entryKey(index), value: stale }]));
    await expect(openLog()).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('does not follow') as string,
    });
  });

  it('is refused at the end of the log, where nothing follows it', async () => {
    let stale: Buffer = Buffer.alloc(0);
    await withLog((log) => write(log, [1, 1, 1]));
    await withDisk(async (disk) => void (stale = await recordAt(disk, 3)));
    await withLog((log) => write(log, [2], 3));
    await withDisk((disk) => disk.write([{ type: 'put', key: entryKey(3), value: stale }]));
    await expect(openLog()).rejects.toThrow('its last write left entry 3 of term 2');
  });

  it('is refused when it is the first behind a compaction', async () => {
    await withLog(async (log) => {
      await write(log, [1, 1, 2, 2]);
      await log.compact(2);
    });
    await withDisk((disk) => disk.write([{ type: 'put', key: entryKey(3), value: encodeEntry(entryOf(3, 1), 0) }]));
    await expect(openLog()).rejects.toThrow('does not follow');
  });
});

describe('records from before they knew what they follow', () => {
  it('are read, and new ones behind them, of one write or several', async () => {
    await withLog((log) => write(log, [1, 1, 2]));
    await withDisk((disk) =>
      disk.write([1, 1, 2].map((term, i) => ({ type: 'put', key: entryKey(i + 1), value: oldRecord(i + 1, term) }))),
    );
    await withLog(async (log) => {
      expect(terms(log)).toEqual([1, 1, 2]);
      await log.write([
        { entries: [entryOf(4, 2)], hardState: undefined, snapshot: undefined },
        { entries: [entryOf(4, 3), entryOf(5, 3)], hardState: { term: 3, vote: 1, commit: 0 }, snapshot: undefined },
      ]);
    });
    await withLog((log) => Promise.resolve(expect(terms(log)).toEqual([1, 1, 2, 3, 3])));
  });

  it('are read when the program before this one wrote them behind ours: an upgrade was taken back', async () => {
    await withLog((log) => write(log, [1, 1]));
    await withDisk((disk) =>
      disk.write([3, 4].map((index) => ({ type: 'put', key: entryKey(index), value: oldRecord(index, 2) }))),
    );
    await withLog((log) => write(log, [2], 5));
    await withLog((log) => Promise.resolve(expect(terms(log)).toEqual([1, 1, 2, 2, 2])));
  });

  it('are refused when their terms go back, for that no log does', async () => {
    await withLog((log) => write(log, [1, 2, 2]));
    await withDisk((disk) => disk.write([{ type: 'put', key: entryKey(3), value: oldRecord(3, 1) }]));
    await expect(openLog()).rejects.toMatchObject({ code: 'corrupt' });
  });
});

it('is sealed whole: whatever bit of a record turns, it is not taken for another', () => {
  const entry = { ...entryOf(7, 3), proposal: 77 };
  const record = encodeEntry(entry, 2);
  for (let bit = 0; bit < record.length * 8; bit++) {
    const rotten = Buffer.from(record);
    rotten[bit >> 3] = (rotten[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(() => expect(decodeEntry(rotten, 7)).toEqual({ entry, previousTerm: 2 }), `bit ${bit}`).toThrow(
      "this member's disk lost or changed",
    );
  }
});

it('is written so that the program before this one reads it', () => {
  const record = encodeEntry(entryOf(7, 3), 2);
  expect(decodeEntry(record, 7)).toEqual({ entry: entryOf(7, 3), previousTerm: 2 });
  expect((packr.unpack(record) as unknown[]).slice(0, 6)).toEqual(packr.unpack(oldRecord(7, 3)));
  expect(decodeEntry(oldRecord(7, 3), 7)).toEqual({ entry: entryOf(7, 3), previousTerm: undefined });
});

it('goes on behind a snapshot in the same write', async () => {
  const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  await withLog(async (log) => {
    await write(log, [1, 1]);
    await log.write([
      {
        entries: [entryOf(11, 4)],
        hardState: { term: 4, vote: 1, commit: 10 },
        snapshot: { index: 10, term: 3, confState },
      },
    ]);
  });
  await withLog((log) => Promise.resolve(expect([log.view.firstIndex, ...terms(log)]).toEqual([11, 4])));
});
