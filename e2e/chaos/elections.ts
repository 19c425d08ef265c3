/** Election safety, as the members' own logs tell it: one leader a term. */
import type { Member } from './fleet.js';

interface Line {
  readonly msg?: string;
  readonly leader?: number;
  readonly term?: number;
  readonly leading?: boolean;
}

export interface Elections {
  /** Terms in which somebody led. */
  readonly terms: number;
  /** Two leaders in one term. */
  readonly breaches: readonly string[];
}

export function electionsOf(members: readonly Member[]): Elections {
  const leaders = new Map<number, number>();
  const breaches: string[] = [];
  for (const member of members) {
    for (const text of member.logSince(0).split('\n')) {
      if (!text.includes('"leadership"')) continue;
      const { leader = 0, term = 0 } = parse(text);
      if (leader === 0) continue;
      const known = leaders.get(term);
      if (known === undefined) leaders.set(term, leader);
      else if (known !== leader) breaches.push(`election safety: ${member.name} follows ${leader} in term ${term}, in which ${known} led`);
    }
  }
  return { terms: leaders.size, breaches };
}

function parse(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch {
    // A line that a kill cut off.
    return {};
  }
}
