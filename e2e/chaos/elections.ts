/** Election safety, as the members' own logs tell it: one leader a term. */
import type { Member } from './fleet.js';

/**
 * From a leader's last heartbeat to its successor: an election timeout takes as long as two at most, and the votes a
 * little.
 */
export const ELECTION_MS_MAX = 1500;

interface Line {
  /** ISO 8601. */
  readonly time?: string;
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
      else if (known !== leader)
        breaches.push(`election safety: ${member.name} follows ${leader} in term ${term}, in which ${known} led`);
    }
  }
  return { terms: leaders.size, breaches };
}

/**
 * When each term after `term` was first heard to have a leader, on the wall clock; and whether a leader gave way to its
 * disk before.
 */
export function electionsAfter(
  logs: readonly string[],
  term: number,
): readonly { readonly term: number; readonly at_ms: number; readonly forDisk: boolean }[] {
  const first = new Map<number, number>();
  const slow: number[] = [];
  for (const text of logs.join('\n').split('\n')) {
    const isSlow = text.includes('does not finish a write');
    if (!isSlow && !text.includes('"leadership"')) continue;
    const line = parse(text);
    const at_ms = Date.parse(line.time ?? '');
    if (isSlow) slow.push(at_ms);
    else if ((line.leader ?? 0) !== 0 && (line.term ?? 0) > term)
      first.set(line.term ?? 0, Math.min(at_ms, first.get(line.term ?? 0) ?? Infinity));
  }
  return [...first].map(([found, at_ms]) => ({
    term: found,
    at_ms,
    forDisk: slow.some((slow_ms) => slow_ms <= at_ms && slow_ms > at_ms - ELECTION_MS_MAX),
  }));
}

function parse(text: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch {
    // A line that a kill cut off.
    return {};
  }
}
