/**
 * Two snapshots in quick succession (etcd #18055): the second must not take the place of one that is being installed.
 */
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../platform/log.js';
import { MemoryLog } from '../log/memory-log.js';
import type { RaftNode } from '../core/node.js';
import { message } from '../core/types/message.js';
import type { Message } from '../core/types/message.js';
import type { NodeId } from '../contract.js';
import { ListDisk, ListMachine } from '../testing/list-machine.js';
import type { Applier } from './applier.js';
import type { MemberOptions } from './options.js';
import { SnapshotExchange } from './snapshots.js';

it('refuses a snapshot while another one waits to be installed, and installs that one', async () => {
  const machine = new ListMachine(new ListDisk());
  let firstIndex = 2;
  const node = {
    step: (m: Message) => (firstIndex = (m.snapshot?.index ?? 0) + 1),
    status: () => ({ firstIndex }),
  } as unknown as RaftNode;
  const applier = {
    replace: (_snapshot: unknown, _membership: unknown, switchState: () => Promise<void>) => switchState(),
  } as unknown as Applier;
  const options = { stateMachine: machine, log: new MemoryLog(), logger: silentLogger } as unknown as MemberOptions;
  const exchange = new SnapshotExchange(options, node, applier, {
    run: (work) => work(),
    onFailure: (error) => expect.fail(error.message),
  });
  const snapshot = (index: number) => ({
    index,
    term: 1,
    confState: { voters: [1, 2], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
  });
  const receive = (index: number) =>
    exchange.receive({
      from: 2 as NodeId,
      peers: [],
      message: message({ type: 'snap', to: 1, from: 2, term: 1, snapshot: snapshot(index) }),
      chunks: (async function* () {
        yield Buffer.from(`state of ${index}`);
      })(),
    });
  await receive(10);
  // The log writer is still busy; a newer leader is quick.
  await expect(receive(20)).rejects.toMatchObject({ code: 'dropped' });
  await exchange.install(snapshot(10));
  expect(machine.list).toEqual(['state of 10']);
  await receive(30);
  await exchange.install(snapshot(30));
  // Once more the same: the core has no use for it, and it stands in nobody's way.
  await receive(30);
  await receive(40);
  await exchange.install(snapshot(40));
  expect(machine.list).toEqual(['state of 40']);
});

describe('the tail of the log', () => {
  const TAIL = { logTail_entries: 10_000, logTail_bytes: 100_000 };
  /**
   * Writes entries of such a size, all durable at once, and cuts the log when it may; the most that it held, and how
   * often it was cut.
   */
  function fill(size_bytes: number, count: number, settings = TAIL) {
    const log = new MemoryLog();
    const exchange = new SnapshotExchange(
      { log, settings } as unknown as MemberOptions,
      {} as RaftNode,
      {} as Applier,
      { run: (work) => work(), onFailure: () => undefined },
    );
    let [held_bytes, entries, cuts] = [0, 0, 0];
    for (let index = 1; index <= count; index++) {
      log.view.append([{ index, term: 1, kind: 'normal', proposal: 0, data: Buffer.alloc(size_bytes) }]);
      const limit = exchange.compactionLimit(index);
      if (limit > 0) {
        log.view.compact(limit);
        cuts++;
      }
      held_bytes = Math.max(held_bytes, log.view.payload_bytes);
      entries = Math.max(entries, log.view.lastIndex - log.view.firstIndex + 1);
    }
    return { held_bytes, entries, cuts };
  }

  /**
   * 600 changes of an object of 1 MB stood in memory and on disk whole: cut were only steps of 2,500 entries, kept were
   * pages of 256.
   */
  it('is bounded in bytes, however few the entries are', () => {
    for (const [size_bytes, count] of [
      [10_000, 200],
      [60_000, 50],
      [1000, 1000],
      [30, 10_000],
    ] as const) {
      const { held_bytes, cuts } = fill(size_bytes, count);
      expect(held_bytes, `entries of ${size_bytes}`).toBeLessThanOrEqual(TAIL.logTail_bytes * 1.25);
      // In steps: not with each entry, unless one is a step.
      expect(cuts, `entries of ${size_bytes}`).toBeLessThanOrEqual(
        Math.ceil((size_bytes * count) / Math.max(size_bytes, TAIL.logTail_bytes / 4 - size_bytes)),
      );
      expect(cuts).toBeGreaterThan(0);
    }
  });

  it('keeps so many entries where they are small', () => {
    const { entries, cuts } = fill(1, 1000, { logTail_entries: 100, logTail_bytes: 100_000 });
    expect(entries).toBeLessThanOrEqual(127);
    expect(cuts).toBeGreaterThan(10);
    expect(cuts).toBeLessThan(50);
  });
});
