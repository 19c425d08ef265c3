/** Linearizable reads of a member that is alone (thesis 6.4; etcd #7331). */
import { expect, it } from 'vitest';
import { MemoryStorage } from './log/memory-storage.js';
import { RaftNode } from './node.js';
import { NO_DATA } from './types/entry.js';

it('answers no read before the no-op of its term is committed, though nobody could object', () => {
  const storage = new MemoryStorage();
  storage.confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  // Three entries were committed and answered for; how far was not written down before the crash.
  storage.append(
    [1, 2, 3].map((index) => ({ index, term: 1, kind: 'normal' as const, data: Buffer.from('x'), proposal: 0 })),
  );
  storage.hardState = { term: 1, vote: 1, commit: 1 };
  const node = new RaftNode({
    id: 1,
    storage,
    randomInt: () => 0,
    electionTicks: 10,
    heartbeatTicks: 1,
    preVote: true,
    checkQuorum: true,
  });
  const answers: number[] = [];
  const work = (rounds: number) => {
    for (let i = 0; i < rounds && node.hasReady(); i++) {
      const ready = node.ready();
      for (const { index } of ready.readStates) answers.push(index);
      if (ready.hardState !== undefined) storage.hardState = ready.hardState;
      storage.append(ready.entries);
      node.advance();
    }
  };
  node.campaign();
  for (let i = 0; i < 5 && node.status().role !== 'leader'; i++) work(1);
  expect(node.status().role).toBe('leader');
  expect(node.status().committed).toBe(1);
  node.readIndex(7);
  work(10);
  expect(storage.entries(4, 5, Infinity)[0]?.data).toEqual(NO_DATA);
  expect(answers).toEqual([4]);
});
