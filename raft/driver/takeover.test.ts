/** Issue 6, row 32: one death is one election. */
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../platform/clock.js';
import { seededRandom } from '../../platform/random.js';
import type { NodeId } from '../core/types/ids.js';
import type { Role } from '../core/types/state.js';
import { DEFAULT_SETTINGS } from './options.js';
import { Takeover } from './takeover.js';

const STEP_MS = DEFAULT_SETTINGS.takeover_ms;

/**
 * A member whose leader's stream has just broken. Who campaigns is a pre-candidate, and `elects` after the answers of
 * the others.
 */
function survivor() {
  const clock = new VirtualClock();
  const node = {
    role: 'follower' as Role,
    lead: 0 as NodeId,
    term: 7,
    compareLog: () => 0,
    withdraw: () => undefined,
    step: () => 'ok' as const,
  };
  const asked: number[] = [];
  const takeover = new Takeover({
    clock,
    random: seededRandom(1),
    settings: DEFAULT_SETTINGS,
    id: 1,
    node,
    campaign: () => {
      asked.push(clock.monotonic());
      node.role = 'pre-candidate';
    },
  });
  const stands = () => {
    node.role = 'candidate';
    node.term++;
  };
  takeover.leaderLost(0);
  return { clock, node, asked, stands };
}

describe('a member that takes over', () => {
  it('waits for the votes it has asked for, also when the answers to its first question came late', async () => {
    const { clock, asked, stands } = survivor();
    await clock.advance(2 * STEP_MS);
    expect(asked).toHaveLength(1);
    // Others answered after four steps and more; their votes, by way of their disks, take eight.
    await clock.advance(3.5 * STEP_MS);
    const before = asked.length;
    stands();
    await clock.advance(8 * STEP_MS);
    expect(asked).toHaveLength(before);
  });

  it('asks again when no votes come', async () => {
    const { clock, asked, stands } = survivor();
    await clock.advance(2 * STEP_MS);
    stands();
    await clock.advance(DEFAULT_SETTINGS.election_ms);
    expect(asked.length).toBeGreaterThan(1);
  });

  it('asks again soon while it has no answers to its first question, and never once somebody leads', async () => {
    const { clock, node, asked } = survivor();
    await clock.advance(6 * STEP_MS);
    expect(asked.length).toBeGreaterThanOrEqual(2);
    node.lead = 2 as NodeId;
    const before = asked.length;
    await clock.advance(10 * DEFAULT_SETTINGS.election_ms);
    expect(asked).toHaveLength(before);
  });
});
