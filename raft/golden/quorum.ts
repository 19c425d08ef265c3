/** The commands of quorum scripts: `committed` and `vote` over one or two sets of voters. */
import { jointCommitted, jointVote, jointVoters } from '../core/quorum/joint.js';
import type { NodeId } from '../core/types/ids.js';
import type { Directive } from './datadriven.js';

export function runQuorum(directive: Directive): string {
  const list = (key: string): readonly string[] => directive.args.find((arg) => arg.key === key)?.values ?? [];
  const ids = list('cfg').map(Number);
  const idsJoint = list('cfgj')
    .filter((id) => id !== 'zero')
    .map(Number);
  const quorum = { incoming: new Set(ids), outgoing: new Set(idsJoint) };
  const voters = jointVoters(quorum);
  const given = directive.command === 'vote' ? list('votes') : list('idx');
  if (voters.length !== given.length) {
    return `error: mismatched input (explicit or _) for voters [${voters.join(' ')}]: [${given.join(' ')}]`;
  }
  const named = new Map([...new Set([...ids, ...idsJoint])].map((id, i) => [id, given[i] ?? '_']));
  if (directive.command === 'vote') {
    const votes = new Map([...named].filter(([, vote]) => vote !== '_').map(([id, vote]) => [id, vote === 'y']));
    return { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' }[jointVote(quorum, votes)];
  }
  if (directive.command !== 'committed') throw new Error(`unknown command ${directive.command}`);
  const acked = new Map([...named].filter(([, index]) => index !== '_').map(([id, index]) => [id, Number(index)]));
  const committed = jointCommitted(quorum, (id) => acked.get(id) ?? 0);
  return describeAcks(voters, acked) + (committed === Infinity ? '∞' : String(committed));
}

/** One line per voter; the bar is as long as the number of voters that are strictly behind. */
function describeAcks(voters: readonly NodeId[], acked: ReadonlyMap<NodeId, number>): string {
  const n = voters.length;
  if (n === 0) return '<empty majority quorum>';
  const indexes = voters.map((id) => acked.get(id) ?? 0);
  const lines = voters.map((id, i) => {
    const own = indexes[i] ?? 0;
    const behind = indexes.filter((index) => index < own).length;
    const bar = acked.has(id) ? `${'x'.repeat(behind)}>${' '.repeat(n - behind)}` : `?${' '.repeat(n)}`;
    return `${bar} ${String(own).padStart(5)}    (id=${id})\n`;
  });
  return `${' '.repeat(n)}    idx\n${lines.join('')}`;
}
