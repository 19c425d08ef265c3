/**
 * An acknowledgement speaks of the log as it was in its term; in a later one the entry at that place may be another
 * (ABA).
 */
import { expect, it } from 'vitest';
import { MemoryStorage } from './log/memory-storage.js';
import { RaftNode } from './node.js';
import { message } from './types/message.js';
import { NO_DATA } from './types/entry.js';
import type { Message } from './types/message.js';

function setUp() {
  const storage = new MemoryStorage();
  storage.applySnapshot({
    index: 1,
    term: 1,
    confState: { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
  });
  storage.hardState = { term: 1, vote: 0, commit: 1 };
  const node = new RaftNode({ id: 1, storage, applied: 1, randomInt: () => 0, electionTicks: 10, heartbeatTicks: 1 });
  const work = () => {
    while (node.hasReady()) {
      const { entries, hardState } = node.ready();
      storage.append(entries);
      if (hardState !== undefined) storage.hardState = hardState;
      node.advance();
    }
  };
  const hear = (fields: Partial<Message> & Pick<Message, 'type'>) => {
    node.step(message({ to: 1, from: 2, ...fields }));
    work();
  };
  const lead = (term: number) => {
    node.campaign();
    work();
    hear({ type: 'vote-resp', term });
    expect(node.status()).toMatchObject({ role: 'leader', term });
  };
  return { node, hear, lead, work };
}

it('of an older term is not counted in a newer one', () => {
  const { node, hear, lead, work } = setUp();
  lead(2);
  node.propose([
    { kind: 'normal', data: Buffer.from('a'), proposal: 0 },
    { kind: 'normal', data: Buffer.from('b'), proposal: 0 },
  ]);
  work();
  // Member 2 has entries 2 to 4 of term 2, and says so; that is on its way when member 3 leads in term 3 and replaces
  // them.
  const late = { type: 'app-resp', term: 2, index: 4 } as const;
  hear({
    type: 'app',
    from: 3,
    term: 3,
    index: 1,
    logTerm: 1,
    entries: [{ term: 3, index: 2, kind: 'normal', data: NO_DATA, proposal: 0 }],
  });
  expect(node.status()).toMatchObject({ role: 'follower', term: 3, lastIndex: 2 });
  lead(4);
  node.propose([{ kind: 'normal', data: Buffer.from('c'), proposal: 0 }]);
  work();
  hear(late);
  expect([node.status().lastIndex, node.status().committed, node.progress.get(2)?.match]).toEqual([4, 1, 0]);
  hear({ ...late, term: 4 });
  expect(node.status().committed).toBe(4);
});
