/**
 * What LevelDB has been seen to leave after a crash (TRAPS, LevelDB): a table of no bytes (google/leveldb #333), a
 * table that is gone since a rename and an unlink changed places (#195), half a record (#251). Each must be refused:
 * none may look like a log that is merely shorter, or new.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import type { NodeId } from '../contract.js';
import { openDurableLog } from './durable-log.js';

let directory: string;

const openLog = () => openDurableLog({ directory, clusterId: 'c', nodeId: 1 as NodeId, clock: systemClock });
const files = (pattern: RegExp) =>
  readdirSync(join(directory, 'log'))
    .filter((name) => pattern.test(name))
    .map((name) => join(directory, 'log', name));
const only = (pattern: RegExp) => files(pattern)[0] ?? expect.fail(`there is no ${pattern.source}`);

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'navarch-leveldb-'));
  // At each start LevelDB makes a table of its journal: entries 1 to 20 lie in tables, 21 to 30 in the journal.
  for (const from of [1, 11, 21]) {
    const log = await openLog();
    const entries = Array.from({ length: 10 }, (_, i) => ({
      term: 1,
      index: from + i,
      kind: 'normal' as const,
      proposal: 0,
      data: Buffer.alloc(500, i),
    }));
    for (const entry of entries)
      await log.write([
        { entries: [entry], hardState: { term: 1, vote: 1, commit: entry.index }, snapshot: undefined },
      ]);
    await log.close();
  }
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('is whole before that', async () => {
  const log = await openLog();
  expect(log.view.lastIndex).toBe(30);
  await log.close();
});

it.each([
  ['a table of no bytes', () => truncateSync(only(/\.ldb$/), 0)],
  [
    'a table with a turned bit',
    () => {
      const table = readFileSync(only(/\.ldb$/));
      table[100] = (table[100] ?? 0) ^ 1;
      writeFileSync(only(/\.ldb$/), table);
    },
  ],
  ['a table that is gone', () => rmSync(only(/\.ldb$/))],
  ['all tables gone', () => files(/\.ldb$/).forEach((file) => rmSync(file))],
  ['half a record at the end of the journal', () => truncateSync(only(/\.log$/), statSync(only(/\.log$/)).size - 40)],
  ['a journal of no bytes', () => truncateSync(only(/\.log$/), 0)],
  ['a journal that is gone', () => rmSync(only(/\.log$/))],
  ['a manifest of no bytes', () => truncateSync(only(/^MANIFEST/), 0)],
  ['a manifest that is gone', () => rmSync(only(/^MANIFEST/))],
  ['a CURRENT of no bytes', () => truncateSync(only(/^CURRENT$/), 0)],
  ['a CURRENT that is gone', () => rmSync(only(/^CURRENT$/))],
  ['a CURRENT that names nothing', () => writeFileSync(only(/^CURRENT$/), 'MANIFEST-009999\n')],
])('%s is refused', async (_what, damage) => {
  damage();
  await expect(openLog().then((opened) => opened.close().then(() => opened.view.lastIndex))).rejects.toMatchObject({
    code: 'corrupt',
  });
});
