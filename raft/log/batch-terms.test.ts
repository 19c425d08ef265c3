import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { systemClock } from '../../platform/clock.js';
import { systemFolder } from '../../platform/disk/system-disk.js';
import type { NodeId } from '../contract.js';
import { MemoryStorage } from '../core/log/memory-storage.js';
import { BatchTerms } from './batch-terms.js';
import { LOG_DISK, openDurableLog } from './durable-log.js';
import { applyToView } from './log.js';
import type { LogWrite } from './log.js';
import { ENTRIES_END, decodeEntry, entryKey, indexOfKey } from './records.js';

const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const entriesFrom = (index: number, terms: readonly number[]): LogWrite['entries'] =>
  terms.map((term, i) => ({ term, index: index + i, kind: 'normal', proposal: 0, data: Buffer.alloc(0) }));
const writeOf = (index: number, terms: readonly number[], snapshot?: LogWrite['snapshot']): LogWrite => ({
  entries: entriesFrom(index, terms),
  hardState: undefined,
  snapshot,
});

/**
 * What one write does to a log that ends somewhere: how much of its end it replaces, what it appends, whether a
 * snapshot comes first.
 */
const step = fc.record({ back: fc.nat(4), count: fc.nat(4), ahead: fc.option(fc.nat(6), { freq: 5, nil: undefined }) });

it('are those of a log to which the writes of a batch were applied one after the other', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(8), (steps, before) => {
      const view = new MemoryStorage();
      const model = new MemoryStorage();
      for (const log of [view, model]) {
        log.reset(3, 1);
        log.append(
          entriesFrom(
            4,
            Array.from({ length: before }, () => 1),
          ),
        );
      }
      const terms = new BatchTerms(view);
      for (const [i, { back, count, ahead }] of steps.entries()) {
        const snapshot =
          ahead === undefined ? undefined : { index: model.lastIndex + 1 + ahead, term: i + 2, confState };
        const end = snapshot?.index ?? model.lastIndex;
        const first = Math.max(end + 1 - back, (snapshot?.index ?? model.firstIndex - 1) + 1);
        const write = writeOf(
          first,
          Array.from({ length: count }, () => i + 2),
          snapshot,
        );
        const found = terms.add(write);
        applyToView(model, write);
        expect(found).toBe(count === 0 ? undefined : model.term(first - 1));
        expect(terms.at(model.lastIndex)).toBe(model.term(model.lastIndex));
      }
    }),
  );
});

it('of a batch of many writes, in the middle of which a tail is replaced, are on the disk with the term that each follows', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'navarch-batch-'));
  const open = () => openDurableLog({ directory, clusterId: 'c', nodeId: 1 as NodeId, clock: systemClock });
  try {
    const log = await open();
    await log.write([writeOf(1, [1, 1, 1])]);
    await log.write([
      ...Array.from({ length: 2000 }, (_, i) => writeOf(i + 4, [2])),
      // Into the batch's own entries, then into what was there before it, and on from there.
      writeOf(1001, [3, 3]),
      writeOf(3, [4, 5]),
      ...Array.from({ length: 1000 }, (_, i) => writeOf(i + 5, [6])),
      writeOf(1000, []),
    ]);
    await log.close();
    const expected = [1, 1, 4, 5, ...Array.from({ length: 1000 }, () => 6)];

    const disk = await systemFolder(directory).openDisk(LOG_DISK);
    const found: (number | undefined)[][] = [];
    for await (const rows of disk.pages({ gte: entryKey(1), lt: ENTRIES_END })) {
      for (const [key, value] of rows) {
        const { entry, previousTerm } = decodeEntry(value, indexOfKey(key));
        found.push([entry.index, entry.term, previousTerm]);
      }
    }
    await disk.close();
    expect(found).toEqual(expected.map((term, i) => [i + 1, term, i === 0 ? 0 : expected[i - 1]]));

    const again = await open();
    expect(again.view.lastIndex).toBe(expected.length);
    await again.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
