/**
 * A candidate leads only once its own vote is durable (Raft paper, figure 2; tikv #8381). Elected by the others alone,
 * it could crash, forget the term, be elected in it a second time by the same votes, and append other entries to it.
 */
import { expect, it } from 'vitest';
import { MemoryStorage } from './log/memory-storage.js';
import { RaftNode } from './node.js';
import { message } from './types/message.js';
import type { Message } from './types/message.js';

it('is not elected by the others before its own vote is on disk', () => {
  const storage = new MemoryStorage();
  storage.applySnapshot({
    index: 1,
    term: 1,
    confState: { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
  });
  storage.hardState = { term: 1, vote: 0, commit: 1 };
  const node = new RaftNode({
    id: 1,
    storage,
    applied: 1,
    randomInt: () => 0,
    electionTicks: 10,
    heartbeatTicks: 1,
    checkQuorum: true,
    asyncStorageWrites: true,
  });
  node.campaign();
  const { messages } = node.ready();
  for (const from of [2, 3]) node.step(message({ type: 'vote-resp', to: 1, from, term: 2 }));
  expect(node.status()).toMatchObject({ role: 'candidate', term: 2 });
  // The write of term and vote is done: what waited for it is delivered.
  const write = messages.find(({ type }) => type === 'storage-append') as Message;
  expect(write).toMatchObject({ term: 2, vote: 1 });
  for (const response of write.responses) if (response.to === 1) node.step(response);
  expect(node.status()).toMatchObject({ role: 'leader', term: 2 });
});
