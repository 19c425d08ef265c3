/**
 * Properties of the core that the thesis promises, under chance: lost, late and repeated messages, crashes, partitions.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../platform/random.js';
import { decodeConfChange, encodeConfChange } from './confchange/change.js';
import { MemoryStorage } from './log/memory-storage.js';
import { RaftNode } from './node.js';
import { jointCommitted, jointVote } from './quorum/joint.js';
import { majorityCommitted } from './quorum/majority.js';
import type { Entry } from './types/entry.js';
import type { Message } from './types/message.js';

const VOTERS = [1, 2, 3, 4, 5];

class Node {
  readonly id: number;
  readonly storage = new MemoryStorage();
  readonly applied: Entry[] = [];
  node: RaftNode;

  constructor(id: number, randomInt: (bound: number) => number) {
    this.id = id;
    this.storage.applySnapshot({
      index: 1,
      term: 1,
      confState: { voters: VOTERS, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
    });
    this.node = this.boot(randomInt);
  }

  /** Starts on what the disk kept; the applied entries are part of it. */
  boot(randomInt: (bound: number) => number): RaftNode {
    this.node = new RaftNode({
      id: this.id,
      storage: this.storage,
      randomInt,
      electionTicks: 5,
      heartbeatTicks: 1,
      applied: this.applied.at(-1)?.index ?? 1,
      checkQuorum: true,
      preVote: true,
      inflightMax: 4,
      messageBytesMax: 64,
    });
    return this.node;
  }

  /** Carries out one Ready in the synchronous way; returns what it wants to send. */
  work(): readonly Message[] {
    if (!this.node.hasReady()) return [];
    const ready = this.node.ready();
    if (ready.hardState !== undefined) this.storage.hardState = ready.hardState;
    this.storage.append(ready.entries);
    this.applied.push(...ready.committedEntries);
    this.node.advance();
    return ready.messages;
  }
}

/** Runs five nodes for some steps; checks after each step; returns how much was agreed on. */
function simulate(seed: number, steps: number): number {
  const random = seededRandom(seed);
  const randomInt = (bound: number) => random.int(bound);
  const nodes = VOTERS.map((id) => new Node(id, randomInt));
  const leaders = new Map<number, number>();
  let network: Message[] = [];
  let cut = new Set<number>();
  for (let at = 0; at < steps; at++) {
    const one = nodes[random.int(nodes.length)] as Node;
    const chance = random.next();
    if (chance < 0.3) one.node.tick();
    else if (chance < 0.35) one.node.propose([{ kind: 'normal', data: Buffer.from(`${seed}:${at}`), proposal: 0 }]);
    else if (chance < 0.355) one.boot(randomInt);
    else if (chance < 0.36) cut = new Set(VOTERS.filter(() => random.next() < 0.3));
    for (const m of one.work()) {
      if (random.next() < 0.05) continue;
      network.push(m);
      if (random.next() < 0.05) network.push(m);
    }
    const deliver = random.int(4);
    for (let i = 0; i < deliver && network.length > 0; i++) {
      const [m] = network.splice(random.next() < 0.9 ? 0 : random.int(network.length), 1) as [Message];
      if (!cut.has(m.to) && !cut.has(m.from)) nodes[m.to - 1]?.node.step(m);
    }
    if (network.length > 500) network = network.slice(250);
    check(nodes, leaders);
  }
  return Math.max(...nodes.map(({ applied }) => applied.length));
}

function check(nodes: readonly Node[], leaders: Map<number, number>): void {
  const longest = nodes.reduce((a, b) => (a.applied.length >= b.applied.length ? a : b)).applied;
  for (const { id, node, applied } of nodes) {
    const { role, term } = node.status();
    if (role === 'leader') {
      // Election safety (thesis figure 3.2): at most one leader in a term.
      expect(leaders.get(term) ?? id).toBe(id);
      leaders.set(term, id);
    }
    // State machine safety: the same entry at the same index everywhere. The last one stands for those before (log
    // matching).
    const last = applied.at(-1);
    if (last !== undefined) expect(longest[applied.length - 1]).toEqual(last);
  }
}

describe('safety under faults (thesis 3.6)', () => {
  it.each([1, 2, 3, 4, 5, 6])('holds with seed %i', (seed) => {
    expect(simulate(seed, 6000)).toBeGreaterThan(20);
  });
});

describe('quorums (thesis 4.3)', () => {
  const ids = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 });

  it('commits exactly what a majority has', () => {
    fc.assert(
      fc.property(ids, fc.array(fc.nat(20), { minLength: 10, maxLength: 10 }), (voters, acked) => {
        const committed = majorityCommitted(new Set(voters), (id) => acked[id] ?? 0);
        const having = (index: number) => voters.filter((id) => (acked[id] ?? 0) >= index).length;
        if (voters.length === 0) return committed === Infinity;
        return having(committed) * 2 > voters.length && having(committed + 1) * 2 <= voters.length;
      }),
    );
  });

  it('needs both halves of a joint configuration', () => {
    fc.assert(
      fc.property(ids, ids, fc.array(fc.nat(20), { minLength: 10, maxLength: 10 }), (a, b, acked) => {
        const of = (id: number) => acked[id] ?? 0;
        const joint = jointCommitted({ incoming: new Set(a), outgoing: new Set(b) }, of);
        return joint === Math.min(majorityCommitted(new Set(a), of), majorityCommitted(new Set(b), of));
      }),
    );
    const votes = new Map([
      [1, true],
      [2, true],
      [3, false],
    ]);
    expect(jointVote({ incoming: new Set([1, 2]), outgoing: new Set([3]) }, votes)).toBe('lost');
  });
});

it('keeps a membership change through its bytes', () => {
  const kind = fc.constantFrom('add-voter' as const, 'add-learner' as const, 'remove' as const, 'update' as const);
  const change = fc.record({
    transition: fc.constantFrom('auto' as const, 'implicit' as const, 'explicit' as const),
    changes: fc.array(fc.record({ kind, id: fc.maxSafeNat() }), { maxLength: 5 }),
    context: fc.uint8Array({ maxLength: 20 }),
  });
  fc.assert(
    fc.property(change, (value) => {
      const back = decodeConfChange(encodeConfChange(value));
      expect({ ...back, context: Buffer.from(back.context) }).toEqual({
        ...value,
        context: Buffer.from(value.context),
      });
    }),
  );
  expect(() => decodeConfChange(Uint8Array.of(9, 9))).toThrow('known shape');
});
