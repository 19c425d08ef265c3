/**
 * Rolling upgrades: members whose programs differ stand side by side. A program understands commands up to some level;
 * one that applied a command that it does not understand would part from the others. So each member tells its level
 * through the log; once all of them, learners too, have told enough, the leader has the cluster agree on the higher
 * level, through the log as well, and only then may commands of that level be proposed. What was agreed is never taken
 * back: its commands are in the log and in the state, and a program that understands less refuses to take part.
 */
import { RaftError } from '../contract.js';
import type { Membership, PeerInfo } from '../contract.js';

/** What programs understand that never told. */
const FIRST_LEVEL = 1;

export const agreedLevel = ({ level = FIRST_LEVEL }: Membership): number => level;

/** What a member has told to understand. */
export const toldLevel = ({ level = FIRST_LEVEL }: PeerInfo): number => level;

/** What all members have told to understand. */
export const commonLevel = ({ peers }: Membership): number => Math.min(...peers.map((peer) => toldLevel(peer)));

/**
 * Throws RaftError `outdated` when the cluster has agreed on more than this program understands. Undefined: it takes no
 * part in levels.
 */
export function checkLevel(membership: Membership, understood: number | undefined): void {
  const agreed = agreedLevel(membership);
  if (understood === undefined || agreed <= understood) return;
  throw new RaftError(
    'outdated',
    `the cluster has agreed on level ${agreed}, this program understands ${understood}: ` +
      'an upgrade that all members have finished cannot be taken back; start this member with the program that the others run',
  );
}
